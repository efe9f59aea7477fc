"""GReLU on small graphs: symmetry in the nodes, training."""

import pytest
import torch
from torch import nn

from colu.nn import GReLU

C = 8


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_graph_relu_commutes_with_permutations_of_nodes_and_starts_as_relu():
    torch.manual_seed(0)
    module = GReLU(C).double()
    x, links = normal(6, C), (normal(6, 6, seed=2) > 0).double()
    links = ((links + links.T) > 0).double()
    assert torch.equal(module(x, links), torch.relu(x))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter))
    order = torch.randperm(6, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(module(x[order], links[order][:, order]), module(x, links)[order])
    assert not torch.allclose(module(x[order], links), module(x, links)[order])
    assert torch.allclose(module(x, links.to_sparse()), module(x, links))
    with pytest.raises(ValueError, match=r"\(n, 8\)"):
        module(x, links[:3])


def test_graph_relu_trains_in_a_small_network():
    torch.manual_seed(0)
    x, links = torch.randn(40, 4), (torch.rand(40, 40) < 0.1).float()
    target = (links @ x[:, :1]).tanh() * x[:, 1:2]
    first, act, last = nn.Linear(4, C), GReLU(C), nn.Linear(C, 1)
    before = [p.detach().clone() for p in act.parameters()]
    optimiser = torch.optim.Adam([*first.parameters(), *act.parameters(), *last.parameters()], lr=0.02)
    losses = []
    for _ in range(200):
        optimiser.zero_grad()
        loss = (last(act(first(links @ x + x), links)) - target).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert all(not torch.equal(a, b) for a, b in zip(before, act.parameters(), strict=True))
