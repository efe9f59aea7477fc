"""The step, and the gradient that stands for its own."""

import torch

import colu.functional as F


def test_threshold_is_a_step_whose_gradient_is_a_ramps():
    x = torch.tensor([-2.0, -0.5, 0.0, 0.5, 2.0], dtype=torch.float64, requires_grad=True)
    y = F.threshold(x, 3.0)
    assert torch.equal(y.detach(), torch.tensor([0.0, 0.0, 3.0, 3.0, 3.0], dtype=torch.float64))
    assert torch.equal(torch.autograd.grad(y.sum(), x)[0], torch.tensor([0, 1.5, 1.5, 1.5, 0], dtype=torch.float64))
    assert not F.threshold(x, 3.0, window=0.0).requires_grad
