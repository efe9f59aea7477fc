from xml.etree import ElementTree

import matplotlib.pyplot as plt
import pytest
from matplotlib.figure import Figure

from colu.lab.plot import as_svg, narrow_svg, parted, show_as_svg, use_style, with_narrow


@pytest.fixture
def figure():
    with plt.rc_context():
        use_style()
        yield Figure
        plt.close("all")


def panels(figure, *shape):
    made = figure(figsize=(6.8, 2.5))
    made.subplots(*shape)
    return made


def test_the_two_forms_come_apart_as_they_were_put_together(figure):
    wide, narrow = parted(with_narrow(panels(figure, 1, 3)))
    again = panels(figure, 1, 3)
    assert wide == as_svg(again) and narrow == narrow_svg(again, wide)


def test_a_notebook_shows_the_wide_form_alone(figure):
    svg = with_narrow(panels(figure, 1, 3))
    assert svg.startswith(as_svg(panels(figure, 1, 3)).split(">")[0])
    root = ElementTree.fromstring(svg)
    held = [part for part in root.iter() if part.get("id") == "narrow"]
    assert len(held) == 1 and held[0].tag.endswith("metadata") and "<svg" not in held[0].text


def test_a_figure_of_one_form_holds_nothing(figure):
    made = figure(figsize=(4, 3))
    made.subplots()
    assert "metadata" not in with_narrow(made)


def test_outside_of_a_notebook_nothing_is_set():
    assert show_as_svg() is False
