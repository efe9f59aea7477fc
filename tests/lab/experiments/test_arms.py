"""Arms: widths that the activation fills, no randomness spent on finding them, and names that are known."""

import pytest
import torch

from colu.functional import colu
from colu.lab.experiments import ARMS, BENCHMARK_ARMS, InFrame, PartlyLinear, choose_arms, get_arm


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


@pytest.mark.parametrize("name", sorted(ARMS))
def test_every_arm_fits_its_widths(name):
    arm = get_arm(name)
    for channels in (16, 32, 64, 512):
        width = arm.width(channels)
        assert channels - (12 if name.endswith("-13") else 3) <= width <= channels
        x = torch.randn(5, width)
        assert arm.for_channels(width)(x).shape == x.shape


def test_a_gated_arm_has_the_weights_of_a_plain_one_and_halves_its_channels():
    for name in ("swiglu", "geglu"):
        before, behind = get_arm(name).hidden(512)
        assert get_arm(name).for_channels(before)(torch.zeros(2, before)).shape == (2, behind)
        assert 128 * (before + behind) == pytest.approx(2 * 128 * 512, rel=2e-3)
    assert get_arm("rcolu").hidden(271) == (268, 268)


def test_raf_starts_as_gelu_and_learns():
    arm, x = get_arm("raf").for_channels(8), torch.linspace(-3, 3, 50)
    assert (arm(x) - torch.nn.functional.gelu(x)).abs().max() < 0.02
    assert sum(p.numel() for p in arm.parameters()) == 10


def test_partly_linear_lets_a_quarter_pass_and_rectifies_the_rest():
    x = torch.randn(6, 16)
    y = PartlyLinear(4)(x)
    assert torch.equal(y[:, :4], x[:, :4]) and torch.equal(y[:, 4:], x[:, 4:].relu())


def test_colu_in_a_frame_is_colu_between_layers_that_turn():
    arm = get_arm("colu-frame").for_channels(8)
    turn = torch.block_diag(arm.frame, arm.frame)
    x = torch.randn(6, 8)
    assert torch.allclose(arm(x), colu(x @ turn.T, dim=4) @ turn, atol=1e-6)
    assert not torch.allclose(arm(x), colu(x, dim=4), atol=1e-2)
    images = torch.randn(2, 8, 3, 5)
    assert torch.allclose(arm(images)[:, :, 1, 2], arm(images[:, :, 1, 2]), atol=1e-6)


def test_a_frame_is_fixed_and_neither_trained_nor_drawn_from_a_run():
    state = torch.random.get_rng_state()
    one, other = get_arm("colu-frame").for_channels(8), get_arm("colu-frame").for_channels(64)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(one.frame, other.frame) and not list(one.parameters()) and not one.state_dict()


def test_a_frame_that_the_channels_do_not_fill_is_refused():
    with pytest.raises(ValueError, match="6 channels for a frame of 4"):
        InFrame(torch.nn.Identity(), 4)(torch.zeros(1, 6))


def test_what_is_not_known_or_named_twice_is_refused():
    with pytest.raises(ValueError, match="did you mean 'relu'"):
        get_arm("rleu")
    with pytest.raises(ValueError, match="twice"):
        choose_arms("relu,relu")
