"""All spellings of one call give one specification, and what is no call of torch is not taken for one."""

import operator

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from colu.fusion import assert_invariant_under, invariance_error, trace_spec


def _in_place(h, g):
    h += g
    return h


# Each a function of two layers' channels; the first of each list is the reference for the others.
SPELLINGS = {
    "relu": [
        lambda h, g: F.relu(h),
        lambda h, g: F.relu(input=h),
        lambda h, g: F.relu(h, True),
        lambda h, g: F.relu(inplace=True, input=h),
        lambda h, g: F.relu_(h),
        lambda h, g: torch.relu(h),
        lambda h, g: torch.relu(input=h),
        lambda h, g: torch.relu_(h),
        lambda h, g: h.relu(),
        lambda h, g: h.relu_(),
    ],
    "tanh": [lambda h, g: torch.tanh(h), lambda h, g: torch.tanh(input=h), lambda h, g: F.tanh(h),
             lambda h, g: h.tanh(), lambda h, g: h.tanh_()],
    "sigmoid": [lambda h, g: torch.sigmoid(h), lambda h, g: torch.sigmoid(input=h), lambda h, g: F.sigmoid(input=h),
                lambda h, g: h.sigmoid()],
    "gelu": [lambda h, g: F.gelu(h, approximate="tanh"), lambda h, g: F.gelu(approximate="tanh", input=h)],
    "silu": [lambda h, g: F.silu(h), lambda h, g: F.silu(input=h), lambda h, g: F.silu(h, inplace=True)],
    "elu": [lambda h, g: F.elu(h, 2.0), lambda h, g: F.elu(input=h, alpha=2.0)],
    "leaky relu": [lambda h, g: F.leaky_relu(h, 0.2), lambda h, g: F.leaky_relu(negative_slope=0.2, input=h)],
    "softplus": [lambda h, g: F.softplus(h, 2), lambda h, g: F.softplus(input=h, beta=2)],
    "a sum": [
        lambda h, g: h + g,
        lambda h, g: torch.add(h, g),
        lambda h, g: torch.add(h, other=g),
        lambda h, g: torch.add(input=h, other=g),
        lambda h, g: torch.add(other=g, input=h),
        lambda h, g: h.add(g),
        lambda h, g: h.add(other=g),
        lambda h, g: h.add_(g),
        _in_place,
    ],
    "a shift": [lambda h, g: h + 2, lambda h, g: 2 + h, lambda h, g: torch.add(input=h, other=2), lambda h, g: h.add(2),
                lambda h, g: h.add(1, alpha=2)],
    "a scale": [lambda h, g: h * 2, lambda h, g: 2 * h, lambda h, g: torch.mul(h, 2), lambda h, g: h.mul(other=2),
                lambda h, g: torch.mul(input=h, other=2), lambda h, g: torch.multiply(h, 2), lambda h, g: h.mul_(2),
                lambda h, g: h / 0.5, lambda h, g: torch.div(input=h, other=0.5), lambda h, g: h.div(0.5),
                lambda h, g: torch.true_divide(h, 0.5)],
    "channels behind each other": [
        lambda h, g: torch.cat([h, g], 1),
        lambda h, g: torch.cat((h, g), dim=1),
        lambda h, g: torch.cat(tensors=[h, g], dim=1),
        lambda h, g: torch.cat([h, g], axis=1),
        lambda h, g: torch.concat([h, g], dim=1),
        lambda h, g: torch.concatenate(tensors=[h, g], dim=1),
    ],
    "flatten": [
        lambda h, g: torch.flatten(h, 1),
        lambda h, g: torch.flatten(input=h, start_dim=1),
        lambda h, g: torch.flatten(h, 1, -1),
        lambda h, g: h.flatten(1),
        lambda h, g: h.flatten(start_dim=1, end_dim=-1),
        lambda h, g: h.view(h.size(0), -1),
        lambda h, g: h.view((h.shape[0], -1)),
        lambda h, g: h.reshape(h.shape[0], -1),
        lambda h, g: h.reshape(h.size(dim=0), -1),
        lambda h, g: torch.reshape(h, (h.size(0), -1)),
        lambda h, g: torch.reshape(input=h, shape=(h.size(0), -1)),
    ],
    "mean of pixels": [
        lambda h, g: h.mean((2, 3)),
        lambda h, g: h.mean(dim=(2, 3)),
        lambda h, g: h.mean([-1, -2], keepdim=False),
        lambda h, g: h.mean(axis=(2, 3)),
        lambda h, g: torch.mean(h, (2, 3)),
        lambda h, g: torch.mean(input=h, dim=[2, 3]),
    ],
    "maximum of pixels": [
        lambda h, g: F.max_pool2d(h, 2),
        lambda h, g: F.max_pool2d(input=h, kernel_size=2),
        lambda h, g: F.max_pool2d(h, 2, stride=2),
        lambda h, g: torch.max_pool2d(h, 2),
        lambda h, g: F.adaptive_max_pool2d(h, 2),
        lambda h, g: F.adaptive_max_pool2d(output_size=2, input=h),
    ],
    "mean of patches": [lambda h, g: F.avg_pool2d(h, 2), lambda h, g: F.avg_pool2d(input=h, kernel_size=2),
                        lambda h, g: F.adaptive_avg_pool2d(input=h, output_size=(2, 2))],
    "dropout": [lambda h, g: F.dropout(h, 0.5, False), lambda h, g: F.dropout(input=h, training=False),
                lambda h, g: F.dropout2d(input=h, p=0.5, training=False)],
    "larger": [lambda h, g: F.interpolate(h, scale_factor=2), lambda h, g: F.interpolate(input=h, scale_factor=2),
               lambda h, g: F.interpolate(h, None, 2)],
    "edges": [lambda h, g: F.pad(h, (1, 1, 1, 1)), lambda h, g: F.pad(input=h, pad=[1, 1, 1, 1], mode="constant"),
              lambda h, g: F.pad(h, (1, 1, 1, 1), "constant", 0)],
    "more channels": [lambda h, g: F.pad(h, (0, 0, 0, 0, 2, 2)), lambda h, g: F.pad(pad=(0, 0, 0, 0, 2, 2), input=h),
                      lambda h, g: F.pad(h, (0, 0, 0, 0, 2, 2), "constant", value=0.0)],
    "the same": [lambda h, g: h.contiguous(), lambda h, g: h.clone(), lambda h, g: torch.clone(input=h),
                 lambda h, g: h.detach(), lambda h, g: torch.detach(h),
                 lambda h, g: h.contiguous(memory_format=torch.contiguous_format)],
    "every second pixel": [lambda h, g: h[:, :, ::2, ::2],
                           lambda h, g: operator.getitem(h, (slice(9), slice(None), slice(0, 4, 2), slice(0, 4, 2)))],
}  # fmt: skip


