"""A deck says what its page says, leaves out solutions, works by keys, fits and prints."""

from __future__ import annotations

import re
import shutil

import pytest

from colu.press.check.browser import ARGUMENTS, TIMEOUT, find_chromium, served
from colu.press.project import BookError, Project
from colu.press.teach.slide_parts import cleaned
from colu.press.teach.slides import chapter_slides, deck_html, slides_command, write_decks


def test_slides_come_in_the_order_of_the_chapter(page):
    slides = chapter_slides(cleaned(page, "12-a"), "12-a")
    assert [slide.kind for slide in slides] == [
        "title", "objectives", "section", "figure", "table", "list", "list", "exercise"
    ]  # fmt: skip
    assert "What is a cone?" in slides[0].body and "draw one" in slides[1].body
    opening = slides[2].body
    assert opening.index("Short one.") < opening.index("y = x^2") < opening.index("Theorem 12.1")
    assert opening.count('class="claim ') == 2
    assert sum(slide.body.count("<li>") for slide in slides if slide.kind == "list") == 8


def test_only_the_first_formula_of_a_section_is_shown(page):
    assert "z = x^2" not in deck_html(cleaned(page, "12-a"), "12-a")


def test_solutions_code_and_references_are_left_out_and_expected_results_are_notes(page):
    text = deck_html(cleaned(page, "12-a"), "12-a")
    assert not any(word in text for word in ("The solution.", "secret_code", "A book.", "headerlink"))
    exercise = chapter_slides(cleaned(page, "12-a"), "12-a")[-1]
    assert "Expected" not in exercise.body and "a drawing" in exercise.notes[0]


def test_proofs_and_prose_are_notes_of_the_slide_before_them(page):
    section, figure = chapter_slides(cleaned(page, "12-a"), "12-a")[2:4]
    assert "By looking" in "".join(section.notes) and "By looking" not in section.body
    assert "What to see in it." in "".join(figure.notes)


def test_links_lead_from_the_folder_of_the_slides(page):
    text = deck_html(cleaned(page, "12-a"), "12-a")
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
    assert all((tmp_path / "out" / kind / "12-a.html").is_file() for kind in ("sheets", "solutions"))


def test_what_is_missing_is_named(site, tmp_path):
    with pytest.raises(BookError, match="11-b.html is missing: run 'colu book build'"):
        write_decks(site, ["11-b"])
    with pytest.raises(BookError, match="there is no site"):
        slides_command(Project(tmp_path / "nothing"), [], None)


needs_chromium = pytest.mark.skipif(find_chromium() is None, reason="no Chromium")


@pytest.fixture
def tab(site):
    from playwright.sync_api import sync_playwright

    write_decks(site, ["12-a"])
    with served(site) as address, sync_playwright() as tools:
        chromium = tools.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        tab = chromium.new_page(viewport={"width": 1280, "height": 754})
        tab.set_default_timeout(TIMEOUT)
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


@pytest.mark.long
@pytest.mark.slow
@needs_chromium
def test_long_text_shrinks_until_it_fits(page, site, tab):
    long = page.replace("<p>A cone is a cone.</p>", f"<p>{'Many words stand here. ' * 60}</p>")
    (site / "notebooks" / "12-a.html").write_text(long)
    write_decks(site, ["12-a"])
    tab.reload(wait_until="networkidle")
    tab.wait_for_selector("html[data-ready]", state="attached")
    sizes = tab.evaluate("""() => [...document.querySelectorAll('.slide')]
        .map(e => parseFloat(e.style.getPropertyValue('--fit') || 1))""")
    assert min(sizes) < 1 and not tab.locator(".slide.tall").count()


@pytest.mark.long
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


def test_highlighted_code_of_a_solution_is_printed_as_it_stands_on_the_page(page, site):
    code = '<div class="highlight"><pre><span class="n">a</span> &lt; <a href="../x.html#b">b</a>\n</pre></div>'
    (site / "notebooks/12-a.html").write_text(page.replace("<pre>draw()</pre>", code))
    write_decks(site, ["12-a"])
    assert code in (site / "solutions/12-a.html").read_text()
    assert not any("data-code" in path.read_text() for path in site.glob("s*/12-a.html"))
