"""What a pass could not see is said."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from colu.fusion import Permutation, Wreath, invariance_error, trace_spec


class Routed(nn.Module):
    """Each sample goes through one of three experts, none through the last."""

    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(4, 2, bias=False)
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)) for _ in range(3))
        self.register_buffer("shadow", torch.randn(5, 4))

    def forward(self, x):
        made, chosen = torch.zeros(len(x), 3, dtype=x.dtype), self.gate(x).argmax(1)
        for place, expert in enumerate(self.experts):
            if (here := chosen == place).any():
                made[here] = expert(x[here])
        return made


def test_what_the_example_does_not_read_stays_and_is_named(nets):
    model, x = nets.randomised(Routed()), torch.randn(20, 4, dtype=torch.float64)
    spec = trace_spec(model, x)
    assert spec.groups == {"experts.0.0": Permutation(5), "experts.1.0": Permutation(5)}
    unread = {name: count for name, count, why in spec.still if why == "not read on the example"}
    assert unread == {"experts.2.0.weight": 5, "experts.2.2.weight": 3, "shadow": 5}
    assert not {name for name in spec.touched() if "experts.2" in name or name == "shadow"}
    # What makes no channels of the pass does not count among them.
    assert spec.share == pytest.approx(10 / 18)


def test_no_expert_that_other_inputs_choose_is_moved_apart(nets):
    model, x = nets.randomised(Routed()), torch.randn(40, 4, dtype=torch.float64)
    one = x[model.gate(x).argmax(1) == 0]
    spec = trace_spec(model, one)
    assert "experts.0.0" in spec.groups and invariance_error(model, spec, x) < 1e-10


class Branched(nn.Module):
    def __init__(self, ask):
        super().__init__()
        self.one, self.two, self.ask = nn.Linear(3, 4), nn.Linear(4, 2), ask

    def forward(self, x):
        h = self.one(x)
        return self.two(torch.tanh(h) if self.ask(x, h) else F.relu(h))


@pytest.mark.parametrize(
    "ask", [lambda x, h: h[:, 0].sum() > -1e9, lambda x, h: bool((x < 1e9).all()), lambda x, h: x.sum().item() < 1e9,
            lambda x, h: not torch.equal(h, h + 1)]
)  # fmt: skip
def test_a_branch_that_the_inputs_decide_is_told(ask):
    (said,) = trace_spec(Branched(ask), torch.randn(5, 3)).doubts
    assert "may go another way" in said and "in 'the model'" in said


def test_a_branch_that_sizes_decide_is_none():
    spec = trace_spec(Branched(lambda x, h: len(x) > 1), torch.randn(5, 3))
    assert not spec.doubts and isinstance(spec.groups["one"], Wreath)
    assert spec.units().doubts == spec.only([]).doubts == ()
