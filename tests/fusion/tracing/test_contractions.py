"""Recurrent layers: their units move, and a first state of zeros hides nothing."""

import pytest
import torch
from torch import nn

from colu.fusion import Inner, Permutation, Wreath, apply, assert_invariant_under, match_weights, trace_spec


class Recurrent(nn.Module):
    def __init__(self, cell, layers=1, both=False):
        super().__init__()
        self.cell = cell(5, 6, layers, batch_first=True, bidirectional=both)
        self.out = nn.Linear(6 * (1 + both), 3)

    def forward(self, x):
        return self.out(self.cell(x)[0])


def words(length=4, num=2):
    return torch.randn(num, length, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


SIGNED = Wreath(1, (Inner("signed", 6),))


@pytest.mark.parametrize("layers, both", [(1, False), (2, True)])
@pytest.mark.parametrize("cell, group", [(nn.LSTM, Permutation(6)), (nn.GRU, Permutation(6)), (nn.RNN, SIGNED)])
def test_units_of_a_recurrent_layer_move(nets, cell, group, layers, both):
    model = nets.randomised(Recurrent(cell, layers, both))
    spec, state = trace_spec(model, words()), model.state_dict()
    assert list(spec.groups.values()) == [group] * layers * (1 + both) and spec.share == 1
    # Longer texts than the one that was followed.
    assert_invariant_under(spec, model, words(9, 3), tol=1e-12)
    moved = apply(spec, spec.random(2), state)
    assert nets.distance(match_weights(spec, state, moved).apply(spec, moved), state) < 1e-12


def test_a_text_of_one_word_shows_no_step_and_so_fixes_the_units(nets):
    spec = trace_spec(nets.randomised(Recurrent(nn.LSTM)), words(1))
    assert not spec.groups
    assert all(why.endswith("which has read zeros alone") for _, _, why in spec.still)


def test_a_cell_that_is_called_step_by_step_is_followed(nets):
    class Stepped(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell, self.out = nn.LSTMCell(5, 6), nn.Linear(6, 3)

        def forward(self, x):
            state = None
            for word in x.unbind(1):
                state = self.cell(word, state)
            return self.out(state[0])

    spec = trace_spec(nets.randomised(Stepped()), words())
    assert list(spec.groups.values()) == [Permutation(6)]
