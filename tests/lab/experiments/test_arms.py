"""Widths of arms: what the activation can fill, and no randomness of a run is spent on finding it."""

import pytest
import torch

from colu.lab.experiments import ARMS, BENCHMARK_ARMS, get_arm


def fits(arm, width):
    if not width:
        return True
    try:
        return arm.for_channels(width)(torch.zeros(2, width)).shape == (2, width)
    except ValueError:
        return False


@pytest.mark.parametrize("name", sorted({*ARMS, *BENCHMARK_ARMS}))
def test_width_is_the_largest_that_the_module_takes(name):
    arm = get_arm(name)
    # A single axis without any section is the smallest of the shared ones.
    for channels in (1, 6, 13, 27, 64):
        expected = next(width for width in range(channels, -1, -1) if fits(arm, width))
        assert arm.width(channels) == expected


def test_asking_draws_nothing():
    state = torch.random.get_rng_state()
    assert get_arm("acon-c").width(7) == 7
    assert torch.equal(torch.random.get_rng_state(), state)
