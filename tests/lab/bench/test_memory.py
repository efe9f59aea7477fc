"""Memory: what a step holds is counted."""

import torch

from colu.lab.bench import memory


def test_peak_is_what_is_held_at_a_time():
    assert memory.peak_bytes(lambda: (torch.empty(1000), None)[1]) == 4000
