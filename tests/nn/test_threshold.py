"""The threshold module: an amplitude a channel, and the gradient that stands in for its step."""

import pytest
import torch

from colu.functional import threshold
from colu.nn import Threshold


def test_each_channel_has_its_own_amplitude_and_both_learn_through_the_ramp():
    x = torch.randn(40, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    module = Threshold(3, window=0.5).double()
    with torch.no_grad():
        module.amplitude.copy_(torch.tensor([1.0, -2.0, 0.5]))
    y = module(x)
    for c, amplitude in enumerate((1.0, -2.0, 0.5)):
        assert torch.equal(y[:, c], threshold(x[:, c], amplitude, 0.5))
        assert set(y[:, c].flatten().tolist()) == {0.0, amplitude}
    into, of_amplitude = torch.autograd.grad(y.sum(), (x, module.amplitude))
    assert ((into != 0) == (x.abs() <= 0.5)).all()
    assert torch.equal(of_amplitude, (x >= 0).sum((0, 2)).double())


def test_bad_options_are_refused_at_once():
    with pytest.raises(ValueError, match="window=-1.0"):
        Threshold(3, window=-1.0)
