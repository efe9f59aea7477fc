"""The benchmark's structure and its refusals; no test here asks how long anything takes."""

import csv
import dataclasses

import pytest
import torch
import torch.nn.functional as F
from typer.testing import CliRunner

from colu.commands.bench import grid
from colu.functional import colu
from colu.lab.bench import (
    BenchError,
    Case,
    arms,
    control_problem,
    interleave,
    memory,
    ratio_figure,
    runner,
    spread,
    table,
)

CASE = Case((4, 16), 4, last=True)


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


def _records(monkeypatch, costs):
    clock = Clock()
    monkeypatch.setattr(runner, "_clock", lambda threads, device: clock)
    request = {"threads": 1, "rounds": 5, "least": 1e-3, "seed": 0}
    base = {"device": "cpu", "threads": 1, "allocator": "warm", "dtype": "float32", "dim": 4, "bytes": 10**8}
    base |= {"place": "last", "passes": "both", "case": "x", "saved": None, "peak": None}
    return {r["arm"]: r for r in runner._timed({k: clock.costs(v) for k, v in costs.items()}, request, "cpu", base)}


def test_ratios_are_those_of_the_clock(monkeypatch):
    records = _records(monkeypatch, {"relu": 1e-4, "control": 1.02e-4, "fused": 1.4e-4, "silu": 3e-4})
    assert records["silu"]["ratio"] == pytest.approx(3)
    assert records["fused"]["seconds"] == pytest.approx(1.4e-4)
    assert (records["fused"]["target"], records["fused"]["verdict"]) == (1.5, "met")
    assert records["silu"]["verdict"] == ""


def test_missed_target_is_called_so(monkeypatch):
    assert _records(monkeypatch, {"relu": 1e-4, "control": 1e-4, "fused": 1.6e-4})["fused"]["verdict"] == "missed"


@pytest.mark.parametrize("control", [0.9, 1.06, 2.0])
def test_a_bad_control_takes_every_verdict(monkeypatch, control):
    records = _records(monkeypatch, {"relu": 1e-4, "control": control * 1e-4, "fused": 1.2e-4})
    for record in records.values():
        assert record["ratio"] is record["low"] is record["high"] is None
        assert record["verdict"].startswith("no verdict")
    assert "no verdict" in table._cell(records["fused"])
    assert ratio_figure(records.values()).axes[0].texts, "a figure without a good control says so"


def test_control_is_judged_from_both_sides():
    assert control_problem(1.05 - 1e-9) is None and control_problem(0.95 + 1e-9) is None
    assert all(control_problem(v) for v in (0.94, 1.06, float("nan")))


def test_spread_is_of_ratios_within_a_round():
    # The machine slows by 10 in the middle; ratios of medians would not see that both do.
    times = {"relu": [1, 10, 1, 10], "colu": [2, 20, 2, 20]}
    assert spread(times)["colu"] == (2, 2, 2)


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


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: colu(x, dim=4) + 1e-3,
        lambda x: colu(x, dim=4, scaling="soft"),
        lambda x: colu(x, dim=4).detach() + 0 * x,
    ],
    ids=["value off by 1e-3", "another function", "no gradient"],
)
def test_a_wrong_arm_is_not_timed(monkeypatch, wrong):
    right = arms.arms(CASE)[0]
    planted = [dataclasses.replace(arm, forward=wrong) if arm.name == "reference" else arm for arm in right]
    monkeypatch.setattr(arms, "arms", lambda case, compiled: (planted, {}))
    monkeypatch.setattr(runner, "interleave", lambda *a, **k: pytest.fail("it was timed"))
    request = {"compiled": False, "threads": 1, "allocator": "warm", "rounds": 1, "least": 1e-5, "seed": 0}
    with pytest.raises(BenchError, match="reference: its (value|gradient) differs from float64"):
        runner._run_case(CASE, request)


@pytest.mark.parametrize("case", [CASE, Case((2, 12, 3, 3), 3), Case((4, 16), 16, "bfloat16", last=True)], ids=str)
def test_every_arm_is_correct_before_it_is_timed(case):
    found, left_out = arms.arms(case)
    x, g = arms.tensors(case)
    for arm in found:
        arms.check(arm, x, g, case.dtype)
    assert [arm.name for arm in found[:4]] == ["relu", "control", "silu", "gelu"]
    assert {"reference", "blocked"} <= {arm.name for arm in found}
    assert left_out["compiled"] == "not asked for" and "CUDA" in left_out["triton"]


