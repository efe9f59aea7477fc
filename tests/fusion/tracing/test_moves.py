"""What only moves entries, looks them up or fills them in leaves their channels as they are."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from colu.fusion import Orthogonal, Permutation, assert_invariant_under, trace_spec


class Bag(nn.Module):
    """Symbols that are put together, and a head."""

    def __init__(self, mode):
        super().__init__()
        self.bag, self.head = nn.EmbeddingBag(9, 4, mode=mode), nn.Linear(4, 3)

    def forward(self, symbols, starts):
        return self.head(self.bag(symbols, starts))


@pytest.mark.parametrize("mode, group", [("sum", Orthogonal(4)), ("mean", Orthogonal(4)), ("max", Permutation(4))])
def test_a_bag_of_symbols_keeps_its_columns(nets, mode, group):
    model, x = nets.randomised(Bag(mode)), (torch.tensor([4, 1, 8, 0, 2]), torch.tensor([0, 2, 4]))
    spec = trace_spec(model, x)
    assert spec.groups == {"bag": group} and not spec.still
    assert_invariant_under(spec, model, x)


def _negative_to_zero(h):
    h[h < 0] = 0
    return h


def _patches(h, padding=0):
    return F.unfold(h, 3, padding=padding).unflatten(2, (-1, 6 if padding else 4))


#: Calls on channels behind a ReLU, and how many times as many channels they make.
CALLS = {
    "negative to zero": (_negative_to_zero, 1),
    "zeros before the first pixel": (lambda h: F.interpolate(F.pad(h, (1, 1, 1, 1)), scale_factor=2), 1),
    "a mask": (lambda h: h.masked_fill(h > 1, 2.0), 1),
    "a threshold in place": (lambda h: F.threshold(h, 0.5, 0.1, inplace=True), 1),
    "patches": (_patches, 9),
    "patches with an edge": (lambda h: _patches(h, 1), 9),
}


@pytest.mark.parametrize("name", CALLS)
def test_all_channels_move_and_the_function_stays(nets, name):
    call, times = CALLS[name]

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Conv2d(3, 5, 1), nn.Conv2d(5 * times, 2, 1)

        def forward(self, x):
            return self.two(call(F.relu(self.one(x))))

    model, x = nets.randomised(Model()), torch.randn(2, 3, 6, 6, dtype=torch.float64)
    spec = trace_spec(model, x)
    assert spec.groups == {"one": Permutation(5)} and not spec.still
    assert_invariant_under(spec, model, x)


def test_tokens_behind_zeros_keep_their_channels(nets):
    class Later(nn.Module):
        """Each token is a mean of those before it: the first is zero."""

        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Linear(3, 4), nn.Linear(4, 2)

        def forward(self, x):
            before = F.pad(F.relu(self.one(x)), (0, 0, 1, 0))[:, :-1]
            tokens = torch.ones(x.shape[1], x.shape[1], dtype=x.dtype).tril()
            return self.two(torch.cat([tokens @ before, before], 1))

    model, x = nets.randomised(Later()), torch.randn(2, 5, 3, dtype=torch.float64)
    spec = trace_spec(model, x)
    assert spec.groups == {"one": Permutation(4)} and not spec.still
    assert_invariant_under(spec, model, x)


@pytest.mark.parametrize("wide", [True, False])
def test_the_token_of_each_sample_keeps_its_channels(nets, wide):
    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Linear(3, 4), nn.Linear(4, 2)

        def forward(self, x, last):
            h, last = F.relu(self.one(x)), last[:, None, None]
            # Repeated, an index of the inputs might be another for each channel.
            return self.two(h.gather(1, last.expand(-1, 1, 4) if wide else last.repeat(1, 1, 4))[:, 0])

    model, x = nets.randomised(Last()), (torch.randn(3, 5, 3, dtype=torch.float64), torch.tensor([0, 4, 2]))
    spec = trace_spec(model, x)
    assert spec.groups == ({"one": Permutation(4)} if wide else {})
    assert wide or "gather" in spec.still[0][2]
    assert_invariant_under(spec, model, x)
