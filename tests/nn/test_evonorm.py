"""What EvoNorm-B0 does in training and after."""

import pytest
import torch
from torch import nn

from colu.nn import EvoNormB0


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_state_dicts_of_timm_and_of_earlier_versions_load():
    variance = torch.rand(4) + 0.5
    for key in ("running_var", "running_variance"):
        layer = nn.Sequential(EvoNormB0(4))
        state = {"0." + name: torch.full((4,), 2.0) for name in ("weight", "bias", "v")}
        layer.load_state_dict(state | {f"0.{key}": variance})
        assert torch.equal(layer[0].running_var, variance)
        assert set(layer.state_dict()) == {"0.weight", "0.bias", "0.v", "0.running_var"}


@pytest.mark.parametrize("shape", [(4, 5, 3), (4, 5, 2, 3)])
def test_evonorm_b0_trains_alike_with_channels_last(shape):
    second, last = EvoNormB0(3, momentum=0.5), EvoNormB0(3, momentum=0.5, channel_dim=-1)
    x = normal(*shape).float()
    assert torch.allclose(second(x.movedim(-1, 1)).movedim(1, -1), last(x), atol=1e-5)
    assert torch.allclose(second.running_var, last.running_var) and not torch.equal(last.running_var, torch.ones(3))
    with pytest.raises(ValueError, match="channel_dim=0 is that of the samples"):
        EvoNormB0(4, channel_dim=0)(x)


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