def test_memory_counts_what_is_saved_and_held():
    x = torch.randn(64, 16, requires_grad=True)
    assert memory.saved_bytes(F.relu, x) == x.nbytes
    assert memory.saved_bytes(lambda v: (v * v).sqrt().exp(), x) == 3 * x.nbytes
    assert memory.saved_bytes(lambda v: v + 1, x) == 0
    assert memory.peak_bytes(lambda: (torch.empty(1000), None)[1]) == 4000


def test_blocked_and_fused_save_the_input_only():
    x = torch.randn(64, 16, requires_grad=True)
    for arm in arms.arms(CASE)[0]:
        if arm.name in ("fused", "blocked"):
            assert memory.saved_bytes(arm.forward, x) == x.nbytes


def test_grid_is_that_of_the_issue():
    cases = grid("full")
    assert {case.dtype for case in cases} == {"float32", "bfloat16"}
    assert {case.last for case in cases} == {True, False}
    assert {2, 3, 4, 8, 16} <= {case.dim for case in cases}
    assert any(case.dim == case.channels for case in cases)
    assert all(case.bytes >= 400_000_000 for case in grid("quick", "cuda"))


@pytest.mark.parametrize("wrong", [lambda: Case((2, 6), 4, last=True), lambda: Case((2, 4), 4, "int8"),
                                   lambda: grid("huge"), lambda: interleave({}, rounds=0),
                                   lambda: runner.bench([], allocator="cold")])  # fmt: skip
def test_bad_requests_are_refused(wrong):
    with pytest.raises(BenchError):
        wrong()


def test_a_failing_process_is_reported():
    with pytest.raises(BenchError, match="no_such_network"):
        runner.bench([], networks=["no_such_network"])


def test_command_writes_a_table_a_file_and_a_figure(tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    from colu.cli import app

    options = ["--tiny", "--rounds", "2", "--least", "1e-5", "--out", str(tmp_path)]
    done = CliRunner().invoke(app, ["bench", *options])
    assert done.exit_code == 0, done.output
    (path,) = tmp_path.glob("*.csv")
    assert path.name.startswith("bench-cpu-") and torch.__version__ in path.name and "float32" in path.name
    assert path.with_suffix(".svg").exists()
    with path.open(encoding="utf8") as file:
        rows = list(csv.DictReader(file))
    assert {row["allocator"] for row in rows} == {"warm", "default"}
    assert {row["passes"] for row in rows} == {"forward", "both", "step"}
    assert {"relu", "control", "silu", "gelu", "blocked", "reference"} <= {row["arm"] for row in rows}
    for row in rows:
        # Whatever the machine did, a ratio stands there exactly if the control was good.
        assert bool(row["ratio"]) == (control_problem(float(row["control"])) is None)
        assert float(row["seconds"]) > 0
    assert "reference" in done.output and "written:" in done.output


def test_command_measures_one_allocator_where_asked_and_refuses_unknown_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    from colu.cli import app

    options = ["--tiny", "--rounds", "2", "--least", "1e-5", "--out", str(tmp_path)]
    done = CliRunner().invoke(app, ["bench", *options, "--allocator", "warm"])
    assert done.exit_code == 0, done.output
    with next(tmp_path.glob("*.csv")).open(encoding="utf8") as file:
        assert {row["allocator"] for row in csv.DictReader(file)} == {"warm"}
    done = CliRunner().invoke(app, ["bench", *options, "--allocator", "jemalloc"])
    assert done.exit_code == 2 and "'jemalloc'" in done.output and "default" in done.output


@pytest.mark.parametrize("network", ["mlp", "resnet", "resnet56", "unet"])
def test_networks_of_the_steps_give_logits_for_their_classes(network):
    from colu.lab.bench.models import ACTIVATIONS, NETWORKS

    shape, classes, make = NETWORKS[network]
    torch.manual_seed(0)
    found = {act: make(ACTIVATIONS[act])(torch.zeros(2, *shape[1:])) for act in ("relu", "colu")}
    assert all(logits.shape == (2, classes) for logits in found.values())


def test_targets_of_the_gpu_are_those_of_the_fused_kernel_alone():
    from colu.lab.bench.runner import target

    case = {"device": "cuda", "threads": 1, "allocator": "default", "dtype": "bfloat16", "dim": 4, "place": "last"}
    case |= {"bytes": 1 << 29, "case": "one"}
    assert target(case | {"arm": "triton", "passes": "both"}) == 1.25
    assert target(case | {"arm": "reference", "passes": "both"}) is None
