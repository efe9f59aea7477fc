"""Checkpoints: a write that fails harms none."""

import os

import pytest
import torch

from colu.lab.training import latest_checkpoint
from colu.lab.training.checkpoint import Checkpoint, save_checkpoint


def test_a_write_that_fails_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, Checkpoint(1, {"a": torch.ones(2)}, {}))

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(tmp_path, Checkpoint(2, {"a": torch.zeros(2)}, {}))
    assert len(list(tmp_path.iterdir())) == 2
    assert latest_checkpoint(tmp_path).step == 1
