"""Networks as folders that transformers and mergekit read, and the recipe that merges what was aligned."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, dtype

    from colu.fusion import StoredState

__all__ = ["copied", "is_folder", "recipe", "write_folder"]

#: Endings of what holds weights, in any form; all else in a folder is copied.
WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack", ".onnx", ".gguf")
INDEX = ".safetensors.index.json"


def is_folder(path: Path) -> bool:
    """Whether a path is a folder that transformers saved."""
    return path.is_dir() and (path / "config.json").is_file()


def copied(source: Path) -> list[Path]:
    """What stands beside the weights in a folder: configuration, tokenizer, index of shards."""
    return [
        one for one in sorted(source.iterdir())
        if one.is_file() and one.suffix not in WEIGHTS and not one.name.endswith(".bin.index.json")
    ]  # fmt: skip


def write_folder(
    folder: Path, source: Path, stored: StoredState, state: Mapping[str, Tensor], metadata: Mapping[str, str]
) -> list[Path]:
    """Write weights with the names, dtypes and shards of a folder, and copy what stands beside them.

    Parameters
    ----------
    folder : Path
    source : Path
        What ``stored`` was read from.
    stored : StoredState
        By the names of the model; it knows what its files call them.
    state : dict of str to Tensor
        To write, by the names of the model.
    metadata : dict of str to str

    Returns
    -------
    list of Path
        What was written.
    """
    from colu.files import write_atomically
    from colu.fusion import write_state

    made = []
    for one in copied(source):
        write_atomically(folder / one.name, one.read_bytes())
        made.append(folder / one.name)
    for file, names in stored.names_in_files().items():
        like = {old: (stored.dtypes[new], stored.shapes[new]) for old, new in names.items()}
        # A weight that two layers share is in the file once.
        write_state(folder / file, _Renamed(state, names), metadata, like)
        made.append(folder / file)
    return made


class _Renamed(Mapping):
    """A state by the names that its file has."""

    def __init__(self, state: Mapping, names: Mapping[str, str]):
        self.state, self.names = state, names

    def __getitem__(self, name: str):
        return self.state[self.names[name]]

    def __iter__(self):
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def _path(path: Path) -> str:
    """A path that no program takes for the name of a repository."""
    return json.dumps(str(path) if path.is_absolute() else f"./{path.as_posix()}")


def recipe(folder: Path, parents: Sequence[Path], report: Mapping, kind: dtype, base: Path | None) -> str:
    """A configuration of mergekit that merges the aligned networks as this command does; change it to another method.

    The form is that of mergekit's README: ``merge_method``, ``models`` with ``parameters``, ``base_model``, ``dtype``.
    """
    merge, whole = report["merge"], all(path.is_dir() for path in parents)
    method = {"task": "task_arithmetic", "ties": "ties"}.get(merge["kind"], "linear")
    program = "mergekit-yaml" if whole else "mergekit-pytorch"
    lines = [
        "# Networks in one frame, for any recipe of mergekit. From the folder in which this was written:",
        f"#   {program} {folder / 'mergekit.yml'} merged",
        f"merge_method: {method}",
    ]
    if base is not None:
        lines.append(f"base_model: {_path(base)}")
    lines.append("models:")
    for path, share in zip(parents, merge["shares"], strict=True):
        weight = share if method == "linear" else share * len(parents)
        lines += [f"  - model: {_path(path)}", "    parameters:", f"      weight: {weight:g}"]
        if method == "ties":
            lines.append(f"      density: {merge['density']:g}")
    if method != "linear":
        lines += ["parameters:", f"  lambda: {merge['scale']:g}"]
    if (name := str(kind).removeprefix("torch.")) in ("float32", "float16", "bfloat16"):
        lines.append(f"dtype: {name}")
    return "\n".join(lines) + "\n"
