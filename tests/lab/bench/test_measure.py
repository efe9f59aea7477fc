"""Fair timing: its order, its ratios, and the control that judges it."""

import pytest

from colu.lab.bench import BenchError, Case, control_problem, interleave, ratio_quartiles


class Clock:
    """Time that only the timed functions move on."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def costs(self, seconds):
        def function():
            self.now += seconds

        return function


def test_control_is_judged_from_both_sides():
    assert control_problem(1.05 - 1e-9) is None and control_problem(0.95 + 1e-9) is None
    assert all(control_problem(v) for v in (0.94, 1.06, float("nan")))


def test_quartiles_are_of_ratios_within_a_round():
    # The machine slows by 10 in the middle; ratios of medians would not see that both do.
    times = {"relu": [1, 10, 1, 10], "colu": [2, 20, 2, 20]}
    assert ratio_quartiles(times)["colu"] == (2, 2, 2)


def test_order_is_random_and_repeats_with_the_seed():
    def orders(seed):
        seen = []
        functions = {name: lambda name=name: seen.append(name) for name in "abcd"}
        # The clock stands still, so the number of calls is the same for all.
        ticks = iter(range(10**9))
        interleave(functions, rounds=12, discard=0, least=0.5, seed=seed, clock=lambda: next(ticks))
        # Each function runs once untimed and once timed.
        rounds = seen[-96:]
        assert rounds[::2] == rounds[1::2]
        return [tuple(rounds[i : i + 8 : 2]) for i in range(0, 96, 8)]

    assert orders(0) == orders(0) != orders(1)
    assert len(set(orders(0))) > 3
    assert all(sorted(order) == list("abcd") for order in orders(0))


def test_fast_functions_are_called_more_often():
    clock = Clock()
    calls = {"fast": 0, "slow": 0}

    def function(name, seconds):
        def call():
            calls[name] += 1
            clock.now += seconds

        return call

    functions = {"fast": function("fast", 1e-5), "slow": function("slow", 1e-2)}
    times = interleave(functions, rounds=3, least=1e-3, clock=clock)
    assert calls["fast"] > 50 * calls["slow"] / 2
    assert times["fast"] == pytest.approx([1e-5] * 3)


@pytest.mark.parametrize("wrong", [lambda: Case((2, 6), 4, last=True), lambda: Case((2, 4), 4, "int8"),
                                   lambda: interleave({}, rounds=0)])  # fmt: skip
def test_bad_requests_are_refused(wrong):
    with pytest.raises(BenchError):
        wrong()
