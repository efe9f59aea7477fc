"""One JSON a run: written once, checked against a schema, never changed."""

from __future__ import annotations

import hashlib
import json
import platform
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, field
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StrictBool, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from typing_extensions import TypedDict

from colu.files import digest_of, write_atomically
from colu.lab.commit import commit_here
from colu.lab.conditions import conditions
from colu.lab.fields import AS_GIVEN, CLOSED, Count, Name, Number, Seed, Text, Whole, number, said
from colu.presets import PRESETS

from .place import result_files
from .seals import check_seal, contradictions, seal_of

__all__ = [
    "Record",
    "RecordError",
    "config_hash",
    "environment",
    "find_records",
    "processor",
    "read_record",
    "record_schema",
    "records_folder",
    "records_in",
    "typed_command",
    "write_record",
]


#: Commands of ``colu`` that write records.
_COMMANDS = ("run", "sweep")


class RecordError(ValueError):
    """A record that does not match the schema, contradicts itself, or is not what was sealed."""


class Device(TypedDict, closed=True):
    """What computed."""

    type: Literal["cpu", "cuda", "mps"]
    name: Text


class Versions(TypedDict, extra_items=str):
    """Versions of the packages that decide numbers, of these at least."""

    __pydantic_config__ = ConfigDict()
    colu: str
    python: str
    torch: str


class Conditions(TypedDict, closed=True):
    """Under what a run was computed: what may move its last bits, and its times."""

    kernel: Text
    onednn: StrictBool
    matmul_precision: Text
    cores: Count
    load: number(ge=0) | None
    shared: StrictBool | None
    cpu_seconds: number(ge=0) | None


Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Stamp(TypedDict, closed=True):
    """The protocol under which a run was made: its name, version and digest."""

    name: Name
    version: Count
    digest: Digest


@dataclass(frozen=True, kw_only=True, config=CLOSED)
class _Run:
    """The fields that a record has in memory and in its file, in the file's order."""

    experiment: Name
    preset: Literal[PRESETS]
    arm: Name
    seed: Seed
    config: dict[str, Any]
    config_hash: Digest
    command: Text
    commit: Annotated[str, Field(pattern="^[0-9a-f]{40}$")] | None
    dirty: StrictBool | None
    device: Annotated[Device, AS_GIVEN]
    threads: Count
    processes: Count
    versions: Annotated[Versions, AS_GIVEN]
    started: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$")]
    seconds: number(ge=0)
    peak_memory_bytes: Whole
    status: Literal["done", "failed"]
    error: str | None
    metrics: dict[str, Number]
    conditions: Annotated[Conditions, AS_GIVEN] | None = None
    protocol: Annotated[Stamp, AS_GIVEN] | None = None


@dataclass(frozen=True, kw_only=True, config=CLOSED)
class _Stored(_Run):
    """A record's file: the curve stands beside it under a name, with its digest.

    Schema 2 has a seal over all of it; that of schema 1 lies in ``seals.json``. Schema 3 has the conditions too.
    """

    schema: Literal[1, 2, 3]
    curve: str | None
    curve_sha256: Digest | None
    seal: Digest | None = None


@dataclass(frozen=True, kw_only=True, config=CLOSED)
class Record(_Run):
    """What one run was and gave; the fields of ``results/<experiment>/*.json``.

    Attributes
    ----------
    experiment, preset, arm : str
    seed : int
    config : dict
        Everything that decides the numbers, as JSON.
    config_hash : str
        SHA-256 of ``config`` in canonical form: the identity of the run.
    command : str
        What was typed, without the folder of records; :func:`colu.lab.experiments.rerun_commands` gives a shorter one.
    commit : str or None
        Of the working tree, and ``dirty`` whether files differed from it; None outside a repository.
    device : dict
        ``type`` and ``name``.
    threads, processes : int
    versions : dict
    started : str
        UTC.
    seconds : float
        Of training, evaluation aside.
    peak_memory_bytes : int
        Of the GPU where there is one, else the process's largest resident size.
    status : str
        ``done`` or ``failed``, with ``error``.
    metrics : dict of str to float
    conditions : dict or None
        The path that computes CoLU (``kernel``), whether oneDNN is used, the precision of products in float32, cores,
        the machine's load when the run began, whether others computed there too (``shared``), and the processor's
        seconds of training (``cpu_seconds``); None in records from before.
    protocol : dict or None
        ``name``, ``version`` and ``digest`` of the protocol that asked for the run, see :mod:`colu.lab.verdicts`;
        a run without one is exploratory and carries no verdict.
    curve : list of dict
        Kept in a file of its own beside the record.

    Raises
    ------
    ValueError
        For a value outside its range, of pydantic; it names field, value and what was wanted.
    """

    curve: list = field(default_factory=list)

    @property
    def stem(self) -> str:
        """Name of the record's file, without its ending."""
        return _name(vars(self)).removesuffix(".json").rsplit("/", 1)[1]


