"""A deck says what its page says, leaves out solutions, works by keys, fits and prints."""

from __future__ import annotations

import re
import shutil

import pytest

from colu.press import browsercheck
from colu.press.build.project import BookError, Project
from colu.press.teach.sheets import solutions_html
from colu.press.teach.slides import chapter_slides, deck_html, slides_command, write_decks

FORMULA = '<div class="math notranslate">\\[y = x^2\\]</div>'
CLAIM = (
    '<div class="claim admonition" id="claim-{0}"><p class="admonition-title">Claim 12.{0}</p><p>It holds.</p></div>'
)
PAGE = f"""<!doctype html><html><body><article class="bd-article"><section id="top">
<h1>Cones<a class="headerlink" href="#top">#</a></h1>
<p><strong>Question.</strong> What is a cone?</p>
<p><strong>You will be able to</strong></p><ul><li><p>draw one;</p></li></ul>
<p><strong>Cost.</strong> Little.</p>
<div class="cell_input"><pre>secret_code()</pre></div>
<section id="first"><h2>First<a class="headerlink" href="#first">#</a></h2>
<p>Short one.
Second sentence, see <a href="#thm">the theorem</a> and <a href="11-b.html#x">another chapter</a>.</p>
{FORMULA}
<div class="proof theorem admonition" id="thm"><p class="admonition-title">Theorem 12.1</p>
<p>A cone is a cone.</p></div>
<div class="proof admonition" id="proof"><p>Proof. By looking.</p></div>
{CLAIM.format(1)}{CLAIM.format(2)}
<div class="cell_output"><figure id="fig-a"><img alt="a dot" src="../_images/dot.png"><figcaption>Fig.</figcaption>
</figure></div><p>What to see in it.</p>
<section id="below"><h3>Below</h3>{FORMULA.replace("y", "z")}
<table><tr><th>a</th></tr><tr><td>1</td></tr></table></section>
</section>
<section id="fails"><h2>When it fails</h2><ul>{"".join(f"<li>case {n}</li>" for n in range(8))}</ul></section>
<section id="exercises"><h2>Exercises</h2>
<div class="exercise admonition" id="ex-a"><p class="admonition-title">Exercise 12.1 (★★ Draw)</p><section><p>Draw.</p>
<p><em>Expected:</em> a drawing.</p></section></div>
<div class="solution dropdown admonition"><p class="admonition-title">Solution to <a href="#ex-a">Exercise 12.1</a></p>
<section id="solution-content"><div class="cell_input"><pre>draw()</pre></div><p>The solution.</p></section></div>
</section>
<section id="references"><h2>References</h2><p>A book.</p></section>
</section></article></body></html>"""


