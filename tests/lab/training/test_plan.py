"""Plans: the learning rate of every step, and values that cannot be."""

import pytest

from colu.lab.training import Plan, learning_rate


def test_learning_rate_rises_in_the_warm_up_then_falls_to_nothing():
    plan = Plan(steps=100, batch_size=1, learning_rate=2.0, schedule="cosine", warmup=10)
    rates = [learning_rate(plan, step) for step in range(100)]
    assert rates[9] == rates[10] == 2.0 and rates[0] == pytest.approx(0.2)
    assert all(a > b for a, b in zip(rates[10:], rates[11:], strict=False)) and rates[-1] < 1e-2
    steps = Plan(steps=100, batch_size=1, learning_rate=1.0, schedule="steps")
    assert [learning_rate(steps, t) for t in (0, 50, 75)] == pytest.approx([1, 0.1, 0.01])
    line = Plan(steps=12, batch_size=1, learning_rate=1.0, schedule="linear", warmup=2)
    assert [learning_rate(line, t) for t in (0, 2, 7, 11)] == pytest.approx([0.5, 1, 0.5, 0.1])


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"steps": 0}, "greater than or equal to 1"),
        ({"batch_size": 1.5}, "a valid integer"),
        ({"learning_rate": float("nan")}, "a finite number"),
        ({"learning_rate": 0}, "greater than 0"),
        ({"learning_rate": True}, "a valid number"),
        ({"optimiser": "lion"}, "'adam', 'adamw', 'muon' or 'sgd'"),
        ({"schedule": "warm"}, "'constant', 'cosine', 'linear' or 'steps'"),
        ({"clip_norm": 0}, "greater than 0"),
        ({"ema_decay": 1.0}, "less than 1"),
        ({"weight_decay": -1}, "greater than or equal to 0"),
        ({"warmup": -1}, "greater than or equal to 0"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(change, wanted):
    """Field, value and what was wanted are named."""
    ((field, value),) = change.items()
    with pytest.raises(ValueError, match=f"{field}\n  Input should be {wanted}.*input_value={value!r}"):
        Plan(**{"steps": 1, "batch_size": 1, "learning_rate": 1.0, **change})


def test_lists_of_json_are_tuples_and_no_field_is_made_up():
    assert Plan(steps=1, batch_size=1, learning_rate=1.0, betas=[0.8, 0.9], milestones=[]).betas == (0.8, 0.9)
    with pytest.raises(ValueError, match="speed"):
        Plan(steps=1, batch_size=1, learning_rate=1.0, speed=2)
