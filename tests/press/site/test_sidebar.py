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


def test_the_pages_of_the_atlas_are_left_out_and_no_others():
    def below(front, first):
        inner = f'<li class="toctree-l2"><a href="{first}">One</a></li>'
        return (
            f'<li class="toctree-l1 current has-children"><a class="r" href="{front}">Front</a><details><summary>'
            f"<i></i></summary><ul>\n{inner}</ul></details></li>"
        )

    for front, first, kept in (
        ("atlas.html", "atlas/relu.html", False),
        ("#", "atlas/relu.html", False),
        ("../atlas.html", "#", False),
        ("api.html", "api/nn.html", True),
        ("../api.html", "#", True),
    ):
        page = _page(0).replace('<li class="toctree-l1"><a href="1.html">1</a></li>', below(front, first))
        done = folded(page)
        assert (f'href="{first}">One' in done) == kept and ("has-children" in done) == kept and "Front" in done
