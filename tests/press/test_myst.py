"""One parser finds every block, whatever its fence, and takes none apart that is inside another."""

import pytest

from colu.press.myst import read_blocks


@pytest.mark.parametrize(("opened", "closed"), [("```", "```"), (":::", ":::"), ("::::", "::::"), ("````", "````")])
def test_fences_of_backticks_and_colons_are_the_same(opened, closed):
    (block,) = read_blocks(f"Before.\n{opened}{{claim}} two\nIt is\n2.\n{closed}\nAfter.")
    assert (block.kind, block.title, block.text, block.lines) == ("claim", "two", "It is\n2.", (1, 5))


def test_a_block_ends_at_its_own_fence():
    text = "````{admonition} Erratum\n:class: warning\n\n```python\n:a: b\n```\n````\n\n:::{claim} one\nIt.\n:::"
    outer, claim = read_blocks(text)
    assert outer.options == {"class": "warning"} and outer.text == "```python\n:a: b\n```"
    assert (claim.title, claim.text) == ("one", "It.")


def test_code_and_inline_words_are_no_blocks():
    assert read_blocks("```python\nx = 1\n```\n\n`{claim}` and {doc}`a`\n\n    :::{claim} indented") == []


def test_options_end_at_the_first_line_that_is_none():
    (block,) = read_blocks("```{exercise} ★★ Count\n:label: ex\n\nTwo\n:class: no option\n```")
    assert block.options == {"label": "ex"} and block.title == "★★ Count" and ":class: no option" in block.text
