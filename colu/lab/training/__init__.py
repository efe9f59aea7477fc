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
from .task import Task
from .together import cross_entropy, squared_error, train_together

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "DEVICES",
    "DivergedError",
    "Fit",
    "ImageBatches",
    "MatrixMuon",
    "Plan",
    "Task",
    "TokenBatches",
    "check_device",
    "check_here",
    "cross_entropy",
    "fit",
    "generator_for",
    "latest_checkpoint",
    "learning_rate",
    "make_fabric",
    "make_optimiser",
    "save_checkpoint",
    "seed_for",
    "squared_error",
    "started_processes",
    "train_together",
]
