"""The words of the glossary, and their first use in a chapter."""

from __future__ import annotations

import re
from pathlib import Path

from colu.press.site.glossary import first_use, glossary_terms

ROOT = Path(__file__).resolve().parents[3]


def test_only_the_first_use_of_a_term_is_linked(page_of):
    page = page_of("notebooks/10-a")
    assert page.count("glossary-use") == 1 and "../book/glossary.html#term-cone" in page
    assert "notebooks/10-a.html#term-use" in page_of("genindex")
    assert first_use("cone", "Cones") and not first_use("cone", "semi-cone")


def test_the_glossary_of_the_book_is_in_order():
    terms = re.findall(r"^(\S[^\n]*)\n(?=  )", (ROOT / "book/glossary.md").read_text(), re.M)
    assert terms == sorted(terms, key=str.lower) and len(terms) == len(glossary_terms(ROOT / "book/glossary.md"))
