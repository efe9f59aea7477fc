"""Plans: the learning rate of every step, and values that cannot be."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import pytest
import torch
from torch import nn
from colu.lab import data
from colu.lab.models import MLP
from colu.lab.training import (
    DivergedError,
    ImageBatches,
    Plan,
    Task,
    fit,
    generator_for,
    latest_checkpoint,
    learning_rate,
    make_fabric,
    seed_for,
)
from colu.lab.training.checkpoint import Checkpoint, CheckpointError, save_checkpoint


def test_learning_rate_rises_in_the_warm_up_then_falls_to_nothing():
    plan = Plan(steps=100, batch_size=1, learning_rate=2.0, schedule="cosine", warmup=10)
    rates = [learning_rate(plan, step) for step in range(100)]
    assert rates[9] == rates[10] == 2.0 and rates[0] == pytest.approx(0.2)
    assert all(a > b for a, b in zip(rates[10:], rates[11:], strict=False)) and rates[-1] < 1e-2
    steps = Plan(steps=100, batch_size=1, learning_rate=1.0, schedule="steps")
    assert [learning_rate(steps, t) for t in (0, 50, 75)] == pytest.approx([1, 0.1, 0.01])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"batch_size": 1.5}, "batch_size is 1.5"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"optimiser": "lion"}, "'lion'"),
        ({"schedule": "linear"}, "'linear'"),
        ({"clip_norm": 0}, "clip_norm is 0"),
        ({"ema_decay": 1.0}, "ema_decay is 1.0"),
        ({"weight_decay": -1}, "weight_decay is -1"),
        ({"warmup": -1}, "warmup is -1"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Plan(**{"steps": 1, "batch_size": 1, "learning_rate": 1.0, **change})
