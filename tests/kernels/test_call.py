"""A call is checked once and then kept; what is kept lets nothing else in."""

import gc
import weakref

import pytest
import torch

from colu.functional import colu, soc_projection
from colu.kernels.call import conic_call


def test_equal_requests_get_the_same_call():
    shape = torch.Size((3, 8))
    assert conic_call(shape, "colu", 4) is conic_call(shape, "colu", dim=4)
    assert conic_call(shape, "colu", 4) is not conic_call(shape, "colu", 2)
    assert conic_call(shape, "colu", 4) is not conic_call(torch.Size((3, 16)), "colu", 4)


@pytest.mark.parametrize("right, wrong", [
    (dict(dim=4), dict(dim=4.0)), (dict(dim=1), dict(dim=True)), (dict(num_groups=2), dict(num_groups=2.0)),
    (dict(channel_dim=1), dict(channel_dim=True)), (dict(p=1), dict(p=True)), (dict(angle=1), dict(angle=True)),
])  # fmt: skip
def test_a_kept_call_does_not_admit_its_equals_of_another_type(right, wrong):
    x = torch.randn(3, 8)
    colu(x, **right)
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}={next(iter(wrong.values()))!r}"):
        colu(x, **wrong)
    soc_projection(x, leak=1)
    with pytest.raises(ValueError, match="leak=True"):
        soc_projection(x, leak=True)


def test_options_that_cannot_be_keys_are_refused_by_name():
    x = torch.randn(3, 8)
    with pytest.raises(ValueError, match=r"p=\[2\]"):
        colu(x, p=[2])
    with pytest.raises(ValueError, match=r"dim=\{\}"):
        colu(x, dim={})


def test_an_angle_that_is_a_tensor_is_not_kept():
    angle = torch.tensor(0.5)
    colu(torch.randn(3, 8), angle=angle)
    gone = weakref.ref(angle)
    del angle
    gc.collect()
    assert gone() is None
