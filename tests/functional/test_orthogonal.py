"""Products of reflections, rotations and the penalty of convolutions."""

import pytest
import torch

import colu.functional as F
from colu.geometry import ConicElement, householder, sample_orthogonal
from colu.testing import assert_equivariant


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_householder_product_is_the_product_of_reflections():
    v = normal(2, 3, 5)
    expected = torch.stack([householder(a) @ householder(b) @ householder(c) for a, b, c in v])
    q = F.householder_product(v)
    assert torch.allclose(q, expected)
    assert torch.allclose(torch.linalg.det(q), torch.full((2,), -1.0, dtype=torch.float64))
    assert torch.autograd.gradcheck(F.householder_product, (v.requires_grad_(),))


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_gram_schmidt_gives_rotations_and_gives_a_rotation_back(n):
    q = F.gram_schmidt_rotation(normal(7, n - 1, n))
    assert torch.allclose(q @ q.mT, torch.eye(n, dtype=q.dtype).expand_as(q))
    assert torch.allclose(torch.linalg.det(q), torch.ones(7, dtype=q.dtype))
    assert torch.allclose(F.gram_schmidt_rotation(q[:, :-1]), q)
    if n == 3:
        assert torch.allclose(q[:, 2], torch.linalg.cross(q[:, 0], q[:, 1]))
    turn = F.gram_schmidt_rotation(normal(n - 1, n, seed=4))
    rows = normal(n - 1, n, seed=5)
    assert torch.allclose(F.gram_schmidt_rotation(rows @ turn.T), F.gram_schmidt_rotation(rows) @ turn.T)


def circular_singular_values(weight, size):
    spectrum = torch.fft.fft2(weight, (size, size)).permute(2, 3, 0, 1)
    return torch.linalg.svdvals(spectrum)


@pytest.mark.parametrize("outputs, inputs", [(4, 4), (3, 5), (6, 4)])
def test_orthogonality_penalty_is_zero_exactly_for_isometries(outputs, inputs):
    big = max(outputs, inputs)
    # A product of an orthogonal 1x1 convolution, shifts of half the channels, and another 1x1 convolution.
    p, q = (sample_orthogonal(big, generator=torch.Generator().manual_seed(s), dtype=torch.float64) for s in (0, 1))
    kernel = torch.zeros(big, big, 3, 3, dtype=torch.float64)
    shifts = [(0, 0), (1, 0), (2, 1), (1, 1), (1, 2), (0, 2)]
    for channel in range(big):
        row, column = shifts[channel]
        kernel[:, :, row, column] += torch.outer(p[:, channel], q[channel])
    kernel = kernel[:outputs, :inputs]
    assert F.orthogonal_convolution_penalty(kernel).abs() < 1e-12
    assert torch.allclose(circular_singular_values(kernel, 8), torch.ones(8, 8, min(outputs, inputs), dtype=p.dtype))
    spoilt = kernel + 0.1 * normal(outputs, inputs, 3, 3)
    assert F.orthogonal_convolution_penalty(spoilt) > 1e-3
    assert (circular_singular_values(spoilt, 8) - 1).abs().max() > 1e-2


def test_elements_of_the_conic_group_from_both_parametrisations():
    turn = F.gram_schmidt_rotation(normal(2, 2, 3))
    mirror = F.householder_product(normal(2, 3, 3, seed=1))
    for rotations in (turn, mirror):
        element = ConicElement.from_rotations(rotations)
        assert_equivariant(lambda x: F.colu(x, dim=4), element, normal(5, 8))
