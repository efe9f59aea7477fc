"""States made entry by entry: what only changes places is never widened, and matching is the same by stretches."""

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import ShapeEnv

import colu.fusion.matching as matching
from colu.fusion import apply, from_sequential, match_weights
from colu.fusion.lazy import Moved
from colu.nn import CoLU, RCoLU


def half(model):
    return {name: tensor.to(torch.bfloat16) for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize(("unit", "dtype"), [(nn.ReLU, torch.bfloat16), (lambda: CoLU(dim=4), torch.float64)])
def test_only_what_is_turned_is_widened(nets, unit, dtype):
    spec = from_sequential(nets.mlp(unit))
    state = half(nets.mlp(unit))
    elements = spec.random(seed=1)
    wide = Moved(spec, elements, state, wide=True)
    whole = apply(spec, elements, {name: tensor.double() for name, tensor in state.items()})
    assert wide["2.weight"].dtype == dtype
    assert all(torch.equal(wide[name].double(), whole[name]) for name in state)
    assert all(tensor.dtype == torch.bfloat16 for tensor in Moved(spec, elements, state).values())


@pytest.mark.parametrize("unit", [nn.ReLU, nn.Tanh, lambda: CoLU(dim=4)], ids=["permutations", "signs", "cones"])
def test_halves_are_matched_as_the_same_numbers_in_float64_are(nets, unit, monkeypatch):
    # Stretches shorter than a row, so that every sum is put together from several.
    monkeypatch.setattr(matching, "STRETCH", 7)
    model = nets.mlp(unit, (20, 32, 32, 10))
    spec, a, b = from_sequential(model), half(model), half(nets.mlp(unit, (20, 32, 32, 10), seed=7))
    found = match_weights(spec, a, b, seed=2)
    monkeypatch.undo()
    wide = match_weights(spec, *({name: t.double() for name, t in state.items()} for state in (a, b)), seed=2)
    assert found.trace == pytest.approx(wide.trace, rel=1e-12)
    for name, element in found.elements.items():
        assert torch.equal(element.permutation, wide.elements[name].permutation)


CUDA = {
    "permutations": lambda nets: nets.mlp(nn.ReLU),
    "signs": lambda nets: nets.mlp(nn.Tanh),
    "cones": lambda nets: nets.mlp(),
    "rotated cones": lambda nets: nets.mlp(lambda: RCoLU(dim=4)),
    "batch norm": lambda nets: nets.conv(lambda: CoLU(dim=4), nn.BatchNorm2d),
    "in groups": lambda nets: nets.randomised(
        nn.Sequential(nn.Conv2d(2, 8, 1), nn.ReLU(), nn.Conv2d(8, 12, 3, groups=4), nn.ReLU(), nn.Conv2d(12, 3, 1))
    ),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", CUDA)
def test_entries_and_sums_stay_on_the_device(nets, name, dtype):
    model = CUDA[name](nets)
    spec = from_sequential(model)
    elements = spec.random(seed=1)
    # Tensors that know their device and hold no numbers: a machine without a GPU sees what a GPU would refuse.
    with FakeTensorMode(allow_non_fake_inputs=True, shape_env=ShapeEnv()):
        state = {
            key: torch.empty(value.shape, dtype=dtype if value.is_floating_point() else value.dtype, device="cuda")
            for key, value in model.state_dict().items()
        }
        moved = Moved(spec, elements, state, wide=True)
        assert all(moved[key].device.type == "cuda" for key in state)
        for group in spec.groups:
            covariance, _ = matching._covariance(spec, group, state, moved)
            assert covariance.device.type == "cuda" and covariance.dtype == torch.float64
