"""Bytes saved for backward: each piece of memory once."""

import torch
import torch.nn.functional as F

from colu.testing import saved_bytes


def test_what_is_saved_is_counted_once():
    x = torch.randn(64, 16, requires_grad=True)
    assert saved_bytes(F.relu, x) == x.nbytes
    assert saved_bytes(lambda v: (v * v).sqrt().exp(), x) == 3 * x.nbytes
    assert saved_bytes(lambda v: v + 1, x) == 0
