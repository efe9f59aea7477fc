"""The side bar has its parts folded, and the one that is being read open."""

from __future__ import annotations

import re

from colu.press.site.sidebar import folded


def _part(number: int, here: bool) -> str:
    caption = f'<span class="caption-text">Part {number}</span>'
    pages = f'<li class="toctree-l1"><a href="{number}.html">{number}</a></li>'
    return (
        f'<p aria-level="2" class="caption" role="heading">{caption}</p>\n'
        f'<ul class="{"current " * here}nav">{pages}</ul>\n'
    )


def _page(current: int | None) -> str:
    nav = '<nav class="bd-links bd-docs-nav" aria-label="Main">\n    <div class="bd-toc-item navbar-nav active">\n    '
    parts = "".join(_part(k, k == current) for k in range(3))
    return f"<body>{nav}{parts}</div>\n</nav><p>text</p></body>"


def test_the_part_that_is_read_is_open_and_the_others_are_not():
    page = folded(_page(1))
    assert page.count("<details") == page.count("</details>") == 3 and page.count(" open") == 1
    assert re.search(r'<details class="part" open><summary><span class="caption-text">Part 1<', page)
    assert all(f'<a href="{k}.html">' in page for k in range(3)) and page.endswith("<p>text</p></body>")


def test_the_first_part_is_open_where_none_is_read():
    assert '<details class="part" open><summary><span class="caption-text">Part 0<' in folded(_page(None))


def test_a_page_without_parts_stays():
    assert folded("<body><nav class='other'></nav></body>") == "<body><nav class='other'></nav></body>"
