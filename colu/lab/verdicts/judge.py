"""Statements held against runs: gates first, then one word."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from colu.lab.results import (
    ENOUGH,
    Difference,
    Rate,
    Record,
    fisher_p_value,
    holm,
    less_is_better,
    metric_of,
    paired_difference,
    rate,
    welch_difference,
)

from .gates import Passed, one_processor
from .protocol import Protocol, Test, load_protocols
from .runs import State, state_of
from .statements import Printed, Question, Statement, load_statements
from .words import rate_word, word

__all__ = ["Judgement", "judge_all", "judge_exploratory", "judge_family", "judge_state"]


@dataclass(frozen=True)
class Judgement:
    """What the runs say of a statement, and what that rests on.

    Attributes
    ----------
    statement : Statement or Question
    word : str
        One of ``WORDS``, or of ``ANSWERS`` to a question of our own.
    reasons : tuple of str
        Why, where a gate fails or runs are missing.
    gates : tuple of Passed
        All that were looked at.
    difference : Difference or None
        Arm minus baseline, among the runs that trained.
    p_value, equivalence_p_value, margin : float or None
        Corrected by Holm over the family; None for exploratory runs.
    failed : tuple of Rate
        Of the arm and of the baseline; empty for exploratory runs.
    records : tuple of Record
        Finished runs of all arms that were looked at.
    protocol : Protocol or None
        None for exploratory runs.
    rates : dict of str to float
        Tuned learning rates.
    """

    statement: Statement | Question
    word: str
    reasons: tuple[str, ...] = ()
    gates: tuple[Passed, ...] = ()
    difference: Difference | None = None
    p_value: float | None = None
    equivalence_p_value: float | None = None
    margin: float | None = None
    failed: tuple[Rate, ...] = ()
    records: tuple[Record, ...] = ()
    protocol: Protocol | None = None
    rates: dict[str, float] | None = None

    @property
    def test(self) -> Test | None:
        """The comparison of the protocol that speaks to the statement."""
        tests = self.protocol.tests if self.protocol else []
        return next((t for t in tests if t.statement == self.statement.id), None)

    def scale(self) -> str:
        """Our examples seen and parameters, over the printed ones where those are known."""
        if not self.records:
            return ""
        record, printed = self.records[0], self.statement.printed
        plan = record.config["plan"]
        ours = {"examples": plan["steps"] * plan["batch_size"], "parameters": int(record.metrics["num_parameters"])}
        return ", ".join(_over(name, value, printed) for name, value in ours.items())


def _over(name: str, ours: int, printed: Printed | None) -> str:
    theirs = getattr(printed, name) if printed else None
    return f"{ours:,} {name}" + (f", {ours / theirs:.2g} of the printed" if theirs else "")


def _by_seed(records: Iterable[Record], arm: str, metric: str) -> dict[int, float]:
    found = {r.seed: metric_of(r, metric) for r in records if r.arm == arm}
    return {seed: float(value) for seed, value in found.items() if value is not None}


def judge_exploratory(statement: Statement, records: Sequence[Record]) -> Judgement:
    """What runs without a protocol show of a statement: *regime not reached*, or *not tested*.

    Parameters
    ----------
    statement : Statement
        With ``exploratory``.
    records : sequence of Record
        Of :meth:`colu.lab.verdicts.Exploratory.records`.
    """
    ours = statement.exploratory
    arm, base = (_by_seed(records, *pair) for pair in zip((ours.arm, ours.baseline), ours.metrics, strict=True))
    seeds = sorted(arm.keys() & base.keys())
    if len(seeds) < 2:
        return Judgement(statement, "not tested", (statement.needs or "there are no runs",))
    difference = paired_difference([arm[s] for s in seeds], [base[s] for s in seeds])
    gates = [gate.check(records) for gate in ours.gates]
    if ours.other_task:
        gates.append(Passed(False, f"another task: {ours.setting}"))
    failing = [gate.found for gate in gates if not gate.holds]
    told = {"gates": tuple(gates), "difference": difference, "records": tuple(records)}
    if failing:
        return Judgement(statement, "regime not reached", tuple(failing), **told)
    return Judgement(statement, "not tested", ("these runs were made before any protocol",), **told)


def judge_family(
    protocol: Protocol, statements: dict[str, Statement], root: str | Path | None = None
) -> dict[str, Judgement]:
    """One word for each statement or question that a protocol speaks to, by its name.

    Parameters
    ----------
    protocol : Protocol
    statements : dict of str to Statement
        Of :func:`load_statements`.
    root : path, optional
        Folder of records.

    Raises
    ------
    ValueError
        If a record does not belong to the protocol as it is now.
    """
    return judge_state(protocol, statements, state_of(protocol, root))


def judge_state(protocol: Protocol, statements: dict[str, Statement], state: State) -> dict[str, Judgement]:
    """As :func:`judge_family`, of runs that are given."""
    own = {"protocol": protocol, "rates": state.rates}
    asked = {t.statement: Question(t.statement, t.asks) for t in protocol.tests if t.asks}
    statements = {**statements, **asked}
    if not state.whole:
        why = (f"{state.remaining(protocol)} of {state.of} runs of its protocol, {protocol.name}, are left",)
        return {t.statement: Judgement(statements[t.statement], "not tested", why, **own) for t in protocol.tests}
    trained, failed = _trained(protocol, state)
    gates = [gate.check(trained) for gate in protocol.gates]
    edges = {
        arm: Passed(False, f"the best rate of {arm}, {state.rates[arm]:g}, is at the edge of the grid")
        for arm in state.edges(protocol)
    }
    gated = {arm for gate in protocol.gates for arm in gate.arms}
    found = {t.of: _compare(protocol, t, trained) for t in protocol.tests}
    rates = {arm: rate(len(failed[arm]), len(protocol.seeds)) for arm in protocol.arms}
    unstable = {t.of for t in protocol.tests if statements[t.statement].says == "unstable"}
    # The distinct tests of the family: two statements about the same runs are one.
    p = {
        of: fisher_p_value(rates[of[0]], rates[of[1]]) if of in unstable else d.p_value if d else 1.0
        for of, d in found.items()
    }
    equal = {(t.of, t.margin) for t in protocol.tests if found[t.of] and t.of not in unstable}
    q = {key: found[key[0]].equivalence_p_value(key[1]) for key in sorted(equal)}
    p, q = (_corrected(values, protocol.beside) for values in (p, q))
    judged = {}
    for test in protocol.tests:
        statement, difference = statements[test.statement], found[test.of]
        pair = one_processor(trained, (test.arm, test.baseline))
        # A test rests on its two arms and on those of the gates; the rate of another arm is no fault of it.
        untuned = [edge for arm, edge in edges.items() if arm in gated | {test.arm, test.baseline}]
        seen = (*gates, *untuned, *([pair] if protocol.comparison == "paired" else []))
        told = {
            "gates": seen, "difference": difference,
            "p_value": p[test.of], "equivalence_p_value": q.get((test.of, test.margin), 1.0),
            "margin": test.margin, "failed": (rates[test.arm], rates[test.baseline]), "records": tuple(trained), **own,
        }  # fmt: skip
        if failing := tuple(gate.found for gate in seen if not gate.holds):
            judged[test.statement] = Judgement(statement, "regime not reached", failing, **told)
        elif statement.says == "unstable":
            shares = (r.count / r.n for r in told["failed"])
            judged[test.statement] = Judgement(statement, rate_word(*shares, p_value=p[test.of]), **told)
        elif difference is None or difference.n < ENOUGH:
            n = 0 if difference is None else difference.n
            why = (f"{n} pairs of runs trained, wanted at least {ENOUGH}",)
            judged[test.statement] = Judgement(statement, "undecided", why, **told)
        else:
            size = abs(statement.printed.effect) if statement.printed else None
            said = word(
                statement.says, difference, p_value=p[test.of],
                equivalence_p_value=told["equivalence_p_value"], printed=size,
            )  # fmt: skip
            judged[test.statement] = Judgement(statement, said, **told)
    return judged


def _corrected(p_values: dict, beside: int) -> dict:
    """By Holm, with as many others beside that show nothing."""
    found = holm([*p_values.values(), *[1.0] * beside])
    return dict(zip(p_values, found, strict=False))


def _trained(protocol: Protocol, state: State) -> tuple[list[Record], dict[str, set[int]]]:
    """Runs that trained, and for each arm the seeds of those that did not."""
    failed = {arm: {r.seed for r in state.failed if r.arm == arm} for arm in protocol.arms}
    if protocol.failure is None:
        return state.records, failed
    metric, sign = protocol.failure.metric, 1 if less_is_better(protocol.failure.metric) else -1
    limit = max(sign * v for v in _by_seed(state.records, protocol.failure.worse_than, metric).values())
    lost = [r for r in state.records if sign * float(metric_of(r, metric)) > limit]
    for record in lost:
        failed[record.arm].add(record.seed)
    return [r for r in state.records if r not in lost], failed


def _compare(protocol: Protocol, test: Test, trained: Sequence[Record]) -> Difference | None:
    arm, base = (_by_seed(trained, name, test.metric) for name in (test.arm, test.baseline))
    if protocol.comparison == "welch":
        enough = min(len(arm), len(base)) >= 2
        return welch_difference(list(arm.values()), list(base.values())) if enough else None
    seeds = sorted(arm.keys() & base.keys())
    return paired_difference([arm[s] for s in seeds], [base[s] for s in seeds]) if len(seeds) >= 2 else None


def judge_all(root: str | Path | None = None) -> dict[str, Judgement]:
    """A judgement for every statement, in the order of ``statements.yml``.

    A statement with a protocol is judged by that; one without shows its exploratory runs.

    Examples
    --------
    >>> {j.word for j in judge_all("nowhere").values()}
    {'not tested'}
    """
    statements = load_statements()
    judged: dict[str, Judgement] = {}
    for protocol in load_protocols(root).values():
        if not all(test.asks for test in protocol.tests):
            judged |= judge_family(protocol, statements, root)
    for key, statement in statements.items():
        if key not in judged and statement.exploratory:
            judged[key] = judge_exploratory(statement, statement.exploratory.records(root))
        elif key not in judged:
            judged[key] = Judgement(statement, "not tested", (statement.needs,))
    return {key: judged[key] for key in statements}
