"""Formulas become MathML; what the converter does not know is named."""

import pytest

from colu.press.offline.mathml import mathml


@pytest.mark.parametrize(
    ("latex", "letter"),
    [
        (r"\mathbb{R}", "&#x0211D;"),
        (r"\mathbb 1", "𝟙"),
        (r"\mathscr{F}", "ℱ"),
        (r"\boldsymbol\lambda", "𝝀"),
        (r"\mathbf{x}", "&#x1D431;"),
    ],
)
def test_letters_of_special_faces_are_characters(latex, letter):
    assert f">{letter}<" in mathml(latex) and "mathvariant" not in mathml(latex)


def test_lines_are_aligned_and_not_numbered():
    for latex in (r"a &= b \\ c &= d", r"\begin{align}a &= b \\ c &= d\end{align}"):
        assert mathml(latex, "block").count("<mtr>") == 2 and "(1)" not in mathml(latex)


def test_functions_are_words():
    assert r"\arg" not in mathml(r"\arg\min_i f") and "arg" in mathml(r"\arg\min_i f")


def test_greek_capitals_are_upright_and_small_letters_are_not():
    assert mathml(r"\Sigma\sigma\Omega").count('mathvariant="normal"') == 2


def test_unknown_command_is_named():
    with pytest.raises(ValueError, match=r"\\nonsense"):
        mathml(r"\nonsense{x}")
