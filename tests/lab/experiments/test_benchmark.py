"""The benchmark over the registry: complete, and every reason for leaving one out is true."""

import pytest
import torch

from colu.lab.experiments import ARMS, BENCHMARK_ARMS, LEFT_OUT, get_arm, get_experiment, run_arms
from colu.nn import create, list_activations


def test_every_registered_entry_is_in_the_benchmark_or_left_out_with_a_reason():
    names = {entry.name for entry in list_activations()}
    assert set(BENCHMARK_ARMS) | set(LEFT_OUT) == names
    assert not set(BENCHMARK_ARMS) & set(LEFT_OUT)
    assert len(set(BENCHMARK_ARMS)) == len(BENCHMARK_ARMS)


def seeded(module, x):
    """Of the same random numbers: RReLU draws some."""
    torch.manual_seed(1)
    return module(x)


@pytest.mark.parametrize("name", BENCHMARK_ARMS)
def test_arm_keeps_the_channels_and_treats_examples_apart(name):
    torch.manual_seed(0)
    module, x = get_arm(name).for_channels(64), torch.randn(8, 64)
    y, alone = (seeded(module, rows) for rows in (x, x[:1]))
    assert y.shape == x.shape
    assert torch.allclose(alone, y[:1], atol=1e-5)


@pytest.mark.parametrize("name", LEFT_OUT)
def test_left_out_does_not_fit_a_perceptron(name):
    entry = next(e for e in list_activations() if e.name == name)
    if entry.kind != "activation":
        return
    try:
        y = create(name, num_channels=64)(torch.randn(1, 64))
    except (ValueError, TypeError):
        return
    assert y.shape != (1, 64)


def test_registered_activation_is_an_arm_and_unknown_name_is_an_error():
    assert "elu" not in ARMS and get_arm("elu").for_channels(4) is not None
    with pytest.raises(ValueError, match="unknown arm 'eluu'"):
        get_arm("eluu")


def test_benchmark_runs_an_arm_of_the_registry():
    (record,) = run_arms("registry-benchmark", arms=["softplus"], seeds=[0], steps=3)
    assert record.arm == "softplus" and 0 <= record.metrics["test_accuracy"] <= 100
    assert get_experiment("registry-benchmark").presets["laptop"].options["dataset"] == "mnist"
