"""Directions without a gradient are counted as the Jacobian says, in every frame."""

from __future__ import annotations

import math

import pytest
import torch
from torch.func import jacrev, vmap
from torch.nn import functional

from colu.functional import soc_projection
from colu.geometry import sample_orthogonal
from colu.nn import CoLU, create, dead_directions


def gaussian(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(("name", "dim"), [("colu", 4), ("rcolu", 4), ("mpu", 2), ("relu", 1)])
def test_it_is_what_the_stacked_jacobian_lacks_in_rank(name, dim):
    act = create(name, **({"dim": dim, "channel_dim": -1} if dim > 1 else {}))
    for seed in range(20):
        z = gaussian(2, 1, dim, seed=seed)[:, 0] - 0.5
        jacobian = vmap(jacrev(lambda v: act(v[None])[0]))(z)
        rank = torch.linalg.matrix_rank(jacobian.flatten(0, 1), atol=1e-9)
        assert int(dead_directions(act, z, dim)) == dim - int(rank)


def test_a_relu_is_dead_where_no_example_is_positive_and_at_zero():
    z = torch.tensor([[-1.0, 0.0, 1.0, -1.0], [-2.0, 0.0, -1.0, 1e-30]])
    assert dead_directions(torch.relu, z).tolist() == [1, 1, 0, 0]


def test_a_leak_is_no_death_and_a_tail_is_one_beyond_the_tolerance():
    z = torch.full((3, 1), -9.0)
    assert dead_directions(functional.leaky_relu, z).tolist() == [0]
    assert dead_directions(functional.gelu, z).tolist() == [1]
    assert dead_directions(functional.gelu, z, tolerance=1e-20).tolist() == [0]


def test_a_turned_frame_changes_no_count():
    frame = sample_orthogonal(4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    colu = CoLU(dim=4, channel_dim=-1)
    z = gaussian(1, 4, seed=3)
    z[:, 0] = -1.0
    assert int(dead_directions(colu, z, 4)) == 3
    assert int(dead_directions(lambda v: colu(v @ frame.T) @ frame, z @ frame, 4)) == 3


def test_the_polar_is_dead_as_a_whole_for_the_nearest_point_only():
    z = torch.tensor([[-3.0, 1.0, 1.0, 1.0]])
    assert int(dead_directions(lambda v: soc_projection(v, dim=4, axis="coordinate", channel_dim=-1), z, 4)) == 4
    assert int(dead_directions(CoLU(dim=4, channel_dim=-1), z, 4)) == 3


def test_the_mean_rank_on_normal_inputs_is_half_the_size_and_the_share_inside():
    for dim, inside in ((2, 1 / 4), (3, (1 - 1 / math.sqrt(2)) / 2), (4, 1 / 4 - 1 / (2 * math.pi))):
        z = gaussian(40_000, 1, dim)
        rank = dim - dead_directions(CoLU(dim=dim, channel_dim=-1), z, dim).double().mean()
        assert abs(float(rank) - dim / 2 - inside) < 0.02


def test_more_dimensions_stand_in_front_and_float32_is_no_matter():
    z = gaussian(5, 6, 7, 8)
    counted = dead_directions(torch.relu, z)
    assert counted.shape == (5, 6, 8)
    assert torch.equal(counted, dead_directions(torch.relu, z.float()))
    assert torch.equal(counted, (z <= 0).all(dim=-2).long())


@pytest.mark.parametrize(
    ("activation", "z", "dim", "says"),
    [
        (torch.relu, torch.zeros(2, 5), 2, "5 channels in units of 2"),
        (lambda v: v[..., :1], torch.zeros(2, 4), 1, "wanted the same shape"),
        (torch.relu, torch.full((2, 4), math.nan), 1, "not finite"),
    ],
)
def test_what_cannot_be_counted_is_named(activation, z, dim, says):
    with pytest.raises(ValueError, match=says):
        dead_directions(activation, z, dim)
