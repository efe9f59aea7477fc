"""Drawings have the numbers of the package, a colour in both modes, and their finding in words."""

import re

import pytest

from colu.nn import list_activations
from colu.press.site.atlas_curves import GRID, plane_maps
from colu.press.site.atlas_plots import colours, curves_at, finding, lines, picture, thinned, thumbnail, write_pictures


def _between(points, x):
    at = max(k for k, point in enumerate(points[:-1]) if point[0] <= x)
    (x0, y0), (x1, y1) = points[at], points[at + 1]
    return y0 + (x - x0) / (x1 - x0) * (y1 - y0)


def test_a_thinned_line_keeps_to_the_error_and_its_ends():
    for name in plane_maps()["units"]:
        for column in curves_at(name)["value"]:
            points = list(zip(GRID, column, strict=True))
            left = thinned(points, 0.002)
            assert left[0] == points[0] and left[-1] == points[-1] and len(left) <= len(points)
            assert max(abs(_between(left, x) - y) for x, y in points) <= 0.002 + 1e-9, name


@pytest.mark.parametrize("name", ["relu", "colu", "rational-a", "softmax"])
def test_lines_are_in_the_units_of_the_numbers(name):
    drawn = re.findall(r'points="([^"]+)"', lines(curves_at(name)["value"]))
    for text, column in zip(drawn, curves_at(name)["value"], strict=True):
        points = [tuple(map(float, pair.split(","))) for pair in text.split()]
        assert max(abs(_between(points, x) - y) for x, y in zip(GRID, column, strict=True)) < 0.005


def test_every_unit_has_a_thumbnail_colours_and_words():
    left_out = plane_maps()["left_out"]
    for entry in list_activations():
        assert ("<polyline" in thumbnail(entry.name)) == (entry.name not in left_out)
        assert re.fullmatch(r"--light:#\w{6};--dark:#\w{6}", colours(entry.name, entry.family))
        assert entry.name in finding(entry.name, entry.name)
        assert ("is not drawn" in finding(entry.name, entry.name)) == (entry.name in left_out)


def test_findings_say_what_is_drawn():
    assert finding("relu", "ReLU") == (
        "From −4 to 4 the output of ReLU goes from 0 to 4; its derivative lies between 0 and 1."
    )
    assert finding("colu", "CoLU").endswith("The second output, drawn fainter, lies between 0 and 1.")


def test_pictures_for_an_epub_have_no_variables(tmp_path):
    write_pictures(tmp_path, ["colu", "hopfield"])
    assert sorted(path.name for path in (tmp_path / "atlas").iterdir()) == ["colu-slope.svg", "colu-value.svg"]
    assert "var(" not in picture("relu", "value") and 'xmlns="http://www.w3.org/2000/svg"' in picture("relu", "slope")
