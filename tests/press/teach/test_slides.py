"""A deck has the slides of its notebook, shows what is on the page, works by keys, fits and prints."""

from __future__ import annotations

import re

import pytest

from colu.press.check.browser import ARGUMENTS, TIMEOUT, find_chromium, served
from colu.press.project import BookError, Project
from colu.press.teach.slide_parts import cleaned
from colu.press.teach.slides import chapter_slides, copy_decks, deck_html, slides_command, write_decks


def slides_of(page, written):
    return chapter_slides(cleaned(page, "12-a"), "12-a", written)


def test_a_deck_is_title_objectives_the_written_slides_and_the_exercises(page, written):
    slides = slides_of(page, written)
    assert [slide.kind for slide in slides] == [
        "title", "objectives", "written picture", "written", "written boxed", "exercises"
    ]  # fmt: skip
    assert "What is a cone?" in slides[0].body and "draw one" in slides[1].body
    assert [slide.heading for slide in slides[2:5]] == ["What is <em>seen</em>", "The formula", "The theorem"]
    assert "A dot" in slides[2].body and 'alt="a dot"' in slides[2].body
    assert 'class="text"' not in slides[4].body and "A cone is a cone." in slides[4].body


def test_what_is_said_is_in_the_notes_with_the_caption_of_the_picture(page, written):
    picture, words, theorem = slides_of(page, written)[2:5]
    assert "Point at the dot." in "".join(picture.notes) and "Fig." in "".join(picture.notes)
    assert "Say more." in "".join(words.notes) and "Prove it." in "".join(theorem.notes)
    assert not any(said in slide.body for slide in (picture, words, theorem) for said in ("Point", "Say", "Prove"))


def test_nothing_else_of_the_page_is_in_the_deck(page, written):
    text = deck_html(cleaned(page, "12-a"), "12-a", written)
    rest = ("The solution.", "secret", "A book.", "headerlink", "Short one.", "By looking", "What to see", "Claim 12.1")
    assert not [word for word in rest if word in text]


def test_an_exercise_that_a_slide_shows_is_not_repeated_and_results_are_notes(page, written):
    (exercises,) = slides_of(page, written)[5:]
    assert "Draw." in exercises.body and "Expected" not in exercises.body and "a drawing" in exercises.notes[0]
    last = slides_of(page, written.replace('data-show="thm"', 'data-show="ex-a"'))[-1]
    assert last.heading == "The theorem" and "Draw." in last.body and "a drawing" in "".join(last.notes)


def test_exercises_share_a_slide_as_far_as_they_fit(page, written):
    box = '<div class="exercise admonition" id="ex-{0}"><p class="admonition-title">E</p><p>{0} {1}</p></div>'
    more = "".join(box.format(number, "word " * 70) for number in range(3))
    slides = slides_of(page.replace('<div class="solution', more + '<div class="solution'), written)[5:]
    assert [slide.body.count("exercise admonition") for slide in slides] == [2, 2]
    assert [len(slide.notes) for slide in slides] == [2, 2]


def test_a_slide_that_shows_what_is_not_there_stops_the_build_by_name(page, written):
    with pytest.raises(BookError, match="the slide 'What is seen' of 12-a shows 'fig-b', which is no figure"):
        slides_of(page, written.replace("fig-a", "fig-b"))


def test_links_lead_from_the_folder_of_the_slides(page, written):
    text = deck_html(cleaned(page, "12-a"), "12-a", written)
    assert 'href="../notebooks/12-a.html#thm"' in text and 'href="../notebooks/11-b.html#x"' in text
    identifiers = re.findall(r'\sid="([^"]+)"', text)
    assert len(identifiers) == len(set(identifiers))


def test_a_chapter_without_slides_has_sheet_and_solutions_alone(site):
    write_decks(site, {"12-a": ""})
    assert sorted(path.parent.name for path in site.glob("s*/12-a.html")) == ["sheets", "solutions"]
    written = copy_decks(site, ["12-a"], site.parent / "out")
    assert [path.relative_to(site.parent / "out").as_posix() for path in written] == [
        "sheets/12-a.html", "solutions/12-a.html"
    ]  # fmt: skip


