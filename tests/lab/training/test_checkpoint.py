"""Checkpoints: a write that fails harms none."""

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


def test_a_write_that_fails_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, Checkpoint(1, {"a": torch.ones(2)}, {}))

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(tmp_path, Checkpoint(2, {"a": torch.zeros(2)}, {}))
    assert len(list(tmp_path.iterdir())) == 2
    assert latest_checkpoint(tmp_path).step == 1
