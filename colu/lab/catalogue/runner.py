"""Follows the models of the catalogue one by one, each in a process of its own, and keeps what was found."""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from colu.files import read_json, write_atomically

from ..commit import commit_here
from ..machine import peak_memory
from ..results import results_root
from .models import CATALOGUE, Entry, import_libraries

__all__ = ["RECORD", "follow_entry", "read_catalogue", "record_catalogue", "record_each"]

RECORD = "catalogue.json"


def _entry(name: str) -> Entry:
    for entry in CATALOGUE:
        if entry.name == name:
            return entry
    raise ValueError(f"no model {name!r} in the catalogue; use one of {', '.join(one.name for one in CATALOGUE)}")


def follow_entry(name: str) -> dict:
    """What :func:`colu.fusion.trace_spec` finds in one model of the catalogue.

    Parameters
    ----------
    name : str
        Of an entry of ``CATALOGUE``.

    Returns
    -------
    dict
        ``groups``, how often each group is there by its sign; ``still``, channels that no group moves by reason;
        ``error``, by how much a random element of all groups moves the function; ``share`` of the channels that
        a group moves; ``cpu_seconds`` of the trace; ``memory_bytes``, the peak of the process above what it held
        when the model was made.

    Raises
    ------
    ValueError
        A name that the catalogue lacks.
    """
    import torch

    from colu.fusion import invariance_error, trace_spec
    from colu.fusion.subgroups import written

    entry = _entry(name)
    version, model, example = entry.version, entry.make(), entry.example()
    base = peak_memory()
    start = time.process_time()
    spec = trace_spec(model, example)
    seconds = time.process_time() - start
    still: Counter[str] = Counter()
    for _, count, why in spec.still:
        still[_reason(why)] += count
    return {
        "parameters": sum(one.numel() for one in model.parameters()),
        "groups": dict(Counter(written(group) for group in spec.groups.values()).most_common()),
        "still": dict(still.most_common()),
        "error": invariance_error(model, spec, example, seed=1),
        "share": round(spec.share, 4),
        "cpu_seconds": round(seconds, 1),
        "memory_bytes": peak_memory() - base,
        "versions": {"torch": torch.__version__.partition("+")[0], entry.library: version},
        "device": "cpu",
        "threads": torch.get_num_threads(),
    }


def _reason(why: str) -> str:
    """A reason without the place: what is done, not in which module."""
    for between in (" in '", " in the model"):
        head, found, tail = why.partition(between)
        if found:
            after = tail.partition("'")[2] if between == " in '" else tail
            return head + after
    head, found, _ = why.partition(" would move the function")
    return f"{head} refused by the trial" if found else why


def read_catalogue(path: Path | None = None) -> dict[str, dict]:
    """The record by the names of models; empty where there is none.

    Parameters
    ----------
    path : Path, optional
        By default ``catalogue.json`` in the folder of records.

    Raises
    ------
    FileNotFoundError, ValueError
        It is not there; it is no JSON.

    Examples
    --------
    >>> "llama" in read_catalogue()
    True
    """
    path = results_root() / RECORD if path is None else path
    return json.loads(path.read_text(encoding="utf8"))


def record_catalogue(names=(), path: Path | None = None) -> list[str]:
    """Follow the models that the record lacks, or those named, and write each as soon as it is done.

    Parameters
    ----------
    names : sequence of str
        To follow anew; by default those that the record lacks.
    path : Path, optional
        Of the record; a file that is there is gone on with.

    Returns
    -------
    list of str
        The models that failed.
    """
    path = results_root() / RECORD if path is None else path
    import_libraries()  # once, before the processes part
    order = [entry.name for entry in CATALOGUE]
    return record_each(path, order, [_entry(name).name for name in names], follow_entry, _said)


def _said(found: dict) -> str:
    return (
        f"{len(found['groups'])} kinds of groups, {found['share']:.0%}, {found['error']:.1e}, "
        f"{found['cpu_seconds']} s"
    )


def record_each(
    path: Path, order: list[str], names: list[str], measure: Callable[[str], dict], said: Callable[[dict], str]
) -> list[str]:
    """Measure what a record lacks, or what is named, and write each as soon as it is done.

    Parameters
    ----------
    path : Path
        Of the record; a file that is there is gone on with.
    order : list of str
        All names, as the record has them.
    names : list of str
        To measure anew; by default those that the record lacks.
    measure, said : callable
        What is found of a name, in a process of its own; and a line about it.

    Returns
    -------
    list of str
        The names that failed.
    """
    commit, dirty = commit_here()
    failed = []
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("fork" if "fork" in methods else "spawn")
    for name in names or order:
        record = {one: found for one, found in (read_json(path) or {}).items() if one in order}
        if name in record and not names:
            continue
        try:
            # A process for each, whose peak is that of one model.
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                found = pool.submit(measure, name).result()
        except Exception as error:
            print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
            failed.append(name)
            continue
        found |= {"commit": commit, "dirty": dirty, "made": datetime.now(UTC).date().isoformat()}
        record[name] = found
        ordered = {one: record[one] for one in order if one in record}
        write_atomically(path, json.dumps(ordered, indent=1) + "\n")
        print(f"{name}: {said(found)}", flush=True)
    return failed
