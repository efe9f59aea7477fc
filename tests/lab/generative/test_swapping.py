"""Surgery on diffusers' models: what must change does, and nothing else."""

import pytest
import torch
from torch import nn

from colu.lab.generative import replace_feature_activations
from colu.nn import CoLU


def unet():
    from diffusers import UNet2DModel

    torch.manual_seed(0)
    return UNet2DModel(
        sample_size=8,
        in_channels=1,
        out_channels=1,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=4,
        attention_head_dim=8,
    ).eval()


def autoencoder():
    from diffusers import AutoencoderKL

    torch.manual_seed(0)
    return AutoencoderKL(
        in_channels=1,
        out_channels=1,
        block_out_channels=(16, 32),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=4,
    ).eval()


def output(model, x):
    arguments = (torch.tensor([3, 700]),) if type(model).__name__ == "UNet2DModel" else ()
    return model(x, *arguments).sample


X = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def calls(model, kind):
    """Ranks of the inputs of every call of an activation of one kind in a forward pass."""
    ranks = []
    hooks = [
        module.register_forward_pre_hook(lambda _, args: ranks.append(args[0].ndim))
        for module in model.modules()
        if isinstance(module, kind)
    ]
    output(model, X)
    for hook in hooks:
        hook.remove()
    return ranks


@pytest.mark.parametrize("make", [unet, autoencoder])
def test_swapping_silu_for_silu_is_bitwise_the_same_model(make):
    model = make()
    with torch.no_grad():
        before = output(model, X)
        replace_feature_activations(model, nn.SiLU)
        assert torch.equal(output(model, X), before)


@pytest.mark.parametrize("make", [unet, autoencoder])
def test_state_dict_keys_stay(make):
    model = make()
    keys = list(model.state_dict())
    replace_feature_activations(model, "colu")
    assert list(model.state_dict()) == keys
    assert not model.load_state_dict(make().state_dict()).missing_keys


@pytest.mark.parametrize("make", [unet, autoencoder])
def test_only_feature_maps_change_and_vectors_keep_silu(make):
    model = make()
    before = calls(model, nn.SiLU)
    replace_feature_activations(model, "colu")
    assert calls(model, nn.SiLU) == [rank for rank in before if rank != 4]
    assert calls(model, CoLU) == [4] * before.count(4)
    assert before.count(4) >= 10
    assert (before.count(2) > 0) == (make is unet)


@pytest.mark.parametrize("make", [unet, autoencoder])
def test_the_swap_changes_the_output_and_every_weight_still_learns(make):
    model = make()
    with torch.no_grad():
        before = output(model, X)
    replace_feature_activations(model, "colu")
    after = output(model, X)
    assert not torch.allclose(after, before, atol=1e-3)
    after.square().mean().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


def test_a_second_swap_replaces_the_first():
    model = unet()
    with torch.no_grad():
        before = output(model, X)
        replace_feature_activations(model, "colu")
        replace_feature_activations(model, nn.SiLU)
        assert torch.equal(output(model, X), before)


def test_bad_input_is_named_and_leaves_the_model_alone():
    with pytest.raises(ValueError, match="Linear has no 'nonlinearity'"):
        replace_feature_activations(nn.Linear(2, 2), "colu")
    model = unet()
    with pytest.raises(ValueError, match="has parameters"):
        replace_feature_activations(model, nn.PReLU)
    assert calls(model, nn.PReLU) == []
