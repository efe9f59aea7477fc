"""What EvoNorm-B0 does in training and after."""

import pytest
import torch

from colu.nn import EvoNormB0


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_evonorm_b0_is_not_linear_although_it_has_no_activation():
    layer = EvoNormB0(4).double().eval()
    x, y = normal(6, 4, 5, 5), normal(6, 4, 5, 5, seed=1)
    gap = layer(x + y) - layer(x) - layer(y)
    assert gap.abs().max() > 0.1
    # For a comparison: batch normalisation in evaluation has none.
    norm = torch.nn.BatchNorm2d(4, affine=False).double().eval()
    assert (norm(x + y) - norm(x) - norm(y)).abs().max() < 1e-12


def test_evonorm_b0_uses_the_batch_in_training_and_the_running_variance_after():
    layer = EvoNormB0(4, momentum=1.0).double()
    x = normal(6, 4, 5, 5)
    trained = layer(x)
    assert torch.allclose(layer.eval()(x), trained)
    assert not torch.allclose(layer(x[:1]), EvoNormB0(4).double()(x[:1]))
    with pytest.raises(ValueError, match="no variance"):
        EvoNormB0(4)(torch.zeros(1, 4))
