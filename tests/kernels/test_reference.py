"""The reference computes whatever is asked, and torch differentiates it."""

import torch

from colu.functional import colu
from colu.kernels import reference
from colu.kernels.call import conic_call
from colu.testing import saved_bytes


def test_a_gradient_has_a_graph_only_where_graphs_are_made():
    x, g = torch.randn(2, 3, 8, dtype=torch.float64)
    call = conic_call(x.shape, "colu", 4, scaling="soft", p=3)
    assert reference.missing(x, call) is None
    z = x.clone().requires_grad_()
    (want,) = torch.autograd.grad(reference.run(z, call), z, g)
    with torch.no_grad():
        found = reference.run(x, call, g)
    assert torch.equal(found, want) and not found.requires_grad
    g.requires_grad_()
    found = reference.run(x, call, g)
    assert torch.equal(found, want) and found.requires_grad
    assert torch.autograd.gradcheck(lambda v: reference.run(x, call, v), g)


def test_the_reference_saves_more_than_its_input():
    x = torch.randn(6, 8, 5, requires_grad=True)
    assert saved_bytes(lambda v: colu(v, dim=4, backend="reference"), x) > x.nbytes
