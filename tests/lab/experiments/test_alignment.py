"""Pairs of networks: independent while they train, and barriers that the alignment lowers."""

import pytest
import torch

from colu.lab.experiments import get_experiment, run_arms
from colu.lab.training import fit


@pytest.fixture(scope="module")
def records():
    return {r.arm: r for r in run_arms("fusion-mlp", arms=["relu", "colu"], seeds=[0])}


def test_alignment_lowers_the_barrier_and_keeps_the_parent(records):
    for record in records.values():
        found = record.metrics
        assert found["invariance_error"] < 1e-9
        assert found["barrier_conic"] < 0.6 * found["barrier_naive"]
        for mode in ("permutation", "conic"):
            # One answer of 450 may turn by rounding in float32.
            assert abs(found[f"alone_accuracy_{mode}"] - found["alone_accuracy_naive"]) <= 100 / 450 + 1e-9


def test_rotations_are_what_cones_need(records):
    found = records["colu"].metrics
    assert found["barrier_conic"] < 0.75 * found["barrier_permutation"]
    relu = records["relu"].metrics
    assert relu["barrier_conic"] == relu["barrier_permutation"]


def test_neither_network_learns_from_the_other():
    """The first network of a pair is the one that its experiment would train alone."""
    pair = get_experiment("fusion-mlp").config("smoke", "colu", 3, steps=20)
    alone = get_experiment("mnist-mlp").config(
        "smoke", "colu", 6, steps=20, batch_size=100, hidden=[64, 64], schedule="cosine", evaluate_every=0
    )
    together = fit(get_experiment("fusion-mlp").build(pair), pair.plan, seed=3).model[0]
    single = fit(get_experiment("mnist-mlp").build(alone), alone.plan, seed=6).model
    for (name, one), other in zip(together.state_dict().items(), single.state_dict().values(), strict=True):
        assert torch.allclose(one, other, atol=1e-6), name


def test_the_residual_network_has_a_conic_symmetry_and_can_be_repaired():
    record = run_arms("fusion-resnet", arms=["colu"], seeds=[0], steps=2, test_size=50, repair_size=20)[0]
    assert record.metrics["invariance_error"] < 1e-9
    assert record.metrics["barrier_conic_repaired"] >= 0


def test_transformers_are_compared_in_one_frame_by_stream_heads_and_perceptrons():
    record = run_arms("fusion-gpt", arms=["colu"], seeds=[0], steps=40)[0]
    found = record.metrics
    assert 0 < found["invariance_error"] < 1e-9
    # The second network alone keeps its answers in every frame.
    for mode in ("permutation", "conic"):
        assert abs(found[f"alone_accuracy_{mode}"] - found["alone_accuracy_naive"]) < 0.3
    assert found["barrier_perceptrons"] != found["barrier_naive"] != found["barrier_conic"]
    assert "barrier_folded" not in found


def test_folded_transformers_are_the_same_networks_in_a_larger_group():
    (record,) = run_arms("fusion-gpt", arms=["relu"], seeds=[0], steps=2, width=16, heads=2, folded=True)
    found = record.metrics
    assert abs(found["alone_accuracy_folded"] - found["alone_accuracy_naive"]) < 0.3
    assert min(found[f"barrier_folded{end}"] for end in ("", "_naive", "_permuted")) >= 0
