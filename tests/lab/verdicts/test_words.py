"""The rule says each word where it should, and no other."""

import pytest

from colu.lab.results import paired_difference
from colu.lab.verdicts import ANSWERS, WORDS, rate_word, word

NOISE = (0.0, 0.02, -0.01, 0.03, -0.02)


def said(says, shift, printed, margin=0.5, spread=1.0):
    d = paired_difference([shift + spread * v for v in NOISE], [0.0] * 5)
    return word(says, d, p_value=d.p_value, equivalence_p_value=d.equivalence_p_value(margin), printed=printed)


@pytest.mark.parametrize(
    ("says", "shift", "printed", "wanted"),
    [
        ("higher", 1.0, 1.0, "reproduced"),
        ("higher", 1.0, 2.0, "smaller than printed"),
        ("higher", 3.0, 2.0, "reproduced"),
        ("higher", -1.0, 1.0, "opposite"),
        ("higher", 0.0, 1.0, "equal within the margin"),
        ("lower", -1.0, -1.0, "reproduced"),
        ("lower", -1.0, -2.0, "smaller than printed"),
        ("lower", 1.0, -1.0, "opposite"),
        ("lower", 0.0, -1.0, "equal within the margin"),
        ("higher", 1.0, None, "reproduced"),
        ("equal", 0.1, 0.0, "equal within the margin"),
        ("equal", 1.0, 0.0, "opposite"),
    ],
)
def test_each_word_where_it_should_be(says, shift, printed, wanted):
    assert said(says, shift, printed) == wanted and wanted in WORDS


@pytest.mark.parametrize("says", ["higher", "lower", "equal", "asked"])
def test_a_wide_interval_decides_nothing(says):
    assert said(says, 0.1, 1.0, spread=40.0) == "undecided"


@pytest.mark.parametrize(("shift", "wanted"), [(1.0, "higher"), (-1.0, "lower"), (0.0, "equal within the margin")])
def test_a_question_has_no_direction_and_its_answer_has(shift, wanted):
    assert said("asked", shift, None) == wanted and wanted in ANSWERS


def test_what_counts_is_the_corrected_value():
    d = paired_difference([1.0 + v for v in NOISE], [0.0] * 5)
    assert word("higher", d, p_value=0.06, equivalence_p_value=1.0, printed=1.0) == "undecided"
    assert word("equal", d, p_value=1.0, equivalence_p_value=0.06) == "undecided"


def test_a_rate_speaks_for_instability_only_upwards():
    assert rate_word(0.8, 0.1, p_value=0.01) == "reproduced"
    assert rate_word(0.1, 0.8, p_value=0.01) == "opposite"
    assert rate_word(0.8, 0.1, p_value=0.2) == "undecided"


def test_another_direction_is_refused():
    with pytest.raises(ValueError, match="says is 'sideways', wanted higher, lower, equal or asked"):
        said("sideways", 0.0, 1.0)
