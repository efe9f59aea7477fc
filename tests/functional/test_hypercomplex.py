"""Sums of Kronecker products are products of quaternions."""

import torch

import colu.functional as F


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def hamilton(p, q):
    a, b, c, d = p.unbind(-1)
    e, f, g, h = q.unbind(-1)
    parts = a * e - b * f - c * g - d * h, a * f + b * e + c * h - d * g
    return torch.stack([*parts, a * g - b * h + c * e + d * f, a * h + b * g - c * f + d * e], -1)


def test_phm_of_four_is_the_quaternion_product():
    p, q = normal(4), normal(6, 4, seed=1)
    weight = F.phm_weight(F.quaternion_algebra(torch.float64), p.view(4, 1, 1))
    assert torch.allclose(q @ weight.T, hamilton(p.expand(6, 4), q))
    assert torch.allclose(weight, sum(torch.kron(a, f) for a, f in zip(F.quaternion_algebra(p.dtype), p.view(4, 1, 1))))  # noqa: B905
