"""Checkpoints: a write that fails harms none, and what was altered is not gone on from."""

import json

import pytest
import torch

from colu.lab.training import latest_checkpoint
from colu.lab.training.checkpoint import Checkpoint, save_checkpoint


@pytest.mark.parametrize(
    "harm",
    [
        *(lambda seal, step=step: seal.update(step=step) for step in (4, 1, -5, "x", None)),
        lambda seal: seal["facts"].update(curve=[]),
        lambda seal: seal["facts"].pop("run"),
        lambda seal: seal["facts"].update(seconds=0.0),
        lambda seal: seal.pop("facts"),
        lambda seal: seal.pop("seal"),
    ],
)
def test_an_altered_checkpoint_is_named_and_the_one_before_is_used(tmp_path, harm):
    facts = {"curve": [{"step": 1, "loss": 0.5}], "seconds": 1.0, "run": "a"}
    save_checkpoint(tmp_path, Checkpoint(1, {"a": torch.ones(2)}, facts))
    path = save_checkpoint(tmp_path, Checkpoint(2, {"a": torch.zeros(2)}, facts))
    seal = json.loads(path.read_text())
    harm(seal)
    path.write_text(json.dumps(seal))
    said = []
    found = latest_checkpoint(tmp_path, said.append)
    assert (found.step, found.facts) == (1, facts) and path.name in said[0] and len(said) == 1


def test_a_checkpoint_under_another_step_is_refused(tmp_path):
    path = save_checkpoint(tmp_path, Checkpoint(1, {"a": torch.ones(2)}, {}))
    for file in (path, path.with_suffix(".safetensors")):
        file.rename(file.with_name(file.name.replace("1", "9")))
    said = []
    assert latest_checkpoint(tmp_path, said.append) is None and "holds step 1" in said[0]


def test_a_list_is_no_seal(tmp_path):
    path = save_checkpoint(tmp_path, Checkpoint(1, {"a": torch.ones(2)}, {}))
    path.write_text("[]")
    assert latest_checkpoint(tmp_path, lambda _: None) is None
