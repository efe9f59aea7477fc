"""EvoNorm against its formulas."""

import pytest
import torch

import colu.functional as F


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_evonorm_is_its_formula():
    x, v = normal(5, 4, 3, 2), torch.rand(4, dtype=torch.float64) + 0.5
    column = v.view(4, 1, 1)
    batch, instance = x.var((0, 2, 3), correction=0), x.var((2, 3), correction=0, keepdim=True)
    bottom = torch.maximum((batch + 1e-5).sqrt().view(4, 1, 1), column * x + (instance + 1e-5).sqrt())
    assert torch.allclose(F.evonorm_b0(x, batch, v), x / bottom)
    group = x.reshape(5, 2, -1).var(2, correction=0).repeat_interleave(2, 1)[..., None, None]
    assert torch.allclose(F.evonorm_s0(x, 2, v), x * torch.sigmoid(column * x) / (group + 1e-5).sqrt())
    with pytest.raises(ValueError, match="num_groups=3"):
        F.evonorm_s0(x, 3)
