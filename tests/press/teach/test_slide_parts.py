"""What of a section goes on a slide, how long leads and lists are cut, and what a deck elsewhere loses."""

from __future__ import annotations

import re

import pytest

from colu.press.project import BookError
from colu.press.teach.slide_parts import (
    BULLETS,
    LEAD,
    cleaned,
    lead,
    moments,
    soup_of,
    split_exercise,
    split_list,
    without_links,
)


def section(html):
    return soup_of(f"<section>{html}</section>").section


@pytest.mark.parametrize(("html", "kinds"), [
    ('<h2>H</h2><p>a</p><ul><li>b</li></ul>', ["prose", "prose"]),
    ('<div class="math">x</div>', ["formula"]),
    ('<div class="proof theorem admonition">t</div><div class="proof admonition">p</div>', ["theorem", "prose"]),
    ('<div class="claim admonition">c</div>', ["claim"]),
    ('<div class="admonition warning">w</div><div class="admonition note">n</div>', ["erratum", "prose"]),
    ('<div class="cell"><div class="cell_output"><img src="a"></div><pre>code</pre></div>', ["figure"]),
    ('<div class="colu-slider"><script>data</script></div>', ["interactive"]),
    ("<table><tr><td>1</td></tr><tr><td>2</td></tr></table>", ["table"]),
    (f"<table>{'<tr><td>1</td></tr>' * 12}</table>", []),
    (f"<table>{('<tr>' + '<td>1</td>' * 9 + '</tr>') * 2}</table>", []),
])  # fmt: skip
def test_moments_come_in_their_order_and_large_tables_code_and_headings_stay_on_the_page(html, kinds):
    assert [moment.kind for moment in moments(section(html))] == kinds


def test_an_interactive_figure_brings_its_data_and_an_image_its_frame():
    (figure,) = moments(section('<div class="colu-slider"><script>data</script></div>'))
    assert "<script>data</script>" in figure.html()
    (image,) = moments(section('<img src="a"/>'))
    assert image.html() == '<figure><img src="a"/></figure>'


def test_a_lead_ends_after_whole_sentences_and_with_every_tag_closed():
    lines = [f"Sentence {n} of the section is <b>here</b> and is not short at all." for n in range(12)]
    found = lead(section("<ul><li>no lead</li></ul><p>" + "\n".join(lines) + "</p>"))
    assert found.startswith('<p class="lead">Sentence 0') and found.endswith("at all.</p>")
    kept = found.count("Sentence")
    assert 1 < kept < 12 and len(re.sub("<[^>]+>", "", found)) <= LEAD
    # A tag that goes on over the cut takes its lines along.
    first = lead(section(f"<p><em>{'Long. ' * 50}\nStill the same.</em>\nAfter.</p>"))
    assert first.endswith("Still the same.</em></p>")
    assert lead(section("<h2>H</h2>")) == ""


@pytest.mark.parametrize("count", [1, 6, 7, 8, 13, 30])
def test_a_list_is_cut_into_even_parts_that_fit_and_lose_nothing(count):
    parts = split_list(section("<ul>" + "".join(f"<li>{n}</li>" for n in range(count)) + "</ul>"))
    sizes = [part.count("<li>") for part in parts]
    assert re.findall(r"<li>(\d+)", "".join(parts)) == [str(n) for n in range(count)]
    assert max(sizes) <= BULLETS and len(parts) == -(-count // BULLETS)
    assert len(set(sizes[:-1])) < 2


def test_a_section_without_a_list_gives_its_paragraphs():
    assert split_list(section("<h2>H</h2><p>a</p><p>b</p>")) == ["<p>a</p><p>b</p>"]


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
