"""Cases, fair timing, and the control that decides whether a timing means anything."""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

__all__ = ["BenchError", "Case", "control_problem", "interleave", "ratio_quartiles"]

DTYPES = ("float32", "bfloat16", "float16", "float64")
#: How far from 1 the control may read.
CONTROL = 0.05


class BenchError(ValueError):
    """A benchmark that cannot be run or must not be reported."""


@dataclass(frozen=True)
class Case:
    """One input of a benchmark.

    Attributes
    ----------
    shape : tuple of int
        Of the input; the channels are dimension 1, or the last one where ``last`` is set.
    dim : int
        Entries of a cone; it divides the channels.
    dtype : str
    last : bool
        Whether channels are the innermost dimension.
    device : str

    Examples
    --------
    >>> case = Case((1024, 256), 4, last=True)
    >>> case.channels, case.bytes, str(case)
    (256, 1048576, '1024x256 last S=4 float32')
    """

    shape: tuple[int, ...]
    dim: int
    dtype: str = "float32"
    last: bool = False
    device: str = "cpu"

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(self.shape))
        if self.dtype not in DTYPES:
            raise BenchError(f"dtype is {self.dtype!r}, choose one of {', '.join(DTYPES)}")
        if self.dim < 2 or self.channels % self.dim:
            raise BenchError(f"cones of {self.dim} do not divide {self.channels} channels; choose a divisor")

    def __str__(self) -> str:
        place = "last" if self.last else "second"
        return f"{'x'.join(map(str, self.shape))} {place} S={self.dim} {self.dtype}"

    @property
    def channel_dim(self) -> int:
        return len(self.shape) - 1 if self.last else 1

    @property
    def channels(self) -> int:
        return self.shape[self.channel_dim]

    @property
    def bytes(self) -> int:
        size = {"float64": 8, "float32": 4}.get(self.dtype, 2)
        for length in self.shape:
            size *= length
        return size

    def as_dict(self) -> dict:
        return asdict(self)


def interleave(
    functions: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 25,
    discard: int = 2,
    least: float = 1e-3,
    seed: int = 0,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds a call of each function, round by round, in a new random order each round.

    Parameters
    ----------
    functions : mapping of str to callable
    rounds, discard : int
        Rounds that are kept, and rounds before them that are not.
    least : float
        Seconds that a measurement takes at least; a fast function is called more often.
    seed : int
        Of the order.
    clock : callable

    Returns
    -------
    dict of str to list of float

    Examples
    --------
    >>> times = interleave({"a": lambda: None, "b": lambda: sum(range(9))}, rounds=3, least=1e-5)
    >>> sorted(times), {len(t) for t in times.values()}
    (['a', 'b'], {3})
    """
    if rounds < 1:
        raise BenchError(f"rounds is {rounds}, wanted at least 1")
    counts = {name: _calls(function, least, clock) for name, function in functions.items()}
    order = random.Random(seed)
    times: dict[str, list[float]] = {name: [] for name in functions}
    collecting = gc.isenabled()
    gc.disable()
    try:
        for index in range(discard + rounds):
            for name in order.sample(sorted(functions), len(functions)):
                # Not timed: the caches and the heap are then as this function leaves them, not as the last one did.
                functions[name]()
                seconds = _time(functions[name], counts[name], clock)
                if index >= discard:
                    times[name].append(seconds)
    finally:
        if collecting:
            gc.enable()
    return times


def _time(function, count: int, clock) -> float:
    start = clock()
    for _ in range(count):
        function()
    return (clock() - start) / count


def _calls(function, least: float, clock) -> int:
    function()
    count = 1
    while count < 1 << 20 and _time(function, count, clock) * count < least:
        count *= 2
    return count


def ratio_quartiles(times: Mapping[str, list[float]], baseline: str = "relu") -> dict[str, tuple[float, float, float]]:
    """Median and quartiles of the ratios to ``baseline`` in the same round.

    Examples
    --------
    >>> ratio_quartiles({"relu": [1.0, 2.0, 1.0], "colu": [1.5, 2.0, 2.0]})["colu"]
    (1.5, 1.25, 1.75)
    """
    found = {}
    for name, series in times.items():
        ratios = [mine / other for mine, other in zip(series, times[baseline], strict=True)]
        low, middle, high = (
            statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else 3 * [ratios[0]]
        )
        found[name] = (middle, low, high)
    return found


def control_problem(ratio: float) -> str | None:
    """Why the case gets no verdict: the control, ReLU once more, is not ReLU's time; None if it is.

    Examples
    --------
    >>> control_problem(1.02)
    >>> control_problem(1.2)
    'no verdict: ReLU against itself read 1.200, wanted 1.00 to 0.05'
    """
    # Written so that NaN fails.
    if abs(ratio - 1) <= CONTROL:
        return None
    return f"no verdict: ReLU against itself read {ratio:.3f}, wanted 1.00 to {CONTROL:.2f}"
