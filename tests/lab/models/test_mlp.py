"""The MLP: the same start in every arm."""

import pytest
import torch
from torch import nn

from colu.lab.models import MLP


class Noisy(nn.Module):
    """An activation that draws random numbers when it is made."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3))

    def forward(self, x):
        return x


def test_one_seed_gives_equal_linear_weights_whatever_the_activation():
    models = []
    for activation in (nn.ReLU, Noisy):
        torch.manual_seed(0)
        models.append(MLP(6, [8, 8], 2, activation))
    first, second = ([m for m in model if isinstance(m, nn.Linear)] for model in models)
    assert len(first) == 3
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a.weight, b.weight) and torch.equal(a.bias, b.bias)


def test_each_hidden_layer_has_its_own_activation():
    model = MLP(6, [8, 8], 2, lambda: nn.PReLU(8))
    made = [m for m in model if isinstance(m, nn.PReLU)]
    assert len(made) == 2 and made[0].weight is not made[1].weight


def test_the_formula():
    torch.manual_seed(1)
    model = MLP(4, [5], 3, nn.Tanh).double()
    x = torch.randn(7, 2, 2, dtype=torch.float64)
    one, two = model[1], model[3]
    wanted = torch.tanh(x.flatten(1) @ one.weight.T + one.bias) @ two.weight.T + two.bias
    torch.testing.assert_close(model(x), wanted)
    assert model(x[:0]).shape == (0, 3)


def test_a_zero_width_is_refused():
    with pytest.raises(ValueError, match=r"\[4, 0, 2\]"):
        MLP(4, [0], 2)
