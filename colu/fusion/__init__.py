"""Alignment of networks modulo the symmetry of their activation, and fusion of what is aligned.

State dicts in, new state dicts out; inputs are never changed, linear algebra is in float64.
"""

from colu.extras import require

require("fusion", __name__)

from colu.geometry import OrthogonalElement

from .align import METHODS
from .balance import Balance, balance
from .carry import carry, norm_kept
from .example import example_for
from .fold import Folding, norm_folding
from .fuse import REPAIRS, Fused, fuse
from .groups import Conic, Orthogonal, Permutation, Vectors
from .inner import Inner
from .invariance import assert_invariant_under, invariance_error
from .many import (
    FrankWolfe,
    Universe,
    cycle_error,
    frank_wolfe_merge,
    mean_state,
    sequential_merge,
    universe_match,
)
from .matching import Alignment, match_activations, match_weights, random_alignment
from .measure import (
    BARRIER,
    BarrierCurve,
    FusionMetrics,
    Metrics,
    barrier,
    compare,
    evaluate,
    evaluate_ensemble,
    lerp,
)
from .merge import MERGES, merged
from .part import FIXED, Part
from .partial import PartialNetwork, trunk_of
from .plan import DiffusePlanWarning, Plan, check_coupling, softness
from .repair import recalibrate_batch_norm, repair_statistics
from .solve import assign, polar
from .spec import Spec, apply, check_states
from .stored import StoredState, write_state
from .trace import from_sequential, trace_spec
from .transport import transport_plans
from .wreath import Wreath, WreathElement

__all__ = [
    "BARRIER",
    "FIXED",
    "MERGES",
    "METHODS",
    "REPAIRS",
    "Alignment",
    "Balance",
    "BarrierCurve",
    "Conic",
    "DiffusePlanWarning",
    "Folding",
    "FrankWolfe",
    "Fused",
    "FusionMetrics",
    "Inner",
    "Metrics",
    "Orthogonal",
    "OrthogonalElement",
    "Part",
    "PartialNetwork",
    "Permutation",
    "Plan",
    "Spec",
    "StoredState",
    "Universe",
    "Vectors",
    "Wreath",
    "WreathElement",
    "apply",
    "assert_invariant_under",
    "assign",
    "balance",
    "barrier",
    "carry",
    "check_coupling",
    "check_states",
    "compare",
    "cycle_error",
    "evaluate",
    "evaluate_ensemble",
    "example_for",
    "frank_wolfe_merge",
    "from_sequential",
    "fuse",
    "invariance_error",
    "lerp",
    "match_activations",
    "match_weights",
    "mean_state",
    "merged",
    "norm_folding",
    "norm_kept",
    "polar",
    "random_alignment",
    "recalibrate_batch_norm",
    "repair_statistics",
    "sequential_merge",
    "softness",
    "trace_spec",
    "trunk_of",
    "transport_plans",
    "universe_match",
    "write_state",
]
