"""What is wrong with statements, protocols and their records, each a line; CI and the build stop at the first."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

from colu.lab.commit import text_in_commit
from colu.lab.experiments import EXPERIMENTS, get_arm
from colu.lab.results import RecordError, read_record

from .judge import judge_family
from .protocol import Protocol, parse_protocol, read_protocol
from .runs import tuning_configurations
from .statements import Statement, load_statements

__all__ = ["lint_protocols"]


def lint_protocols(root: str | Path, statements: dict[str, Statement] | None = None) -> list[str]:
    """Faults of the protocols below a folder of records, and of what was recorded under them.

    Parameters
    ----------
    root : path
    statements : dict, optional
        By default those of :func:`colu.lab.verdicts.load_statements`.

    Returns
    -------
    list of str
        Empty where all is well.
    """
    root, statements = Path(root), load_statements() if statements is None else statements
    found, protocols = [], {}
    for path in sorted(root.glob("protocols/*.yml")):
        try:
            protocol = protocols[path.stem] = read_protocol(path)
        except ValueError as error:
            found.append(str(error))
            continue
        found += _against_statements(protocol, statements)
        found += _against_code(protocol)
    tested = Counter(t.statement for p in protocols.values() for t in p.tests)
    found += [f"statement {key} is tested {n} times; one protocol speaks to it" for key, n in tested.items() if n > 1]
    found += [
        f"{key} has neither a protocol nor what it would take: add 'needs'"
        for key, statement in statements.items()
        if key not in tested and not statement.needs
    ]
    found += [
        f"{key} has a protocol, and still exploratory runs: take those out"
        for key in tested
        if key in statements and statements[key].exploratory
    ]
    broken = {line.partition(":")[0].removesuffix(".yml") for line in found if ".yml" in line}
    return found + _against_records(root, protocols, statements, broken)


def _against_statements(protocol: Protocol, statements: dict[str, Statement]) -> list[str]:
    found = []
    for test in protocol.tests:
        if test.asks:
            found += _of_our_own(protocol, test, statements)
            continue
        if (statement := statements.get(test.statement)) is None:
            found.append(f"protocol {protocol.name} tests {test.statement!r}, which is no statement")
            continue
        half = abs(statement.printed.effect) / 2 if statement.printed else None
        if not test.argued and (half is None or abs(test.margin - half) > 0.005 * half):
            wanted = "no size is printed" if half is None else f"half the printed effect is {half:.4g}"
            found.append(
                f"protocol {protocol.name}, {test.statement}: the margin is {test.margin:g}, and {wanted}; "
                "say why under 'argued'"
            )
    return found


def _of_our_own(protocol: Protocol, test, statements: dict[str, Statement]) -> list[str]:
    if test.statement in statements:
        return [f"protocol {protocol.name}: {test.statement!r} is a statement in print; it needs no 'asks'"]
    if not test.argued:
        wanted = f"no size is printed; say why {test.margin:g} under 'argued'"
        return [f"protocol {protocol.name}, {test.statement}: {wanted}"]
    return []


def _against_code(protocol: Protocol) -> list[str]:
    experiment = EXPERIMENTS.get(protocol.task.experiment)
    if experiment is None:
        return [f"protocol {protocol.name}: there is no experiment {protocol.task.experiment!r}"]
    try:
        for arm in protocol.arms:
            get_arm(arm)
        tuning_configurations(protocol, device="cpu")
    except ValueError as error:
        return [f"protocol {protocol.name}: {error}"]
    return []


def _digest_then(commit: str, name: str) -> str | None:
    """Of a protocol in a commit; empty where it was not there, None where the commit is not here."""
    text = text_in_commit(commit, f"results/protocols/{name}.yml")
    try:
        return parse_protocol(name, text).digest if text else text
    except ValueError:
        return ""


_FOLDER = re.compile(r"(?P<name>.+)-v(?P<version>[1-9]\d*)")


def _against_records(root: Path, protocols: dict[str, Protocol], statements, broken: set[str]) -> list[str]:
    found, judged = [], set()
    for folder in sorted(path for path in root.glob("protocols/*") if path.is_dir()):
        parts = _FOLDER.fullmatch(folder.name)
        protocol = protocols.get(parts["name"]) if parts else None
        if protocol is None:
            if parts is None or parts["name"] not in broken:
                found.append(f"{folder} holds records of a protocol that is not there; restore its file")
            continue
        version = int(parts["version"])
        digest = protocol.digest if version == protocol.version else None
        if version != protocol.version:
            if version not in protocol.earlier:
                found.append(f"protocol {protocol.name} has records of version {version}; say under 'earlier' why")
                continue
            digest = protocol.earlier[version].digest
        lines = _stamped(root, folder, protocol.name, version, digest)
        found += lines
        # What belongs to another text of the protocol cannot be judged by this one.
        if version == protocol.version and not any("changed after" in line for line in lines):
            judged.add(protocol.name)
    for name in sorted(judged):
        try:
            judge_family(protocols[name], statements, root)
        except (ValueError, KeyError) as error:
            found.append(str(error))
    return list(dict.fromkeys(found))


def _stamped(root: Path, folder: Path, name: str, version: int, digest: str) -> list[str]:
    """Records whose stamp is not that of their protocol, or that were made from a tree that had it not."""
    found, then = [], cache(_digest_then)
    for path in sorted([*folder.glob("*.json"), *folder.glob("failed/*.json")]):
        if path.name.endswith(".curve.json"):
            continue
        try:
            record = read_record(path)
        except RecordError:
            continue  # said where the records are verified
        if record.protocol is None or record.protocol["digest"] != digest:
            found.append(
                f"protocol {name} changed after its record {record.stem}: restore version {version}, or make the "
                f"change a version {version + 1} and say under 'earlier' why"
            )
        elif record.dirty or record.commit is None:
            found.append(f"record {record.stem} of protocol {name} is of a tree with changes; run it from a commit")
        elif then(record.commit, name) not in (digest, None):
            found.append(f"record {record.stem} is older than its protocol {name}: commit it before the runs")
    # One fault of a kind is enough to know.
    kinds = {re.sub(r"record \S+", "record", line): line for line in found}
    return list(kinds.values())