class Spelled(nn.Module):
    """Two convolutions, the call, and a head."""

    def __init__(self, call, by_name=False):
        super().__init__()
        self.one, self.two, self.between = nn.Conv2d(2, 4, 1), nn.Conv2d(2, 4, 1), nn.ReLU()
        x = torch.zeros(2, 2, 4, 4)
        width = call(self.one(x), self.two(x)).shape
        self.head = nn.Linear(width[1], 3) if len(width) == 2 else nn.Conv2d(width[1], 3, 1)
        self.call, self.by_name = call, by_name

    def forward(self, x):
        if self.by_name:
            h, g = self.between(input=self.one(input=x)), self.between(input=self.two(input=x))
            return self.head(input=self.call(h, g))
        return self.head(self.call(self.between(self.one(x)), self.between(self.two(x))))


CASES = [(name, place) for name, calls in SPELLINGS.items() for place in range(len(calls))]


@pytest.mark.parametrize("name, place", CASES)
def test_a_spelling_gives_the_specification_of_its_call(nets, name, place):
    first, call = SPELLINGS[name][0], SPELLINGS[name][place]
    wanted, model = nets.randomised(Spelled(first)), nets.randomised(Spelled(call, by_name=place % 2 == 1))
    x = torch.randn(2, 2, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    # That it is the same call.
    assert torch.allclose(model(x), wanted(x))
    found = trace_spec(model, x)
    assert found == trace_spec(wanted, x) and found.groups
    assert_invariant_under(found, model, x)


#: Calls of more than entries, and how many channels of the two layers still move; what is not read at all does.
LESS = {
    "softmax of channels": (lambda h, g: torch.softmax(input=h, dim=1), 8),
    "unit vectors": (lambda h, g: F.normalize(h, dim=1), 8),
    "norm of pixels": (lambda h, g: F.layer_norm(h, (4,)), 8),
    "one or the other": (lambda h, g: torch.where(h > 0, h, g), 8),
    "the larger": (lambda h, g: torch.maximum(h, g), 8),
    "a gate": (lambda h, g: torch.mul(input=h, other=g), 8),
    "rows behind each other": (lambda h, g: torch.cat(tensors=[h, g], dim=2), 8),
    "mean of channels": (lambda h, g: torch.mean(input=h, dim=1, keepdim=True).expand(-1, 4, -1, -1), 8),
    "ones at the edges": (lambda h, g: F.pad(h, (0, 0, 0, 0, 2, 2), "constant", 1.0), 8),
    "there and back": (lambda h, g: torch.flatten(input=h, start_dim=0).view(2, 4, 4, 4), 8),
    "sorted": (lambda h, g: torch.sort(h, 1).values, 4),
    "rows for channels": (lambda h, g: h.permute(0, 2, 1, 3), 4),
}


@pytest.mark.parametrize("name", LESS)
def test_what_a_call_leaves_is_a_symmetry_and_no_less_than_expected(nets, name):
    call, moving = LESS[name]
    model = nets.randomised(Spelled(call))
    x = torch.randn(2, 2, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    spec = trace_spec(model, x)
    assert_invariant_under(spec, model, x)
    made = [part for layer in ("one", "two") for part in spec.axes[f"{layer}.weight"][0]]
    assert sum(spec.groups[part.name].size for part in made if part.name in spec.groups) == moving


def test_a_value_that_only_the_output_reads_is_not_left_free():
    class Ends(nn.Module):
        def __init__(self):
            super().__init__()
            self.one = nn.Linear(3, 4)

        def forward(self, x):
            return torch.softmax(input=self.one(x), dim=1)

    assert not trace_spec(Ends()).groups


def test_an_operation_that_is_not_understood_is_named_and_refused_where_asked():
    class Sorted(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Linear(3, 4), nn.Linear(4, 2)

        def forward(self, x):
            return self.two(torch.sort(self.one(x), 1).values)

    spec = trace_spec(Sorted())
    assert not spec.groups and spec.still[0][0] == "one.weight" and "sort" in spec.still[0][2]
    with pytest.raises(ValueError, match="Sorted uses what is not understood: sort"):
        trace_spec(Sorted(), strict=True)


def test_a_layer_that_reads_two_values_is_followed():
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two, self.both = nn.Linear(3, 4), nn.Linear(3, 4), nn.Bilinear(4, 4, 2)

        def forward(self, x):
            return self.both(input1=self.one(x), input2=self.two(x))

    model = Pair().double()
    x = torch.randn(5, 3, dtype=torch.float64)
    assert invariance_error(model, trace_spec(model, x), x) < 1e-10


def test_a_reciprocal_leaves_permutations():
    from colu.nn import CoLU

    class Inverse(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.act, self.two = nn.Linear(3, 8), CoLU(dim=4), nn.Linear(8, 2)

        def forward(self, x):
            return self.two(1 / (3 + self.act(self.one(x))))

    model = Inverse().double()
    x = torch.randn(5, 3, dtype=torch.float64)
    spec = trace_spec(model, x)
    assert [one.kind for one in spec.groups["one"].inner] == ["fixed", "permutation"]
    assert_invariant_under(spec, model, x)


def test_functions_of_others_are_not_taken_for_those_of_torch_by_their_name(nets):
    def relu(h):
        return h.cumsum(1)

    model = nets.randomised(Spelled(lambda h, g: relu(h)))
    x = torch.randn(2, 2, 4, 4, dtype=torch.float64)
    spec = trace_spec(model, x)
    assert all(part.name not in spec.groups for part in spec.axes["one.weight"][0])
