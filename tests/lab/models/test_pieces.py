"""The pieces of a ReLU network in the plane: they fill the square, are as many as they must be, and are affine."""

import numpy as np
import pytest
import torch
from torch import nn

from colu.lab.models import plane_pieces


def area(corners):
    """The area of a polygon, by the shoelace formula."""
    x, y = corners.T
    return abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def network(widths, seed):
    torch.manual_seed(seed)
    layers = []
    for fan_in, fan_out in zip(widths[:-1], widths[1:], strict=True):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1]).double()


@pytest.mark.parametrize("count", [1, 2, 5, 9])
def test_lines_in_general_position_cut_the_plane_into_as_many_as_the_formula_says(count):
    generator = torch.Generator().manual_seed(count)
    weight = torch.randn(count, 2, generator=generator, dtype=torch.float64)
    bias = 0.3 * torch.randn(count, generator=generator, dtype=torch.float64)
    # So wide a square holds every crossing of two lines.
    assert len(plane_pieces([(weight, bias)], half_width=1e4)) == 1 + count + count * (count - 1) // 2


def test_lines_through_one_point_make_two_pieces_each():
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(6, 2, generator=generator, dtype=torch.float64)
    assert len(plane_pieces([(weight, torch.zeros(6))])) == 12


@pytest.mark.parametrize("seed", range(3))
def test_pieces_fill_the_square_and_the_network_is_affine_on_each_and_on_no_larger(seed):
    net = network([2, 7, 7, 1], seed)
    pieces = plane_pieces([layer for layer in net if isinstance(layer, nn.Linear)][:-1], half_width=2.0)
    assert sum(area(piece) for piece in pieces) == pytest.approx(16, rel=1e-9)
    patterns = set()
    for piece in pieces:
        x = torch.tensor(piece)
        middle = x.mean(dim=0)
        # Affine: the value at the mean of the corners is the mean of their values.
        torch.testing.assert_close(net(middle[None]), net(x).mean(dim=0, keepdim=True), atol=1e-9, rtol=0)
        first = net[0](middle)
        second = net[2](first.relu())
        patterns.add((*(first > 0).tolist(), *(second > 0).tolist()))
    # As many patterns as pieces, or less: one pattern is one convex set, so none is cut in two.
    assert len(patterns) == len(pieces)


def test_a_grid_of_points_meets_no_pattern_that_is_missing():
    net = network([2, 6, 6, 1], 5)
    pieces = plane_pieces([net[0], net[2]], half_width=1.0)
    side = torch.linspace(-1, 1, 120, dtype=torch.float64)
    first = net[0](torch.cartesian_prod(side, side))
    met = {tuple(row) for row in torch.cat([first > 0, net[2](first.relu()) > 0], dim=1).tolist()}
    assert len(met) <= len(pieces)


def test_three_inputs_are_refused():
    with pytest.raises(ValueError, match="3 inputs"):
        plane_pieces([nn.Linear(3, 2)])
