"""Faults that were planted are named."""

import json
import shutil
from dataclasses import replace

import pytest

from colu.lab.experiments import get_experiment, run
from colu.lab.results import broken_records, records, write_record
from colu.lab.verdicts import lint as module
from colu.lab.verdicts import lint_protocols, load_protocols, load_statements

from .conftest import PROTOCOL, STATEMENTS, write

SMALL = {"sd": 1.0, "measured": "a guess"}


def named(root, statements=STATEMENTS):
    return lint_protocols(root, statements)


def test_nothing_is_wrong_with_what_is_right(done):
    assert named(done) == [] and broken_records(done) == []


def test_the_books_own_protocols_and_statements_are_right():
    assert lint_protocols("results") == []


def test_a_protocol_that_changed_after_its_runs(copy):
    write(copy, shares="nothing")
    (line,) = named(copy)
    assert "protocol toy changed after its record" in line and "make" in line and "version 2" in line


def test_a_new_version_says_what_the_old_was(copy):
    digest = load_protocols(copy)["toy"].digest
    write(copy, version=2, shares="nothing")
    assert named(copy) == ["protocol toy has records of version 1; say under 'earlier' why"]
    write(copy, version=2, shares="nothing", earlier={1: {"digest": digest, "why": "nothing is shared"}})
    assert named(copy) == []
    write(copy, version=2, shares="nothing", earlier={1: {"digest": "0" * 64, "why": "nothing is shared"}})
    assert "changed after its record" in named(copy)[0]


def test_a_record_that_was_edited_by_hand(copy):
    path = next(p for p in (copy / "protocols" / "toy-v1").glob("gelu-seed1-*.json") if "curve" not in p.name)
    value = json.loads(path.read_text())
    value["metrics"]["test_accuracy"] = 99.0
    path.write_text(json.dumps(value))
    (line,) = broken_records(copy)
    assert path.name in line


def test_a_statement_that_is_tested_twice(copy):
    write(copy, "other")
    assert "statement gelu-leads is tested 2 times; one protocol speaks to it" in named(copy)


def test_records_without_their_protocol(copy):
    (copy / "protocols" / "toy.yml").unlink()
    lines = named(copy)
    assert any("holds records of a protocol that is not there" in line for line in lines)


def test_a_record_without_its_stamp_among_those_of_a_protocol(copy):
    folder = copy / "protocols" / "toy-v1"
    config = get_experiment("mnist-mlp").config("smoke", "relu", 7, **PROTOCOL["task"]["settings"])
    path = write_record(run(config, keep=False), copy)
    for one in path.parent.glob("relu-seed7-*"):
        one.rename(folder / one.name)
    assert any("a record has one name" in line for line in broken_records(copy))


def test_runs_of_a_tree_with_changes_and_runs_before_the_protocol(done, tmp_path, monkeypatch):
    shutil.copytree(done, tmp_path / "results")
    (protocol,) = load_protocols(tmp_path / "results").values()
    monkeypatch.setattr(records, "commit_here", lambda: ("a" * 40, True))
    (again,) = [r for r in protocol.records(done) if (r.arm, r.seed) == ("gelu", 1)]
    folder = tmp_path / "results" / "protocols" / "toy-v1"
    for path in folder.glob("gelu-seed1-*"):
        path.unlink()
    write_record(replace(again, dirty=True), tmp_path / "results")
    (line,) = named(tmp_path / "results")
    assert "is of a tree with changes; run it from a commit" in line
    monkeypatch.setattr(module, "text_in_commit", lambda *_: "")
    assert any("is older than its protocol toy: commit it before the runs" in line for line in named(done))


@pytest.mark.parametrize(("changes", "said"), [
    ({"tests": [PROTOCOL["tests"][0] | {"statement": "unheard"}]}, "tests 'unheard', which is no statement"),
    ({"tests": [PROTOCOL["tests"][0] | {"margin": 9.0}], "spread": SMALL}, "half the printed effect is 10"),
    ({"task": PROTOCOL["task"] | {"experiment": "mnist"}}, "there is no experiment 'mnist'"),
    ({"task": PROTOCOL["task"] | {"settings": {"speed": 1}}}, "unknown options ['speed']"),
    ({"task": PROTOCOL["task"] | {"preset": "huge"}}, "no preset 'huge'"),
])  # fmt: skip
def test_a_protocol_that_does_not_fit(tmp_path, changes, said):
    write(tmp_path, **changes)
    assert any(said in line for line in named(tmp_path)), named(tmp_path)


def test_a_margin_of_ones_own_is_argued(tmp_path):
    argued = PROTOCOL["tests"][0] | {"margin": 9.0, "argued": "of practical interest"}
    write(tmp_path, tests=[argued], spread=SMALL)
    assert named(tmp_path) == []


def test_a_question_of_ones_own_is_no_statement_and_its_margin_is_argued(tmp_path):
    own = PROTOCOL["tests"][0] | {"statement": "ours", "asks": "Does GELU lead?", "argued": "half of a guess"}
    known = {"gelu-leads": replace(STATEMENTS["gelu-leads"], needs="an hour")}
    write(tmp_path, tests=[own])
    assert named(tmp_path, known) == []
    write(tmp_path, tests=[own | {"argued": ""}])
    assert any("no size is printed; say why 10 under 'argued'" in line for line in named(tmp_path, known))
    write(tmp_path, tests=[own | {"statement": "gelu-leads"}])
    assert any("'gelu-leads' is a statement in print; it needs no 'asks'" in line for line in named(tmp_path, known))


def test_a_statement_needs_a_protocol_or_what_it_would_take(tmp_path):
    assert named(tmp_path) == ["gelu-leads has neither a protocol nor what it would take: add 'needs'"]
    assert named(tmp_path, {"gelu-leads": replace(STATEMENTS["gelu-leads"], needs="an hour")}) == []


def test_all_statements_have_a_source_in_the_bibliography():
    keys = {line.split("{")[1].split(",")[0] for line in open("book/references.bib") if line.startswith("@")}
    assert {s.source for s in load_statements().values()} <= keys