def _name(value: dict) -> str:
    """Where a record lies below the folder of records: its identity, and of a failed run the time, too."""
    stem = f"{value['arm']}-seed{value['seed']}-{value['config_hash'][:10]}"
    folder = records_folder(value["experiment"], value.get("protocol"))
    if value["status"] == "failed":
        return f"{folder}/failed/{stem}-{value['started'].replace(':', '')}.json"
    return f"{folder}/{stem}.json"


def records_folder(experiment: str, stamp: dict | None = None) -> str:
    """Where records lie below the folder of records: those of an experiment, or those of one version of a protocol.

    Examples
    --------
    >>> records_folder("vae"), records_folder("vae", {"name": "vae-printed", "version": 2, "digest": "0" * 64})
    ('vae', 'protocols/vae-printed-v2')
    """
    return f"protocols/{stamp['name']}-v{stamp['version']}" if stamp else experiment


def config_hash(config: dict) -> str:
    """SHA-256 of a configuration, the same whatever the order of its keys.

    Examples
    --------
    >>> config_hash({"a": 1, "b": [2]}) == config_hash({"b": [2], "a": 1})
    True
    """
    return digest_of(config)


@cache
def _versions() -> dict[str, str]:
    names = ("torch", "torchvision", "numpy", "scipy", "lightning-fabric")
    from colu import __version__

    return {"colu": __version__, "python": platform.python_version()} | {n: metadata.version(n) for n in names}


def processor() -> str:
    """The name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf8", errors="replace").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def typed_command(argv: Sequence[str]) -> str:
    """What a reader would type for the arguments of this process.

    However ``colu`` was started (``python -m colu``, ``torchrun``, ``python -c``), the command starts by ``colu``.
    The folder of records is left out: it is the reader's own.

    Examples
    --------
    >>> typed_command(["-c", "run", "vae", "--set", "widths=[1, 2]", "--results", "mine"])
    "colu run vae --set 'widths=[1, 2]'"
    >>> typed_command(["/usr/bin/python/train.py", "--fast"])
    'train.py --fast'
    """
    name, *rest = Path(argv[0]).name if argv else "", *argv[1:]
    if rest[:1] and rest[0] in _COMMANDS and name in ("", "-c", "-m", "__main__.py", "colu"):
        name, kept = "colu", iter(rest)
        rest = [word for word in kept if not _is_folder(word, kept)]
    return shlex.join([name, *rest] if name else rest) or "python"


def _is_folder(word: str, following: Iterator[str]) -> bool:
    """Whether an argument names the folder of records; its value is taken from ``following``."""
    if word == "--results":
        next(following, None)
        return True
    return word.startswith("--results=")


def environment(device: str = "cpu") -> dict:
    """Commit, device, threads and versions as a record wants them.

    Examples
    --------
    >>> sorted(environment())[:3]
    ['command', 'commit', 'conditions']
    """
    import torch

    commit, dirty = commit_here()
    return {
        "command": typed_command(sys.argv),
        "commit": commit,
        "dirty": dirty,
        "device": {"type": device, "name": torch.cuda.get_device_name() if device == "cuda" else processor()},
        "threads": torch.get_num_threads(),
        "versions": dict(_versions()),
        "conditions": conditions(device),
        "started": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def record_schema() -> dict:
    """JSON schema of a record's file, for readers in other languages.

    Examples
    --------
    >>> record_schema()["properties"]["seed"]["minimum"]
    0
    """
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, **TypeAdapter(_Stored).json_schema(), "title": "Record of one run"}


def _checked(value: dict, curve: list, name: str) -> dict:
    try:
        _Stored(**value)
    except ValidationError as error:
        raise RecordError(f"{name} does not match the schema of records: {said(error)}") from None
    if value["config_hash"] != (found := config_hash(value["config"])):
        raise RecordError(f"{name}: config_hash is not that of config ({found[:10]}…); restore one of them")
    if (value["schema"] == 3) != (value.get("conditions") is not None):
        raise RecordError(f"{name}: schema 3, and no other, has conditions; this is schema {value['schema']}")
    if value.get("protocol") is not None and value["schema"] != 3:
        raise RecordError(f"{name}: a protocol goes with schema 3; this is schema {value['schema']}")
    if found := contradictions(value, curve):
        raise RecordError(f"{name} contradicts itself: {'; '.join(found)}")
    return value


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def read_unsealed(path: Path) -> tuple[dict, list, Path, str]:
    """A record's file and its curve, if all of it agrees, its place too; with the folder of records, and its name."""
    try:
        value = json.loads(path.read_text(encoding="utf8"), parse_constant=_no_number)
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(value, dict):
        raise RecordError(f"{path} holds {type(value).__name__}, wanted an object")
    curve = []
    if (named := value.get("curve")) is not None:
        if named != f"{path.stem}.curve.json":
            raise RecordError(f"{path} names the curve {named!r}, its own is {path.stem}.curve.json")
        file = path.with_name(named)
        data = file.read_bytes() if file.is_file() else b""
        if hashlib.sha256(data).hexdigest() != value.get("curve_sha256"):
            raise RecordError(f"{file} is missing or not the curve that {path.name} names; restore both or delete both")
        curve = json.loads(data, parse_constant=_no_number)
    name = _name(_checked(value, curve, str(path)))
    place = path.absolute()
    if not place.as_posix().endswith(f"/{name}"):
        raise RecordError(f"{path} holds the run {name}: a record has one name, restore it")
    return value, curve, place.parents[name.count("/")], name


