"""Whether a record says one thing only, and what was written: its parts agree, and its seal holds."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from colu.files import digest_of, held, write_atomically

__all__ = ["SEALS", "check_seal", "contradictions", "seal_of", "told_seals", "write_seals"]

#: Beside the folders of experiments: name of a record -> its seal, for those that were written without one.
SEALS = "seals.json"

#: Of a curve's entries, what is no metric; and metrics that are no part of a curve.
_NO_METRIC = ("step", "loss", "seconds")
_NOT_IN_CURVE = ("num_parameters", "train_loss_last")


def seal_of(value: dict) -> str:
    """SHA-256 of all that a record's file says; of the curve it has the checksum.

    Examples
    --------
    >>> seal_of({"seed": 0, "seal": "an old one"}) == seal_of({"seed": 0})
    True
    """
    return digest_of({key: part for key, part in value.items() if key != "seal"})


def contradictions(value: dict, curve: list) -> list[str]:
    """In what the fields of a record contradict its configuration or its curve, each a line."""
    config = value["config"]
    told = {name: value[name] for name in ("experiment", "preset", "arm", "seed", "processes", "threads")}
    told["device"] = value["device"]["type"]
    found = [
        f"{name} is {own!r}, its configuration says {config.get(name)!r}"
        for name, own in told.items()
        if own != config.get(name)
    ]
    if value["status"] == "failed":
        if not value["error"] or value["metrics"] or curve:
            found.append("status is 'failed', which goes with an error and neither metrics nor a curve")
        return found
    if value["error"] is not None:
        found.append(f"status is 'done', but error is {value['error']!r}")
    if not curve:
        return [*found, "it has no curve"]
    end = curve[-1]
    wanted = {name: number for name, number in end.items() if name not in _NO_METRIC}
    named = {name: number for name, number in value["metrics"].items() if name not in _NOT_IN_CURVE}
    pairs = {name: (named.get(name), wanted.get(name)) for name in {**wanted, **named}}
    pairs["train_loss_last"] = value["metrics"].get("train_loss_last"), end.get("loss")
    pairs["seconds"] = value["seconds"], end.get("seconds")
    pairs["steps"] = config.get("plan", {}).get("steps"), end.get("step")
    found += [f"{name} is {own!r}, its curve ends with {last!r}" for name, (own, last) in pairs.items() if own != last]
    return found


@lru_cache(maxsize=8)
def _parsed(path: Path, mtime: int, size: int) -> dict[str, str]:
    value = json.loads(path.read_text(encoding="utf8"))
    if not isinstance(value, dict):
        raise ValueError(f"holds {type(value).__name__}, wanted an object")
    return value


def told_seals(root: Path) -> dict[str, str]:
    """The seals that lie beside the records of a folder, by name; none where there is no such file.

    Raises
    ------
    ValueError
        If the file cannot be read.
    """
    path = root / SEALS
    try:
        state = path.stat()
    except FileNotFoundError:
        return {}
    try:
        return _parsed(path, state.st_mtime_ns, state.st_size)
    except ValueError as error:
        raise ValueError(f"{path} cannot be read as JSON: {error}") from None


def check_seal(value: dict, name: str, root: Path) -> str:
    """What is wrong with the seal of a record, empty where it holds.

    Parameters
    ----------
    value : dict
        What the file says.
    name : str
        Of the record below ``root``, such as ``rotation/relu-seed0-bb6a2bfdd5.json``.
    root : Path
    """
    if (value["schema"] == 1) != ("seal" not in value):
        return f"schema {value['schema']} and {'a' if 'seal' in value else 'no'} seal of its own do not go together"
    told = value["seal"] if "seal" in value else told_seals(root).get(name)
    if told is None:
        return f"no seal of its own, and none in {root / SEALS}: if you stand for it, run 'colu seal --results {root}'"
    if told != (found := seal_of(value)):
        return f"changed after it was sealed: its content has {found[:12]}…, its seal is {told[:12]}…; restore it"
    return ""


def write_seals(root: Path, new: dict[str, str]) -> None:
    """Add seals to those that there are, which stay as they are."""
    with held(root / ".unfinished" / "seals.lock", wait=True):
        seals = new | told_seals(root)
        write_atomically(root / SEALS, json.dumps(seals, indent=0, sort_keys=True) + "\n")
