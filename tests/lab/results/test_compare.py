"""Two records side by side."""

import dataclasses
import math

import pytest

from colu.lab.experiments import run_arms
from colu.lab.results import compare_records


@pytest.fixture(scope="module")
def two():
    return run_arms("rotation", arms=["relu"], seeds=[0, 1], steps=40, log_every=10)


def test_the_same_seed_gives_the_same_bits_twice(two):
    again = run_arms("rotation", arms=["relu"], seeds=[0], steps=40, log_every=10)[0]
    found = compare_records(two[0], again)
    assert found.same_bits and found.within(1e-12)
    assert "equal in every bit" in found.text()


def test_another_seed_is_seen_in_the_configuration_the_curve_and_the_metrics(two):
    found = compare_records(*two)
    assert found.config == {"seed": (0, 1)}
    assert found.first_step == 10 and found.curve > 0.01
    assert not found.same_bits and not found.within(100.0)
    assert "seed is 0 against 1" in found.text()


def test_a_difference_is_dated_and_measured(two):
    curve = [{**e, "loss": e["loss"] * (1 + 1e-4 * (e["step"] >= 30))} for e in two[0].curve]
    found = compare_records(two[0], dataclasses.replace(two[0], curve=curve))
    assert found.first_step == 30
    assert found.curve == pytest.approx(1e-4, rel=1e-3)
    assert found.within(1e-3) and not found.within(1e-5)


def test_versions_and_machine_are_named(two):
    other = dataclasses.replace(two[0], versions={**two[0].versions, "torch": "1.0"}, threads=7)
    found = compare_records(two[0], other)
    assert found.versions["torch"][1] == "1.0" and found.machine["threads"] == (1, 7)
    assert found.same_bits


def test_a_loss_that_is_no_number_is_no_agreement(two):
    curve = [{**e, "loss": math.nan} for e in two[0].curve]
    assert not compare_records(two[0], dataclasses.replace(two[0], curve=curve)).within(1e9)


def test_what_makes_no_sense_is_refused(two):
    with pytest.raises(ValueError, match="compare runs of one experiment"):
        compare_records(two[0], dataclasses.replace(two[1], experiment="vae"))
    with pytest.raises(ValueError, match="wanted a positive number"):
        compare_records(*two).within(0)
