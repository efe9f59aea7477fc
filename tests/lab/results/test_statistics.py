"""Intervals: against SciPy's own, coverage, and the refusal to call a tie a win."""

import numpy as np
import pytest
from scipy import stats

from colu.lab.results import paired_difference, summarise


def test_the_interval_is_scipys():
    values = [3.1, 2.7, 3.3, 2.9, 3.6]
    low, high = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    summary = summarise(values)
    assert (summary.low, summary.high) == pytest.approx((low, high))


def test_the_interval_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = sum(s.low <= 1 <= s.high for s in (summarise(rng.normal(1, 2, 5)) for _ in range(2000)))
    assert hits / 2000 == pytest.approx(0.95, abs=0.02)


def test_pairing_takes_out_what_both_arms_share():
    rng = np.random.default_rng(1)
    shared = rng.normal(0, 5, 8)
    a, b = shared + 1 + rng.normal(0, 0.1, 8), shared + rng.normal(0, 0.1, 8)
    assert paired_difference(a, b).decided
    assert paired_difference(a, b).half_width < 0.1 * summarise(a).half_width


def test_a_tie_is_called_a_tie():
    difference = paired_difference([1.0, 2.0, 3.0], [1.1, 1.9, 3.0])
    assert not difference.decided
    assert difference.verdict("ReLU", "CoLU") == "no difference between ReLU and CoLU is shown"


def test_the_verdict_knows_which_direction_is_better():
    lower = paired_difference([1.0, 1.1, 1.05], [2.0, 2.1, 2.06])
    assert lower.verdict("A", "B", higher_is_better=False) == "A is ahead of B"
    assert lower.verdict("A", "B") == "B is ahead of A"


@pytest.mark.parametrize(
    ("values", "words"), [([1.0], "at least 2"), ([], "at least 2"), ([1.0, float("nan")], "not finite")]
)
def test_values_that_give_no_interval_are_refused(values, words):
    with pytest.raises(ValueError, match=words):
        summarise(values)


def test_unequal_arms_are_refused():
    with pytest.raises(ValueError, match="3 values and second 2"):
        paired_difference([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match="level is 95"):
        summarise([1, 2], level=95)


def test_a_signed_format_signs_the_mean_only():
    assert f"{summarise([1.0, 2.0, 3.0]):+.1f}" == "+2.0 ± 2.5 (n = 3)"


def test_p_value_is_that_of_scipy():
    from scipy import stats

    a, b = [2.0, 3.1, 4.5, 3.3], [1.0, 2.9, 3.0, 3.5]
    assert paired_difference(a, b).p_value == pytest.approx(stats.ttest_rel(a, b).pvalue)
    assert paired_difference(a, b, level=0.8).p_value == pytest.approx(stats.ttest_rel(a, b).pvalue)
    assert paired_difference([1.0, 1.0], [1.0, 1.0]).p_value == 1.0
    assert paired_difference([2.0, 2.0], [1.0, 1.0]).p_value == 0.0


def test_holm_never_lies_below_the_raw_value_nor_above_bonferroni():
    import numpy as np

    from colu.lab.results import holm

    p = np.random.default_rng(0).uniform(0, 0.2, 12)
    corrected = np.array(holm(p))
    assert (corrected >= p).all() and (corrected <= np.minimum(1, 12 * p) + 1e-15).all()
    assert (np.diff(corrected[np.argsort(p)]) >= 0).all()
    assert holm([]) == [] and holm([0.5, 0.9]) == [1.0, 1.0]
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([1.2])
