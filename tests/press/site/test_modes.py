import pytest

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
