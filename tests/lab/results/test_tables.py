"""Tables: which recorded setting they take, and no more said than the records do."""

from types import SimpleNamespace

import pytest

from colu.lab.results import arm_table, metric_of, one_setting, setting_text


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


def record(arm="relu", seed=0, accuracy=90.0, learning_rate=1e-3, metrics=None):
    config = {"arm": arm, "seed": seed, "plan": {"learning_rate": learning_rate}}
    metrics = metrics or {"accuracy": accuracy}
    return SimpleNamespace(arm=arm, seed=seed, config=config, metrics=metrics, stem=f"{arm}-{seed}")


def toy(values, **rest):
    return [record(arm, seed, accuracy, **rest) for arm, row in values.items() for seed, accuracy in enumerate(row)]


def test_a_table_pairs_arms_on_their_seeds():
    # Means are far apart in no arm, but every pair differs by one point, nearly.
    table = arm_table(toy({"relu": [80, 90, 70, 75, 85], "colu": [81, 91.1, 70.9, 76, 86]}), "accuracy")
    assert table.arms["relu"].mean == pytest.approx(80)
    assert table.against["colu"].mean == pytest.approx(1)
    assert table.verdict("colu") == "colu is ahead of relu"
    assert "ahead" in table.markdown() and "paired on the seed" in table.markdown()


def test_a_table_refuses_to_say_better_when_the_interval_contains_zero():
    table = arm_table(toy({"relu": [80, 90, 70, 80, 80], "colu": [95, 60, 86, 79, 82]}), "accuracy")
    assert "not told apart" in table.verdict("colu")
    assert "ahead" not in table.markdown() and "not told apart" in table.markdown()


def test_lower_is_better_where_it_is():
    losses = {"relu": [0.5, 0.6, 0.5, 0.6, 0.5], "colu": [0.3, 0.401, 0.3, 0.4, 0.3]}
    table = arm_table(toy(losses), "accuracy", higher_is_better=False, level=0.9)
    assert table.verdict("colu") == "colu is ahead of relu"
    assert "ahead" in table.markdown(3)


@pytest.mark.parametrize("pairs", [2, 4, 5])
def test_fewer_than_five_pairs_decide_nothing(pairs):
    values = [80, 90, 70, 75, 85][:pairs]
    table = arm_table(toy({"relu": values, "colu": [value + 1 + value / 1000 for value in values]}), "accuracy")
    assert table.against["colu"].decided
    assert ("too few" in table.verdict("colu")) == ("ahead" not in table.markdown()) == (pairs < 5)


def test_seeds_that_one_arm_lacks_are_left_out_of_the_pairs():
    records = toy({"relu": [80, 90, 70], "colu": [81, 91.1]})
    assert arm_table(records, "accuracy").against["colu"].n == 2


def test_values_and_pairs_are_those_of_the_summaries_by_seed():
    records = [record("colu", seed, value) for seed, value in ((3, 7.0), (1, 5.0), (0, 1.0))]
    records += [record("relu", seed, value) for seed, value in ((0, 2.0), (2, 9.0), (3, 4.0))]
    table = arm_table(records, "accuracy")
    assert table.values == {"colu": [1.0, 5.0, 7.0], "relu": [2.0, 9.0, 4.0]}
    assert table.pairs == {"colu": [-1.0, 3.0]}
    assert table.against["colu"].mean == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("records", "message"),
    [
        (lambda: [], "no records"),
        (lambda: toy({"colu": [1, 2]}), "baseline"),
        (lambda: toy({"relu": [1, 2]}) + [record("relu", 2, learning_rate=1.0)], "2 different settings"),
        (lambda: toy({"relu": [1, 2]}) + [record("relu", 0)], "two records of seed 0"),
        (lambda: toy({"relu": [1, 2], "colu": [1]}), "at least 2"),
        (lambda: toy({"relu": [1, 2]}, metrics={"loss": 1.0}), "no metric 'accuracy'"),
    ],
)
def test_records_that_do_not_make_a_table_are_refused(records, message):
    with pytest.raises(ValueError, match=message):
        arm_table(records(), "accuracy")
