"""Figures with sliders bring their script from the site, once, and stay whole in a notebook and an EPUB."""

from colu.lab.plot import Trace, slider_figure
from colu.press.notebook import SLIDER
from colu.press.site.sliders import picture, share_scripts


def _figure(alt="a line"):
    def draw(slope):
        return [Trace([[-1, -slope], [1, slope]])]

    return slider_figure(draw, {"slope": [0, 1]}, alt=alt, xlim=(-1, 1), ylim=(-1, 1), xlabel="x")


def test_only_a_page_with_sliders_loads_their_script_and_from_the_site(good):
    page = good.html("notebooks/10-a.html")
    assert 'src="../_static/slider.js' in page and 'href="../_static/slider.css' in page
    assert "data-colu>" not in page, "neither stands in the page itself"
    assert 'aria-label="a &quot;saddle&quot; of z &lt; 5"' in page
    assert "slider.js" not in good.html("notebooks/11-b.html")
    assert "colu-slider" in (good.out / "_static/slider.js").read_text()


def test_the_plain_notebook_keeps_script_and_style(good):
    plain = (good.out / "plain/10-a.ipynb").read_text()
    assert "<script data-colu>" in plain and "<style data-colu>" in plain


def test_a_figure_without_its_scripts_is_the_one_that_does_not_stand_alone():
    figure = _figure()
    assert figure.html().startswith(SLIDER)
    assert share_scripts(figure.html()) == figure.html(alone=False) != figure.html()


def test_the_picture_is_the_svg_and_its_description():
    figure = _figure('a "line" < b')
    assert picture(figure.html()) == (figure.svg, 'a "line" < b')
