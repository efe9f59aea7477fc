"""Where the curves are sampled and the points that are mapped."""

import math

from colu.press.site import explorer_data


def test_grid_holds_the_kinks_and_the_cloud_its_rings():
    assert 0.0 in explorer_data.GRID and 1.0 in explorer_data.GRID
    radii = {round(math.hypot(*point), 9) for point in explorer_data.CLOUD}
    assert len(radii) == explorer_data.RINGS
