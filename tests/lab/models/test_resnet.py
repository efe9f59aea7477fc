"""The residual network: shortcuts that add zeros, as many layers as it says, one start in every arm."""

import pytest
import torch
from torch import nn

from colu.lab.experiments import get_arm
from colu.lab.models import CIFARResNet


def pictures(num=2, channels=3, size=8):
    return torch.randn(num, channels, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("depth", [8, 14, 20, 56])
def test_depth_counts_convolutions_and_the_head(depth):
    with torch.device("meta"):
        model = CIFARResNet(depth)
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) + 1 == depth
    assert [c.stride for c in convolutions].count((2, 2)) == 2
    assert sum(isinstance(m, nn.ReLU) for m in model.modules()) == depth - 1


def test_a_block_whose_branch_is_zero_is_its_shortcut_subsampled_and_padded_with_zeros():
    model = CIFARResNet(8, activation=nn.Identity, widths=(4, 8, 8), norm="none")
    same, wider = model.blocks[0], model.blocks[1]
    for block in (same, wider):
        nn.init.zeros_(block.conv2.weight)
    x = pictures(channels=4)
    assert torch.equal(same(x), x)
    y = wider(x)
    assert torch.equal(y[:, :4], x[:, :, ::2, ::2]) and y.shape == (2, 8, 4, 4) and not y[:, 4:].any()
    assert all(not isinstance(m, nn.Conv2d) or m in (b.conv1, b.conv2) for b in (same, wider) for m in b.modules())


@pytest.mark.parametrize("norm, kind", [("batch", nn.BatchNorm2d), ("group", nn.GroupNorm), ("none", nn.Identity)])
def test_norms_stand_behind_every_convolution(norm, kind):
    model = CIFARResNet(8, widths=(4, 8, 8), norm=norm)
    norms = [m for name, m in model.named_modules() if "norm" in name.rpartition(".")[2]]
    assert len(norms) == 7 and all(type(m) is kind for m in norms)
    logits = model.eval()(pictures())
    assert logits.shape == (2, 10) and torch.allclose(logits[:1], model(pictures()[:1]), atol=1e-6)


def test_one_seed_gives_one_start_in_every_arm_also_where_the_activation_convolves():
    states = []
    for arm in ("relu", "colu", "acon-c", lambda: nn.Conv2d(8, 8, 1)):
        torch.manual_seed(3)
        model = CIFARResNet(8, widths=(8, 8, 8), activation=get_arm(arm) if isinstance(arm, str) else arm)
        named = model.state_dict().items()
        states.append({name: t for name, t in named if not any(part.startswith("act") for part in name.split("."))})
    assert len(states[0]) > 20
    for state in states[1:]:
        assert all(torch.equal(states[0][name], state[name]) for name in states[0])


def test_convolutions_start_from_he_and_the_head_without_bias():
    torch.manual_seed(0)
    model = CIFARResNet(8)
    for block in model.blocks:
        for conv in (block.conv1, block.conv2):
            wanted = (2 / (conv.out_channels * 9)) ** 0.5
            assert conv.weight.std().item() == pytest.approx(wanted, rel=0.1)
    assert not model.head.bias.any()


@pytest.mark.parametrize("options, message", [
    (dict(depth=10), "depth is 10, wanted 6n"), (dict(depth=2), "depth is 2"), (dict(norm="layer"), "norm is 'layer'"),
    (dict(widths=(16, 32)), r"widths are \[16, 32\], wanted three"), (dict(widths=(16, 32, 8)), "do not fall"),
])  # fmt: skip
def test_what_cannot_be_built_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        CIFARResNet(**options)
