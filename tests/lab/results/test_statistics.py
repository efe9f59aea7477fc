"""Intervals: against SciPy's own, coverage, and the refusal to call a tie a win."""

import numpy as np
import pytest
from scipy import stats

from colu.lab.results import (
    equivalence_power,
    fisher_p_value,
    paired_difference,
    power,
    rate,
    summarise,
    welch_difference,
)


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
    assert difference.verdict("ReLU", "CoLU") == "ReLU and CoLU are not told apart"


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


def test_a_difference_that_is_not_paired_is_scipys_of_welch():
    rng = np.random.default_rng(2)
    a, b = rng.normal(1, 1, 7), rng.normal(0, 3, 12)
    found, wanted = welch_difference(a, b), stats.ttest_ind(a, b, equal_var=False)
    assert (found.low, found.high) == pytest.approx(wanted.confidence_interval(0.95))
    assert (found.p_value, found.freedom) == pytest.approx((wanted.pvalue, wanted.df)) and found.n == 7
    assert welch_difference([1.0, 1.0], [0.0, 0.0]).p_value == 0.0


@pytest.mark.parametrize("margin", [0.3, 1.0, 3.0])
def test_equality_is_two_one_sided_tests(margin):
    values = np.random.default_rng(3).normal(0.4, 1, 12)
    upper = stats.ttest_1samp(values, margin, alternative="less").pvalue
    lower = stats.ttest_1samp(values, -margin, alternative="greater").pvalue
    found = paired_difference(values, np.zeros(12)).equivalence_p_value(margin)
    assert found == pytest.approx(max(upper, lower))


@pytest.mark.parametrize("margin", [0, -1, float("nan"), float("inf")])
def test_a_margin_is_a_positive_number(margin):
    with pytest.raises(ValueError, match="wanted a positive number"):
        paired_difference([1.0, 2.0], [0.0, 0.0]).equivalence_p_value(margin)


@pytest.mark.parametrize(("count", "n"), [(0, 5), (3, 10), (10, 10), (1, 100)])
def test_a_rate_has_scipys_exact_interval(count, n):
    wanted = stats.binomtest(count, n).proportion_ci(method="exact")
    assert (rate(count, n).low, rate(count, n).high) == pytest.approx((wanted.low, wanted.high), abs=1e-12)


@pytest.mark.parametrize(("count", "n"), [(1, 0), (-1, 5), (6, 5)])
def test_what_is_no_rate_is_refused(count, n):
    with pytest.raises(ValueError, match=f"{count} of {n} is no rate"):
        rate(count, n)


def test_two_rates_are_compared_exactly():
    assert fisher_p_value(rate(3, 5), rate(0, 5)) == pytest.approx(stats.fisher_exact([[3, 2], [0, 5]]).pvalue)


@pytest.mark.parametrize(("effect", "n", "alpha"), [(0.0, 5, 0.05), (1.0, 8, 0.05), (1.5, 6, 0.01)])
def test_power_is_how_often_pairs_decide(effect, n, alpha):
    draws = np.random.default_rng(4).normal(effect, 1, (20_000, n))
    share = (stats.ttest_1samp(draws, 0, axis=1).pvalue <= alpha).mean()
    assert power(effect, 1.0, n, alpha=alpha) == pytest.approx(share, abs=0.012)


@pytest.mark.parametrize(("margin", "n"), [(1.0, 10), (1.0, 20), (2.0, 6), (0.1, 5)])
def test_power_to_find_equality_is_no_more_than_the_share(margin, n):
    draws = np.random.default_rng(5).normal(0, 1, (20_000, n))
    one, two = stats.ttest_1samp(draws, margin, axis=1), stats.ttest_1samp(draws, -margin, axis=1)
    upper = stats.t.cdf(one.statistic, n - 1)
    share = (np.maximum(upper, stats.t.sf(two.statistic, n - 1)) <= 0.05).mean()
    found = equivalence_power(margin, 1.0, n)
    assert found <= share + 0.012 and (found == 0 or found >= share - 0.03)
