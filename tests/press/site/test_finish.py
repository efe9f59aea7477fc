"""What the last hand takes off a page, and what it leaves."""

from __future__ import annotations

from colu.press.site.finish import finished, number_chapters

SCRIPTS = (
    '<script defer src="../_static/scripts/fontawesome.js?digest=1"></script>\n'
    '<script src="../_static/searchtools.js"></script>\n<script src="../_static/language_data.js"></script>\n'
    '<script src="../searchindex.js"></script>\n<script src="../_static/doctools.js?v=9"></script>'
)


def test_unused_scripts_go_and_the_others_stay():
    assert finished(SCRIPTS) == '<script src="../_static/doctools.js?v=9"></script>'


def test_the_search_page_keeps_its_index():
    assert finished(SCRIPTS, search=True).count("<script") == 4


def test_labels_that_hide_the_text_go():
    button = '<button class="btn search-button-field x" title="Search" aria-label="Search" data-a="b">Search</button>'
    assert finished(button) == button.replace(' aria-label="Search"', "")
    other = '<button class="btn" aria-label="Close">x</button>'
    assert finished(other) == other


def test_a_list_of_references_is_no_list_without_items():
    for list_of_sources in ('<div role="list" class="citation-list">', '<div class="citation-list" role="list">'):
        page = f'{list_of_sources}<div class="citation" role="doc-biblioentry">A</div></div>'
        assert finished(page) == '<div class="citation-list"><div class="citation">A</div></div>'


def test_the_line_that_opens_a_list_of_uses_holds_no_link():
    link = '<a class="reference" href="#colu.nn" title="colu.nn"><code>colu.nn</code></a>'
    page = f"<details><summary>Expand for references to {link}</summary></details>"
    assert finished(page) == "<details><summary>Where <code>colu.nn</code> is used</summary></details>"


def test_the_arrow_that_opens_a_part_has_a_name():
    page = '<summary><span class="toctree-toggle" role="presentation"></span></summary>'
    assert 'aria-label="pages of this part"' in finished(page)
    assert finished("<summary>Text</summary>") == "<summary>Text</summary>"


def test_a_link_begins_with_its_word():
    page = '<p>Solution to<a class="reference internal" href="#ex"> Exercise 1</a></p>'
    assert finished(page) == '<p>Solution to <a class="reference internal" href="#ex">Exercise 1</a></p>'


def test_the_open_chapter_is_numbered_in_the_side_bar_and_over_its_text_alone():
    here = '<li class="toctree-l1 current active"><a class="current reference internal" href="#">A</a>'
    page = f'{here}\n<h1>A<a class="headerlink" href="#a">#</a></h1>\n<a href="#x">[1]</a>'
    numbered = number_chapters(page, "12-a.html")
    assert numbered.count('data-chapter="12"') == 2 and '<h1 data-chapter="12">A<a' in numbered
    assert '<a href="#x">[1]</a>' in numbered, "a link within the page is no entry of the index"
    assert number_chapters(page, "status.html") == page, "pages that are no chapters have no number"
