"""Checkpoints: safetensors beside a JSON that seals them; nothing is unpickled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from colu.files import digest_of, write_atomically

__all__ = ["Checkpoint", "CheckpointError", "latest_checkpoint", "save_checkpoint"]

#: Checkpoints kept: the newest, and the one before should the newest be damaged.
KEPT = 2


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be trusted, or that belongs to another run."""


@dataclass(frozen=True)
class Checkpoint:
    """What a run needs to go on.

    Attributes
    ----------
    step : int
        Updates done.
    tensors : dict of str to torch.Tensor
    facts : dict
        JSON: curve, seconds, the run's hash.
    """

    step: int
    tensors: dict[str, Tensor]
    facts: dict


def _stem(step: int) -> str:
    return f"checkpoint-{step:08d}"


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write ``checkpoint-<step>.safetensors``, then its seal ``checkpoint-<step>.json``; keep the newest two.

    The JSON is written last and holds the checksums of the tensors and of itself: without it a checkpoint does not
    count.
    """
    from safetensors.torch import save

    folder = Path(folder)
    stem = _stem(checkpoint.step)
    data = save({name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.tensors.items()})
    seal = {"step": checkpoint.step, "sha256": hashlib.sha256(data).hexdigest(), "facts": checkpoint.facts}
    seal["seal"] = digest_of(seal)
    write_atomically(folder / f"{stem}.safetensors", data)
    write_atomically(folder / f"{stem}.json", json.dumps(seal).encode())
    for old in sorted(folder.glob("checkpoint-*.json"))[:-KEPT]:
        old.unlink()
        old.with_suffix(".safetensors").unlink(missing_ok=True)
    return folder / f"{stem}.json"


def _read(seal_path: Path) -> Checkpoint:
    from safetensors import SafetensorError
    from safetensors.torch import load

    tensors_path = seal_path.with_suffix(".safetensors")
    try:
        seal = json.loads(seal_path.read_text(encoding="utf8"))
        told = seal.pop("seal")
        if told != digest_of(seal):
            raise CheckpointError(f"{seal_path} was altered after it was written: its seal is broken")
        step, checksum, facts = seal["step"], seal["sha256"], seal["facts"]
        data = tensors_path.read_bytes()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{seal_path} cannot be read ({type(error).__name__}: {error})") from error
    if seal_path.stem != _stem(step):
        raise CheckpointError(f"{seal_path} holds step {step}: it was renamed")
    found = hashlib.sha256(data).hexdigest()
    if found != checksum:
        raise CheckpointError(
            f"{tensors_path} is truncated or altered: sha256 {found[:12]}…, its seal says {checksum[:12]}…"
        )
    try:
        return Checkpoint(step, load(data), facts)
    except SafetensorError as error:
        raise CheckpointError(f"{tensors_path} is no safetensors file: {error}") from error


def latest_checkpoint(folder: Path, say: Callable[[str], None] = print) -> Checkpoint | None:
    """The newest checkpoint that is whole; a damaged one is named through ``say`` and the one before is tried."""
    for seal_path in sorted(Path(folder).glob("checkpoint-*.json"), reverse=True):
        try:
            return _read(seal_path)
        except CheckpointError as error:
            say(f"checkpoint refused: {error}; trying the one before")
    return None


def pack_optimiser(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's tensors as ``optimiser.<parameter>.<name>``."""
    packed = {}
    for index, state in optimiser.state_dict()["state"].items():
        for key, value in state.items():
            packed[f"optimiser.{index}.{key}"] = value if isinstance(value, Tensor) else torch.tensor(value)
    return packed


def unpack_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Undo :func:`pack_optimiser`; the groups' settings stay those of ``optimiser``."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimiser."):
            _, index, key = name.split(".", 2)
            state.setdefault(int(index), {})[key] = tensor
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
