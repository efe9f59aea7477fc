"""Weights in safetensors files, in one or in shards: read entry by entry, and written so."""

from __future__ import annotations

import ctypes
import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from colu.files import file_digest, write_atomically

from .lazy import Made
from .states import _PICKLES, _STARTS, conversion

__all__ = ["StoredState", "keep_nothing", "write_state"]

_DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8,
    "BOOL": torch.bool, "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2,
}  # fmt: skip
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


#: Of mallopt: the size from which on a block is memory of its own.
_M_MMAP_THRESHOLD = -3


def give_back() -> None:
    """Give freed memory back to the system, where glibc keeps it."""
    if trim := getattr(ctypes.pythonapi if os.name == "nt" else ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


def keep_nothing(size: int = 1 << 20) -> None:
    """From now on glibc gives freed blocks of this many bytes back at once, in the whole process.

    Left alone, it learns to keep blocks of up to 32 MiB: what tensors leave behind is then several networks' worth.
    """
    if limit := getattr(ctypes.pythonapi if os.name == "nt" else ctypes.CDLL(None), "mallopt", None):
        limit(_M_MMAP_THRESHOLD, size)


def _header(path: Path) -> tuple[dict, int]:
    """The entries of one file and where its data begin."""
    try:
        with open(path, "rb") as stream:
            start = stream.read(9)
            # The length of a header may begin as a pickle does; behind it, a header is JSON.
            if start.startswith(_STARTS) and start[8:] != b"{":
                raise ValueError(
                    f"{path} is a pickle, which may run code when it is read: convert it with\n{conversion(path)}"
                )
            size, whole = int.from_bytes(start[:8], "little"), os.fstat(stream.fileno()).st_size
            if len(start) < 8 or size > whole - 8:
                hint = "copy or save it again"
                if path.suffix in _PICKLES:
                    hint = f"files with the ending {path.suffix} are pickles as a rule, and this one is damaged"
                raise ValueError(
                    f"{path} ({whole} bytes) cannot be read as safetensors: "
                    f"the file is cut off, or of another format: {hint}"
                )
            entries = json.loads(start[8:] + stream.read(size - 1))
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}; name a safetensors file") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} cannot be read as safetensors: {error}; copy or save it again") from error
    end = max((entry["data_offsets"][1] for name, entry in entries.items() if name != "__metadata__"), default=0)
    if 8 + size + end > whole:
        raise ValueError(
            f"{path} ({whole} bytes) cannot be read as safetensors: it is cut off, {8 + size + end} bytes are said; "
            "copy or save it again"
        )
    return entries, 8 + size


