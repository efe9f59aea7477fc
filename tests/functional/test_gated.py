"""Gates and thresholds of norms against their formulas; they turn with the vectors."""

import pytest
import torch

import colu.functional as F
from colu.geometry import sample_orthogonal
from colu.testing import assert_equivariant, assert_not_equivariant


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_norm_relu_and_gate_are_their_formulas_and_turn_with_the_vectors():
    x, bias = normal(6, 12, 2), torch.tensor([0.3, 1.0, 2.0], dtype=torch.float64)
    v = x.unflatten(1, (3, 4))
    norm = v.square().sum(2, keepdim=True).sqrt()
    expected = (v * (norm - bias.view(3, 1, 1)).clamp(min=0) / norm).flatten(1, 2)
    assert torch.allclose(F.norm_relu(x, bias, dim=4), expected)
    turn = sample_orthogonal(4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def rotate(v):
        return torch.einsum("ij,ngjp->ngip", turn, v.unflatten(1, (3, 4))).flatten(1, 2)

    assert_equivariant(lambda v: F.norm_relu(v, bias, dim=4), rotate, x)
    assert_not_equivariant(lambda v: F.norm_relu(v, 0.5, dim=2), rotate, x)
    g = normal(6, 3, 2, seed=4)
    out = F.gated(torch.cat([g, x], 1), bias, dim=4)
    assert torch.allclose(out, (torch.sigmoid(g - bias.view(3, 1)).unsqueeze(2) * v).flatten(1, 2))
    assert torch.allclose(F.gated(torch.cat([g, rotate(x)], 1), dim=4), rotate(F.gated(torch.cat([g, x], 1), dim=4)))


def test_soft_colu_is_a_gate_that_knows_the_norm_and_keeps_the_scalar():
    x = normal(9, 4)
    y = F.colu(x, dim=4, scaling="soft")
    g = x[:, :1] / x[:, 1:].norm(dim=1, keepdim=True)
    assert torch.allclose(y[:, 1:], F.gated(torch.cat([g, x[:, 1:]], 1), 0.5, dim=3), atol=1e-6)
    assert torch.equal(y[:, :1], x[:, :1])


def test_modrelu_keeps_the_phase_and_moves_the_modulus():
    x = normal(50, 6)
    z = torch.view_as_complex(x.unflatten(1, (3, 2)))
    bias = torch.tensor([-0.5, 0.0, 0.7], dtype=x.dtype)
    expected = torch.relu(z.abs() + bias) * z / z.abs()
    assert torch.allclose(F.modrelu(x, bias), torch.view_as_real(expected).flatten(1))
    assert torch.allclose(F.modrelu(x, -0.5), F.norm_relu(x, 0.5, dim=2))
    zero = torch.zeros(1, 2, requires_grad=True)
    y = F.modrelu(zero, 5.0)
    y.sum().backward()
    assert (y == 0).all() and zero.grad.isfinite().all()
    with pytest.raises(ValueError, match="7 channels"):
        F.modrelu(torch.zeros(2, 7), 0.0)
