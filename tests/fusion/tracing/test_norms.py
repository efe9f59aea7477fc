"""Weights with a norm of their own, pooling and sums of places: what they leave of the channels."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from colu.fusion import Inner, Permutation, Wreath, apply, assert_invariant_under, match_weights, trace_spec
from colu.nn import CoLU


@pytest.mark.parametrize("activation, group", [
    (nn.ReLU, Permutation(8)), (nn.Tanh, Wreath(1, (Inner("signed", 8),))),
    (lambda: CoLU(dim=4), Wreath(2, (Inner("fixed", 1), Inner("signed", 3)))),
], ids=["relu", "tanh", "colu"])  # fmt: skip
def test_weight_norm_keeps_the_gain_of_each_channel(nets, activation, group):
    layers = [weight_norm(nn.Linear(*sizes)) for sizes in ((4, 8), (8, 8), (8, 3))]
    model = nets.randomised(nn.Sequential(layers[0], activation(), layers[1], activation(), layers[2]))
    spec, state = trace_spec(model, nets.vectors(20, 4)), model.state_dict()
    assert list(spec.groups.values()) == [group, group] and not spec.still
    moved = apply(spec, spec.random(3), state)
    # A gain changes its place and no sign.
    for name in [name for name in state if name.endswith("original0")]:
        assert torch.equal(moved[name].sort(0).values, state[name].sort(0).values)
    assert nets.distance(match_weights(spec, state, moved).apply(spec, moved), state) < 1e-12


def test_weight_norm_of_a_convolution_is_followed(nets):
    model = nets.randomised(nn.Sequential(weight_norm(nn.Conv1d(4, 8, 3)), nn.ReLU(), weight_norm(nn.Conv1d(8, 5, 3))))
    spec = trace_spec(model, torch.randn(2, 4, 9))
    assert list(spec.groups.values()) == [Permutation(8)]


class Around(nn.Module):
    """A convolution of any dimension, a call, and another."""

    def __init__(self, dims, call):
        super().__init__()
        kinds = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
        self.one, self.two, self.call = kinds[dims](2, 4, 1), kinds[dims](4, 3, 1), call

    def forward(self, x):
        return self.two(self.call(F.relu(self.one(x))))


#: Calls that put places together, with the dimensions of a picture.
PLACES = {
    "largest of three": (3, lambda h: F.max_pool3d(h, 2)),
    "largest of three, adaptive": (3, lambda h: F.adaptive_max_pool3d(h, 2)),
    "mean of three": (3, lambda h: F.avg_pool3d(h, 2)),
    "mean of three, adaptive": (3, lambda h: F.adaptive_avg_pool3d(h, 2)),
    "larger, three": (3, lambda h: F.interpolate(h, scale_factor=2, mode="trilinear")),
    "larger, one": (1, lambda h: F.interpolate(h, scale_factor=2, mode="linear")),
    "edges repeated": (2, lambda h: F.pad(h, (1, 1, 1, 1), mode="replicate")),
    "edges mirrored": (2, lambda h: F.pad(h, (1, 1, 1, 1), mode="reflect")),
    "edges mirrored, one": (1, lambda h: F.pad(h, (1, 1), mode="reflect")),
    "largest of one": (1, lambda h: F.max_pool1d(h, 2)),
    "sampled": (2, lambda h: F.grid_sample(h, torch.rand(2, 3, 3, 2, dtype=h.dtype, generator=torch.Generator()
                                                         .manual_seed(0)), align_corners=False)),
    "by the size of all": (2, lambda h: h / h.norm()),
    "beside the mean of all": (2, lambda h: h - h.mean()),
    "by the largest of all": (2, lambda h: h / h.amax()),
    "added up along": (1, lambda h: h.cumsum(-1)),
    "the largest so far": (1, lambda h: h.cummax(2).values),
    "in order": (1, lambda h: h.sort(-1).values),
    "in order, stably": (1, lambda h: torch.sort(h, stable=True, dim=2)[0]),
    "the largest two": (1, lambda h: h.topk(2).values),
    "the middle": (1, lambda h: h.median(-1, keepdim=True).values),
    "a gate of its half": (1, lambda h: F.glu(torch.cat([h, h + 1], 1), 1)),
    "turned": (2, lambda h: torch.rot90(h, 1, (2, 3))),
}  # fmt: skip


@pytest.mark.parametrize("name", PLACES)
def test_what_puts_places_together_leaves_channels_as_they_are(nets, name):
    dims, call = PLACES[name]
    model, x = nets.randomised(Around(dims, call)), torch.randn(2, 2, *(4,) * dims, dtype=torch.float64)
    spec = trace_spec(model, x)
    assert spec.groups == {"one": Permutation(4)} and not spec.still
    assert_invariant_under(spec, model, x)


def test_a_number_of_all_weights_leaves_them_their_group(nets):
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Linear(3, 4), nn.Linear(4, 2)

        def forward(self, x):
            return self.two(F.relu(self.one(x)) / self.one.weight.norm() * self.two.weight.abs().mean())

    model, x = nets.randomised(Scaled()), torch.randn(5, 3, dtype=torch.float64)
    spec = trace_spec(model, x)
    assert spec.groups == {"one": Permutation(4)}
    assert_invariant_under(spec, model, x)


class Graph(nn.Module):
    """Messages of nodes, added up where they arrive."""

    def __init__(self, call):
        super().__init__()
        self.one, self.two, self.call = nn.Linear(3, 4), nn.Linear(4, 2), call

    def forward(self, x, to):
        return self.two(self.call(F.relu(self.one(x)), to))


def _wide(to):
    return to[:, None].expand(-1, 4)


MESSAGES = {
    "added by rows": lambda h, to: torch.zeros(3, 4, dtype=h.dtype).index_add_(0, to, h),
    "added by entries": lambda h, to: torch.zeros(3, 4, dtype=h.dtype).scatter_add(0, _wide(to), h),
    "added to what is there": lambda h, to: h.index_add(0, to, torch.relu(h)),
    "mean": lambda h, to: torch.zeros(3, 4, dtype=h.dtype).scatter_reduce(0, _wide(to), h, "mean"),
    "largest": lambda h, to: torch.zeros(3, 4, dtype=h.dtype).scatter_reduce(0, _wide(to), h, "amax"),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_in_a_graph_keep_their_channels(nets, name):
    model = nets.randomised(Graph(MESSAGES[name]))
    x = torch.randn(5, 3, dtype=torch.float64), torch.tensor([0, 2, 1, 2, 0])
    spec = trace_spec(model, x)
    assert spec.groups == {"one": Permutation(4)} and not spec.still
    assert_invariant_under(spec, model, x)


def test_pictures_without_samples_keep_their_channels(nets):
    model = nets.randomised(Around(2, lambda h: F.interpolate(F.max_pool2d(h, 2)[None], scale_factor=2)[0]))
    x = torch.randn(2, 4, 6, dtype=torch.float64)
    spec = trace_spec(model, x)
    assert spec.groups == {"one": Permutation(4)} and not spec.still
    assert_invariant_under(spec, model, x)


@pytest.mark.parametrize("told", [False, True])
def test_channels_that_go_different_ways_stay(nets, told):
    ways = torch.tensor([[0, 1, 2, 0], [1, 1, 0, 2], [2, 0, 0, 1], [0, 0, 0, 0], [1, 2, 1, 0]])

    def call(h, to):
        return torch.zeros(3, 4, dtype=h.dtype).scatter_add(0, to[:, None].repeat(1, 4) if told else ways, h)

    model, to = nets.randomised(Graph(call)), torch.tensor([0, 2, 1, 2, 0])
    spec = trace_spec(model, (torch.randn(5, 3, dtype=torch.float64), to))
    assert not spec.groups and spec.still[0][:2] == ("one.weight", 4) and "scatter_add" in spec.still[0][2]


@pytest.mark.parametrize("call", [
    lambda h: h.argmax(1), lambda h: h.max(1).indices, lambda h: h.min(1)[1], lambda h: h.argmin(1, keepdim=True)[:, 0],
])  # fmt: skip
def test_where_the_largest_channel_stands_is_read_of_their_order(nets, call):
    class Chosen(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.rows = nn.Linear(3, 2), nn.Embedding(2, 4)

        def forward(self, x):
            return self.rows(call(self.one(x)))

    model, x = nets.randomised(Chosen()), torch.randn(9, 3, dtype=torch.float64)
    spec = trace_spec(model, x, tol=None)
    assert not spec.groups and "reads the order of channels" in spec.still[0][2]


def test_the_largest_channel_itself_has_no_order(nets):
    model = nets.randomised(Around(2, lambda h: h - h.max(1, keepdim=True).values))
    assert trace_spec(model, torch.randn(2, 2, 3, 3)).groups == {"one": Permutation(4)}