def read_record(path: str | Path) -> Record:
    """Read one record with its curve.

    Raises
    ------
    RecordError
        If it does not match the schema, its fields contradict its configuration, its curve or the name of its file,
        the curve is missing or not the one that was recorded, or the seal is missing or broken.
    """
    value, curve, root, name = read_unsealed(Path(path))
    try:
        problem = check_seal(value, name, root)
    except ValueError as error:
        raise RecordError(str(error)) from None
    if problem:
        raise RecordError(f"{path}: {problem}")
    fields = {k: v for k, v in value.items() if k not in ("schema", "curve", "curve_sha256", "seal")}
    return Record(**fields, curve=curve)


def write_record(record: Record, root: str | Path) -> Path:
    """Write a record to ``root/<experiment>/``, sealed; one that is there already is kept as it is.

    The curve is written first and the record last, each under a temporary name and renamed, so a disk that is full
    leaves no half record.
    A failed run goes to ``failed/`` with the time in its name, so that it does not stand in the way of another try.

    Returns
    -------
    Path
        Of the record that is there now.

    Raises
    ------
    RecordError
        If the record contradicts itself.
    """
    path = Path(root) / _name(vars(record))
    if path.is_file():
        return path
    value = {"schema": 2 if record.conditions is None else 3, **asdict(record), "curve": None, "curve_sha256": None}
    for name in ("conditions", "protocol"):
        if value[name] is None:
            del value[name]  # As it was written before there was any.
    _checked(value, record.curve, f"record {path.stem}")
    if record.curve:
        data = json.dumps(record.curve, separators=(",", ":"), allow_nan=False).encode()
        value["curve"], value["curve_sha256"] = f"{path.stem}.curve.json", hashlib.sha256(data).hexdigest()
        write_atomically(path.with_name(value["curve"]), data)
    value["seal"] = seal_of(value)
    write_atomically(path, json.dumps(value, indent=1, allow_nan=False) + "\n")
    return path


def records_in(folder: str, root: str | Path | None = None) -> list[Record]:
    """Records in one of the folders of :func:`records_folder`, by the names of their files; see :func:`find_records`.

    Of those of runs that failed one has ``folder/failed``.
    """
    paths = [p for p in result_files(f"{folder}/*.json", root) if not p.name.endswith(".curve.json")]
    return [read_record(path) for path in paths]


def find_records(
    experiment: str,
    root: str | Path | None = None,
    *,
    preset: str | None = None,
    arms: Iterable[str] | None = None,
    where: dict | None = None,
) -> list[Record]:
    """Finished records of an experiment that no protocol asked for, ordered by arm and seed.

    Parameters
    ----------
    experiment : str
    root : path, optional
        By default all of :func:`colu.lab.results.result_folders`.
    preset : str, optional
    arms : iterable of str, optional
    where : dict, optional
        Wanted entries of the configuration; dots lead into it: ``{"plan.learning_rate": 1e-3}``.

    Raises
    ------
    RecordError
        If a file there is no record, or not one to count: see :func:`colu.lab.results.read_record`.
    """

    def lookup(record: Record, key: str) -> object:
        value: object = record.config
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return value

    found = records_in(records_folder(experiment), root)
    wanted = None if arms is None else set(arms)
    return sorted(
        (
            r
            for r in found
            if (preset is None or r.preset == preset)
            and (wanted is None or r.arm in wanted)
            and all(lookup(r, key) == value for key, value in (where or {}).items())
        ),
        key=lambda r: (r.arm, r.seed, r.config_hash),
    )
