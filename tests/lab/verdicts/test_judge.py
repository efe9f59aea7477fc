"""From a protocol's records to words."""

from dataclasses import replace

import pytest

from colu.lab.experiments import get_experiment, run
from colu.lab.results import config_hash, write_record
from colu.lab.verdicts import (
    ANSWERS,
    judge_all,
    judge_exploratory,
    judge_family,
    judge_state,
    lint_protocols,
    load_protocols,
    load_statements,
    state_of,
)
from colu.lab.verdicts import judge as module

from .conftest import PROTOCOL, STATEMENTS, fake, write


def only(root, **changes):
    return judge_family(write(root, **changes), STATEMENTS, root)["gelu-leads"]


def test_a_whole_protocol_gives_one_word_and_all_that_it_rests_on(done):
    (protocol,) = load_protocols(done).values()
    found = judge_family(protocol, STATEMENTS, done)["gelu-leads"]
    state = state_of(protocol, done)
    assert state.whole and state.of == 16 and len(state.records) == 10
    assert state.rates == {"relu": 3e-3, "gelu": 3e-3} and state.edges(protocol) == []
    assert found.word in ("equal within the margin", "smaller than printed", "undecided")
    assert found.difference.n == 5 and [r.n for r in found.failed] == [5, 5] and found.margin == 10.0
    assert found.p_value == found.difference.p_value  # one test, nothing to correct
    assert "examples" in found.scale() and {r.protocol["name"] for r in found.records} == {"toy"}


def test_until_the_last_run_nothing_is_said(copy):
    folder = copy / "protocols" / "toy-v1"
    last = next(p for p in folder.glob("gelu-seed4-*.json") if "curve" not in p.name)
    last.unlink()
    (protocol,) = load_protocols(copy).values()
    found = judge_family(protocol, STATEMENTS, copy)["gelu-leads"]
    assert (found.word, found.reasons) == ("not tested", ("1 of 16 runs of its protocol, toy, are left",))
    assert [c.label for c in state_of(protocol, copy).left] == ["gelu, seed 4"]
    for path in folder.glob("relu-seed100-*"):
        path.unlink()
    with pytest.raises(ValueError, match="whose tuning is not done: 3 runs of the tuning are left"):
        state_of(protocol, copy)


OWN = [PROTOCOL["tests"][0] | {"statement": "ours", "asks": "Does GELU lead?", "argued": "half of a guess"}]


def test_a_question_of_our_own_is_judged_without_a_statement_in_print(done, tmp_path):
    (ours,) = write(tmp_path, tests=OWN).tests
    (protocol,) = load_protocols(done).values()
    found = judge_state(replace(protocol, tests=[ours]), {}, state_of(protocol, done))["ours"]
    assert found.word in ANSWERS and found.statement.statement == "Does GELU lead?" and found.difference.n == 5
    assert found.test == ours


def test_protocols_of_questions_alone_leave_the_statements_in_print_to_themselves(tmp_path):
    write(tmp_path, tests=OWN)
    assert "ours" not in judge_all(tmp_path)


def test_holm_counts_the_tests_beside(monkeypatch, done):
    few, many = (judged(monkeypatch, done, accuracy(72.0), beside=n)["gelu-leads"] for n in (0, 3))
    assert many.p_value == pytest.approx(4 * few.p_value)
    assert many.equivalence_p_value == pytest.approx(4 * few.equivalence_p_value) and few.difference == many.difference


def judged(monkeypatch, done, change, statements=STATEMENTS, **changes):
    """The toy's judgement, with its finished runs changed by ``change`` and the protocol's fields replaced."""
    (protocol,) = load_protocols(done).values()
    state = state_of(protocol, done)
    state = replace(state, records=[r for r in map(change, state.records) if r is not None])
    monkeypatch.setattr(module, "state_of", lambda *_: state)
    return judge_family(replace(protocol, **changes), statements, done)


def accuracy(gelu, relu=70.0, spread=1.0):
    def change(record):
        noise = spread * (record.seed % 3 - 1) * (1 if record.arm == "gelu" else 0.5)
        value = (gelu if record.arm == "gelu" else relu) + noise
        return replace(record, metrics=record.metrics | {"test_accuracy": value})

    return change


@pytest.mark.parametrize(("gelu", "wanted"), [
    (90.0, "reproduced"), (80.0, "smaller than printed"), (50.0, "opposite"), (70.0, "equal within the margin"),
])  # fmt: skip
def test_the_word_follows_from_the_runs(monkeypatch, done, gelu, wanted):
    assert judged(monkeypatch, done, accuracy(gelu))["gelu-leads"].word == wanted


def test_a_gate_that_fails_is_the_end_of_it(monkeypatch, done):
    gates = [{"gate": "reaches", "arm": "relu", "metric": "test_accuracy", "printed": 80.0, "within": 5.0}]
    found = judged(monkeypatch, done, accuracy(90.0), gates=gates)["gelu-leads"]
    assert found.word == "regime not reached" and "test accuracy of ReLU is 69.9" in found.reasons[0]
    assert found.difference.mean > 15  # it is shown all the same


def test_a_rate_at_the_edge_of_the_grid_is_no_tuned_rate(monkeypatch, done):
    tuning = PROTOCOL["tuning"] | {"learning_rates": [3e-3, 1.0, 10.0]}
    found = judged(monkeypatch, done, accuracy(90.0), tuning=tuning)["gelu-leads"]
    assert found.word == "regime not reached" and "is at the edge of the grid" in found.reasons[0]


