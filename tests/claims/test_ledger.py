"""The ledger is read whole, and an entry that is wrong is refused with its file, its name and its key."""

import subprocess
import sys

import pytest

from colu import claims

GOOD = "a:\n  source: t\n"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("a: 3", "'a' is 3"),
        (GOOD, "no bound"),
        (GOOD + "  expected: 1\n  at_most: 2", "exactly one of"),
        (GOOD + "  expekted: 1", "unknown key 'expekted'; known are"),
        (GOOD.replace("  source: t\n", "") + "  expected: 1", "lacks 'source'"),
        (GOOD + "  between: [2, 1]", "between is"),
        (GOOD + "  expected: 1\n  tolerance: -1", "tolerance is -1"),
        (GOOD + "  expected: 1\n  tolerance: .inf", "tolerance is inf"),
        (GOOD + "  at_most: .nan", "at_most is nan"),
        (GOOD + "  at_most: {smok: 1}", "at_most is 'smok': Input should be 'smoke', 'laptop' or 'full'"),
        (GOOD + "  at_most: 1\n" + GOOD + "  at_most: 2", "stands twice"),
        ("- a", "wanted a mapping"),
        ("a: [", "not YAML"),
        (GOOD + "  expected: 1\n  notebook: n", "'notebook'.* take it out"),
        (GOOD + "  expected: 1e-5", "expected is '1e-5': .*valid number"),
        (GOOD + "  at_most: 1\n  tolerance: 0.1", "tolerance, which goes with 'expected', not with 'at_most'"),
        (GOOD.replace("t\n", "' '\n") + "  expected: 1", "source is ' '"),
        (GOOD + "  expected: 1\n  from_run: yes please", "from_run is 'yes please'"),
    ],
)
def test_incomplete_entry_is_refused_with_its_name_and_key(entry, said, tmp_path):
    (tmp_path / "12-b.yml").write_text(entry)
    with pytest.raises(ValueError, match=said) as caught:
        claims.load_expectations(tmp_path)
    assert "12-b.yml" in str(caught.value)


ENTRY = "{}:\n  source: here\n  expected: 1\n"


def test_a_folder_is_read_chapter_by_chapter(tmp_path):
    (tmp_path / "12-b.yml").write_text(ENTRY.format("two"))
    (tmp_path / "11-a.yml").write_text(ENTRY.format("one"))
    found = claims.load_expectations(tmp_path)
    assert [(claim, entry.notebook) for claim, entry in found.items()] == [("one", "11-a"), ("two", "12-b")]


def test_a_claim_in_two_files_is_refused(tmp_path):
    for name in ("11-a", "12-b"):
        (tmp_path / f"{name}.yml").write_text(ENTRY.format("one"))
    with pytest.raises(claims.LedgerError, match="'one'.* stands in another chapter's file too"):
        claims.load_expectations(tmp_path)


def test_a_changed_file_is_read_again(tmp_path):
    (tmp_path / "11-a.yml").write_text(ENTRY.format("one"))
    assert claims.load_expectations(tmp_path)["one"].words() == "1 exactly"
    (tmp_path / "11-a.yml").write_text(ENTRY.format("one") + "  tolerance: 0.5\n")
    assert claims.load_expectations(tmp_path)["one"].words() == "1 ± 0.5"


def test_an_expectation_from_a_run_says_so_and_no_other_does(tmp_path):
    (tmp_path / "11-a.yml").write_text(ENTRY.format("before") + ENTRY.format("after") + "  from_run: true\n")
    found = claims.load_expectations(tmp_path)
    assert found["before"].words() == "1 exactly"
    assert found["after"].words() == "1 exactly, set after a run"


def test_an_absent_folder_is_named(tmp_path):
    with pytest.raises(claims.LedgerError, match="absent is no folder of expectations"):
        claims.load_expectations(tmp_path / "absent")


def test_package_ledger_can_be_met_at_smoke():
    for entry in claims.load_expectations().values():
        assert entry.holds(entry.at("smoke")[0] if entry.kind != "between" else entry.at("smoke")[0][0])


def test_claims_import_without_torch():
    code = "import sys, colu.claims, colu.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
