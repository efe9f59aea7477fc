"""Maxima of lines, the attention over positions, and the maximum with a condition, against their formulas."""

import numpy as np
import pytest
import torch

from colu.functional import dynamic_relu, frelu, spatial_attention
from colu.testing import assert_same_function

C = 8


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


X = normal(3, C, 4, 5)


def test_maximum_of_lines_formula():
    a, b = normal(3, 4, C, seed=1), normal(3, 4, C, seed=2)
    expected = (a.numpy()[..., None, None] * X.numpy()[:, None] + b.numpy()[..., None, None]).max(1)
    assert np.allclose(dynamic_relu(X, a, b), expected, atol=1e-14)


def test_attention_is_capped_at_one():
    z = torch.zeros(1, 1, 2, 2).double()
    assert torch.allclose(spatial_attention(z), torch.full_like(z, 1 / 3))
    z[0, 0, 0, 0] = 1e3
    assert spatial_attention(z)[0, 0, 0, 0] == 1 and spatial_attention(z).min() < 1e-9


def test_lines_that_do_not_match_the_input_are_refused():
    with pytest.raises(ValueError, match="do not match"):
        dynamic_relu(X, torch.ones(3, 2, C - 1), torch.ones(3, 2, C - 1))
    with pytest.raises(ValueError, match="do not match"):
        dynamic_relu(X, torch.ones(2, 2, C), torch.ones(2, 2, C))


def test_frelu_is_the_maximum_with_its_condition_and_relu_where_that_is_zero():
    condition = normal(3, C, 4, 5, seed=1)
    assert torch.equal(frelu(X, condition), torch.where(X > condition, X, condition))
    assert_same_function(lambda x: frelu(x, 0 * x), torch.relu, X)