class StoredState(Made):
    """The weights in a safetensors file, or in the files of an index: each entry is read when it is asked for.

    Parameters
    ----------
    path : str or Path
        A ``.safetensors`` file, or the ``.safetensors.index.json`` of shards.

    Attributes
    ----------
    path : Path
    files : list of Path
        What the entries are in.
    metadata : dict of str to str
        What the files say of themselves.
    shapes, dtypes : dict
        Of each entry, without reading it.

    Raises
    ------
    ValueError
        A pickle, with the command that converts it; a file that cannot be read, or is cut off.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.safetensors"
    ...     write_state(path, {"weight": torch.ones(2)}, {"by": "hand"})
    ...     state = StoredState(path)
    ...     state["weight"], state.metadata, state.shapes
    (tensor([1., 1.]), {'by': 'hand'}, {'weight': (2,)})
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.files = _shards(self.path) if self.path.suffix == ".json" else [self.path]
        self.metadata: dict[str, str] = {}
        self._places: dict[str, tuple[Path, int, int]] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.dtypes: dict[str, torch.dtype] = {}
        for file in self.files:
            entries, start = _header(file)
            self.metadata |= entries.pop("__metadata__", None) or {}
            for name, entry in entries.items():
                if entry["dtype"] not in _DTYPES:
                    raise ValueError(f"{name} of {file} is {entry['dtype']}, which is no dtype of weights here")
                first, last = entry["data_offsets"]
                self._places[name] = (file, start + first, last - first)
                self.shapes[name], self.dtypes[name] = tuple(entry["shape"]), _DTYPES[entry["dtype"]]
        self._originals = {name: name for name in self._places}
        super().__init__(self._places, self._read)

    def _read(self, name: str) -> Tensor:
        file, start, size = self._places[name]
        # No memory map: what it has touched would stay in the memory of the process.
        with open(file, "rb", buffering=0) as stream:
            stream.seek(start)
            data = bytearray(size)
            view, done = memoryview(data), 0
            while done < size and (count := stream.readinto(view[done:])):
                done += count
        if done < size:
            raise ValueError(f"{file} is cut off inside {name}; copy or save it again")
        shape = self.shapes[name]
        if not size:
            return torch.empty(shape, dtype=self.dtypes[name])
        return torch.frombuffer(data, dtype=self.dtypes[name]).view(shape)

    def renamed(self, names: Mapping[str, str]) -> StoredState:
        """The same files with other names of entries, new to old; entries that are not named are left out."""
        other = object.__new__(StoredState)
        other.path, other.files, other.metadata = self.path, self.files, self.metadata
        other._places = {new: self._places[old] for new, old in names.items()}
        other.shapes = {new: self.shapes[old] for new, old in names.items()}
        other.dtypes = {new: self.dtypes[old] for new, old in names.items()}
        other._originals = {new: self._originals[old] for new, old in names.items()}
        Made.__init__(other, other._places, other._read)
        return other

    def names_in_files(self) -> dict[str, dict[str, str]]:
        """For each file the names that it has, in its order, and for each the first name that the entry has here.

        Examples
        --------
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "a.safetensors"
        ...     write_state(path, {"old": torch.ones(2)}, {})
        ...     StoredState(path).renamed({"one": "old", "other": "old"}).names_in_files()
        {'a.safetensors': {'old': 'one'}}
        """
        found: dict[str, dict[str, str]] = {file.name: {} for file in self.files}
        for name in sorted(self._places, key=lambda one: self._places[one][1]):
            file = self._places[name][0]
            found[file.name].setdefault(self._originals[name], name)
        return {file: names for file, names in found.items() if names}

    def digests(self) -> dict[str, str]:
        """SHA-256 of each file, by its name."""
        return {file.name: file_digest(file) for file in self.files}

    def size(self) -> int:
        """Bytes of all entries."""
        return sum(size for _, _, size in self._places.values())


def _shards(index: Path) -> list[Path]:
    try:
        places = json.loads(index.read_text(encoding="utf8"))["weight_map"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{index} is no index of shards ({type(error).__name__}: {error}); "
            "name a .safetensors file, or a .safetensors.index.json with a weight_map"
        ) from error
    return [index.parent / name for name in dict.fromkeys(places.values())]


def write_state(
    path: Path, state: Mapping[str, Tensor], metadata: Mapping[str, str], like: Mapping | None = None
) -> None:
    """Write a state as safetensors, one entry in memory at a time, to a temporary file that is then renamed.

    Parameters
    ----------
    path : Path
    state : dict of str to Tensor
        Read once, in its order.
    metadata : dict of str to str
    like : dict of str to (dtype, shape), optional
        What the entries will be, where asking would make them; by default they are asked twice.

    Raises
    ------
    ValueError
        An entry that holds NaN or infinity: nothing is written.
    """
    kinds = like or {name: (state[name].dtype, tuple(state[name].shape)) for name in state}
    header, offset = {"__metadata__": {key: str(value) for key, value in metadata.items()}}, 0
    for name, (dtype, shape) in kinds.items():
        size = math.prod(shape) * dtype.itemsize
        header[name] = {"dtype": _NAMES[dtype], "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)

    def chunks() -> Iterator[bytes]:
        yield len(text).to_bytes(8, "little") + text
        for name, (dtype, shape) in kinds.items():
            tensor = state[name].detach().to("cpu", dtype).contiguous()
            if tuple(tensor.shape) != tuple(shape):
                raise ValueError(f"{name} is {tuple(tensor.shape)}, announced as {tuple(shape)}")
            if tensor.is_floating_point() and not torch.isfinite(tensor.float()).all():
                raise ValueError(f"{name} of the fused network holds NaN or infinity; nothing is written")
            yield tensor.reshape(-1).view(torch.uint8).numpy().data if tensor.numel() else b""

    write_atomically(path, chunks())
