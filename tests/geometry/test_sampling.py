"""Samples are uniform: orthogonal matrices in the Haar measure, unit vectors on the sphere."""

import pytest
import torch

from colu.geometry import sample_orthogonal, sample_sphere


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_orthogonal_samples_are_orthogonal_and_cover_both_signs():
    q = sample_orthogonal(3, num=400, generator=seeded())
    torch.testing.assert_close(q @ q.mT, torch.eye(3, dtype=torch.float64).expand(400, 3, 3))
    assert 150 < (torch.linalg.det(q) > 0).sum() < 250
    # Haar: each entry has mean 0 and variance 1/n.
    assert q.mean(0).abs().max() < 0.12 and (q.square().mean(0) - 1 / 3).abs().max() < 0.06
    special = sample_orthogonal(3, num=50, special=True, generator=seeded(), dtype=torch.float32)
    assert special.dtype == torch.float32
    torch.testing.assert_close(torch.linalg.det(special), torch.ones(50))


def test_a_sphere_is_covered_evenly():
    x = sample_sphere(3, 4000, generator=seeded())
    torch.testing.assert_close(x.norm(dim=1), torch.ones(4000, dtype=torch.float64))
    assert x.mean(0).abs().max() < 0.03
    assert (x.T @ x / 4000 - torch.eye(3, dtype=torch.float64) / 3).abs().max() < 0.03
    # Archimedes: every coordinate is uniform on [-1, 1], in three dimensions alone.
    levels = torch.linspace(-1, 1, 21, dtype=torch.float64)
    below = (x[:, 0:1] < levels).double().mean(0)
    assert (below - (levels + 1) / 2).abs().max() < 0.03
    assert sample_sphere(1, 50, generator=seeded(), dtype=torch.float32).abs().eq(1).all()


def test_a_generator_decides_and_the_global_one_is_not_asked():
    state = torch.get_rng_state()
    for sample in (lambda g: sample_orthogonal(3, num=2, generator=g), lambda g: sample_sphere(3, 2, generator=g)):
        first, again, other = (sample(seeded(seed)) for seed in (1, 1, 2))
        assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("make, message", [
    (lambda: sample_orthogonal(-1), "dim=-1"), (lambda: sample_orthogonal(0, special=True), "dim >= 1"),
    (lambda: sample_orthogonal(2, num=-1), "num=-1"), (lambda: sample_sphere(0, 1), "dim=0"),
])  # fmt: skip
def test_bad_input_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
