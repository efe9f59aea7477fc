"""Dynamic ReLU and FReLU as modules: formulas, the ReLU inside them, dependence on the input."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from colu.functional import dynamic_relu
from colu.nn import DYReLU, FReLU
from colu.testing import assert_different_function, assert_equivariant, assert_same_function

C = 8


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def made(variant, **options):
    torch.manual_seed(0)
    return DYReLU(C, variant, **({"reduction": 2} | options)).double()


def zero_hyper(module):
    nn.init.zeros_(module.fc2.weight)
    nn.init.zeros_(module.fc2.bias)
    return module


X = normal(3, C, 4, 5)


@pytest.mark.parametrize("pieces", [1, 2, 3])
@pytest.mark.parametrize("variant", "ABC")
def test_module_formula(variant, pieces):
    module = made(variant, pieces=pieces, slope_range=0.8, offset_range=0.3)
    pooled = X.mean((2, 3))
    hidden = (pooled @ module.fc1.weight.T + module.fc1.bias).clamp(min=0)
    theta = 2 / (1 + torch.exp(-(hidden @ module.fc2.weight.T + module.fc2.bias))) - 1
    theta = theta.reshape(3, 2, pieces, -1)
    a, b = 0.8 * theta[:, 0], 0.3 * theta[:, 1]
    a[:, 0] += 1
    expected = (a[..., None, None] * X[:, None] + b[..., None, None]).amax(1)
    if variant == "C":
        z = (X * module.attention.weight.view(1, C, 1, 1)).sum(1, keepdim=True) + module.attention.bias
        share = torch.exp(z / 10) / torch.exp(z / 10).sum((2, 3), keepdim=True)
        # The attention multiplies slopes and offsets.
        weight = (20 / 3 * share).clamp(max=1)
        expected = (weight[:, None] * (a[..., None, None] * X[:, None] + b[..., None, None])).amax(1)
    assert_same_function(module, lambda x: expected, X)


@pytest.mark.parametrize("variant", "AB")
def test_is_relu_where_the_hyper_network_gives_zero(variant):
    assert_same_function(zero_hyper(made(variant)), torch.relu, X)
    assert_same_function(zero_hyper(made(variant)), torch.relu, X[..., 0, 0])


def test_variant_c_is_a_third_of_relu_where_all_gives_zero():
    module = zero_hyper(made("C"))
    nn.init.zeros_(module.attention.weight)
    assert_same_function(module, lambda x: x.relu() / 3, X)


@pytest.mark.parametrize("variant", "ABC")
def test_is_not_relu_as_drawn(variant):
    assert_different_function(made(variant), torch.relu, X)


@pytest.mark.parametrize("variant, shared", [("A", True), ("B", False)])
def test_lines_are_shared_by_channels_in_a_alone(variant, shared):
    slopes, offsets = made(variant).lines(X)
    assert slopes.shape == offsets.shape == (3, 2, 1 if shared else C)
    # One function for all channels commutes with their permutation once the lines are given.
    swap = torch.randperm(C, generator=torch.Generator().manual_seed(0))

    def swapped(x):
        return dynamic_relu(x, slopes, offsets)

    if shared:
        assert_equivariant(swapped, lambda x: x[:, swap], X)
    else:
        with pytest.raises(AssertionError):
            assert_equivariant(swapped, lambda x: x[:, swap], X)


def test_samples_do_not_mix():
    for variant in "ABC":
        module = made(variant)
        assert torch.allclose(module(X)[1:2], module(X[1:2]))


@pytest.mark.parametrize("variant", "AB")
def test_permuting_positions_commutes_in_a_and_b(variant):
    assert_equivariant(made(variant), lambda x: x.flip(3), X)


def test_slopes_and_offsets_stay_in_their_range():
    module = made("B")
    nn.init.constant_(module.fc2.bias, 50.0)
    slopes, offsets = module.lines(X)
    assert torch.allclose(slopes[:, 0], torch.tensor(2.0).double())
    assert torch.allclose(slopes[:, 1], torch.tensor(1.0).double())
    assert torch.allclose(offsets, torch.tensor(0.5).double())


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match="'D'"):
        DYReLU(C, "D")
    with pytest.raises(ValueError, match="pieces=0"):
        DYReLU(C, pieces=0)


def test_frelu_formula():
    torch.manual_seed(0)
    module = FReLU(C).double().eval()
    nn.init.normal_(module.bn.running_mean)
    condition = functional.conv2d(X, module.conv.weight, module.conv.bias, padding=1, groups=C)
    condition = (condition - module.bn.running_mean.view(1, -1, 1, 1)) / (1 + module.bn.eps) ** 0.5
    assert_same_function(module, lambda x: torch.where(x > condition, x, condition), X)
    assert (module(X) >= X).all()


def test_frelu_is_relu_with_a_zero_kernel():
    module = FReLU(C).double().eval()
    nn.init.zeros_(module.conv.weight)
    nn.init.zeros_(module.conv.bias)
    assert_same_function(module, torch.relu, X)


def test_frelu_kernel_is_odd():
    with pytest.raises(ValueError, match="kernel_size=2 is even"):
        FReLU(C, 2)
