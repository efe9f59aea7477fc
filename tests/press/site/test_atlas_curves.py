"""The curves of the atlas are the package's, and every entry is drawn or has a reason."""

import math

import torch

from colu.nn import create, get_entry, list_activations
from colu.press.site import atlas_curves


def test_grid_holds_the_kinks_and_the_cloud_its_rings():
    assert 0.0 in atlas_curves.GRID and 1.0 in atlas_curves.GRID
    radii = {round(math.hypot(*point), 9) for point in atlas_curves.CLOUD}
    assert len(radii) == atlas_curves.RINGS


def test_every_entry_is_drawn_or_has_a_reason():
    maps = atlas_curves.plane_maps()
    assert set(maps["units"]) | set(maps["left_out"]) == {entry.name for entry in list_activations()}
    assert len(maps["units"]) >= 70 and all(maps["left_out"].values())


def test_values_and_derivatives_equal_the_package():
    step, maps = 1e-6, atlas_curves.plane_maps()
    for name, facts in maps["units"].items():
        module = atlas_curves.plane_map(get_entry(name))
        for level, curve in zip(atlas_curves.LEVELS, facts["curves"], strict=False):
            points = torch.tensor([[x, level] for x in maps["grid"]], dtype=torch.float64)
            with torch.no_grad():
                y = module(points)
                shift = torch.tensor([step, 0.0], dtype=torch.float64)
                numeric = (module(points + shift) - module(points - shift)) / (2 * step)
            for output, column in enumerate(curve["value"]):
                if output < y.shape[1]:
                    scale = max(1.0, float(y[:, output].abs().max()))
                    assert (torch.tensor(column) - y[:, output]).abs().max() < 1e-4 * scale, name
                    # Away from kinks, of which a curve has few, the derivative is the difference quotient.
                    slope = torch.tensor(curve["slope"][output], dtype=torch.float64)
                    far = (slope - numeric[:, output]).abs() > 1e-3 * (1 + slope.abs())
                    # The threshold's derivative is zero almost everywhere; training uses a surrogate, which is drawn.
                    assert far.sum() <= 8 or name == "threshold", (name, level, far.sum())


def test_known_values():
    maps = atlas_curves.plane_maps()
    at, level = maps["grid"].index(0.5), maps["levels"].index(2.0)
    assert maps["units"]["relu"]["curves"][0]["value"][0][at] == 0.5
    assert [column[at] for column in maps["units"]["colu"]["curves"][level]["value"]] == [0.5, 0.5]
    cloud = torch.tensor(maps["input"]).T
    assert torch.allclose(create("colu", dim=2)(cloud), torch.tensor(maps["units"]["colu"]["cloud"]).T, atol=1e-4)
