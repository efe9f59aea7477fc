"""Protocols of one family: all of them or nothing."""

import pytest

from colu.lab.verdicts import ANSWERS, judge_together, load_protocols
from colu.lab.verdicts import family as module

from .conftest import PROTOCOL, STATEMENTS, write

SMALL = {"sd": 2.0, "measured": "a guess"}


def own(name):
    return [PROTOCOL["tests"][0] | {"statement": name, "asks": "Does GELU lead?", "argued": "half of a guess"}]


def test_nothing_is_said_until_the_last_run_of_all(copy, monkeypatch):
    write(copy, "other", tests=own("other"), spread=SMALL)
    whole = module.state_of(load_protocols(copy)["toy"], copy)
    found = judge_together(["toy", "other"], copy)
    assert (found.left, found.of, found.judged) == (16, 32, {}) and str(found) == "not finished: 16 of 32 runs"
    monkeypatch.setattr(module, "state_of", lambda *_: whole)
    monkeypatch.setattr(module, "load_statements", lambda: STATEMENTS)
    found = judge_together(["toy", "other"], copy)
    assert str(found) == "finished: 32 runs" and set(found.judged) == {"gelu-leads", "other"}
    assert found.judged["other"].word in ANSWERS


def test_a_family_is_named_whole(tmp_path):
    for name in ("one", "two"):
        write(tmp_path, name, tests=own(name), spread=SMALL, beside=1)
    assert judge_together(["one", "two"], tmp_path).left == 32
    with pytest.raises(ValueError, match="one counts 1 tests beside its own, and the others named have 0: name all"):
        judge_together(["one"], tmp_path)