@pytest.fixture
def site(tmp_path):
    for name in ("notebooks", "_images", "_static/mathjax/fonts"):
        (tmp_path / "site" / name).mkdir(parents=True)
    site = tmp_path / "site"
    (site / "index.html").write_text("<h1>I</h1>")
    (site / "notebooks" / "12-a.html").write_text(PAGE)
    (site / "_static" / "favicon.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    mathjax = "window.MathJax = {startup: {promise: Promise.resolve()}}"
    (site / "_static" / "mathjax" / "tex-chtml.js").write_text(mathjax)
    (site / "_static" / "mathjax" / "fonts" / "f.woff").write_text("")
    (site / "_images" / "dot.png").write_bytes(bytes.fromhex("89504e470d0a1a0a"))
    return site


def test_slides_come_in_the_order_of_the_chapter():
    slides = chapter_slides(PAGE, "12-a")
    assert [slide.kind for slide in slides] == [
        "title", "objectives", "section", "figure", "table", "list", "list", "exercise"
    ]  # fmt: skip
    assert "What is a cone?" in slides[0].body and "draw one" in slides[1].body
    opening = slides[2].body
    assert opening.index("Short one.") < opening.index("y = x^2") < opening.index("Theorem 12.1")
    assert opening.count('class="claim ') == 2
    assert sum(slide.body.count("<li>") for slide in slides if slide.kind == "list") == 8


def test_only_the_first_formula_of_a_section_is_shown():
    assert "z = x^2" not in deck_html(PAGE, "12-a")


def test_solutions_code_and_references_are_left_out_and_expected_results_are_notes():
    text = deck_html(PAGE, "12-a")
    assert not any(word in text for word in ("The solution.", "secret_code", "A book.", "headerlink"))
    exercise = chapter_slides(PAGE, "12-a")[-1]
    assert "Expected" not in exercise.body and "a drawing" in exercise.notes[0]


def test_proofs_and_prose_are_notes_of_the_slide_before_them():
    section, figure = chapter_slides(PAGE, "12-a")[2:4]
    assert "By looking" in "".join(section.notes) and "By looking" not in section.body
    assert "What to see in it." in "".join(figure.notes)


def test_links_lead_from_the_folder_of_the_slides():
    text = deck_html(PAGE, "12-a")
    assert 'href="../notebooks/12-a.html#thm"' in text and 'href="../notebooks/11-b.html#x"' in text
    identifiers = re.findall(r'\sid="([^"]+)"', text)
    assert len(identifiers) == len(set(identifiers))


def test_a_deck_elsewhere_takes_along_what_it_loads(site, tmp_path):
    (deck,) = write_decks(site, ["12-a"], tmp_path / "out")
    text = deck.read_text()
    loads = re.findall(r'(?:src|<link[^>]*href)="([^"]+)"', text)
    assert {"../_images/dot.png", "../_static/mathjax/tex-chtml.js", "slides.js", "slides.css"} <= set(loads)
    for name in loads:
        assert (deck.parent / name).is_file(), name
    assert (tmp_path / "out/_static/mathjax/fonts/f.woff").is_file()
    assert "another chapter" in text and 'href="../notebooks' not in text


def test_the_sheet_has_exercises_points_and_expected_results_and_no_solution(site, tmp_path):
    write_decks(site, ["12-a"], tmp_path / "out")
    sheet = (tmp_path / "out/sheets/12-a.html").read_text()
    assert "Exercises 12: Cones" in sheet and "Exercise 12.1 (★★ Draw)" in sheet
    assert sheet.count("2 points") == 2 and "a drawing" in sheet
    assert not any(word in sheet for word in ("The solution.", "draw()", "secret_code", "A cone is a cone."))


def test_the_solutions_stand_under_their_own_exercises_with_their_code():
    second = '<div class="exercise admonition" id="ex-b"><p class="admonition-title">Exercise 12.2 (★ Think)</p></div>'
    page = solutions_html(PAGE.replace('<div class="solution', f'{second}<div class="solution'), "12-a")
    first, second = page.index("Exercise 12.1"), page.index("Exercise 12.2")
    # The box stands after the second exercise on the page, and names the first.
    assert first < page.index("draw()") < page.index("The solution.") < second
    assert "Solutions 12: Cones" in page and "secret_code" not in page and "Solution to" not in page


def test_what_is_missing_is_named(site, tmp_path):
    with pytest.raises(BookError, match="11-b.html is missing: run 'colu book build'"):
        write_decks(site, ["11-b"])
    with pytest.raises(BookError, match="no chapter"):
        chapter_slides("<html></html>", "12-a")
    with pytest.raises(BookError, match="there is no site"):
        slides_command(Project(tmp_path / "nothing"), [], None)


needs_chromium = pytest.mark.skipif(browsercheck.find_chromium() is None, reason="no Chromium")


@pytest.fixture
def tab(site):
    from playwright.sync_api import sync_playwright

    write_decks(site, ["12-a"])
    with browsercheck.served(site) as address, sync_playwright() as tools:
        chromium = tools.chromium.launch(executable_path=browsercheck.find_chromium(), args=browsercheck.ARGUMENTS)
        tab = chromium.new_page(viewport={"width": 1280, "height": 754})
        tab.goto(f"{address}/slides/12-a.html", wait_until="networkidle")
        tab.wait_for_selector("html[data-ready]", state="attached")
        yield tab
        chromium.close()


@pytest.mark.slow
@needs_chromium
def test_keys_turn_the_slides(tab):
    def seen():
        return tab.evaluate("""() => [...document.querySelectorAll('.slide')]
            .filter(e => getComputedStyle(e).visibility === 'visible').map(e => e.id)""")

    assert seen() == ["slide-1"]
    for key, wanted in (("ArrowRight", 2), (" ", 3), ("PageUp", 2), ("End", 8), ("ArrowRight", 8), ("Home", 1)):
        tab.keyboard.press(key)
        assert seen() == [f"slide-{wanted}"], key
    assert tab.locator(".bar output").inner_text() == "1 / 8"
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowRight")
    note = tab.locator("#slide-3 .notes")
    assert not note.is_visible()
    tab.keyboard.press("n")
    assert note.is_visible()
    tab.keyboard.press("d")
    assert tab.evaluate("() => getComputedStyle(document.querySelector('.slide')).backgroundColor") == "rgb(18, 24, 31)"


@pytest.mark.slow
@needs_chromium
def test_long_text_shrinks_until_it_fits(site, tab):
    long = PAGE.replace("<p>A cone is a cone.</p>", f"<p>{'Many words stand here. ' * 60}</p>")
    (site / "notebooks" / "12-a.html").write_text(long)
    write_decks(site, ["12-a"])
    tab.reload(wait_until="networkidle")
    tab.wait_for_selector("html[data-ready]", state="attached")
    sizes = tab.evaluate("""() => [...document.querySelectorAll('.slide')]
        .map(e => parseFloat(e.style.getPropertyValue('--fit') || 1))""")
    assert min(sizes) < 1 and not tab.locator(".slide.tall").count()


@pytest.mark.slow
@needs_chromium
def test_one_slide_a_page_in_print(tab, tmp_path):
    tab.pdf(path=str(tmp_path / "deck.pdf"), prefer_css_page_size=True, print_background=True)
    assert len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "deck.pdf").read_bytes())) == 8


def test_a_deck_is_left_in_the_site_as_it_was_when_copied(site, tmp_path):
    write_decks(site, ["12-a"])
    before = (site / "slides/12-a.html").read_text()
    write_decks(site, ["12-a"], tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    assert (site / "slides/12-a.html").read_text() == before
