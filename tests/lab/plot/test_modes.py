import itertools
import re
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest

from colu.lab.plot import COLOURS, DARK, PALETTE, as_svg, dark_colour, for_page, letter_size, use_style
from colu.lab.plot.modes import DARK_GROUND, DARK_INK


def luminance(colour):
    parts = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


BOOK = sorted({each.lower() for each in (*COLOURS, *PALETTE.values())})


@pytest.mark.parametrize("colour", BOOK)
def test_each_colour_of_the_book_stands_out_from_a_dark_page(colour):
    assert contrast(dark_colour(colour), DARK_GROUND) >= 3
    assert colour in DARK or colour == "#000000"


def test_dark_colours_are_told_apart():
    made = [np.array([int(dark_colour(c)[at : at + 2], 16) for at in (1, 3, 5)]) for c in BOOK]
    assert min(np.abs(a - b).sum() for a, b in itertools.combinations(made, 2)) >= 60


@pytest.mark.parametrize("grey", ["#262626", "#333333", "#808080"])
def test_ink_becomes_light(grey):
    assert contrast(dark_colour(grey), DARK_GROUND) >= 3


def figure(draw):
    with plt.rc_context():
        use_style()
        made = plt.figure(figsize=(3, 2))
        draw(made.subplots())
        text = as_svg(made)
        plt.close(made)
    return text


def test_neither_form_has_a_ground_and_only_the_dark_one_other_colours():
    svg = figure(lambda ax: ax.plot([0, 1], color=PALETTE["relu"]))
    light, dark = for_page(svg, dark=False), for_page(svg, dark=True)
    assert 'id="ground"' in svg and "#ffffff" in svg
    for page in (light, dark):
        ElementTree.fromstring(page)
        assert "ground" not in page and "#ffffff" not in page
    assert "#0072b2" in light and "#262626" in light
    assert "#66bdec" in dark and not re.search("#0072b2|#262626", dark)


def test_text_whose_colour_is_not_written_down_is_light_on_a_dark_page():
    dark = for_page(figure(lambda ax: ax.text(0, 0, "black", color="k")), dark=True)
    assert dark.startswith("<svg") and ' fill="#e9edf2"' in dark.split(">")[0]


def test_what_shows_data_by_colour_keeps_its_colours_and_its_axis_does_not():
    def draw(ax):
        ax.contourf(np.eye(4), cmap="gray")
        ax.plot(1, 1, "wo", markeredgecolor="k")
        ax.set_xlabel("axis")

    dark = for_page(figure(draw), dark=True)
    marks = re.findall(r"<use [^>]*fill: (#\w+)[^>]*>", dark)
    assert "#ffffff" in marks  # the point on the contours
    label = re.search(r"<text[^>]*>axis</text>", dark)[0]
    assert contrast(re.search(r"fill: (#\w+)", label)[1], DARK_GROUND) > 7


@pytest.mark.parametrize("clear", [True, False])
def test_a_line_over_a_picture_follows_the_page_where_the_picture_is_clear(clear):
    def draw(ax):
        picture = np.ones((4, 4, 4))
        picture[0, 0, 3] = not clear
        ax.imshow(picture)
        ax.plot([0, 3], [0, 3], color="#000001", linewidth=7)

    line = re.search(r"stroke: (#\w+); stroke-width: 7", for_page(figure(draw), dark=True))
    assert line[1] == (DARK_INK if clear else "#000001")


def test_an_exponent_counts_as_the_small_letter_that_it_is():
    assert letter_size('<svg viewBox="0 0 100 9"><text><tspan style="font: 10px A">1</tspan>'
                       '<tspan style="font: 7px A">2</tspan></text></svg>') == 0.07  # fmt: skip
