"""The U-Net: activations on feature maps alone, equal weights in every arm, errors that help."""

import pytest
import torch
from torch import nn

from colu.lab.experiments import get_arm
from colu.lab.models import UNet, time_embedding


class Spy(nn.Module):
    """The identity, which writes down what it saw."""

    seen: list[tuple[int, ...]] = []

    def forward(self, x):
        Spy.seen.append(tuple(x.shape))
        return x


def test_activation_sees_feature_maps_of_the_widths_and_nothing_else():
    model = UNet(1, (16, 32), Spy, blocks=2)
    Spy.seen.clear()
    model(torch.randn(2, 1, 8, 8), torch.tensor([1, 900]))
    assert len(Spy.seen) == 2 * (4 + 2 + 4)
    assert all(len(shape) == 4 and shape[1] in (16, 32) for shape in Spy.seen)


@pytest.mark.parametrize("arm", ["relu", "colu", "acon-c"])
def test_time_embedding_keeps_silu_in_every_arm(arm):
    model = UNet(1, (16, 32), get_arm(arm))
    silus = [name for name, module in model.named_modules() if isinstance(module, nn.SiLU)]
    assert silus == ["time.1", "time.3"]


def test_one_seed_gives_one_start_in_every_arm():
    states = []
    for arm in ("relu", "colu", "acon-c"):
        torch.manual_seed(3)
        states.append(UNet(1, (16, 32), get_arm(arm)).state_dict())
    assert len(states[0]) > 50
    for state in states[1:]:
        assert all(torch.equal(states[0][key], state[key]) for key in states[0])


def test_first_prediction_is_zero_and_every_weight_learns_once_the_head_is_not():
    model = UNet(3, (16, 32), "colu", patch=2)
    x, t = torch.randn(4, 3, 16, 16), torch.tensor([0, 10, 500, 999])
    assert model(x, t).abs().max() == 0
    nn.init.normal_(model.head.weight)
    model(x, t).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in model.parameters())


def test_time_and_image_both_matter():
    model = UNet(1, (16, 32), "relu")
    nn.init.normal_(model.head.weight)
    x = torch.randn(2, 1, 8, 8)
    early, late = (model(x, torch.full((2,), t)) for t in (5, 900))
    assert not torch.allclose(early, late, atol=1e-3)
    assert not torch.allclose(early[0], early[1], atol=1e-3)


def test_time_embedding_is_one_circle_a_frequency_and_tells_all_times_apart():
    embedded = time_embedding(torch.arange(1000), 32)
    torch.testing.assert_close(embedded[:, :16] ** 2 + embedded[:, 16:] ** 2, torch.ones(1000, 16))
    assert torch.pdist(embedded).min() > 1e-3


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"widths are \[18\], wanted multiples of groups=8"):
        UNet(1, (18,))
    model = UNet(1, (16, 32))
    with pytest.raises(ValueError, match="sides that divide by 2"):
        model(torch.zeros(1, 1, 7, 7), torch.zeros(1))
    with pytest.raises(ValueError, match="wanted one time an image"):
        model(torch.zeros(3, 1, 8, 8), torch.zeros(1))
    with pytest.raises(ValueError, match="dim is 3"):
        time_embedding(torch.zeros(1), 3)
