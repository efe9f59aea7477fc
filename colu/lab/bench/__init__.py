"""What an activation costs, as ratios to ReLU that can be trusted: ``colu bench``.

All contenders of a case run in one process, in a new random order each round;
what is reported is the median over the rounds of (contender / ``F.relu`` in the same round), with its quartiles.
ReLU is there twice: if the second does not read 1.00 to 0.05, the case gets no verdict.
Every contender is compared with float64 before it is timed.
"""

from .figure import ratio_figure
from .measure import BenchError, Case, control_problem, interleave, ratio_quartiles
from .runner import bench, target
from .table import ratio_table, write_csv

__all__ = [
    "BenchError",
    "Case",
    "bench",
    "control_problem",
    "interleave",
    "ratio_figure",
    "ratio_quartiles",
    "ratio_table",
    "target",
    "write_csv",
]
