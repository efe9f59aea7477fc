"""Parameters a channel stand at their channels, and norms neither over- nor underflow."""

import pytest
import torch

from colu.channels import (
    along_channels,
    channel_mean,
    check_image,
    check_multiple,
    check_samples,
    per_channel,
    safe_norm,
)


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 5), (4, 3, 5, 6)])
def test_numbers_a_channel_go_along_dimension_one(shape):
    x, numbers = torch.zeros(shape), torch.arange(3.0)
    y = x + per_channel(numbers, x, "p")
    assert y.shape == x.shape and all((y[:, c] == c).all() for c in range(3))
    means = channel_mean(y)
    assert torch.equal(means, numbers.expand(4, 3))
    assert torch.equal(x + along_channels(means, x), y)


@pytest.mark.parametrize("channel_dim", [-1, 2])
def test_numbers_a_channel_go_along_the_last_dimension(channel_dim):
    x, numbers = torch.zeros(4, 5, 3), torch.arange(3.0)
    y = x + per_channel(numbers, x, "p", channel_dim)
    assert torch.equal(y, numbers.expand(4, 5, 3))
    means = channel_mean(y, channel_dim)
    assert torch.equal(means, numbers.expand(4, 3)) and torch.equal(x + along_channels(means, x, channel_dim), y)
    with pytest.raises(ValueError, match="p is for 3 channels in dimension 1.*channel_dim=-1 takes the last"):
        per_channel(numbers, x, "p")
    with pytest.raises(ValueError, match=r"size=4 does not divide the 5 channels.*Dimension 1 .*channel_dim=-1"):
        check_multiple(x, 4, "size")
    with pytest.raises(ValueError, match="channel_dim=0 is that of the samples"):
        check_samples(x, 4, "F", 0)


def test_numbers_for_all_channels_stay_as_they_are():
    x = torch.zeros(4, 3, 5)
    for parameter in (0.5, torch.tensor(0.5), torch.ones(3, 1)):
        assert per_channel(parameter, x, "p") is parameter


@pytest.mark.parametrize("shape", [(4, 2), (3,), (3, 4)])
def test_other_channels_are_refused_with_the_name_and_both_sizes(shape):
    with pytest.raises(ValueError, match=rf"slopes is for 3 channels.*\({shape[0]},"):
        per_channel(torch.ones(3), torch.zeros(shape), "slopes")


def test_an_image_has_four_dimensions():
    check_image(torch.zeros(2, 3, 4, 4), 3, "F")
    for shape in ((2, 3), (2, 3, 4)):
        with pytest.raises(ValueError, match=r"F .*\(N, C, H, W\)"):
            check_image(torch.zeros(shape), 3, "F")


@pytest.mark.parametrize("size", [0.0, 1e-40, 1e-25, 1.0, 1e25, 1e38])
def test_norms_of_any_size_are_right_and_have_finite_gradients(size):
    x = (size * torch.tensor([[3.0, 4.0], [0.0, -1.0]])).clamp(-3e38, 3e38).requires_grad_()
    norm = safe_norm(x, 1)
    # Sums of squares in float64 hold all of these.
    torch.testing.assert_close(norm, x.double().square().sum(1, keepdim=True).sqrt().float(), rtol=1e-5, atol=1e-44)
    (slope,) = torch.autograd.grad(norm.sum(), x)
    assert slope.isfinite().all()
    if 1e-30 < size < 1e30:
        torch.testing.assert_close(slope, torch.tensor([[0.6, 0.8], [0.0, -1.0]]))
