"""Less text, the same picture."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

from colu.lab.plot import as_svg
from colu.lab.plot import svg as module
from colu.lab.plot.slim import slim

HEAD = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'


def inside(text):
    """What is in the SVG, without line ends."""
    return re.sub(r"\n", "", slim(f"{HEAD}{text}</svg>")).partition(">")[2].removesuffix("</svg>").replace(" />", "/>")


def test_the_style_of_all_marks_of_a_group_stands_at_the_group():
    two = '<g clip-path="url(#a)"><use x="1" style="fill: red"/><use x="2" style="fill: red"/></g>'
    assert inside(two) == '<g clip-path="url(#a)" style="fill: red"><use x="1"/><use x="2"/></g>'


@pytest.mark.parametrize(
    "kept",
    [
        '<g clip-path="url(#a)"><use x="1" style="fill: red"/><use x="2" style="fill: blue"/></g>',
        '<g clip-path="url(#a)"><use x="1" style="opacity: 0.4"/><use x="2" style="opacity: 0.4"/></g>',
        '<g clip-path="url(#a)"><use x="1" style="fill: red"/><path style="fill: red"/></g>',
        '<g id="data-0-3"><use x="1" style="fill: red"/></g>',
        '<g id="ground-2"/>',
        '<text transform="rotate(-90 3 4)">a</text>',
        '<text>a <tspan>b</tspan> c</text>',
    ],
    ids=["two colours", "each fades", "another part", "data", "ground", "turned", "spaces"],
)  # fmt: skip
def test_what_means_something_stays(kept):
    assert inside(kept) == kept


def test_opacity_of_fill_is_shared_as_it_fades_each_mark():
    assert "<g " in inside('<g clip-path="url(#a)">' + '<use style="fill-opacity: 0.4"/>' * 2 + "</g>")
    assert inside('<g clip-path="url(#a)">' + '<use style="fill-opacity: 0.4"/>' * 2 + "</g>").count("opacity") == 1


def test_numbers_as_names_turns_by_nothing_and_empty_groups_go():
    assert inside('<g id="line2d_12"><g><use x="1"/></g></g><g id="PathCollection_2"/>') == '<use x="1"/>'
    assert inside('<text transform="rotate(-0 33.6 60.2)" id="text_3">a</text>') == "<text>a</text>"


def test_the_font_of_most_letters_is_said_once_and_others_keep_theirs():
    style = "font-size: 9px; font-family: '{}', serif; fill: red"
    found = slim(HEAD + "".join(f'<text style="{style.format(name)}">a</text>' for name in "AAB") + "</svg>")
    root = ElementTree.fromstring(found)
    assert root.get("font-family") == "'A', serif"
    assert [text.get("style") for text in root] == ["font-size: 9px; fill: red"] * 2 + [style.format("B")]


def test_a_figure_keeps_its_marks_and_letters_and_loses_a_third_of_its_bytes(monkeypatch):
    def drawn():
        figure = Figure(figsize=(4, 3), layout="constrained")
        for ax in figure.subplots(2, 2).flat:
            ax.scatter(np.arange(50), np.arange(50), alpha=0.4)
            ax.set(xlabel="first $x^2$", ylabel="second")
        return as_svg(figure)

    short = drawn()
    monkeypatch.setattr(module, "slim", lambda svg: svg)
    long = drawn()
    for part in ("use", "path", "text", "tspan"):
        assert len(re.findall(rf"<{part}\b", short)) == len(re.findall(rf"<{part}\b", long)) > 0
    assert re.findall(r"([^<>\s]+)</t", short) == re.findall(r"([^<>\s]+)</t", long)
    assert len(short) < 2 / 3 * len(long)