@pytest.mark.parametrize(("arm", "stands"), [("silu", True), ("gelu", False), ("relu", False)])
def test_the_rate_of_an_arm_that_a_test_does_not_rest_on_is_no_fault_of_it(done, arm, stands):
    (protocol,) = load_protocols(done).values()
    state = state_of(protocol, done)
    state = replace(state, rates=state.rates | {arm: 10.0})
    found = judge_state(protocol, STATEMENTS, state)["gelu-leads"]
    assert (found.word != "regime not reached") is stands


def test_a_pair_that_crosses_processors_is_refused_unless_nothing_is_paired(monkeypatch, done):
    def change(record):
        there = record.arm == "gelu" and record.seed == 2
        record = accuracy(90.0)(record)
        return replace(record, device=record.device | {"name": "another"}) if there else record

    assert judged(monkeypatch, done, change)["gelu-leads"].word == "regime not reached"
    assert judged(monkeypatch, done, change, comparison="welch")["gelu-leads"].word == "reproduced"


def test_two_statements_on_the_same_runs_are_one_test(monkeypatch, done):
    twice = [*PROTOCOL["tests"], PROTOCOL["tests"][0] | {"statement": "again"}]
    statements = STATEMENTS | {"again": replace(STATEMENTS["gelu-leads"], id="again")}
    found = judged(monkeypatch, done, accuracy(75.0), statements, tests=twice)
    assert found["again"].p_value == found["gelu-leads"].p_value == found["again"].difference.p_value
    other = PROTOCOL["tests"][0] | {"statement": "again", "arm": "relu", "baseline": "gelu"}
    apart = judged(monkeypatch, done, accuracy(75.0), statements, tests=[PROTOCOL["tests"][0], other])
    assert apart["again"].p_value == pytest.approx(min(1, 2 * found["again"].p_value))


def test_runs_that_fail_are_a_rate_and_the_metric_is_of_the_others(monkeypatch, done):
    def change(record):
        record = accuracy(90.0)(record)
        lost = record.arm == "gelu" and record.seed < 2
        return replace(record, metrics=record.metrics | {"test_accuracy": 10.0}) if lost else record

    failure = {"metric": "test_accuracy", "worse_than": "relu"}
    found = judged(monkeypatch, done, change, failure=failure)["gelu-leads"]
    assert (found.word, found.difference.n) == ("undecided", 3) and found.difference.mean > 15
    assert [(r.count, r.n) for r in found.failed] == [(2, 5), (0, 5)]
    assert found.reasons == ("3 pairs of runs trained, wanted at least 5",)


@pytest.mark.parametrize(("lost", "wanted"), [(5, "reproduced"), (2, "undecided")])
def test_instability_is_judged_by_fishers_test(monkeypatch, done, lost, wanted):
    def change(record):
        record = accuracy(75.0)(record)
        gone = record.arm == "gelu" and record.seed < lost
        return replace(record, metrics=record.metrics | {"test_accuracy": 10.0}) if gone else record

    unstable = {"gelu-leads": replace(STATEMENTS["gelu-leads"], says="unstable", printed=None)}
    failure = {"metric": "test_accuracy", "worse_than": "relu"}
    assert judged(monkeypatch, done, change, unstable, failure=failure)["gelu-leads"].word == wanted


def test_an_untuned_arm_is_named(copy):
    (protocol,) = load_protocols(copy).values()
    settings = protocol.task.settings | {"learning_rate": 1e-5}
    run(get_experiment("mnist-mlp").config("smoke", "gelu", 0, **settings), copy, stamp=protocol.stamp)
    with pytest.raises(ValueError, match="its rate is 1e-05, the tuning chose 0.003 for gelu"):
        state_of(protocol, copy)
    assert [line for line in lint_protocols(copy, STATEMENTS) if "the tuning chose" in line]


def test_one_run_on_two_machines_is_not_counted_silently(copy):
    (protocol,) = load_protocols(copy).values()
    record = protocol.records(copy)[-1]
    config = record.config | {"device": "cuda"}
    there = {"type": "cuda", "name": "a GPU"}
    write_record(replace(record, config=config, config_hash=config_hash(config), device=there), copy)
    with pytest.raises(ValueError, match="are one run twice; keep one of them"):
        state_of(protocol, copy)


def test_exploratory_runs_never_get_a_verdict():
    ours = {
        "experiment": "mnist-mlp", "presets": ["smoke"], "metric": "test_accuracy", "arm": "gelu", "baseline": "relu",
        "setting": "a toy", "command": "colu run mnist-mlp",
    }  # fmt: skip
    statement = replace(STATEMENTS["gelu-leads"], exploratory=ours)
    runs = [fake(a, s, test_accuracy=v + 0.1 * s) for a, v in (("gelu", 90), ("relu", 70)) for s in range(9)]
    found = judge_exploratory(statement, runs)
    assert found.word == "not tested" and found.difference.decided and "before any protocol" in found.reasons[0]
    gate = {"gate": "reaches", "arm": "relu", "metric": "test_accuracy", "printed": 95.0, "within": 1.0}
    gated = replace(STATEMENTS["gelu-leads"], exploratory=ours | {"gates": [gate]})
    assert judge_exploratory(gated, runs).word == "regime not reached"
    other = replace(STATEMENTS["gelu-leads"], exploratory=ours | {"other_task": True})
    assert judge_exploratory(other, runs).word == "regime not reached"
    assert judge_exploratory(statement, runs[:1]).word == "not tested"


def test_every_statement_gets_a_word_and_none_without_a_protocol_a_verdict():
    found = judge_all()
    assert list(found) == list(load_statements())
    assert all(j.word in ("not tested", "regime not reached") for j in found.values() if j.protocol is None)
    assert all(j.reasons and all(j.reasons) for j in found.values() if j.word in ("not tested", "regime not reached"))
