"""CReLU, sorting and reflections keep norms."""

import math

import pytest
import torch

import colu.functional as F
from colu.testing import assert_different_function, assert_not_equivariant, assert_preserves


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_crelu_is_an_isometry_with_a_lossless_inverse():
    x = normal(5, 6)
    y = F.crelu(x)
    assert torch.allclose(y.norm(dim=1), x.norm(dim=1))
    assert torch.equal(y[:, :6] - y[:, 6:], x)


def test_group_sort_sorts_and_keeps_norms():
    x = normal(7, 12, 3)
    for size in (2, 3, 4):
        expected = x.unflatten(1, (-1, size)).sort(2, descending=True).values.flatten(1, 2)
        assert torch.equal(F.group_sort(x, size), expected)
    assert_preserves(F.group_sort, lambda v: v.norm(dim=1), x)
    with pytest.raises(ValueError, match="12 channels.*nearest: 10 and 15"):
        F.group_sort(x, 5)
    swap = torch.arange(12).view(-1, 2).flip(1).flatten()
    assert torch.equal(F.group_sort(x[:, swap]), F.group_sort(x))
    assert_not_equivariant(F.group_sort, lambda v: v[:, swap], x)


def test_householder_at_a_right_angle_is_maxmin():
    x = normal(50, 8)
    assert torch.allclose(F.householder_activation(x, math.pi / 2), F.group_sort(x))
    assert_different_function(lambda v: F.householder_activation(v, 1.0), F.group_sort, x)
    halves = F.householder_activation(x, pairing="halves")
    assert torch.allclose(halves, torch.cat([torch.maximum(x[:, :4], x[:, 4:]), torch.minimum(x[:, :4], x[:, 4:])], 1))
    assert_preserves(lambda v: F.householder_activation(v, 0.7), lambda v: v.norm(dim=1), x)


def test_householder_is_continuous_at_its_line():
    angle = 0.9
    line = torch.tensor([[math.cos(angle / 2), math.sin(angle / 2)]], dtype=torch.float64)
    normal_ = torch.tensor([[-line[0, 1], line[0, 0]]], dtype=torch.float64)
    above = F.householder_activation(line + 1e-9 * normal_, angle)
    below = F.householder_activation(line - 1e-9 * normal_, angle)
    assert (above - below).abs().max() < 1e-8
