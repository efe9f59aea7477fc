"""Statements in print, as data: what is said, where, with which figures, and what it would take to test it."""

from __future__ import annotations

from dataclasses import dataclass as plain
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from colu.lab.fields import CLOSED, Count, Name, Number, Text, load_entries
from colu.lab.results import Record, find_records, metric_of, one_setting

from .gates import Gate

__all__ = ["Exploratory", "Printed", "Question", "Statement", "load_statements"]

STATEMENTS = Path(__file__).with_name("statements.yml")


@dataclass(frozen=True, kw_only=True, config=CLOSED)
class Printed:
    """Figures in print.

    Attributes
    ----------
    arm, baseline : float
        In the unit of our metric.
    examples, parameters : int or None
        Seen in training, and of the network, where the paper or its code says so.
    """

    arm: Number
    baseline: Number
    examples: Count | None = None
    parameters: Count | None = None

    @property
    def effect(self) -> float:
        """Arm minus baseline."""
        return self.arm - self.baseline


@dataclass(frozen=True, kw_only=True, config=CLOSED)
class Exploratory:
    """Records that were made before any protocol: they show something and decide nothing.

    Attributes
    ----------
    experiment : str
    presets : list of str
    metric, arm, baseline : str
        ``test_loss@0.25`` is the value after a quarter of the steps.
    baseline_metric : str
        Where it is another metric of the same runs.
    only : dict
        Entries of the configuration.
    setting : str
        How the runs differ from the printed setting; sizes and steps stand in the records.
    other_task : bool
        Whether ours is not the printed task.
    gates : list
        :class:`Reaches`, :class:`Needs` or :class:`Below`.
    command : str
        What makes the records.
    """

    experiment: Name
    presets: list[Name]
    metric: Text
    arm: Name
    baseline: Name
    setting: Text
    command: Text
    baseline_metric: str = ""
    only: dict[str, Any] = Field(default_factory=dict)
    other_task: bool = False
    gates: list[Gate] = Field(default_factory=list)

    @property
    def metrics(self) -> tuple[str, str]:
        """What is compared: of the arm, and of the baseline."""
        return self.metric, self.baseline_metric or self.metric

    def records(self, root: str | Path | None = None) -> list[Record]:
        """Finished records of one setting that have the metric, of the two arms and of those that gates look at.

        Which setting is said by :func:`colu.lab.results.one_setting`: the largest with enough runs.
        """
        compared = (self.arm, self.baseline)
        arms = {*compared, *(arm for gate in self.gates for arm in gate.arms)}
        found = find_records(self.experiment, root, arms=arms, where=self.only)
        told = [
            r for r in found if r.preset in self.presets and None not in [metric_of(r, name) for name in self.metrics]
        ]
        return one_setting(told, compared)


@dataclass(frozen=True, kw_only=True, config=CLOSED)
class Statement:
    """A statement in print; the fields of ``statements.yml``.

    Attributes
    ----------
    id : str
    statement : str
        In our words, with its figures.
    source : str
        Key in the bibliography.
    where : str
        Table, figure or section.
    cited_by : str
        Key of what we read, where we did not read the source itself.
    says : {"higher", "lower", "equal", "unstable"}
        Of the arm's metric against the baseline's.
    printed : Printed or None
        None where no figures are in print, or we could not read them.
    exploratory : Exploratory or None
    needs : str
        What it would take to test it, where no protocol does.
    """

    id: Name
    statement: Text
    source: Text
    where: Text
    says: Literal["higher", "lower", "equal", "unstable"]
    cited_by: str = ""
    printed: Printed | None = None
    exploratory: Exploratory | None = None
    needs: str = ""

    def __post_init__(self) -> None:
        if self.printed and self.says in ("higher", "lower") and (self.printed.effect > 0) != (self.says == "higher"):
            raise ValueError(f"{self.id}: says {self.says}, but the printed effect is {self.printed.effect:+.4g}")


@plain(frozen=True)
class Question:
    """What we ask ourselves, in place of a statement in print: nobody said which way it goes.

    Attributes
    ----------
    id, statement : str
        The name of a test, and the question.
    """

    id: str
    statement: str
    says: str = "asked"
    source: str = ""
    printed: None = None
    exploratory: None = None
    needs: str = ""


def load_statements(path: Path | None = None) -> dict[str, Statement]:
    """The statements of ``statements.yml`` by id, in its order.

    Raises
    ------
    ValueError
        If an entry lacks a field, has an unknown one, or one out of range.

    Examples
    --------
    >>> load_statements()["mnist-mlp-colu"].printed.baseline
    95.76
    """
    return load_entries(path or STATEMENTS, Statement)
