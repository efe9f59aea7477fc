"""Recorded runs made again: what is drawn, how long it takes, and other instructions."""

import dataclasses
import platform

import pytest

from colu.lab.experiments import run_arms
from colu.lab.results import compare_records
from colu.lab.verdicts import choose, draw, expected_seconds, measure, name_of, parse_seconds, run_again


@pytest.fixture(scope="module")
def made():
    return run_arms("rotation", arms=["relu", "silu"], seeds=range(3), steps=20)


def costing(record, seconds, **changes):
    return dataclasses.replace(record, seconds=seconds, conditions=None, **changes)


def test_a_rerun_is_the_recorded_run_and_nothing_is_written(made, tmp_path, monkeypatch):
    monkeypatch.setenv("COLU_RESULTS", str(tmp_path))
    assert compare_records(made[0], run_again(made[0])).same_bits
    assert not list(tmp_path.iterdir())


def test_what_this_machine_cannot_run_is_refused(made):
    config = made[0].config | {"threads": 10_000}
    with pytest.raises(ValueError, match="threads is 10000"):
        run_again(dataclasses.replace(made[0], config=config))


def test_a_draw_goes_round_the_experiments_and_depends_on_its_seed_alone(made):
    records = [costing(r, 1.0) for r in made] + [costing(r, 1.0, experiment="vae") for r in made]
    first = draw(records, 4, 7, 100)
    assert [r.experiment for r in first.records].count("vae") == 2 and first.of == 12
    assert draw(records[::-1], 4, 7, 100) == first
    assert len({tuple(r.stem for r in draw(records, 4, seed, 100).records) for seed in range(8)}) > 1


def test_a_draw_fits_its_time_and_names_what_did_not(made):
    records = [costing(r, seconds) for r, seconds in zip(made, (1, 2, 4, 8, 16, 32), strict=True)]
    for seed in range(8):
        drawn = draw(records, 6, seed, 10)
        assert 0 < sum(r.seconds for r in drawn.records) <= 10
        left = {r.stem for r in records} - {r.stem for r in drawn.records}
        assert {r.stem for r in drawn.passed_over} <= left
    assert draw(records, 6, 0, 0.5).records == []


@pytest.mark.parametrize(("number", "seed", "message"), [(0, 0, "--random is 0"), (1, -1, "--seed is -1")])
def test_a_draw_that_cannot_be_is_refused(made, number, seed, message):
    with pytest.raises(ValueError, match=message):
        draw(made, number, seed, 10)


def test_seconds_of_the_processor_count_before_those_on_the_clock(made):
    under = made[0].conditions | {"cpu_seconds": 6.0}
    record = dataclasses.replace(made[0], seconds=50.0, conditions=under, threads=2)
    assert expected_seconds(record) == 3.0
    assert expected_seconds(dataclasses.replace(record, conditions=None)) == 50.0


def test_times_are_read_with_their_unit():
    assert [parse_seconds(text) for text in ("90s", "30m", "2h")] == [90.0, 1800.0, 7200.0]
    for text in ("30", "m", "-1m", "0s", "1e3s", "nan"):
        with pytest.raises(ValueError, match="wanted a time such as"):
            parse_seconds(text)


def test_an_unknown_path_is_refused_and_the_own_one_is_no_pair(made, tmp_path):
    with pytest.raises(ValueError, match="choose one of plain, avx2, sse"):
        measure(made[0], "mmx", tmp_path)
    assert measure(made[0], "plain", tmp_path) is None and not list(tmp_path.iterdir())


@pytest.mark.long  # another process imports everything anew
@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="instructions of x86")
def test_older_instructions_are_another_computation_of_the_same_run(tmp_path):
    (record,) = run_arms("mnist-mlp", arms=["relu"], seeds=[0], steps=30)
    pair = measure(record, "sse", tmp_path)
    assert pair.path == "sse" and pair.record == record.stem and pair.metrics["num_parameters"] == 0
    assert 0 < pair.curve < 1e-2


def test_a_row_with_a_protocol_is_its_compared_runs_and_is_judged_anew(done, monkeypatch):
    from colu.lab.verdicts import again

    from .conftest import STATEMENTS

    monkeypatch.setattr(again, "load_statements", lambda: STATEMENTS)
    first = choose("gelu-leads", done)
    assert [(r.arm, r.seed) for r in first.records] == [("relu", 0), ("gelu", 0)] and len(first.of) == 10
    assert len(choose("gelu-leads", done, all_seeds=True).records) == 10
    assert first.judged({}, done).word == first.judged({name_of(r): run_again(r) for r in first.records}, done).word
    worse = {
        name_of(r): dataclasses.replace(r, metrics=r.metrics | {"test_accuracy": 1.0 + r.seed / 10})
        for r in first.of
        if r.arm == "gelu"
    }
    assert first.judged(worse, done).word == "opposite"
    stem = first.records[0].stem
    assert choose(stem, done).records == [first.records[0]]
    assert len(choose(stem, done, all_seeds=True).records) == 5
