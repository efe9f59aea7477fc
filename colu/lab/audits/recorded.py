"""Audits as data: where the code stands, what it was given and what it gave.

The code itself is not here; ``tests/lab/audits`` fetches it at its commit, runs it and compares.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from torch import Tensor

from colu.files import write_atomically
from colu.lab.fields import CLOSED, Name, Text, load_entries, said

__all__ = ["Audit", "Recorded", "load_audits"]

AUDITS = Path(__file__).with_name("audits.yml")

Commit = Annotated[str, Field(pattern="^[0-9a-f]{40}$")]
Lines = Annotated[str, Field(pattern="^[0-9]+(-[0-9]+)?$")]
Repository = Annotated[str, Field(pattern="^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$")]


@dataclass(frozen=True, kw_only=True, config=CLOSED)
class Recorded:
    """What code was given, and what it gave.

    Attributes
    ----------
    given, gave : dict of str to nested lists of numbers
    made_with : dict of str to str
        Versions of what it ran on.
    """

    given: dict[str, Any]
    gave: dict[str, Any]
    made_with: dict[str, str]


@dataclass(frozen=True, kw_only=True, config=CLOSED)
class Audit:
    """One piece of public code at one commit; the fields of ``audits.yml``.

    Attributes
    ----------
    id : str
    repository : str
        ``owner/name`` on GitHub.
    commit : str
        In full.
    path, lines : str
        Of what is audited.
    licence : str
    runs : str
        What of it is run, in our words.
    with_files : list of str
        Further files of the repository that it reads.
    """

    id: Name
    repository: Repository
    commit: Commit
    path: Text
    lines: Lines
    licence: Text
    runs: Text
    with_files: list[Text] = Field(default_factory=list)

    @property
    def url(self) -> str:
        """Address of the lines at their commit."""
        first, _, last = self.lines.partition("-")
        anchor = f"L{first}" + (f"-L{last}" if last else "")
        return f"https://github.com/{self.repository}/blob/{self.commit}/{self.path}#{anchor}"

    @property
    def file(self) -> Path:
        """Where its output is recorded."""
        return AUDITS.parent / "recorded" / f"{self.id}.json"

    @cached_property
    def recorded(self) -> Recorded:
        """What was recorded.

        Raises
        ------
        ValueError
            If the file is absent or not as it should be.
        """
        try:
            return TypeAdapter(Recorded).validate_python(json.loads(self.file.read_text(encoding="utf8")))
        except ValidationError as error:
            raise ValueError(f"{self.file}: {said(error)}") from None
        except (OSError, ValueError) as error:
            raise ValueError(f"the output of {self.id} cannot be read from {self.file}: {error}") from None

    def given(self, name: str) -> Tensor:
        """An input of the code, in float64."""
        return _tensor(self.recorded.given, name, self.id)

    def gave(self, name: str) -> Tensor:
        """What the code gave for it, in float64; the code itself computed in float32."""
        return _tensor(self.recorded.gave, name, self.id)

    def write(self, recorded: Recorded) -> None:
        """Record an output."""
        write_atomically(self.file, json.dumps(asdict(recorded)) + "\n")


def _tensor(values: dict[str, Any], name: str, audit: str) -> Tensor:
    if name not in values:
        raise KeyError(f"audit {audit} has no {name!r}, choose one of {sorted(values)}")
    return torch.tensor(values[name], dtype=torch.float64)


def load_audits(path: Path | None = None) -> dict[str, Audit]:
    """The audits of ``audits.yml`` by id, in its order.

    Raises
    ------
    ValueError
        If an entry lacks a field, has an unknown one, or one out of range; it names the entry.

    Examples
    --------
    >>> audit = load_audits()["jax-colu-hard"]
    >>> audit.repository, audit.given("x").shape == audit.gave("y").shape
    ('EvergreenTree/jax-colu', True)
    """
    return load_entries(path or AUDITS, Audit)
