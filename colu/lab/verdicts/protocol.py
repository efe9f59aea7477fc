"""Protocols: what is asked, of which runs, and what would count as an answer, written down before the runs."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from colu.files import digest_of
from colu.lab.fields import CLOSED, Count, Name, Seed, Text, Whole, number, said
from colu.lab.results import ENOUGH, Record, equivalence_power, power, records_folder, records_in, result_files

from .gates import Gate

__all__ = ["CONTROLS", "Protocol", "Test", "Tuning", "load_protocols", "parse_protocol", "read_protocol"]

#: Arms without which no lead of a conic unit means anything: its own turn by Householder, ReLU with linear channels,
#: and no activation.
CONTROLS = ("rcolu", "relu-linear", "identity")
#: Power below which a family of tests is not run.
LEAST_POWER = 0.8


@dataclass(frozen=True, kw_only=True, config=CLOSED)
class Task:
    """What is run: an experiment at a preset, with settings as of ``colu run --set``."""

    experiment: Name
    preset: Name
    settings: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, config=CLOSED)
class Tuning:
    """The same search for every arm, on seeds and examples that no comparison uses.

    Attributes
    ----------
    learning_rates : list of float
        In ascending order, at least three.
    seeds : list of int
    settings : dict
        Of the tuning runs alone, such as ``holdout: 5000``.
    metric : str
        Whose mean over the seeds decides; of held-out examples, so its name starts with ``validation``.
    """

    learning_rates: Annotated[list[number(gt=0)], Field(min_length=3)]
    seeds: Annotated[list[Seed], Field(min_length=1)]
    settings: dict[str, Any]
    metric: Annotated[str, Field(pattern="^validation_")]

    def __post_init__(self) -> None:
        if sorted(set(self.learning_rates)) != self.learning_rates:
            raise ValueError(f"learning_rates are {self.learning_rates}, wanted each once and in ascending order")


@dataclass(frozen=True, kw_only=True, config=CLOSED)
class Test:
    """One comparison, and the statement in print or the question of our own that it speaks to.

    Attributes
    ----------
    statement : str
        Of ``statements.yml``; of a question of our own a name that is not there.
    arm, baseline, metric : str
    margin : float
        Within which two arms are called equal, in the unit of the metric: half the printed effect, unless ``argued``.
    argued : str
        Why it is another.
    asks : str
        The question, where it is our own.
    """

    statement: Name
    arm: Name
    baseline: Name
    metric: Text
    margin: number(gt=0)
    argued: str = ""
    asks: str = ""

    #: For pytest, which takes classes of this name for its own.
    __test__ = False

    @property
    def of(self) -> tuple[str, str, str]:
        """What is compared: two statements with the same are one test."""
        return self.arm, self.baseline, self.metric


@dataclass(frozen=True, kw_only=True, config=CLOSED)
class Spread:
    """Standard deviation of the differences, from earlier runs, and which."""

    sd: number(gt=0)
    measured: Text


@dataclass(frozen=True, kw_only=True, config=CLOSED)
class Cost:
    """What all runs take, from a run that was measured."""

    core_hours: number(gt=0)
    measured: Text


@dataclass(frozen=True, kw_only=True, config=CLOSED)
class Earlier:
    """An earlier version that has records, and why it was changed."""

    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    why: Text


@dataclass(frozen=True, kw_only=True, config=CLOSED)
class Failure:
    """A run that ends has failed, too, where its metric is worse than that of every run of an arm."""

    metric: Text
    worse_than: Name


@dataclass(frozen=True, kw_only=True, config=CLOSED)
class Protocol:
    """One family of tests, from the question to what the answer rests on; the fields of ``results/protocols/*.yml``.

    Attributes
    ----------
    name : str
        Of the file.
    question : str
    version : int
        Grows when the protocol is changed after its first record; ``earlier`` says how the older ones read.
    task : Task
    arms : list of str
    without : dict of str to str
        Controls that are left out, and why.
    tuning : Tuning
    seeds : list of int
        Of the runs that are compared; none of the tuning.
    comparison : {"paired", "welch"}
    shares : str
        What the runs of one seed have in common.
    tests : list of Test
        A family: Holm's correction is over the distinct ones.
    beside : int
        Distinct tests of other protocols that belong to the same family; the correction counts each as one that shows
        nothing, which is stricter than any other outcome of it.
    gates : list
        :class:`Reaches`, :class:`Needs` or :class:`Below`.
    spread : Spread
        For the power of the tests.
    failure : Failure or None
    stopping : str
    cost : Cost
    priority : int
        For ``colu campaign``; 1 comes first.

    Raises
    ------
    ValueError
        For a field that is missing, unknown or out of range; of pydantic, which names it.
    """

    name: Name
    question: Text
    version: Count = 1
    earlier: dict[int, Earlier] = Field(default_factory=dict)
    task: Task
    arms: Annotated[list[Name], Field(min_length=2)]
    without: dict[Name, Text] = Field(default_factory=dict)
    tuning: Tuning
    seeds: Annotated[list[Seed], Field(min_length=ENOUGH)]
    comparison: Literal["paired", "welch"]
    shares: Text
    tests: Annotated[list[Test], Field(min_length=1)]
    beside: Whole = 0
    gates: list[Gate]
    spread: Spread
    failure: Failure | None = None
    stopping: Text
    cost: Cost
    priority: Count = 1

    def __post_init__(self) -> None:
        for what, values in (("arms", self.arms), ("seeds", self.seeds), ("tests", [t.statement for t in self.tests])):
            if twice := sorted({v for v in values if values.count(v) > 1}, key=str):
                raise ValueError(f"{self.name}: {what} has {twice[0]!r} twice; each stands once")
        if both := set(self.seeds) & set(self.tuning.seeds):
            raise ValueError(f"{self.name}: seed {min(both)} is tuned on and compared; take others for the tuning")
        named = {arm for test in self.tests for arm in (test.arm, test.baseline)}
        named |= {arm for gate in self.gates for arm in gate.arms}
        named |= {self.failure.worse_than} if self.failure else set()
        if unknown := sorted(named - set(self.arms)):
            raise ValueError(f"{self.name}: {unknown[0]!r} is compared but not among the arms {self.arms}")
        conic = any("colu" in arm for arm in self.arms)
        missing = [c for c in CONTROLS if c not in self.arms and c not in self.without] if conic else []
        if missing:
            raise ValueError(f"{self.name}: the control {missing[0]!r} is no arm; add it, or say why under 'without'")
        if wrong := [v for v in self.earlier if v >= self.version]:
            raise ValueError(f"{self.name}: earlier has version {wrong[0]}, this is version {self.version}")
        for test, found in self.power().items():
            if found < LEAST_POWER:
                raise ValueError(
                    f"{self.name}: {test} would be decided in {found:.0%} of the cases, wanted {LEAST_POWER:.0%}; "
                    f"a family that can't decide isn't run: take more than {len(self.seeds)} seeds"
                )

    def power(self) -> dict[str, float]:
        """Chance to decide each statement, at Holm's strictest level, if the truth is twice the margin, or nothing.

        Twice the margin is the printed effect where the margin is not argued.  The smaller of the two chances: to find
        a difference of that size, and to find two equal arms equal.
        """
        alpha, n = 0.05 / (len({test.of for test in self.tests}) + self.beside), len(self.seeds)
        return {
            test.statement: min(
                power(2 * test.margin, self.spread.sd, n, alpha=alpha),
                equivalence_power(test.margin, self.spread.sd, n, alpha=alpha),
            )
            for test in self.tests
        }

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that the protocol says, but for what it says of earlier versions and its priority."""
        value = TypeAdapter(Protocol).dump_python(self, mode="json")
        # What protocols could not say at first counts where it is said, so that the digests of the first ones hold.
        value["tests"] = [{k: v for k, v in test.items() if k != "asks" or v} for test in value["tests"]]
        left_out = ("earlier", "priority", *(() if self.beside else ("beside",)))
        return digest_of({k: v for k, v in value.items() if k not in left_out})

    @property
    def stamp(self) -> dict:
        """What each of its records carries."""
        return {"name": self.name, "version": self.version, "digest": self.digest}

    def records(self, root: str | Path | None = None) -> list[Record]:
        """Records of this version, of its tuning too; those that failed are not among them.

        Raises
        ------
        ValueError
            If one was made under another text of the same version.
        """
        return self._checked(records_in(records_folder("", self.stamp), root))

    def failed(self, root: str | Path | None = None) -> list[Record]:
        """Records of runs that failed, of this version."""
        return self._checked(records_in(f"{records_folder('', self.stamp)}/failed", root))

    def _checked(self, records: list[Record]) -> list[Record]:
        for record in records:
            if record.protocol != self.stamp:
                raise ValueError(
                    f"protocol {self.name} changed after its record {record.stem}: restore version {self.version}, or "
                    f"make the change version {self.version + 1} and say under 'earlier' why"
                )
        return records


def read_protocol(path: str | Path) -> Protocol:
    """One protocol from its file.

    Raises
    ------
    ValueError
        If the file is no protocol; names the file and the field.
    """
    path = Path(path)
    return parse_protocol(path.stem, path.read_text(encoding="utf8"))


def parse_protocol(name: str, text: str) -> Protocol:
    """One protocol from the text of its file; see :func:`read_protocol`."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{name}.yml is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{name}.yml holds {type(value).__name__}, wanted the fields of a protocol")
    try:
        return TypeAdapter(Protocol).validate_python({"name": name, **value})
    except ValidationError as error:
        raise ValueError(f"{name}.yml: {said(error)}") from None


def load_protocols(root: str | Path | None = None, only: Iterable[str] | None = None) -> dict[str, Protocol]:
    """Protocols by name, those of smaller ``priority`` first.

    Raises
    ------
    ValueError
        For a name that is not among them, or a file that is no protocol.
    """
    found = [read_protocol(path) for path in result_files("protocols/*.yml", root)]
    by_name = {p.name: p for p in sorted(found, key=lambda p: (p.priority, p.name))}
    wanted = list(by_name) if only is None else list(only)
    if unknown := [name for name in wanted if name not in by_name]:
        raise ValueError(f"there is no protocol {unknown[0]!r}; choose among {', '.join(by_name)}")
    return {name: p for name, p in by_name.items() if name in wanted}
