"""Comparisons that show CoLU without the arms that say what a lead of it is: RCoLU, and ReLU with linear channels."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass

from colu.lab.experiments import EXPERIMENTS
from colu.lab.fields import CLOSED, Name, Text
from colu.lab.results import config_hash, find_records
from colu.lab.results.tables import MACHINE, without
from colu.press.notebook import Notebook

__all__ = ["Allowed", "lint_controls", "load_allowed"]

#: Chapters that compare, by their numbers.
CHAPTERS = ("13", "27", "30", "31", "32", "33", "34", "50", "51", "52", "53")
#: What the names of the controls begin with.
CONTROLS = ("rcolu", "relu-linear")
#: Seeds from which on runs are a comparison.
COMPARED = 3


@dataclass(frozen=True, kw_only=True, config=CLOSED)
class Allowed:
    """A comparison that may stand without a control.

    Attributes
    ----------
    records : str
        An experiment whose records lack it, or nothing.
    chapter : str
        A chapter whose small run lacks it, or nothing.
    where : dict
        Settings of the records, such as ``plan.steps: 500``; all where it is empty.
    arms : list of str
        Of the small run, as the notebook writes them.
    missing : list of str
        The controls, of ``rcolu`` and ``relu-linear``.
    why : str
    """

    records: Name | None = None
    chapter: Name | None = None
    where: dict[str, Any] = Field(default_factory=dict)
    arms: list[Name] = Field(default_factory=list)
    missing: Annotated[list[Literal[CONTROLS]], Field(min_length=1)]
    why: Text


@cache
def load_allowed() -> tuple[Allowed, ...]:
    """Those of ``controls.yml``, in its order."""
    value = yaml.safe_load(Path(__file__).with_name("controls.yml").read_text(encoding="utf8"))
    return tuple(TypeAdapter(list[Allowed]).validate_python(value))


def _missing(arms: Iterable[str]) -> list[str]:
    """Controls that are wanted beside these arms and not among them."""
    arms = set(arms)
    if not any(arm.startswith("colu") for arm in arms):
        return []
    return [control for control in CONTROLS if not any(arm.startswith(control) for arm in arms)]


def lint_controls(
    notebooks: Iterable[Notebook], root: str | Path, exceptions: Iterable[Allowed] | None = None
) -> list[str]:
    """Comparisons of the chapters without a control, and exceptions that no comparison needs any more.

    Parameters
    ----------
    notebooks : iterable of Notebook
        Of which those that compare are looked at.
    root : path
        Folder of records; those of protocols have a rule of their own.
    exceptions : iterable of Allowed, optional
        By default :func:`load_allowed`.

    Returns
    -------
    list of str
        Empty where all is well.
    """
    exceptions = list(load_allowed() if exceptions is None else exceptions)
    chapters = [n for n in notebooks if n.name.startswith(tuple(f"{number}-" for number in CHAPTERS))]
    used: set[int] = set()
    found = []
    readers: dict[str, list[str]] = defaultdict(list)
    for chapter in chapters:
        trees = [tree for cell in chapter.cells if cell.kind == "code" and (tree := _tree(cell.text))]
        for name in sorted(_strings(trees) & EXPERIMENTS.keys()):
            readers[name].append(chapter.name)
        for arms in _live_arms(trees):
            speak = [i for i, e in enumerate(exceptions) if (e.chapter, e.arms) == (chapter.name, arms)]
            lacking = _left(_missing(arms), exceptions, speak, used)
            found += [
                f"{chapter.name}.ipynb: a small run compares {', '.join(arms)} without {control}: "
                "add it, or say why not in colu/press/check/controls.yml"
                for control in lacking
            ]
    for name, chapters_of in readers.items():
        for values, arms in _settings(name, root):
            speak = [i for i, e in enumerate(exceptions) if e.records == name and _fits(values, e.where)]
            lacking = _left(_missing(arms), exceptions, speak, used)
            found += [
                f"{', '.join(chapters_of)} reads records of {name} ({_said(values)}) that have "
                f"{', '.join(a for a in arms if a.startswith('colu'))} and no {control}: "
                "run it, or say why not in colu/press/check/controls.yml"
                for control in lacking
            ]
    there = {chapter.name for chapter in chapters}
    idle = [
        e for index, e in enumerate(exceptions)
        if index not in used and (e.chapter in there if e.chapter else e.records in readers)
    ]  # fmt: skip
    return found + [
        f"controls.yml lets {e.chapter or e.records} ({e.why}) stand without {' and '.join(e.missing)}, which is "
        "there or is compared no more: take the exception out"
        for e in idle
    ]


def _left(lacking: list[str], exceptions: list[Allowed], speak: list[int], used: set[int]) -> list[str]:
    """Controls that none of the exceptions that ``speak`` allows to lack; those that do are noted in ``used``."""
    needed = {index for index in speak if set(exceptions[index].missing) & set(lacking)}
    used |= needed
    allowed = {control for index in needed for control in exceptions[index].missing}
    return [control for control in lacking if control not in allowed]


def _settings(name: str, root: str | Path) -> Iterator[tuple[dict, list[str]]]:
    """Configurations of an experiment's records, each with the arms that have enough seeds in it."""
    seeds: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    values = {}
    for record in find_records(name, root):
        config = without(record.config, "arm", "seed", "preset", *MACHINE)
        key = config_hash(config)
        values[key] = record.config
        seeds[key][record.arm].add(record.seed)
    for key, arms in seeds.items():
        if compared := sorted(arm for arm, found in arms.items() if len(found) >= COMPARED):
            yield values[key], compared


def _value(values: dict, name: str) -> Any:
    for part in name.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values


def _fits(values: dict, where: dict) -> bool:
    return all(_value(values, name) == wanted for name, wanted in where.items())


def _said(values: dict) -> str:
    names = ("plan.steps", "plan.learning_rate", "options.dataset", "options.hidden", "options.width")
    return ", ".join(f"{n.partition('.')[2]} {v}" for n in names if (v := _value(values, n)) is not None)


def _tree(code: str) -> ast.Module | None:
    try:
        return ast.parse(code)
    except SyntaxError:  # a magic command
        return None


def _strings(trees: list[ast.Module]) -> set[str]:
    nodes = (node for tree in trees for node in ast.walk(tree))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def _listed(node: ast.AST) -> list[str] | None:
    """Strings of a list or tuple of them."""
    if not isinstance(node, ast.List | ast.Tuple):
        return None
    names = [part.value for part in node.elts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    return names if len(names) == len(node.elts) > 1 else None


def _live_arms(trees: list[ast.Module]) -> list[list[str]]:
    """Arms of all calls of ``run_arms``: as they are listed there, under the name or the key that is given there."""
    named, keyed, found = defaultdict(list), defaultdict(list), []
    calls = []
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Assign) and (listed := _listed(node.value)):
            for target in node.targets:
                named[getattr(target, "id", "")].append(listed)
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if (listed := _listed(keyword.value)) is not None and getattr(node.func, "id", "") == "dict":
                    keyed[keyword.arg].append(listed)
                if keyword.arg == "arms" and getattr(node.func, "id", "") == "run_arms":
                    calls.append(keyword.value)
    for value in calls:
        if (listed := _listed(value)) is not None:
            found.append(listed)
        elif isinstance(value, ast.Name):
            found += named[value.id]
        elif isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Constant):
            found += keyed[value.slice.value]
    return list({tuple(arms): arms for arms in found}.values())
