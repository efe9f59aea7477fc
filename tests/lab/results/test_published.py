"""Statements in print against records: the rule, and that it can say every verdict."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from colu.lab.experiments import get_arm, get_experiment
from colu.lab.results import find_records, judge, load_published, one_setting
from colu.lab.results.published import _SAYS

BASE = replace(load_published()[0], says="higher")


NOISE = (0.0, 0.02, -0.01, 0.03, -0.02)


def runs(arm, values):
    return [
        SimpleNamespace(arm=arm, seed=s, metrics={BASE.metric: v}, device={"type": "cpu", "name": "c"})
        for s, v in enumerate(values)
    ]


def verdict(says, shift, n=5, spread=1.0):
    base = [1.0 + v for v in NOISE[:n]]
    arm = [b + shift + spread * v for b, v in zip(base, NOISE[::-1], strict=False)]
    return judge(replace(BASE, says=says), runs(BASE.arm, arm) + runs(BASE.baseline, base)).verdict


@pytest.mark.parametrize(
    ("says", "shift", "wanted"),
    [
        ("higher", 1.0, "reproduced"),
        ("higher", -1.0, "contradicted"),
        ("higher", 0.0, "not reproduced at this budget"),
        ("lower", -1.0, "reproduced"),
        ("lower", 1.0, "contradicted"),
        ("equal", 0.0, "reproduced"),
        ("equal", 1.0, "contradicted"),
        ("unstable", 1.0, "reproduced"),
        ("unstable", -1.0, "not reproduced at this budget"),
    ],
)
def test_the_verdict_follows_from_the_interval(says, shift, wanted):
    assert verdict(says, shift) == wanted


@pytest.mark.parametrize("says", ["higher", "lower", "equal"])
def test_four_pairs_decide_nothing(says):
    assert verdict(says, 1.0, n=4) == "too few runs"


def test_without_records_nothing_is_tested(tmp_path):
    assert BASE.records(tmp_path) == []
    assert judge(BASE, []).verdict == "not tested"


def test_pairs_are_of_equal_seeds():
    arm, base = runs(BASE.arm, [2.0] * 6), runs(BASE.baseline, [1.0] * 6)[1:]
    assert judge(BASE, arm + base).n == 5


def test_an_unknown_direction_is_refused():
    with pytest.raises(ValueError, match="says is 'sideways', choose"):
        replace(BASE, says="sideways")


def test_a_missing_field_is_refused(tmp_path):
    (tmp_path / "published.yml").write_text("one: {statement: It holds.}\n")
    with pytest.raises(ValueError, match=r"published.yml.*missing"):
        load_published(tmp_path / "published.yml")


def test_every_statement_names_an_experiment_and_arms_that_exist():
    for published in load_published():
        assert set(published.presets) <= set(get_experiment(published.experiment).presets)
        assert get_arm(published.arm) and get_arm(published.baseline)
        assert published.says in _SAYS
        keys = {(r.arm, r.seed) for r in published.records()}
        assert len(keys) == len(published.records()), f"{published.id}: two configurations are mixed, add `only`"


def test_sizes_are_a_list():
    with pytest.raises(ValueError, match=r"presets is 'laptop', wanted a list"):
        replace(BASE, presets="laptop")


def test_what_is_not_of_the_printed_task_says_so():
    other = [p.id for p in load_published() if p.other_task]
    assert other and all("instead" in p.setting for p in load_published() if p.other_task)


def test_two_metrics_of_the_same_runs_can_be_compared():
    (whole,) = [p for p in load_published() if p.id == "fusion-whole-group"]
    records = whole.records()
    wanted = [r.metrics["barrier_conic"] - r.metrics["barrier_permutation"] for r in records]
    found = judge(whole, records)
    assert found.n == len(records)
    assert found.difference.mean == pytest.approx(sum(wanted) / len(wanted))


def test_no_row_is_chosen_among_settings_of_equal_size():
    for published in load_published():
        arms = (published.arm, published.baseline)
        found = find_records(published.experiment, arms=arms, where=published.only)
        chosen = published.records()
        seen = {r.config["plan"]["steps"] * r.config["plan"]["batch_size"] for r in chosen}
        options = {json.dumps(r.config["options"], sort_keys=True) for r in chosen}
        rest = [
            r
            for r in found
            if r.preset in published.presets
            and r.config["plan"]["steps"] * r.config["plan"]["batch_size"] in seen
            and json.dumps(r.config["options"], sort_keys=True) not in options
        ]
        equal = one_setting(rest, arms)
        pairs = set.intersection(*({r.seed for r in equal if r.arm == arm} for arm in arms)) if equal else ()
        assert len(pairs) < 5, f"{published.id}: let its only: say which"
