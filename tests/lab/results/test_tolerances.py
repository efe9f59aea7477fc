"""Tolerances: stated from pairs, checked by a schema, and no looser than they say."""

import dataclasses

import pytest

from colu.lab.experiments import EXPERIMENTS, run_arms
from colu.lab.results import agreement, find_records, load_tolerances, measured, seed_spread
from colu.lab.results.tolerances import Tolerances


@pytest.fixture(scope="module")
def record():
    return run_arms("rotation", arms=["relu"], seeds=[0], steps=40, log_every=10, evaluate_every=20)[0]


def moved(record, *, loss=1.0, end=0.0, way=0.0, processor="Another", **changes):
    """As another processor might have made it: losses times a factor, a metric off at the end and before it."""
    curve = [{**e, "loss": e["loss"] * loss} for e in record.curve]
    curve = [{**e, "cap_mse": e["cap_mse"] + way} if "cap_mse" in e else e for e in curve[:-1]] + curve[-1:]
    curve[-1] = {**curve[-1], "cap_mse": curve[-1]["cap_mse"] + end}
    metrics = record.metrics | {"cap_mse": curve[-1]["cap_mse"], "train_loss_last": curve[-1]["loss"]}
    device = {**record.device, "name": processor}
    return dataclasses.replace(record, curve=curve, metrics=metrics, device=device, **changes)


@pytest.fixture
def stated(record):
    return Tolerances(factor=3, pairs=[measured(record, moved(record, loss=1.001, end=0.01), "plain")])


def test_the_tolerance_is_the_factor_times_the_largest_difference(record, stated):
    found = stated.extended([measured(record, moved(record, end=0.02), "avx2")]).of("rotation", "cpu")
    assert found.pairs == 2
    assert found.metrics["cap_mse"] == pytest.approx(0.06) and found.metrics["cap_max_error"] == 0
    assert found.curve == pytest.approx(0.003, rel=1e-2)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"loss": 1.002, "end": 0.02}, "within the tolerance"),
        ({"end": 0.02}, "within the tolerance"),
        ({"loss": 1.01}, "different"),
        ({"end": 0.04}, "different"),
    ],
)
def test_another_processor_agrees_within_the_tolerance_and_no_further(record, stated, changes, word):
    found = agreement(record, moved(record, **changes), stated)
    assert found.word == word and found.text.startswith(word)
    assert word != "different" or "other CPU or GPU" in found.text


def test_what_a_forger_could_edit_on_the_way_is_seen(record, stated):
    assert any("cap_mse" in entry for entry in record.curve[:-1])
    assert agreement(record, moved(record, way=0.5), stated).word == "different"


def test_on_the_same_processor_a_metric_alone_is_not_forgiven(record, stated):
    same = record.device["name"]
    found = agreement(record, moved(record, end=1e-9, processor=same), stated)
    assert found.word == "different" and "a metric was edited" in found.text


def test_a_metric_or_step_that_the_rerun_lacks_is_a_difference_and_more_is_none(record, stated):
    fewer = {k: v for k, v in record.metrics.items() if k != "cap_mse"}
    lacks = dataclasses.replace(record, metrics=fewer)
    assert agreement(record, lacks, stated).word == "different"
    assert agreement(lacks, record, stated).word == "same bits"
    shorter = dataclasses.replace(record, curve=record.curve[1:])
    assert "step 10" in agreement(record, shorter, stated).text


def test_where_no_pair_was_measured_only_the_same_bits_agree(record, stated):
    nothing = Tolerances(factor=3)
    equal = nothing.extended([measured(record, record, "avx2")])
    assert [t.of("rotation", "cpu") for t in (nothing, equal)] == [None, None]
    assert stated.of("rotation", "cuda") is None
    assert agreement(record, record, nothing).word == "same bits"
    found = agreement(record, moved(record, loss=1 + 1e-6), nothing)
    assert found.word == "different" and "no tolerance is stated for rotation on cpu" in found.text
    crossed = dataclasses.replace(record, device={"type": "cuda", "name": "a GPU"})
    assert "on cpu and cuda" in agreement(record, moved(crossed, loss=1.001), stated).text


def test_runs_that_differ_by_more_than_a_path_are_no_pair(record):
    for other in (
        dataclasses.replace(record, versions=record.versions | {"torch": "1.0"}),
        run_arms("rotation", arms=["relu"], seeds=[1], steps=40, log_every=10)[0],
    ):
        with pytest.raises(ValueError, match="are no pair"):
            measured(record, other, "plain")


def test_a_file_is_read_as_it_was_written_below_its_comment(stated, tmp_path):
    path = tmp_path / "t.yml"
    path.write_text("# why\n# how\nfactor: 1\n")
    stated.write(path)
    assert path.read_text().startswith("# why\n# how\nfactor: 3\n") and load_tolerances(path) == stated


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("factor: 0.5\npairs: []\n", "factor is 0.5: input should be greater than or equal to 1"),
        ("factor: 3\npairs: [{experiment: rotation}]\n", "pairs.0.device"),
        ("factor: 3\nloose: 1\n", "loose"),
        ("[", "cannot be read"),
        ("3", "does not match the schema"),
    ],
)
def test_a_file_that_is_no_file_of_tolerances_is_refused(tmp_path, text, message):
    (tmp_path / "t.yml").write_text(text)
    with pytest.raises(ValueError, match=message):
        load_tolerances(tmp_path / "t.yml")


def test_every_stated_pair_is_of_a_record_that_stands():
    pairs = load_tolerances().pairs
    standing = {(r.experiment, r.stem, r.device["name"]) for name in EXPERIMENTS for r in find_records(name)}
    assert pairs and {(p.experiment, p.record, p.recorded) for p in pairs} <= standing


def test_the_spread_is_that_over_seeds_and_not_over_arms():
    records = run_arms("rotation", arms=["relu"], seeds=range(5), steps=2)
    spread = seed_spread(records, "cap_mse")
    assert spread > 0
    shifted = [dataclasses.replace(r, config=r.config | {"arm": "b"}, metrics={"cap_mse": 100.0}) for r in records]
    assert seed_spread([*records, *shifted], "cap_mse") == pytest.approx(spread / 2)
    assert seed_spread(records[:4], "cap_mse") is None and seed_spread(records, "absent") is None
