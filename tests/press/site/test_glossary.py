"""The words of the glossary, and their first use in a chapter."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    ("term", "ours"),
    [
        ("gain", "The gain that suits ReLU lets the signal of CoLU fade."),
        ("gain", "With He’s gain of the first weights"),
        ("gain", "an activation has a gain of its own (Signal propagation)"),
        ("section", "The sections, as the others are called, turn."),
        ("axis", "leaves the axis of each cone"),
        ("batch", "with batch normalisation, over all images of the batch"),
        ("batch", "Same data, order of batches, optimiser and budget"),
        ("claim", "Every claim has a cell."),
    ],
)
def test_a_word_is_linked_in_the_sense_of_the_glossary(term, ours):
    assert first_use(term, ours)


@pytest.mark.parametrize(
    ("term", "other"),
    [
        ("gain", "The point gains axis value; the signal stays."),
        ("gain", "What does a layer gain by its signal?"),
        ("gain", "The gain over ReLU is smaller for the large network, whose signal is the same."),
        ("gain", "The gain of 3.17 points that the first signal has"),
        ("gain", "If the axis alone explained a gain, the cones would have nothing to do."),
        ("section", "the symmetry of the next section"),
        ("section", "of the cited book, section 4.2"),
        ("axis", "and on which axis: a convolution has its channels on axis 1"),
        ("batch", "Batch normalisation takes the mean away"),
        ("claim", "The paper claims that it does."),
    ],
)
def test_a_word_in_another_sense_is_not_linked(term, other):
    assert first_use(term, other) is None
