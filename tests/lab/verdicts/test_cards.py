"""Cards say what a judgement rests on."""

from dataclasses import replace

import pytest

from colu.lab.verdicts import Judgement, command_of, judge_family, load_protocols, verdict_cards
from colu.lab.verdicts.cards import unit_of

from .conftest import STATEMENTS

PAPERS = {"hendrycks2016gelu": "GELU & co"}


def test_a_card_has_statement_word_figure_scale_and_command(done):
    (protocol,) = load_protocols(done).values()
    page = verdict_cards(judge_family(protocol, STATEMENTS, done), PAPERS)
    parts = ("GELU leads.", "what it rests on", "<svg", "printed +20", "examples", "colu campaign --only toy")
    for part in parts:
        assert part in page, part
    assert 'aria-label="our difference' in page and page.count("<article") == 1
    assert 'data-paper="GELU &amp; co"' in page and page.count('type="radio"') == 2


def test_what_was_not_tested_says_what_it_would_take():
    statement = replace(STATEMENTS["gelu-leads"], needs="an <hour>")
    page = verdict_cards({"gelu-leads": Judgement(statement, "not tested", ("an <hour>",))}, PAPERS)
    assert "an &lt;hour&gt;" in page and "<svg" not in page and "<hour>" not in page
    assert command_of(Judgement(statement, "not tested")) == []


def test_a_source_without_a_name_is_an_error():
    with pytest.raises(KeyError, match="hendrycks2016gelu"):
        verdict_cards({"gelu-leads": Judgement(STATEMENTS["gelu-leads"], "not tested")}, {})


def test_units_go_by_the_metric():
    assert [unit_of(m) for m in ("test_accuracy@0.5", "barrier_conic", "train_loss", "cap_max_error")] == [
        "points", "nats", "nats", "",
    ]  # fmt: skip
