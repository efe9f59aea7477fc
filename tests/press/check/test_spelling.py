"""British spelling and doubled words are found in prose, and nothing is found in what is no prose."""

import pytest

from colu.press.check.spelling import misspelt


@pytest.mark.parametrize("word", [
    "color", "Colors", "colored", "behavior", "neighboring", "favors", "centered", "gray", "modeling", "labeled",
    "analyze", "analyzing", "catalog", "normalize", "Normalized", "organizations", "optimizers", "parametrizing",
])  # fmt: skip
def test_american_words_are_found_whatever_their_form(word):
    assert misspelt(f"One {word} here.") == [f"{word!r} is not British"]


@pytest.mark.parametrize("word", [
    "colour", "behaviour", "neighbour", "centre", "grey", "modelling", "labelled", "analyse", "catalogue", "normalise",
    "size", "sized", "resizing", "seize", "prizes", "horizon", "citizen", "Lorentz", "wizard",
])  # fmt: skip
def test_british_words_and_those_that_only_look_alike_pass(word):
    assert misspelt(f"One {word} here.") == []


@pytest.mark.parametrize("text", [
    "`color`", "$color$", "$$\ncolor\n$$", "```python\ncolor = gray\n```", "[the paper](color.md)",
    "<span class='color'>", "see https://a.org/normalize now", "```{math}\n:label: gray\ncolor\n```",
    "```{bibliography}\ncolor\n```",
])  # fmt: skip
def test_code_formulas_links_and_addresses_are_left_out(text):
    assert misspelt(f"Before\n{text}\nand after.") == []


def test_the_text_of_links_and_of_boxes_is_prose():
    assert misspelt("[a color](page.md)") == ["'color' is not British"]
    for fence in (":::", "```"):
        assert misspelt(f"{fence}{{note}}\nA gray box.\n{fence}") == ["'gray' is not British"]


def test_doubled_words_are_found_in_any_case_and_not_across_what_is_left_out():
    assert misspelt("The the end of of it.") == ["'The the' is doubled", "'of of' is doubled"]
    assert misspelt("It is `x` is it? A a, that that: x x.")[-1:] == ["'that that' is doubled"]
    assert misspelt("We had$x$had.") == []
