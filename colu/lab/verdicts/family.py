"""Protocols of one family, which are looked at together or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .judge import Judgement, judge_state
from .protocol import load_protocols
from .runs import state_of
from .statements import load_statements

__all__ = ["Family", "judge_together"]


@dataclass(frozen=True)
class Family:
    """How far some protocols are, and what they say once the last run of all of them is done.

    Attributes
    ----------
    left, of : int
        Runs that are missing, and runs in all.
    judged : dict of str to Judgement
        By the names of the tests; empty until no run is left.
    """

    left: int
    of: int
    judged: dict[str, Judgement] = field(default_factory=dict)

    def __str__(self) -> str:
        done = self.of - self.left
        return f"not finished: {done:,} of {self.of:,} runs" if self.left else f"finished: {self.of:,} runs"


def judge_together(names: Iterable[str], root: str | Path | None = None) -> Family:
    """Judge protocols that share a family of tests, and none of them before all are whole.

    Parameters
    ----------
    names : iterable of str
        Of protocols.
    root : path, optional
        Folder of records.

    Raises
    ------
    ValueError
        For a name that is not there, tests that a protocol counts beside its own and that are not among these, or a
        record that does not belong to its protocol.

    Examples
    --------
    >>> family = judge_together(["mnist-perceptron"])
    >>> print(family), len(family.judged)
    finished: 120 runs
    (None, 3)
    """
    protocols = load_protocols(root, list(names)).values()
    own = {p.name: len({test.of for test in p.tests}) for p in protocols}
    for p in protocols:
        if p.beside and p.beside != sum(own.values()) - own[p.name]:
            raise ValueError(
                f"{p.name} counts {p.beside} tests beside its own, and the others named have "
                f"{sum(own.values()) - own[p.name]}: name all protocols of its family and no other"
            )
    states = {p.name: state_of(p, root) for p in protocols}
    left, of = sum(states[p.name].remaining(p) for p in protocols), sum(s.of for s in states.values())
    if left:
        return Family(left, of)
    statements, judged = load_statements(), {}
    for p in protocols:
        judged |= judge_state(p, statements, states[p.name])
    return Family(0, of, judged)
