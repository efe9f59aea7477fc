"""The autoencoder: every activation used, the same start in every arm, clear refusals."""

import pytest
import torch
from torch import nn

from colu.lab.experiments import get_arm
from colu.lab.models import ConvAutoencoder


def test_one_seed_gives_equal_weights_whatever_the_arm():
    states = []
    for name in ("relu", "colu", "acon-c", "colu-soft-shared"):
        torch.manual_seed(3)
        state = ConvAutoencoder(2, (16, 16), 3, get_arm(name)).state_dict()
        states.append({k: v for k, v in state.items() if not k.startswith("act")})
    assert len(states[0]) >= 8
    for other in states[1:]:
        assert all(torch.equal(states[0][k], other[k]) for k in states[0])


def test_every_activation_of_the_autoencoder_is_used_once_and_gets_a_gradient():
    calls = []

    class Counting(nn.Module):
        def forward(self, x):
            calls.append(x.shape[1])
            return x.tanh()

    torch.manual_seed(0)
    model = ConvAutoencoder(3, (8, 12), 2, Counting)
    model(torch.rand(2, 3, 8, 8)).sum().backward()
    assert calls == [8, 12, 12, 12, 12, 8]
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())


def test_an_empty_batch_passes():
    assert ConvAutoencoder(1, (4, 4))(torch.zeros(0, 1, 8, 8)).shape == (0, 1, 8, 8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ConvAutoencoder(1, (4, 0)), "(4, 0)"),
        (lambda: ConvAutoencoder(1, (4, 8, 16)), "widths are [4, 8, 16], wanted two"),
        (lambda: ConvAutoencoder(1, (4, 4)).encode(torch.zeros(1, 1, 6, 8)), "divisible by 4"),
        (lambda: ConvAutoencoder(1, (4, 4)).encode(torch.zeros(1, 3, 8, 8)), r"1, 3, 8, 8"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError) as caught:
        call()
    assert message in str(caught.value)