def test_a_deck_elsewhere_takes_along_what_it_loads(site, written, tmp_path):
    write_decks(site, {"12-a": written})
    before = (site / "slides/12-a.html").read_text()
    deck = copy_decks(site, ["12-a"], tmp_path / "out")[0]
    text = deck.read_text()
    loads = re.findall(r'(?:src|<link[^>]*href)="([^"]+)"', text)
    assert {"../_images/dot.png", "../_static/mathjax/tex-chtml.js", "slides.js", "slides.css"} <= set(loads)
    for name in loads:
        assert (deck.parent / name).is_file(), name
    assert (tmp_path / "out/_static/mathjax/fonts/f.woff").is_file()
    assert "Only words." in text and 'href="../notebooks' not in text
    assert all((tmp_path / "out" / kind / "12-a.html").is_file() for kind in ("sheets", "solutions"))
    assert (site / "slides/12-a.html").read_text() == before


def test_what_is_missing_is_named(site, tmp_path):
    with pytest.raises(BookError, match="11-b.html is missing: run 'colu book build'"):
        copy_decks(site, ["11-b"], tmp_path)
    with pytest.raises(BookError, match="there is no site"):
        slides_command(Project(tmp_path / "nothing"), [], tmp_path)


needs_chromium = pytest.mark.skipif(find_chromium() is None, reason="no Chromium")


@pytest.fixture
def tab(site, written):
    from playwright.sync_api import sync_playwright

    write_decks(site, {"12-a": written})
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
    for key, wanted in (("ArrowRight", 2), (" ", 3), ("PageUp", 2), ("End", 6), ("ArrowRight", 6), ("Home", 1)):
        tab.keyboard.press(key)
        assert seen() == [f"slide-{wanted}"], key
    assert tab.locator(".bar output").inner_text() == "1 / 6"
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowRight")
    note = tab.locator("#slide-3 .notes")
    assert not note.is_visible()
    tab.keyboard.press("n")
    assert note.is_visible()
    box = tab.locator("#slide-3 .body").bounding_box()
    assert box["y"] + box["height"] <= note.bounding_box()["y"], "the whole slide is seen above the notes"
    tab.keyboard.press("d")
    assert tab.evaluate("() => getComputedStyle(document.querySelector('.slide')).backgroundColor") == "rgb(18, 24, 31)"
    assert [tab.locator(f"#slide-3 .{mode}").is_visible() for mode in ("on-light", "on-dark")] == [False, True]


@pytest.mark.slow
@needs_chromium
def test_a_picture_has_the_room_that_the_words_leave(tab):
    """The dot of one pixel stands for a square picture: beside the words it is larger than below them."""
    words, picture = (
        tab.evaluate(f"""() => {{
            const box = document.querySelector('.picture {part}').getBoundingClientRect();
            return [box.left, box.top, box.width, box.height]; }}""")
        for part in (".text", ".shown img")
    )
    assert picture[0] > words[0] + words[2] and picture[2] > 650 and picture[3] > 450
    assert picture[1] + picture[3] < 720 and tab.locator(".picture.beside").count() == 1


@pytest.mark.long
@pytest.mark.slow
@needs_chromium
def test_long_text_shrinks_until_it_fits(site, written, tab):
    write_decks(site, {"12-a": written.replace("Only", "Many words stand here. " * 60)})
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
    assert len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "deck.pdf").read_bytes())) == 6


def test_highlighted_code_of_a_solution_is_printed_as_it_stands_on_the_page(page, site, written):
    code = '<div class="highlight"><pre><span class="n">a</span> &lt; <a href="../x.html#b">b</a>\n</pre></div>'
    (site / "notebooks/12-a.html").write_text(page.replace("<pre>draw()</pre>", code))
    write_decks(site, {"12-a": written})
    assert code in (site / "solutions/12-a.html").read_text()
    assert not any("data-code" in path.read_text() for path in site.glob("s*/12-a.html"))
