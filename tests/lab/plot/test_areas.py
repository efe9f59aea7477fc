"""Areas and borders lie where the function changes its sign."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from colu.lab.plot.areas import area, border
from colu.lab.plot.svg import as_svg

SIDE = np.linspace(-1, 1, 201)
DISTANCE = np.hypot(SIDE, SIDE[:, None])


@pytest.fixture
def axes():
    fig, ax = plt.subplots()
    yield ax
    plt.close(fig)


def test_a_ring_is_filled_with_its_hole_left_open(axes):
    area(axes, SIDE, SIDE, 0.1 - abs(DISTANCE - 0.6), color="#56B4E9")
    (patch,) = axes.patches
    to_data = patch.get_transform() - axes.transData
    path = to_data.transform_path(patch.get_path())
    inside = [len(loop) and np.hypot(*loop.T) for loop in path.to_polygons()]
    assert sorted(round(float(radii.mean()), 2) for radii in inside) == [0.5, 0.7]


def test_the_border_is_where_the_values_are_0(axes):
    border(axes, SIDE, SIDE, DISTANCE - 0.5, color="0.15")
    for line in axes.lines:
        assert np.allclose(np.hypot(*line.get_data()), 0.5, atol=1e-3)
    assert axes.lines


def test_rows_are_y_and_columns_x(axes):
    border(axes, SIDE, SIDE[::2], np.broadcast_to(SIDE - 0.3, (101, 201)), color="0.15")
    (line,) = axes.lines
    assert np.allclose(line.get_xdata(), 0.3)


def test_what_lies_over_an_area_is_no_data_whose_colour_stays(axes):
    area(axes, SIDE, SIDE, 0.5 - DISTANCE, color="#56B4E9")
    assert 'id="data' not in as_svg(axes.figure)


def test_where_nothing_is_positive_nothing_is_drawn(axes):
    area(axes, SIDE, SIDE, -1 - DISTANCE, color="#56B4E9")
    border(axes, SIDE, SIDE, -1 - DISTANCE, color="0.15")
    assert not axes.patches and not axes.lines
