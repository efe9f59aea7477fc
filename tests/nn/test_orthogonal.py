"""Layers that stay orthogonal while they learn, and the penalty that draws a convolution there."""

import pytest
import torch

from colu.nn import HouseholderLinear, RotationLinear, create


@pytest.mark.parametrize("layer, determinant", [
    (lambda: HouseholderLinear(5), -1), (lambda: HouseholderLinear(5, 2), 1), (lambda: RotationLinear(5), 1),
])  # fmt: skip
def test_layers_stay_orthogonal_and_of_their_determinant_while_they_learn(layer, determinant):
    torch.manual_seed(0)
    layer = layer().double()
    x, target = torch.randn(2, 30, 5, dtype=torch.float64)
    optimiser = torch.optim.SGD(layer.parameters(), lr=1.0)
    start = layer.weight.detach()
    for _ in range(5):
        assert torch.allclose(layer.weight @ layer.weight.T, torch.eye(5, dtype=torch.float64), atol=1e-10)
        assert torch.linalg.det(layer.weight).item() == pytest.approx(determinant)
        optimiser.zero_grad()
        (layer(x) - target).square().mean().backward()
        optimiser.step()
    assert (layer.weight - start).norm() > 0.1
    assert torch.allclose(layer(x), x @ layer.weight.T)


def test_a_rotation_starts_near_the_identity():
    torch.manual_seed(0)
    assert (RotationLinear(6).weight - torch.eye(6)).abs().max() < 0.3


def circular_singular_values(weight, size):
    spectrum = torch.fft.fft2(weight, (size, size)).permute(2, 3, 0, 1)
    return torch.linalg.svdvals(spectrum)


def test_orthogonality_penalty_draws_a_convolution_to_an_isometry():
    torch.manual_seed(0)
    conv, penalty = torch.nn.Conv2d(3, 4, 3, bias=False), create("orthogonal-convolution")
    optimiser = torch.optim.Adam(conv.parameters(), lr=0.02)
    for _ in range(300):
        optimiser.zero_grad()
        loss = penalty(conv.weight)
        loss.backward()
        optimiser.step()
    assert loss < 1e-3
    values = circular_singular_values(conv.weight.detach(), 8)
    assert (values - 1).abs().max() < 0.05
