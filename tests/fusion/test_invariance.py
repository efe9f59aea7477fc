"""The check of a specification sees every wrong group."""

import pytest
import torch
from torch import nn

from colu.fusion import (
    FIXED,
    Conic,
    Orthogonal,
    OrthogonalElement,
    Permutation,
    Spec,
    assert_invariant_under,
    from_sequential,
    invariance_error,
    trace_spec,
)
from colu.nn import MPU, CoLU, RCoLU


def test_rotations_do_move_a_conic_network_with_batch_norm(nets):
    model = nets.conv(lambda: CoLU(dim=4), nn.BatchNorm2d)
    spec = from_sequential(nets.conv(lambda: CoLU(dim=4), nn.Identity), nets.images())
    axes = from_sequential(nets.conv(nn.ReLU, nn.BatchNorm2d), nets.images()).axes
    rotating = Spec({name: Conic(g.groups, g.dim) for name, g in spec.groups.items()}, axes)
    # Rotated running variances are negative here and there: the function may even be NaN.
    assert not invariance_error(model, rotating, nets.images()) <= 1e-2
    with pytest.raises(AssertionError, match="moves the function"):
        assert_invariant_under(rotating, model, nets.images())


@pytest.mark.parametrize("activation", [lambda: CoLU(dim=4), lambda: RCoLU(dim=4), lambda: MPU(dim=4)])
def test_a_rotation_that_mixes_axis_and_section_moves_the_function(nets, activation):
    model = nets.mlp(activation)
    spec = from_sequential(model)
    mixing = Spec(dict(spec.groups) | {"0": Orthogonal(16)}, spec.axes)
    turn = torch.eye(16, dtype=torch.float64)
    turn[:2, :2] = torch.tensor([[0.6, -0.8], [0.8, 0.6]])
    elements = mixing.identity() | {"0": OrthogonalElement(turn)}
    assert invariance_error(model, mixing, nets.vectors(), elements) > 1e-2


def test_the_group_of_one_frame_is_not_that_of_the_other(nets):
    model = nets.mlp(lambda: RCoLU(dim=4))
    spec = from_sequential(model)
    wrong = Spec({name: Conic(g.groups, g.dim) for name, g in spec.groups.items()}, spec.axes)
    assert invariance_error(model, wrong, nets.vectors()) > 1e-2


class Versioned(nn.Linear):
    """Reads a state of its own version alone."""

    _version = 2

    def _load_from_state_dict(self, state_dict, prefix, local_metadata, *args):
        if local_metadata.get("version") != 2:
            raise ValueError("version should be 2")
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *args)


def test_a_module_that_asks_for_its_version_can_be_followed():
    model = nn.Sequential(Versioned(2, 3), nn.ReLU(), nn.Linear(3, 1))
    assert invariance_error(model, trace_spec(model, torch.randn(4, 2)), torch.randn(4, 2)) < 1e-12


def test_a_wrong_group_of_two_channels_is_never_tried_by_its_neutral_element():
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    # The second layer does not read the frame that the first has.
    wrong = Spec(
        {"0": Permutation(2)},
        {"0.weight": ("0", FIXED), "0.bias": ("0",), "1.weight": (FIXED, FIXED), "1.bias": (FIXED,)},
    )
    assert all(invariance_error(model, wrong, torch.eye(3), seed=seed) > 1e-3 for seed in range(10))
