"""The variance that a PHM layer starts with."""

import torch

from colu.nn import PHMLinear


def test_phm_weight_starts_with_the_variance_of_a_dense_layer():
    torch.manual_seed(0)
    for n in (2, 4):
        weight = PHMLinear(512, n=n).weight
        assert abs(weight.var().item() * 512 - 1) < (0.05 if n == 4 else 0.9)
