"""Memory: what is saved and held is counted."""

import torch
import torch.nn.functional as F

from colu.lab.bench import memory


def test_memory_counts_what_is_saved_and_held():
    x = torch.randn(64, 16, requires_grad=True)
    assert memory.saved_bytes(F.relu, x) == x.nbytes
    assert memory.saved_bytes(lambda v: (v * v).sqrt().exp(), x) == 3 * x.nbytes
    assert memory.saved_bytes(lambda v: v + 1, x) == 0
    assert memory.peak_bytes(lambda: (torch.empty(1000), None)[1]) == 4000
