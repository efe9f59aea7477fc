"""One training loop: any device, exact resume, curves that repeat.

Everything random is a function of the seed and the step,
so a run that was killed goes on bit by bit as if it had not been.
"""

from .batches import ImageBatches, TokenBatches, generator_for, seed_for
from .checkpoint import Checkpoint, CheckpointError, latest_checkpoint, save_checkpoint
from .here import DEVICES, check_device, check_here, started_processes
from .loop import DivergedError, Fit, fit, make_fabric
from .optimisers import MatrixMuon, make_optimiser
from .plan import Plan, learning_rate
from .stacked import Stack
from .task import Task

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "DEVICES",
    "DivergedError",
    "Fit",
    "ImageBatches",
    "MatrixMuon",
    "Plan",
    "Stack",
    "Task",
    "TokenBatches",
    "check_device",
    "check_here",
    "fit",
    "generator_for",
    "latest_checkpoint",
    "learning_rate",
    "make_fabric",
    "make_optimiser",
    "save_checkpoint",
    "seed_for",
    "started_processes",
]
