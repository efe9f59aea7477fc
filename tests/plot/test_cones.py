"""Figures of the cone: right in space and light in bytes."""

import numpy as np

from colu.geometry import LorentzCone
from colu.plot.cones import cone_surface, moving_point_figure


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
