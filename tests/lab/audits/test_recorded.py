"""Other people's code gives what is recorded of it: fetched at its commit and run, where that is asked for."""

import importlib.util
import json
import os
import re
import sys
from pathlib import Path

import pytest
import torch
import yaml

from colu.files import write_atomically
from colu.lab.audits import Recorded, load_audits
from colu.programs import run_program

ROOT = Path(__file__).parents[3]
PROGRAM = Path(__file__).with_name("programs.py")
_spec = importlib.util.spec_from_file_location("audit_programs", PROGRAM)
programs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(programs)
AUDITS = load_audits()

#: Unset: nothing is fetched. "run": fetched, run and compared. "record": and the output is recorded anew.
ASKED = os.environ.get("COLU_AUDIT", "")


def test_each_audit_has_a_program_and_an_output():
    assert set(programs.PROGRAMS) == set(AUDITS)
    recorded = {path.stem for path in (ROOT / "colu/lab/audits/recorded").glob("*.json")}
    assert recorded == set(AUDITS)
    for name, audit in AUDITS.items():
        assert set(audit.recorded.made_with) == {"python", *programs.VERSIONS[name]}, name
        assert all(torch.isfinite(audit.gave(key)).all() for key in audit.recorded.gave), name


def test_each_audit_is_cited_by_its_lines_and_each_cited_line_is_an_audit():
    sources = [path.read_text(encoding="utf8") for path in (ROOT / "notebooks").glob("*.ipynb")]
    cited = set(re.findall(r"https://github\.com/[^/\s]+/[^/\s]+/blob/[^\s)\"\\]+", "\n".join(sources)))
    # A whole file is a source and no audit.
    assert {url for url in cited if "#L" in url} == {audit.url for audit in AUDITS.values()}


def test_the_order_of_channels_is_undone():
    x = torch.arange(24.0).reshape(2, 12)
    assert torch.equal(programs.cone_by_cone(programs.axes_first(x)), x)
    assert programs.axes_first(x)[0, :3].tolist() == [0, 4, 8]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"commit": "e4915a5"}, "commit is 'e4915a5'"),
        ({"lines": "see there"}, "lines is 'see there'"),
        ({"repository": "https://example.org/x"}, "repository is 'https://example.org/x'"),
        ({"sha": "x"}, "sha is"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path, change, message):
    entries = yaml.safe_load((ROOT / "colu/lab/audits/audits.yml").read_text())
    path = tmp_path / "audits.yml"
    path.write_text(yaml.safe_dump({"mpu-order": entries["mpu-order"] | change}))
    with pytest.raises(ValueError, match=f"audits.yml, mpu-order: .*{re.escape(message)}"):
        load_audits(path)


def test_an_absent_or_broken_output_is_named(monkeypatch, tmp_path):
    audit = load_audits()["lslu"]
    monkeypatch.setattr("colu.lab.audits.recorded.AUDITS", tmp_path / "audits.yml")
    with pytest.raises(ValueError, match="output of lslu cannot be read .*No such file"):
        _ = audit.recorded
    (tmp_path / "recorded").mkdir()
    audit.file.write_text('{"given": {}}')
    with pytest.raises(ValueError, match="lslu.json: .*gave"):
        _ = audit.recorded
    audit.write(Recorded(given={"x": [1.0]}, gave={"y": [2.0]}, made_with={"python": "3"}))
    assert audit.gave("y").tolist() == [2.0]
    with pytest.raises(KeyError, match=r"no 'z', choose one of \['y'\]"):
        audit.gave("z")


def fetched(audit, folder: Path) -> Path:
    """The audited file and those that it reads, from its repository at its commit, by git."""
    repository = folder / audit.repository.replace("/", "-")
    if not repository.is_dir():
        address = f"https://github.com/{audit.repository}"
        done = run_program(["git", "clone", "--quiet", "--no-checkout", "--filter=blob:none", address, str(repository)])
        assert done.status == 0, f"{address} could not be fetched: {done.err}"
    for path in (audit.path, *audit.with_files):
        done = run_program(["git", "-C", str(repository), "show", f"{audit.commit}:{path}"])
        assert done.status == 0, f"{path} is not in {audit.repository} at {audit.commit}: {done.err}"
        place = folder / audit.commit / path
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(place, done.out)
    return folder / audit.commit / audit.path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("audits")


@pytest.mark.skipif(not ASKED, reason="fetches other people's code: set COLU_AUDIT=run")
@pytest.mark.parametrize("name", programs.PROGRAMS)
def test_the_code_gives_what_is_recorded(name, folder):
    audit = AUDITS[name]
    for module in programs.VERSIONS[name]:
        pytest.importorskip(module, reason=f"{name} runs on {module}")
    path = fetched(audit, folder)
    first, _, last = audit.lines.partition("-")
    assert len(path.read_text().splitlines()) >= int(last or first)
    done = run_program(
        [sys.executable, str(PROGRAM), name, str(path)],
        given=json.dumps(audit.recorded.given),
        cwd=ROOT,
        env=os.environ | {"TRITON_INTERPRET": "1", "JAX_PLATFORMS": "cpu"},
    )
    assert done.status == 0, done.err
    found = json.loads(done.out.splitlines()[-1])
    if ASKED == "record":
        audit.write(Recorded(given=audit.recorded.given, **found))
        audit = load_audits()[name]
    assert set(found["gave"]) == set(audit.recorded.gave)
    for key, value in found["gave"].items():
        # Computed in float32, and by other versions perhaps in another order.
        torch.testing.assert_close(torch.tensor(value, dtype=torch.float64), audit.gave(key), rtol=1e-5, atol=1e-6)
