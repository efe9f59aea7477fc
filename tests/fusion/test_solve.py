"""Polar factors and assignments, ties and singular blocks among them."""

import pytest
import torch

from colu.fusion import assign, polar
from colu.geometry import sample_orthogonal


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_assignments_in_blocks_stay_there_and_ties_stay_put():
    gain = torch.randn(6, 6, generator=generator())
    assert (assign(gain, blocks=2) // 3).tolist() == [0, 0, 0, 1, 1, 1]
    assert assign(torch.zeros(5, 5)).tolist() == list(range(5))
    with pytest.raises(ValueError, match="NaN or infinity"):
        assign(torch.full((2, 2), torch.nan))


def test_many_assignments_are_each_by_itself():
    gain = torch.randn(2, 3, 4, 4, generator=generator())
    gain[0, 1] *= 1e6
    found = assign(gain, blocks=2)
    assert found.shape == (2, 3, 4)
    assert all(torch.equal(found[i, j], assign(gain[i, j], blocks=2)) for i in range(2) for j in range(3))
    assert assign(torch.zeros(3, 0, 0)).shape == (3, 0) and assign(torch.zeros(0, 2, 2)).shape == (0, 2)


def test_singular_blocks_take_the_orthogonal_factor_nearest_to_the_identity():
    frame = sample_orthogonal(4, generator=generator())
    matrix = frame[:, :2] @ torch.diag(torch.tensor([2.0, 1.0], dtype=torch.float64)) @ frame[:, :2].T
    assert torch.allclose(polar(matrix), torch.eye(4, dtype=torch.float64), atol=1e-12)
    assert torch.equal(polar(torch.zeros(2, 3, 3).double()), torch.eye(3).double().expand(2, 3, 3))
    turned = polar(torch.stack([frame @ matrix, matrix]))
    assert torch.allclose(turned @ turned.mT, torch.eye(4).double().expand(2, 4, 4), atol=1e-12)
    assert (turned[0] * (frame @ matrix)).sum() == pytest.approx(3.0)
