"""Validation runs executed copies again: drift passes; changed numbers, words and dead kernels do not."""

import json
from pathlib import Path

import pytest

import colu
from colu.files import file_digest
from colu.press.build.execute import record_path
from colu.press.build.validate import _failures, validate
from colu.press.project import BookError


def _executed(toy, stem, source, printed, tags=("nbval-check-output",), record=None):
    """Put an executed copy in place as if ``source`` had printed ``printed``."""
    toy.write(stem, source, tags=tags)
    notebook = json.loads((toy.notebooks / f"{stem}.ipynb").read_text())
    for number, cell in enumerate(notebook["cells"], start=1):
        cell["execution_count"] = number
    outputs = [{"output_type": "stream", "name": "stdout", "text": printed}] if printed else []
    if record is not None:
        data = {"application/papermill.record/text/plain": record}
        outputs.append({"output_type": "display_data", "data": data, "metadata": {}})
    notebook["cells"][1]["outputs"] = outputs
    copy = toy.copy(stem)
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(json.dumps(notebook))
    record_path(copy).write_text(json.dumps({"sha256": file_digest(copy), "validated": None}))


@pytest.mark.slow
def test_only_what_differs_fails_and_what_agrees_is_not_run_again(toy, monkeypatch):
    claim = "from pathlib import Path\nfrom colu import claims\n"
    claim += f"claims.check('toy-two', 2.0, ledger=Path({str(toy.ledger)!r}));"
    line = "claim toy-two holds: measured 2.000, expected 2 ± 0.001\n"
    _executed(toy, "01-drift", "import sys; print('loss', 0.5 + 1e-7); print('noise', file=sys.stderr)", "loss 0.5\n")
    _executed(toy, "02-number", "print('loss', 0.6)", "loss 0.5\n")
    _executed(toy, "03-word", "print('loss', 0.5)", "gain 0.5\n")
    _executed(toy, "04-dies", "import os; os._exit(3)", "")
    _executed(toy, "05-claim", claim, line.replace("2.000", "2.500"), record="2.0")
    _executed(toy, "06-semicolon", "1 + 1;", "")
    _executed(toy, "08-claim", claim, line, record="2.0")
    _executed(toy, "07-untagged", "print(2)", "1\n", tags=())
    # A kernel that is gone is not waited for: that would take an hour.
    failures = validate(toy, cell_timeout=3600)
    assert sorted(failures) == ["02-number", "03-word", "04-dies", "05-claim"]
    # The cell that installs is the first, so that this is the third.
    assert "0.6" in failures["02-number"][0] and "Cell 2" in failures["02-number"][0]
    assert "gain" in failures["03-word"][0]
    assert "died" in failures["04-dies"][0]
    assert "2.500" in failures["05-claim"][0]
    validated = {path.stem: json.loads(path.read_text())["validated"] for path in toy.executed("smoke").glob("*.json")}
    assert validated == {path.stem: path.stem not in failures for path in toy.notebooks.glob("*.ipynb")}
    monkeypatch.setattr("colu.press.build.validate.run_program", None)
    assert validate(toy, names=["08-claim", "01-drift", "06-semicolon", "07-untagged"]) == {}


def test_cell_missing_from_the_report_is_a_failure(toy, tmp_path):
    _executed(toy, "01-one", "print(1)", "1\n")
    report = tmp_path / "report.xml"
    report.write_text('<testsuite><testcase classname="01-one.ipynb" name="Cell 0"/></testsuite>')
    assert "1 of its 2 code cells" in _failures(report, [toy.copy("01-one")])["01-one"][0]
    report.write_text(
        '<testsuite><testcase classname="" name="Cell 0"/><testcase classname="" name="Cell 1"/></testsuite>'
    )
    assert "0 of its 2 code cells" in _failures(report, [toy.copy("01-one")])["01-one"][0]


def test_altered_copy_is_refused(toy):
    _executed(toy, "01-one", "print(1)", "1\n")
    toy.copy("01-one").write_text("{}")
    with pytest.raises(BookError, match="missing or altered"):
        validate(toy)


@pytest.mark.long
def test_the_second_run_may_have_a_package_of_its_own_and_no_clone_around_it(toy):
    source = "import os, colu; print(colu.__file__.split(os.sep)[-4:], os.environ.get('COLU_RESULTS'), os.listdir())"
    printed = "['package', 'site', 'colu', '__init__.py'] None ['01-one.ipynb']\n"
    _executed(toy, "01-one", source, printed)

    def package(folder):
        (folder / "site").mkdir(parents=True)
        (folder / "site" / "colu").symlink_to(Path(colu.__file__).parent)
        return folder / "site"

    told = []
    assert validate(toy, package=package, begin=told.append) == {}
    assert validate(toy, package=package, begin=told.append) == {} and told == [["01-one"]]
    assert list(validate(toy, force=True)) == ["01-one"]
