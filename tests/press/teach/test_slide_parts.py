"""What a slide shows large, how an exercise is split, and what a page elsewhere loses."""

from __future__ import annotations

import pytest

from colu.press.project import BookError
from colu.press.teach.slide_parts import cleaned, shown, soup_of, split_exercise, without_links


def section(html):
    return soup_of(f"<section>{html}</section>").section


@pytest.fixture
def top(page):
    return cleaned(page, "12-a")


@pytest.mark.parametrize(
    ("name", "seen", "caption"),
    [
        ("fig-a", 'alt="a dot"', "Fig."),
        ("scheme", 'aria-label="A scheme"', "<p>How it goes.</p>"),
        ("slider-1", "<script>data</script>", ""),
    ],
)
def test_a_picture_takes_the_room_and_leaves_its_caption_to_the_notes(top, name, seen, caption):
    found = shown(top, name)
    assert found.picture and seen in found.html
    assert found.caption == caption and (not caption or caption not in found.html)


def test_a_figure_comes_in_both_modes_and_fits_its_slide(top):
    html = shown(top, "fig-a").html
    only_pages = ("lazy", "min-width", "figure-scroll", "narrow")
    assert html.count("<img") == 2 and not any(word in html for word in only_pages)


@pytest.mark.parametrize(("name", "seen"), [("thm", "A cone is a cone."), ("1", "Claim 12.1"), ("2", "Claim 12.2")])
def test_a_theorem_or_claim_is_a_box_without_its_check_also_from_behind_a_line(top, name, seen):
    found = shown(top, name)
    assert not found.picture and seen in found.html and found.html.startswith("<div")
    assert "check" not in found.html.lower()


def test_an_exercise_is_shown_without_its_result(top):
    found = shown(top, "ex-a")
    assert "Draw." in found.html and "a drawing" not in found.html and "a drawing" in found.caption


def test_what_is_shown_stays_on_the_page_and_what_is_not_there_is_not_found(top):
    before = str(top)
    assert all(shown(top, name) for name in ("fig-a", "thm", "1", "scheme", "ex-a"))
    assert str(top) == before
    assert [shown(top, name) for name in ("fig-b", "slider-0", "slider-2", "slider-x")] == [None] * 4


def test_an_expected_result_and_what_follows_it_leave_the_exercise():
    box = section("<p>Draw.</p><p><em>Only</em> this.</p><p><em>Expected:</em> a dot</p><pre>1</pre>")
    exercise, expected = split_exercise(box)
    assert "Draw." in exercise and "Only" in exercise and "dot" not in exercise and "1" not in exercise
    assert expected == "<p><em>Expected:</em> a dot</p><pre>1</pre>"
    assert split_exercise(section("<p>Draw.</p>"))[1] == ""


def test_a_cleaned_chapter_leads_from_elsewhere_and_keeps_solutions_and_code(page):
    whole = str(cleaned(page, "12-a"))
    assert all(word in whole for word in ("The solution.", "draw()", "secret_code"))
    assert "headerlink" not in whole and 'href="../notebooks/12-a.html#thm"' in whole
    with pytest.raises(BookError, match="the page of 12-a holds no chapter"):
        cleaned("<article></article>", "12-a")


def test_a_deck_elsewhere_keeps_the_words_of_its_links_and_drops_those_of_its_bar():
    html = '<p>See <a href="../notebooks/11-b.html">that</a>, <a href="https://a.org">this</a>.</p>'
    assert without_links(html) == '<p>See that, <a href="https://a.org">this</a>.</p>'
    bar = '<nav><a href="../index.html">up</a><a href="#s">s</a></nav>'
    assert without_links(bar) == '<nav><a href="#s">s</a></nav>'
