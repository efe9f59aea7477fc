"""Types of the checked fields of a plan, a configuration and a record, and their faults in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, WrapValidator

__all__ = ["AS_GIVEN", "CLOSED", "Count", "Name", "Number", "Seed", "Text", "Whole", "load_entries", "number", "said"]

#: For a class that takes no field which it does not have.
CLOSED = ConfigDict(extra="forbid")


def _as_given(value: object, check: Callable[[object], object]) -> object:
    check(value)
    return value


#: Check a value and keep it: 1 is not made 1.0 nor a key moved, since the bytes decide hashes and files.
AS_GIVEN = WrapValidator(_as_given)


def number(**bounds) -> object:
    """Type of a finite number within bounds, such as ``gt=0``; no text and no truth value is taken for one.

    Examples
    --------
    >>> from pydantic import TypeAdapter
    >>> TypeAdapter(number(ge=0)).validate_python(1)
    1
    """
    return Annotated[float, Field(strict=True, allow_inf_nan=False, **bounds), AS_GIVEN]


Number = number()
Whole = Annotated[int, Field(strict=True, ge=0)]
Count = Annotated[int, Field(strict=True, ge=1)]
#: What every generator of random numbers takes.
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**31)]
Text = Annotated[str, Field(min_length=1)]
#: Becomes the name of a file or a folder.
Name = Annotated[str, Field(pattern=r"^[a-z0-9]+([-_.][a-z0-9]+)*$", max_length=80)]


def said(error: Exception) -> str:
    """What an error says in one line; of a value that was refused: the field, the value, what was wanted.

    Examples
    --------
    >>> from colu.lab.training import Plan
    >>> try:
    ...     Plan(steps=0, batch_size=1, learning_rate=1.0)
    ... except ValueError as error:
    ...     print(said(error))
    steps is 0: input should be greater than or equal to 1
    """
    if not isinstance(error, ValidationError):
        return str(error)
    faults = []
    for fault in error.errors(include_url=False):
        if fault["type"] == "value_error":  # of a check of ours, which names field and value itself
            faults.append(str(fault["ctx"]["error"]))
            continue
        where = ".".join(map(str, fault["loc"])) or error.title
        # The input of a field that is missing is all the others.
        value = "" if fault["type"].startswith("missing") else f" is {fault['input']!r}"
        faults.append(f"{where}{value}: {fault['msg'][0].lower()}{fault['msg'][1:]}")
    return "; ".join(faults)


_T = TypeVar("_T")


def load_entries(path: Path, kind: type[_T]) -> dict[str, _T]:
    """The entries of a YAML file by key, in its order; each has its key as ``id``.

    Raises
    ------
    ValueError
        If an entry lacks a field, has an unknown one, or one out of range; it names the entry.
    """
    adapter, found = TypeAdapter(kind), {}
    for key, entry in yaml.safe_load(path.read_text(encoding="utf8")).items():
        try:
            found[key] = adapter.validate_python({"id": key, **entry})
        except ValidationError as error:
            raise ValueError(f"{path.name}, {key}: {said(error)}") from None
    return found
