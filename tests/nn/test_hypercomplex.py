"""The formula of a PHM layer, and the variance that it starts with."""

import torch

from colu.nn import PHMLinear


def test_phm_weight_starts_with_the_variance_of_a_dense_layer():
    torch.manual_seed(0)
    for n in (2, 4):
        weight = PHMLinear(512, n=n).weight
        assert abs(weight.var().item() * 512 - 1) < (0.05 if n == 4 else 0.9)


def test_phm_layer_is_the_sum_of_kronecker_products():
    torch.manual_seed(0)
    layer, x = PHMLinear(8, 12).double(), torch.randn(3, 8, dtype=torch.float64)
    dense = sum(torch.kron(a, f) for a, f in zip(layer.algebra, layer.factors, strict=True))
    assert torch.allclose(layer(x), x @ dense.T + layer.bias)
