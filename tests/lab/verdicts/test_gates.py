"""Each gate holds where it should, and fails by its own sentence."""

import pytest

from colu.lab.verdicts import Below, Needs, Reaches, one_processor

from .conftest import fake

RUNS = [fake("relu", s, test_accuracy=93 + 0.1 * s, train_loss=0.01, test_mse=1.0, pca_mse=2.0) for s in range(5)]
RUNS += [fake("identity", s, test_accuracy=80 + 0.1 * s, test_mse=3.0, pca_mse=2.0) for s in range(5)]


@pytest.mark.parametrize(("metric", "printed", "within", "holds"), [
    ("test_accuracy", 93.2, 0.1, True), ("test_accuracy", 90, 0, True), ("test_accuracy", 93.6, 0.5, True),
    ("test_accuracy", 93.8, 0.5, False), ("train_loss", 0.007, 0.004, True), ("train_loss", 0.007, 0.002, False),
    ("train_loss", 0.5, 0, True), ("absent", 1, 1, False),
])  # fmt: skip
def test_a_baseline_as_good_as_the_printed_one_passes(metric, printed, within, holds):
    found = Reaches(gate="reaches", arm="relu", metric=metric, printed=printed, within=within).check(RUNS)
    assert found.holds == holds and "relu" in found.found.lower()


@pytest.mark.parametrize(("by", "holds"), [(12.9, True), (13.1, False)])
def test_a_control_has_to_lose_by_the_stated_amount(by, holds):
    gate = Needs(gate="needs", arm="relu", control="identity", metric="test_accuracy", by=by)
    assert gate.check(RUNS).holds == holds
    assert not gate.check(RUNS[:5]).holds


def test_an_error_is_better_when_it_is_smaller():
    assert Needs(gate="needs", arm="relu", control="identity", metric="test_mse", by=1.5).check(RUNS).holds
    assert Below(gate="below", arm="relu", metric="test_mse", line="pca_mse").check(RUNS).holds
    assert not Below(gate="below", arm="identity", metric="test_mse", line="pca_mse").check(RUNS).holds


def test_a_pair_on_two_processors_is_no_pair():
    there = [fake("gelu", s, processor="two" if s == 3 else "one") for s in range(5)]
    assert one_processor(RUNS, ("relu", "identity")).found == "all runs on one"
    crossed = one_processor([*RUNS, *there], ("gelu", "relu"))
    assert not crossed.holds and crossed.found == "the runs of seed 3 are of one and of two"
