"""A network runs with one layer's weights at a time, and gives what it gives with all of them."""

import pytest
import torch
from torch import nn

from colu.fusion.paged import run_paged


def copied(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


class Reads(nn.Module):
    """Reads the weight of a layer that it does not call."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return self.one(x) @ self.two.weight


MODELS = {
    "perceptron": (lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)), (5, 4)),
    "norm": (
        lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(36, 2)), (3, 2, 5, 5)
    ),
    "attention": (lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), (2, 3, 8)),
    "reads": (Reads, (5, 4)),
}


@pytest.mark.parametrize("name", MODELS)
def test_paged_is_what_all_at_once_gives(name):
    make, shape = MODELS[name]
    model, x = make().double().eval(), torch.randn(shape, dtype=torch.float64)
    state = copied(model)
    with torch.no_grad():
        wanted = model(x)
    assert torch.allclose(run_paged(model, state, lambda: model(x), torch.float64), wanted, atol=1e-12)
    assert all(t.numel() == 0 for t in model.state_dict().values())
    # A state of its own each time, without a hook that is left.
    other = {key: t * 2 if t.is_floating_point() else t for key, t in state.items()}
    assert not torch.allclose(run_paged(model, other, lambda: model(x), torch.float64), wanted)


def test_one_layer_at_a_time_is_there():
    model = nn.Sequential(*(nn.Linear(8, 8) for _ in range(5)))
    state, seen = copied(model), []
    for layer in model:
        layer.register_forward_hook(lambda *_: seen.append(sum(p.numel() for p in model.parameters())))
    run_paged(model, state, lambda: model(torch.ones(1, 8)), torch.float32)
    assert seen == [72] * 5 or max(seen) == 72
