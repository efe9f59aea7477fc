"""The variational autoencoder: its formula, the same start in every arm, clear refusals."""

import math

import pytest
import torch
from torch import nn

from colu.lab.experiments import get_arm
from colu.lab.models import VAE


def test_the_formula_of_the_vae():
    torch.manual_seed(0)
    model = VAE(6, 8, 2, nn.Tanh).double()
    x, noise = torch.rand(5, 1, 2, 3, dtype=torch.float64), torch.randn(5, 2, dtype=torch.float64)
    code = model.to_code(torch.tanh(model.encoder(x.flatten(1))))
    z = code[:, :2] + torch.exp(code[:, 2:] / 2) * noise
    logits, mean, log_variance = model(x, noise)
    torch.testing.assert_close(logits, model.decoder(torch.tanh(model.from_code(z))))
    assert torch.equal(torch.cat([mean, log_variance], 1), code)


def test_lecun_weights_have_variance_one_over_fan_in_and_zero_biases():
    torch.manual_seed(0)
    model = VAE(784, 1000, 20, init="lecun")
    for linear in (model.encoder, model.decoder):
        n = linear.weight.numel()
        # The variance of a variance estimate is at most 2/n; five deviations.
        assert abs(float(linear.weight.detach().var()) * linear.in_features - 1) < 5 * math.sqrt(2 / n)
        assert float(linear.weight.detach().abs().max()) * math.sqrt(linear.in_features) <= 2 / 0.8796
        assert not linear.bias.any()


def test_one_seed_gives_equal_weights_whatever_the_arm():
    states = []
    for name in ("relu", "colu", "acon-c", "colu-soft-shared"):
        torch.manual_seed(3)
        states.append({k: v for k, v in VAE(12, 16, 3, get_arm(name)).state_dict().items() if not k.startswith("act")})
    assert len(states[0]) >= 8
    for other in states[1:]:
        assert all(torch.equal(states[0][k], other[k]) for k in states[0])


def test_an_empty_batch_passes():
    assert VAE(4, 4, 2)(torch.zeros(0, 4), torch.zeros(0, 2))[0].shape == (0, 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: VAE(4, 0, 2), "4, 0, 2"),
        (lambda: VAE(4, 4, 2, init="he"), "'he'"),
        (lambda: VAE(4, 4, 2).encode(torch.zeros(1, 5)), "5 pixels"),
        (lambda: VAE(4, 6, 2, get_arm("colu")).encode(torch.zeros(1, 4)), "6"),
        (lambda: VAE(4, 4, 2).decode(torch.zeros(5, 3)), "codes have shape (5, 3), wanted 2"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError) as caught:
        call()
    assert message in str(caught.value)
