"""Figures of the cone: right in space and light in bytes."""

import numpy as np
import pytest

from colu.geometry import LorentzCone
from colu.lab.plot.cones import cone_surface, moving_point_figure


def test_the_surface_lies_on_the_boundary_of_the_cone():
    surface = cone_surface(1.5, angle=0.5)
    radius = np.hypot(surface.x, surface.y)
    np.testing.assert_allclose(radius, surface.z * np.tan(0.5), atol=2e-3)


def test_frames_show_the_images_of_the_moved_point():
    cone = LorentzCone(3)
    heights = np.linspace(-2, 2, 17)
    figure = moving_point_figure([1.2, 0.5], heights, {"Euclidean": cone.project, "skew": cone.skew_project})
    assert len(figure.frames) == 17 and len(figure.layout.sliders[0].steps) == 17
    for frame, height in zip(figure.frames, heights, strict=True):
        skew = frame.data[2]
        assert skew.z[1] == np.round(height, 3), "the skew projection keeps the axis value"
        assert np.hypot(skew.x[1], skew.y[1]) <= max(height, 0) + 2e-3
    assert len(figure.to_json()) < 300_000


def test_the_section_figure_joins_each_point_to_its_image():
    import torch

    from colu.lab.plot import section_figure

    points = torch.tensor([[2.0, 0.0], [0.0, 0.25]])
    figure = section_figure(points, [0.5, 1.0], LorentzCone(3).skew_project)
    lines, ends = figure.frames[1].data
    np.testing.assert_allclose(np.stack([ends.x, ends.y], axis=1), [[1.0, 0.0], [0.0, 0.25]])
    np.testing.assert_allclose(lines.x[:2], [2.0, 1.0])
    assert np.isnan(lines.x[2]), "a gap between two lines"


def test_the_orbit_figure_moves_points_pass_by_pass():
    import torch

    from colu.lab.plot import orbit_figure

    skew = LorentzCone(2).skew_project
    starts = torch.tensor([[1.0, 2.0], [-1.0, 0.5], [2.0, 1.0]])
    path = torch.stack([starts, skew(starts), skew(skew(starts))])
    figure = orbit_figure({"hard": path, "still": starts.expand(3, -1, -1)})
    for count, frame in enumerate(figure.frames):
        hard, still = frame.data
        np.testing.assert_allclose(np.stack([hard.y, hard.x], axis=1), path[count], atol=1e-3)
        np.testing.assert_allclose(np.stack([still.y, still.x], axis=1), starts)
    assert len(figure.layout.sliders[0].steps) == 3
    assert len(figure.data) == 4, "starts and cone stay when the frames change"


def test_the_orbit_figure_refuses_unequal_paths():
    import torch

    from colu.lab.plot import orbit_figure

    with pytest.raises(ValueError, match=r"\(2, 3, 2\).*one shape"):
        orbit_figure({"one": torch.zeros(2, 3, 2), "other": torch.zeros(3, 3, 2)})
    with pytest.raises(ValueError, match=r"\(2, 3, 3\)"):
        orbit_figure({"one": torch.zeros(2, 3, 3)})


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
