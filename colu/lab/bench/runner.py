"""Run cases, each allocator mode in a process of its own, and make records of what was found."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from colu.programs import ProgramError, run_program

from .measure import BenchError, Case, control_problem, interleave, ratio_quartiles

__all__ = ["ALLOCATORS", "bench", "target"]

#: glibc gives back blocks from 32 MiB on, and fresh memory costs a page fault every 4 KB; ``warm`` keeps it.
ALLOCATORS = {
    "default": {},
    "warm": {
        "MALLOC_MMAP_MAX_": "0",
        "MALLOC_TRIM_THRESHOLD_": "100000000000",
        "MALLOC_TOP_PAD_": "1000000000",
    },
}
PASSES = ("forward", "both")


def target(record: dict) -> float | None:
    """The ratio to ReLU that the project set itself for a record; None where it set none.

    Examples
    --------
    >>> case = {"device": "cpu", "threads": 1, "allocator": "warm", "dtype": "float32", "dim": 4}
    >>> target(case | {"arm": "fused", "passes": "both", "bytes": 67108864, "place": "last"})
    1.5
    """
    both, arm = record["passes"] == "both", record["arm"]
    if record["device"] == "cuda" and arm == "triton":
        # 85 and 80 per cent of the bandwidth of ReLU, which is within a few per cent of a copy's.
        return 1 / 0.8 if both else 1 / 0.85
    if (record["device"], record["threads"], record["allocator"]) != ("cpu", 1, "warm"):
        return None
    if record["passes"] == "step":
        return 1.03 if arm == "colu" and not record["case"].startswith("tiny") else None
    if arm == "blocked" and both:
        return 8.0 if record["place"] == "last" else 4.0
    if arm != "fused":
        return None
    if record["dim"] == 3:
        return 2.0
    if record["bytes"] >= 50_000_000:
        return 1.5
    if record["dtype"] == "bfloat16" and record["place"] == "second":
        return 1.3 if both else 1.0
    return 1.7 if both else 2.0


def bench(
    cases: Iterable[Case],
    *,
    networks: Iterable[str] = (),
    device: str = "cpu",
    allocator: str = "warm",
    threads: int = 1,
    rounds: int = 25,
    compiled: bool = False,
    least: float = 1e-3,
    seed: int = 0,
) -> list[dict]:
    """Time and weigh the contenders on each case, in one new process.

    Parameters
    ----------
    cases : iterable of Case
    networks : iterable of str
        Networks of ``colu.lab.bench.steps`` of which a whole training step is timed too.
    device : {"cpu", "cuda"}
        Of the networks; each case has its own.
    allocator : {"warm", "default"}
    threads : int
    rounds : int
        Of each case.
    compiled : bool
        Whether ``torch.compile`` of the reference is a contender: it costs seconds a case before the timing.
    least : float
        Seconds that a measurement takes at least.
    seed : int
        Of data and order.

    Returns
    -------
    list of dict
        A record for each contender (under ``arm``) and pass (``forward``, ``both``, ``step``):
        the case, ``ratio`` to ReLU with quartiles ``low`` and ``high``, ``control``, ``verdict``,
        ``seconds``, and ``saved`` and ``peak`` in units of the input.
        Without a good control ``ratio`` and the quartiles are None, and ``verdict`` says so.

    Raises
    ------
    BenchError
        For a contender that computes something else, an unknown allocator, a number out of range, or a process that
        fails.
    """
    if allocator not in ALLOCATORS:
        raise BenchError(f"allocator is {allocator!r}, choose one of {', '.join(ALLOCATORS)}")
    if rounds < 1:
        raise BenchError(f"rounds is {rounds}, wanted at least 1")
    if not 0 < least < float("inf"):
        raise BenchError(f"least is {least}, wanted seconds, more than 0")
    options = {"threads": threads, "rounds": rounds, "compiled": compiled, "least": least, "seed": seed}
    request = options | {"cases": [case.as_dict() for case in cases], "networks": list(networks), "device": device}
    request["allocator"] = allocator
    environment = os.environ | ALLOCATORS[allocator] | {"OMP_NUM_THREADS": str(threads), "KINETO_LOG_LEVEL": "99"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "answer.json")
        command = [sys.executable, "-m", "colu.lab.bench.runner", str(answer)]
        try:
            done = run_program(command, given=json.dumps(request), env=environment)
        except ProgramError as error:
            raise BenchError(f"the benchmark's process: {error}") from None
        if not answer.exists():
            lines = done.err.strip().splitlines() or ["no message"]
            raise BenchError(f"the benchmark's process ended with {done.status}: {lines[-1]}")
        found = json.loads(answer.read_text(encoding="utf8"))
    if "problem" in found:
        raise BenchError(found["problem"])
    return found["records"]


def _clock(threads: int, device: str):
    if device == "cuda":
        import torch

        def synchronised() -> float:
            torch.cuda.synchronize()
            return time.perf_counter()

        return synchronised
    # With one thread the processor time of the process leaves out what other processes take.
    return time.process_time if threads == 1 else time.perf_counter


def _timed(functions: dict, request: dict, device: str, base: dict) -> list[dict]:
    """Records of one table: times, ratios, the control and what it allows to be said."""
    clock = _clock(request["threads"], device)
    keep = {name: request[name] for name in ("rounds", "least", "seed")}
    times = interleave(functions, clock=clock, **keep)
    ratios = ratio_quartiles(times)
    control = ratios["control"][0]
    problem = control_problem(control)
    records = []
    for name in functions:
        middle, low, high = (None, None, None) if problem else ratios[name]
        record = base | {"arm": name, "ratio": middle, "low": low, "high": high, "control": control}
        record["seconds"] = sorted(times[name])[len(times[name]) // 2]
        wanted = record["target"] = target(record)
        record["verdict"] = problem or ("" if wanted is None else "met" if middle <= wanted else "missed")
        records.append(record)
    return records


def _run_case(case: Case, request: dict) -> list[dict]:
    from colu.testing import saved_bytes

    from .contenders import check, contenders, tensors, value_and_gradient
    from .memory import peak_bytes

    found, left_out = contenders(case, compiled=request["compiled"])
    x, g = tensors(case, request["seed"])
    for one in found:
        check(one, x, g, case.dtype)
    data = {one.name: (one, one.data(x.detach()), one.data(x), one.data(g)) for one in found}
    base = {
        "case": str(case),
        "shape": "x".join(map(str, case.shape)),
        "place": "last" if case.last else "second",
        "dim": case.dim,
        "dtype": case.dtype,
        "device": case.device,
        "bytes": case.bytes,
        "threads": request["threads"],
        "allocator": request["allocator"],
        "left_out": "; ".join(f"{name}: {reason}" for name, reason in left_out.items()),
    }
    memory = {}
    for name, (one, _, inner, _) in data.items():
        if not name.startswith("jax"):  # its memory is not torch's
            both = peak_bytes(lambda one=one: value_and_gradient(one, x, g) and None, case.device)
            memory[name] = {"saved": saved_bytes(one.forward, inner) / case.bytes, "peak": both / case.bytes}
    forward = {name: lambda one=one, v=v: one.forward(v) for name, (one, v, _, _) in data.items()}
    both = {name: lambda one=one, v=v, h=h: value_and_gradient(one, v, h) for name, (one, _, v, h) in data.items()}
    records = []
    for passes, functions in zip(PASSES, (forward, both), strict=True):
        records += _timed(functions, request, case.device, base | {"passes": passes})
    return [record | memory.get(record["arm"], {"saved": None, "peak": None}) for record in records]


def _run_network(name: str, request: dict) -> list[dict]:
    from .steps import ACTIVATIONS, NETWORKS, training_step

    device = request["device"]
    base = {
        "case": f"{name} training step", "shape": "x".join(map(str, NETWORKS[name][0])), "place": "second", "dim": 4,
        "dtype": "bfloat16" if device == "cuda" else "float32", "device": device, "bytes": 0,
        "threads": request["threads"], "allocator": request["allocator"], "left_out": "", "passes": "step",
        "saved": None, "peak": None,
    }  # fmt: skip
    return _timed({act: training_step(name, act, device) for act in ACTIVATIONS}, request, device, base)


def _main() -> None:
    request = json.load(sys.stdin)
    import torch

    torch.set_num_threads(request["threads"])
    try:
        records = [r for case in request["cases"] for r in _run_case(Case(**case), request)]
        records += [r for name in request["networks"] for r in _run_network(name, request)]
        answer = {"records": records}
    except BenchError as error:
        answer = {"problem": str(error)}
    Path(sys.argv[1]).write_text(json.dumps(answer), encoding="utf8")


if __name__ == "__main__":
    _main()
