"""The runner: verdicts that need a good control, and failures that are told; no test asks how long anything takes."""

import dataclasses

import pytest

from colu.functional import colu
from colu.lab.bench import BenchError, Case, contenders, runner

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


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: colu(x, dim=4) + 1e-3,
        lambda x: colu(x, dim=4, scaling="soft"),
        lambda x: colu(x, dim=4).detach() + 0 * x,
    ],
    ids=["value off by 1e-3", "another function", "no gradient"],
)
def test_a_wrong_contender_is_not_timed(monkeypatch, wrong):
    right = contenders.contenders(CASE)[0]
    planted = [dataclasses.replace(one, forward=wrong) if one.name == "reference" else one for one in right]
    monkeypatch.setattr(contenders, "contenders", lambda case, compiled: (planted, {}))
    monkeypatch.setattr(runner, "interleave", lambda *a, **k: pytest.fail("it was timed"))
    request = {"compiled": False, "threads": 1, "allocator": "warm", "rounds": 1, "least": 1e-5, "seed": 0}
    with pytest.raises(BenchError, match="reference: its (value|gradient) differs from float64"):
        runner._run_case(CASE, request)


def test_a_failing_process_is_reported():
    with pytest.raises(BenchError, match="no_such_network"):
        runner.bench([], networks=["no_such_network"])


def test_targets_of_the_gpu_are_those_of_the_fused_kernel_alone():
    from colu.lab.bench.runner import target

    case = {"device": "cuda", "threads": 1, "allocator": "default", "dtype": "bfloat16", "dim": 4, "place": "last"}
    case |= {"bytes": 1 << 29, "case": "one"}
    assert target(case | {"arm": "triton", "passes": "both"}) == 1.25
    assert target(case | {"arm": "reference", "passes": "both"}) is None


def test_an_unknown_allocator_is_refused():
    with pytest.raises(BenchError, match="'cold'"):
        runner.bench([], allocator="cold")
