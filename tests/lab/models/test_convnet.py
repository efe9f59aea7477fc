"""The strided network: affine without its activation, one start in every arm."""

import pytest
import torch
from torch import nn

from colu.lab.experiments import ARMS, BENCHMARK_ARMS, get_arm
from colu.lab.models import StridedConvNet


def pictures(num, size=16):
    return torch.randn(num, 3, size, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def built(activation, seed=0, widths=(8, 16, 16)):
    torch.manual_seed(seed)
    return StridedConvNet(activation=activation, widths=widths).double()


def test_without_an_activation_it_is_affine_and_with_one_it_is_not():
    x = pictures(2)
    middle = x.mean(0, keepdim=True)
    for activation, affine in ((nn.Identity, True), (nn.ReLU, False)):
        model = built(activation)
        model(pictures(8))  # moments
        model.eval()
        assert torch.allclose(model(middle), model(x).mean(0, keepdim=True), atol=1e-12) is affine


def test_each_convolution_halves_the_image():
    sizes = []
    model = built(lambda: nn.Identity())
    for conv in model.convolutions:
        conv.register_forward_hook(lambda module, given, made: sizes.append(tuple(made.shape[1:])))
    model(pictures(2, 32))
    assert sizes == [(8, 16, 16), (16, 8, 8), (16, 4, 4)]


def test_one_seed_gives_one_start_in_every_arm():
    states = [built(get_arm(name)).state_dict() for name in ("relu", "pwlu", "fourier", "acon-c")]
    shared = [name for name in states[0] if not name.startswith("acts.")]
    assert len(shared) == 20
    assert all(torch.equal(states[0][name], state[name]) for state in states[1:] for name in shared)


@pytest.mark.parametrize("name", sorted({*BENCHMARK_ARMS, *ARMS}))
def test_every_arm_takes_images_and_learns_from_them(name):
    arm = get_arm(name)
    model = built(arm, widths=[arm.width(w) for w in (16, 32, 32)])
    loss = nn.functional.cross_entropy(model(pictures(4)), torch.tensor([0, 1, 2, 3]))
    loss.backward()
    assert loss.isfinite() and all(c.weight.grad.isfinite().all() for c in model.convolutions)
    assert model.convolutions[0].weight.grad.any() or name in ("threshold",)


def test_a_width_of_nothing_is_refused():
    with pytest.raises(ValueError, match=r"widths are \[8, 0, 8\]"):
        StridedConvNet(widths=(8, 0, 8))
