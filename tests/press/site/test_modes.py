import re

import pytest
from matplotlib import rc_context
from matplotlib.figure import Figure

from colu.lab.plot import use_style, with_narrow
from colu.press.site.modes import in_both_modes

SVG = (
    '<svg class="colu-figure" viewBox="0 0 {width} 360" xmlns="http://www.w3.org/2000/svg"><g id="ground"/>'
    '<text style="font-size: 9px; fill: #262626">a</text></svg>'
)
PAGE = '<p><img alt="a &quot;b&quot;" src="../_images/{name}.svg" /></p>'


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "_images").mkdir()
    (tmp_path / "notebooks").mkdir()
    for name, width in (("slim", 360), ("wide", 720)):
        (tmp_path / "_images" / f"{name}.svg").write_text(SVG.format(width=width))
    (tmp_path / "_images" / "foreign.svg").write_text('<svg viewBox="0 0 9 9"/>')
    return tmp_path / "notebooks"


def test_a_figure_has_two_pictures_of_known_size(folder):
    page = in_both_modes(PAGE.format(name="slim"), folder)
    assert page.count("<img ") == 2 and page.count('alt="a &quot;b&quot;"') == 2
    assert page.count('width="550" height="550" loading="lazy"') == 2
    assert 'src="../_images/slim-dark.svg"' in page and "min-width" not in page
    images = folder.parent / "_images"
    assert "#262626" in (images / "slim.svg").read_text() and "ground" not in (images / "slim.svg").read_text()
    assert "#262626" not in (images / "slim-dark.svg").read_text()


def test_a_wide_figure_keeps_its_letters_on_a_telephone(folder):
    page = in_both_modes(PAGE.format(name="wide"), folder)
    assert page.count('style="min-width:640px"') == 2 and '<span class="figure-scroll" tabindex="0"' in page


def test_a_page_is_rewritten_once_and_other_pictures_are_left(folder):
    once = in_both_modes(PAGE.format(name="slim"), folder)
    assert in_both_modes(once, folder) == once
    other = PAGE.format(name="foreign")
    assert in_both_modes(other, folder) == other


@pytest.fixture
def stacked(folder):
    with rc_context():
        use_style()
        figure = Figure(figsize=(6.8, 2.5))
        for axes in figure.subplots(1, 3):
            axes.plot([0, 1])
        (folder.parent / "_images" / "panels.svg").write_text(with_narrow(figure))
    return folder


def test_a_telephone_loads_the_form_with_panels_one_above_the_other(stacked):
    page = in_both_modes(PAGE.format(name="panels"), stacked)
    found = re.findall(r'<picture><source srcset="../_images/([^"]+)" media="screen and \(max-width: 640px\)" '
                       r'width="(\d+)" height="(\d+)"/><img class="(on-light|on-dark dark-light)"', page)  # fmt: skip
    assert [(name, mode) for name, _, _, mode in found] == [
        ("panels-narrow.svg", "on-light"), ("panels-narrow-dark.svg", "on-dark dark-light"),
    ]  # fmt: skip
    assert all(int(width) < int(height) for _, width, height, _ in found)
    assert "figure-scroll" not in page and "min-width:" not in page
    texts = {path.name: path.read_text() for path in (stacked.parent / "_images").glob("panels*")}
    assert len(texts) == 4 and not any("metadata" in text or "ground" in text for text in texts.values())
    assert [name for name in sorted(texts) if "#262626" in texts[name]] == ["panels-narrow.svg", "panels.svg"]


def test_a_second_page_with_the_same_figure_shows_the_same(stacked):
    first = in_both_modes(PAGE.format(name="panels"), stacked)
    assert in_both_modes(PAGE.format(name="panels"), stacked) == first


def test_a_figure_that_was_drawn_anew_is_written_anew(stacked):
    in_both_modes(PAGE.format(name="slim"), stacked)
    path = stacked.parent / "_images" / "slim.svg"
    path.write_text(SVG.format(width=360).replace("9px", "12px"))
    in_both_modes(PAGE.format(name="slim"), stacked)
    assert "12px" in path.with_name("slim-dark.svg").read_text() and "ground" not in path.read_text()
