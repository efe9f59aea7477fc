"""Figures with sliders: each frame is what the function drew, and all of it is in the page."""

import json
import re
from html import unescape
from xml.etree import ElementTree

import numpy as np
import pytest

from colu.lab.plot import PALETTE, SliderFigure, Trace, slider_figure
from colu.lab.plot.slider import MARKS, _thinned, _ticks

BOX = {"xlim": (0.0, 4.0), "ylim": (0.0, 2.0)}


def _places(path):
    """Corners of a path, as numbers: relative steps added up."""
    places = []
    for kind, words in re.findall(r"([Ml])([^MlhZm]+)", path):
        step = np.array([float(word) for word in re.findall(r"-?[\d.]+", words)])
        places.append(step if kind == "M" else places[-1] + step)
    return np.array(places)


def _data(figure):
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', figure.html(), re.DOTALL)[1])


def test_each_combination_is_drawn_where_it_belongs():
    seen = []

    def draw(first, second):
        seen.append((first, second))
        return [Trace([[first, second], [first + 1, second]], "move")]

    figure = slider_figure(draw, {"first": [0, 1, 2], "second": [0.0, 2.0]}, alt="A dash.", **BOX)
    assert seen == [(0, 0), (0, 2), (1, 0), (1, 2), (2, 0), (2, 2)], "the last control is the fastest"
    # No axes: 480 units for 4, in tenths, from the upper left corner.
    np.testing.assert_allclose(_places(figure.frames[3][0]), [[1200, 0], [2400, 0]], atol=1)
    np.testing.assert_allclose(_places(figure.frames[4][0])[:, 1], 480 * 0.62 * 10, atol=1)


def test_the_page_holds_every_frame_and_the_picture_the_first():
    def draw(slope):
        return [Trace([[0, 0], [2, slope]], "value", "colu")]

    figure = slider_figure(draw, {"slope": [0, 1, 2]}, alt="A line.", start={"slope": 1}, **BOX)
    data = _data(figure)
    assert [[data["paths"][place] for place in frame] for frame in data["frames"]] == figure.frames
    assert data["controls"] == [["0", "1", "2"]]
    assert f'data-trace="" d="{figure.frames[1][0]}"' in figure.svg
    assert ElementTree.fromstring(figure.svg).get("viewBox"), "it also stands alone, as XML"
    assert 'value="1" aria-label="slope" aria-valuetext="1"' in figure.html()


def test_equal_frames_are_kept_once():
    figure = slider_figure(lambda a, b: [Trace([[a, a], [1, 1]])], {"a": [0, 1], "b": range(9)}, alt="A.", **BOX)
    assert len(figure.frames) == 18 and len(_data(figure)["paths"]) == 2


def test_words_cannot_end_the_script_or_an_attribute():
    values = ["</script><b>", 'a "quoted" word']
    figure = slider_figure(lambda value: [Trace([[0, 0]], mark="dots")], {"<i>": values}, alt='"<', **BOX)
    page = figure.html(alone=False)
    assert page.count("</script>") == 1 and "<b>" not in page and "<i>" not in page
    assert _data(figure)["controls"] == [values]
    assert unescape(re.search('aria-label="([^"]*)"', page)[1]) == '"<'


@pytest.mark.parametrize("mark", MARKS)
def test_every_mark_is_drawn_in_its_tone(mark):
    figure = slider_figure(
        lambda _: [Trace([[0, 0], [1, 1], [2, 0]], "a", "colu", mark)], {"x": [0]}, alt="A mark.", **BOX
    )
    element = re.search(r"<path [^>]*data-trace[^>]*>", figure.svg)[0]
    assert PALETTE["colu"] in element and 'class="tone-colu"' in element
    assert figure.svg.count(PALETTE["colu"]) == 2, "and in the legend"


def test_a_row_of_nan_breaks_a_line():
    gap = [[0, 0], [1, 1], [np.nan, np.nan], [2, 0], [3, 1]]
    figure = slider_figure(lambda _: [Trace(gap)], {"x": [0]}, alt="Two dashes.", **BOX)
    assert figure.frames[0][0].count("M") == 2


def test_a_thinned_line_keeps_within_its_room():
    x = np.linspace(0, 1000, 2001)
    line = np.stack([x, 300 * np.sin(x / 50)], axis=1)
    kept = _thinned(line)
    assert len(kept) < 300
    assert np.abs(np.interp(x, *kept.T) - line[:, 1]).max() < 2 * 300 / 50, "one unit across, where the slope is 6"
    np.testing.assert_array_equal(_thinned(np.array([[0, 0], [1, 0], [2, 0], [3, 3]])), [[0, 0], [2, 0], [3, 3]])
    loop = np.array([[0.0, 0], [9, 9], [0, 0]])
    np.testing.assert_array_equal(_thinned(loop), loop)


@pytest.mark.parametrize(("low", "high"), [(-2.2, 2.2), (0, 1), (-0.03, 0.04), (-2.5, 4.2), (0, 1700)])
def test_ticks_are_few_round_and_inside(low, high):
    ticks = _ticks(low, high)
    assert 3 <= len(ticks) <= 7 and all(low - 1e-9 <= tick <= high + 1e-9 for tick in ticks)
    assert np.ptp(np.diff(ticks)) < 1e-9


def test_a_notebook_shows_it_and_a_terminal_says_it():
    figure = slider_figure(lambda _: [Trace([[0, 0]], mark="dots")], {"x": [0]}, alt="A point.", **BOX)
    bundle = figure._repr_mimebundle_()
    assert bundle["text/html"].count("<script") == 2 and "<style data-colu>" in bundle["text/html"]
    assert bundle["text/plain"] == "[Figure with a slider: A point.]"
    assert "http" not in bundle["text/html"].replace("http://www.w3.org/2000/svg", ""), "nothing from a network"


def test_wrong_input_is_named():
    def dot(*_):
        return [Trace([[0, 0]], mark="dots")]

    for words, options in (
        ("alt is empty", {"alt": " "}),
        ("start has 'x' at 7", {"alt": "A.", "start": {"x": 7}}),
    ):
        with pytest.raises(ValueError, match=words):
            slider_figure(dot, {"x": [0]}, **options, **BOX)
    for controls in ({}, {"x": []}):
        with pytest.raises(ValueError, match="at least one name"):
            slider_figure(dot, controls, alt="A.", **BOX)
    with pytest.raises(ValueError, match="frames differ"):
        slider_figure(lambda n: dot() * n, {"n": [1, 2]}, alt="A.", **BOX)
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        Trace([1, 2, 3])
    with pytest.raises(ValueError, match="tone is 'pink'"):
        Trace([[0, 0]], "a", "pink")
    with pytest.raises(ValueError, match="mark is 'star'"):
        Trace([[0, 0]], "a", "colu", "star")


def test_the_type_is_public():
    assert SliderFigure({}, [], "", (), "A.").alt == "A."
