"""Which of several recorded settings a comparison takes, and metrics on the way."""

import json
from types import SimpleNamespace

import pytest

from colu.lab.results import arm_table, find_records, judge, load_published, metric_of, one_setting, setting_text


def run(arm, seed, steps=100, **changes):
    plan = {"steps": steps, "batch_size": 10}
    config = {"arm": arm, "seed": seed, "plan": plan, "options": {"hidden": [4, 4], "flip": True, **changes}}
    curve = [{"step": s, "loss": float(s)} for s in (steps // 4, steps)]
    return SimpleNamespace(
        arm=arm, seed=seed, config=config, config_hash=f"{arm}{seed}{steps}", metrics={"loss": -1.0}, curve=curve
    )


def grid(arms, seeds, **settings):
    return [run(arm, seed, **settings) for arm in arms for seed in seeds]


def steps(records):
    return {r.config["plan"]["steps"] for r in records}


def test_the_largest_setting_with_enough_seeds_is_taken():
    few, some, many = (grid("ab", range(n), steps=s) for n, s in ((3, 900), (5, 200), (8, 100)))
    assert steps(one_setting(many + few + some, ["a", "b"])) == {200}


def test_without_enough_seeds_the_most_seeds_win():
    assert steps(one_setting(grid("ab", range(2), steps=900) + grid("ab", range(4)), ["a", "b"])) == {100}


def test_seeds_count_only_where_all_arms_have_them():
    lonely = grid("a", range(9), steps=900) + grid("b", [20], steps=900)
    assert steps(one_setting(lonely + grid("ab", range(2)), "ab")) == {100}
    assert one_setting(lonely, "ab") == one_setting([], "ab") == []


def test_all_arms_of_the_setting_are_returned():
    assert {r.arm for r in one_setting(grid("abc", range(5)), "ab")} == {"a", "b", "c"}


def test_the_choice_does_not_look_at_metrics():
    records = grid("ab", range(5), steps=900) + grid("ab", range(5))
    chosen = one_setting(records, "ab")
    for record in chosen:
        record.metrics = {"loss": 1e9}
    assert one_setting(records, "ab") == chosen


def test_a_metric_on_the_way_is_read_and_not_interpolated():
    record = run("a", 0)
    assert [metric_of(record, m) for m in ("loss", "loss@0.25", "loss@1", "loss@0.5", "other")] == [
        -1.0,
        25.0,
        100.0,
        None,
        None,
    ]
    with pytest.raises(ValueError, match="wanted a share"):
        metric_of(record, "loss@2")


def test_a_setting_is_said_in_words():
    assert setting_text(run("a", 0, steps=1200)) == "1,200 updates of 10, hidden 4-4"


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


def on(device, records):
    for record in records:
        record.config["device"] = device
    return records


def test_pairs_of_two_devices_count_together_and_no_pair_is_mixed():
    records = on("cuda", grid("ab", range(5)) + grid("a", [9])) + on("cpu", grid("ab", range(3, 8)))
    chosen = one_setting(records, "ab")
    assert {(r.arm, r.seed) for r in chosen} == {(arm, seed) for arm in "ab" for seed in range(8)}
    devices = {seed: {r.config["device"] for r in chosen if r.seed == seed} for seed in range(8)}
    assert all(len(found) == 1 for found in devices.values())
    # Equal numbers of pairs: the first by name.
    assert {seed for seed, found in devices.items() if found == {"cpu"}} == set(range(3, 8))


def test_a_seed_without_a_pair_on_one_device_is_no_pair():
    records = on("cuda", grid("a", range(5))) + on("cpu", grid("b", range(5)))
    assert one_setting(records, "ab") == []


def test_a_run_without_a_pair_hides_no_pair_of_another_device():
    records = on("cpu", grid("ab", range(5, 10)) + grid("b", [0, 1])) + on("cuda", grid("ab", range(5)))
    chosen = one_setting(records, "ab")
    assert {(r.arm, r.seed) for r in chosen} == {(arm, seed) for arm in "ab" for seed in range(10)}
    assert {r.config["device"] for r in chosen if r.seed < 5} == {"cuda"}


def test_a_table_refuses_a_seed_of_two_devices():
    records = on("cuda", grid("a", range(5))) + on("cpu", grid("b", range(5)))
    with pytest.raises(ValueError, match="seed 0 was run on"):
        arm_table(records, "loss", baseline="a")
    both = on("cuda", grid("ab", range(3))) + on("cpu", grid("ab", range(3, 6)))
    table = arm_table(both, "loss", baseline="a")
    assert table.against["b"].n == 6 and "device" in table.varies
