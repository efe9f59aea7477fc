"""Figures of the cone: right in space and light in bytes."""

import re

import numpy as np
import pytest
import torch

from colu.geometry import LorentzCone
from colu.lab.plot import PALETTE, moves, moving_point_figure, orbit_figure, section_figure
from colu.lab.plot.cones import ELEVATION, _ring, _seen


def test_the_picture_is_a_rotation_and_a_shadow():
    points = np.random.default_rng(0).normal(size=(50, 3))
    for turn in (0.0, 0.7, -2.0):
        seen = _seen(points, turn)
        # The part along the line of sight is what the shadow loses.
        back = points[:, 1] * np.sin(turn) + points[:, 2] * np.cos(turn)
        depth = back * np.cos(ELEVATION) - points[:, 0] * np.sin(ELEVATION)
        np.testing.assert_allclose((seen**2).sum(1) + depth**2, (points**2).sum(1))
    assert (_seen([[1, 0, 0]])[0] == [0, np.cos(ELEVATION)]).all(), "the axis points up"


def test_the_ring_lies_on_the_cone():
    ring = _ring(1.5)
    np.testing.assert_allclose(np.hypot(*ring[:, 1:].T), ring[:, 0])
    assert np.allclose(ring[0], ring[-1]), "it is closed"


def test_frames_show_the_images_of_the_moved_point():
    cone = LorentzCone(3)
    heights = np.linspace(-2, 2, 17)
    maps = {"Euclidean": cone.project, "skew": cone.skew_project}
    figure = moving_point_figure([1.2, 0.5], heights, maps, alt="A point.")
    assert len(figure.frames) == 17 * 13 and len(figure.html()) < 60_000
    # Ring, line and image of each map, input; where the input is in the cone, all are one point.
    *_, euclidean, _, skew, point = figure.frames[-1]
    assert euclidean == skew == point
    *_, euclidean, _, skew, point = figure.frames[0]
    assert len({euclidean, skew, point}) == 3
    assert 'data-trace="" d="' + figure.frames[11 * 13 + 6][0] in figure.svg, "it starts inside the opening, unturned"


def test_moves_join_each_point_to_its_image():
    points = torch.tensor([[2.0, 0.0], [0.0, 0.25]])
    lines, images = moves(points, points / 2)
    np.testing.assert_allclose(images.points, points / 2)
    np.testing.assert_allclose(lines.points[:2], [[2.0, 0.0], [1.0, 0.0]])
    assert np.isnan(lines.points[2]).all(), "a gap between two lines"


def test_the_section_figure_shows_what_the_map_does():
    seen = []

    def skew(x):
        seen.append(x)
        return LorentzCone(3).skew_project(x)

    figure = section_figure(torch.tensor([[2.0, 0.0], [0.0, 0.25]]), [0.5, 1.0], skew, alt="Two points.")
    assert [x[:, 0].tolist() for x in seen] == [[0.5, 0.5], [1.0, 1.0]]
    assert figure.controls == {"axis value": ["0.5", "1"]} and figure.frames[0][2] != figure.frames[1][2]


def test_the_orbit_figure_moves_points_pass_by_pass():
    skew = LorentzCone(2).skew_project
    starts = torch.tensor([[1.0, 2.0], [-1.0, 0.5], [2.0, 1.0]])
    path = torch.stack([starts, skew(starts), skew(skew(starts))])
    figure = orbit_figure({"hard": path, "still": starts.expand(3, -1, -1)}, alt="Three points.")
    hard, still = zip(*figure.frames, strict=True)
    assert hard[0] != hard[1] == hard[2], "a projection moves once"
    assert len(set(still)) == 1
    assert figure.controls == {"passes": ["0", "1", "2"]}


def test_what_is_drawn_on_other_pages_has_its_colour_in_the_figures_with_sliders():
    path = torch.tensor([[[1.0, 2.0]], [[1.0, 1.0]]])
    svg = orbit_figure({"hard": path, "soft": path}, alt="A.").svg
    assert re.findall(r'class="tone-(\w+)"[^>]*data-trace', svg) == ["colu", "soft"]
    cone = LorentzCone(3)
    maps = {"Euclidean": cone.project, "skew": cone.skew_project}
    svg = moving_point_figure([1.2, 0.5], [0.0, 1.0], maps, alt="A.").svg
    found = [tone for tone in re.findall(r'class="tone-(\w+)"[^>]*data-trace', svg) if tone in PALETTE]
    assert [tone for tone in found if tone not in ("neutral", "axis")] == ["mpu", "mpu", "colu", "colu"]


def test_starts_have_a_mark_that_no_map_has():
    starts = torch.tensor([[1.0, 2.0]])
    figure = orbit_figure({name: starts.expand(2, 1, 2) for name in ("hard", "soft", "Euclidean")}, alt="A.")
    (start,) = re.findall(r'class="tone-neutral"[^>]* d="M\S+ \S+?([a-z][^"]*)"', figure.svg)[:1]
    images = [path.lstrip("M-.0123456789 ") for path in figure.frames[0]]
    assert start.startswith("m") and all(start != image for image in images) and len(images) == 3


def test_the_orbit_figure_refuses_unequal_paths():
    with pytest.raises(ValueError, match=r"\(2, 3, 2\).*one shape"):
        orbit_figure({"one": torch.zeros(2, 3, 2), "other": torch.zeros(3, 3, 2)}, alt="A.")
    with pytest.raises(ValueError, match=r"\(2, 3, 3\)"):
        orbit_figure({"one": torch.zeros(2, 3, 3)}, alt="A.")


def test_the_drawn_cone_lets_later_points_lie_on_top():
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from colu.lab.plot import draw_cone

    fig, ax = plt.subplots(subplot_kw={"projection": "3d", "computed_zorder": False})
    draw_cone(ax, size=1.0)
    (surface,) = ax.collections
    (half_axis,) = ax.lines
    assert not ax.computed_zorder and surface.get_zorder() <= half_axis.get_zorder()
    assert ax.get_zlim() == (-1.0, 1.0)
    plt.close(fig)
