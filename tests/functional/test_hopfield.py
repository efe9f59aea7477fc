"""The update of a Hopfield network lowers its energy and retrieves."""

import torch

import colu.functional as F
from colu.geometry import sample_orthogonal


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_hopfield_lowers_its_energy_retrieves_and_commutes_with_rotations():
    state, stored = normal(20, 6), normal(9, 6, seed=1)
    for beta in (0.3, 2.0):
        energies = [
            F.hopfield_energy(F.hopfield_update(state, stored, beta, steps), stored, beta) for steps in range(5)
        ]
        assert all((after <= before + 1e-12).all() for before, after in zip(energies, energies[1:], strict=False))
        assert (energies[0] > energies[-1] + 1e-3).any() and (energies[-1] >= 0).all()
    expected = torch.softmax(2.0 * state @ stored.T, 1) @ stored
    assert torch.allclose(F.hopfield_update(state, stored, 2.0), expected)
    apart = 3 * sample_orthogonal(6, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    noisy = apart + 0.05 * normal(6, 6, seed=2)
    assert (F.hopfield_update(noisy, apart, 4.0) - apart).abs().max() < 1e-3
    q = sample_orthogonal(6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    assert torch.allclose(F.hopfield_update(state @ q.T, stored @ q.T), F.hopfield_update(state, stored) @ q.T)
    assert not torch.allclose(F.hopfield_update(state @ q.T, stored), F.hopfield_update(state, stored) @ q.T)
