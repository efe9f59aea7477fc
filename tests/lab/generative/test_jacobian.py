"""Jacobians of denoisers with known answers."""

import pytest
import torch

from colu.lab.generative import asymmetry, dimension, make_scheduler, noise_jacobian
from colu.lab.models import UNet


def subspace_denoiser(basis, scale=1.0):
    """The best prediction of noise for Gaussian data of one deviation on a subspace with an orthonormal basis."""
    kept = make_scheduler().alphas_cumprod.double()

    def predict(x, t):
        a = kept[t].view(-1, 1)
        flat = x.flatten(1)
        inside = flat @ basis @ basis.T
        sigma = (1 - a).sqrt()
        return ((flat - inside) / sigma + sigma * inside / (a * scale**2 + sigma**2)).view_as(x)

    return predict, kept


@pytest.mark.parametrize("k", [1, 3, 7])
def test_dimension_of_data_on_a_subspace_is_its_dimension(k):
    basis = torch.linalg.qr(torch.randn(9, k, dtype=torch.float64))[0]
    predict, kept = subspace_denoiser(basis)
    jacobian = noise_jacobian(predict, torch.randn(2, 1, 3, 3).double(), 10)
    found = dimension(jacobian, float(kept[10]))
    torch.testing.assert_close(found, torch.full((2,), float(k)).double(), atol=1e-2, rtol=0)


def test_the_best_denoiser_is_a_gradient_and_a_turned_one_is_not():
    basis = torch.linalg.qr(torch.randn(9, 3, dtype=torch.float64))[0]
    predict, _ = subspace_denoiser(basis)
    x = torch.randn(2, 1, 3, 3).double()
    assert asymmetry(noise_jacobian(predict, x, 300)).max() < 1e-12
    turned = noise_jacobian(lambda x, t: predict(x, t).flip(3), x, 300)
    assert asymmetry(turned).min() > 0.1


def test_asymmetry_of_symmetric_is_zero_of_skew_is_one_and_squares_add_up():
    matrix = torch.randn(6, 6, dtype=torch.float64)
    assert asymmetry(matrix + matrix.T) == 0
    torch.testing.assert_close(asymmetry(matrix - matrix.T), torch.tensor(1.0).double())
    share = asymmetry(matrix) ** 2 + ((matrix + matrix.T) / 2).norm() ** 2 / matrix.norm() ** 2
    torch.testing.assert_close(share, torch.tensor(1.0).double())


def test_jacobian_of_a_network_is_its_finite_difference():
    torch.manual_seed(0)
    model = UNet(1, (16, 32), "colu").double().eval()
    torch.nn.init.normal_(model.head.weight)
    x, direction = torch.randn(2, 1, 4, 4).double(), torch.randn(2, 1, 4, 4).double()
    jacobian = noise_jacobian(model, x, 200)
    t, step = torch.full((2,), 200), 1e-6
    with torch.no_grad():
        slope = (model(x + step * direction, t) - model(x - step * direction, t)) / (2 * step)
    wanted = (jacobian @ direction.flatten(1)[:, :, None])[:, :, 0]
    torch.testing.assert_close(slope.flatten(1), wanted, rtol=1e-4, atol=1e-5)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="wanted square"):
        asymmetry(torch.zeros(2, 3))
    with pytest.raises(ValueError, match="is 0"):
        asymmetry(torch.zeros(2, 2))
    with pytest.raises(ValueError, match="kept is 1.5"):
        dimension(torch.zeros(2, 2), 1.5)
    with pytest.raises(ValueError, match="wanted \\(n, channels"):
        noise_jacobian(lambda x, t: x, torch.zeros(2, 2), 3)
    with pytest.raises(ValueError, match="1 of 1 numbers of the images"):
        noise_jacobian(lambda x, t: x, torch.full((1, 1, 1, 1), float("inf")), 3)
