"""The groups of public networks, from their record: ``{catalogue-table}``."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from colu.lab.catalogue import CATALOGUE, LADDER, read_catalogue, read_scale

#: From this share of its channels on a model counts.
COUNTS = 0.8
#: Kinds of groups, and reasons, that a row shows before it counts the others.
SHOWN = 4


def summary(record: dict[str, dict]) -> str:
    """How many models count, how exact the groups are, and how the record was made.

    Examples
    --------
    >>> made = {"error": 2e-15, "share": 0.9, "versions": {"torch": "2.0"}, "device": "cpu", "commit": "a" * 40}
    >>> summary({"one": made}).splitlines()[0]
    'In **1 of 1** models a group moves at least 80 % of the channels that layers make.'
    """
    rows = list(record.values())
    counting = sum(row["share"] >= COUNTS for row in rows)
    versions = sorted({f"{name} {version}" for row in rows for name, version in row["versions"].items()})
    commits = sorted({f"`{row['commit'][:10]}`" for row in rows if row["commit"]})
    devices = ", ".join(sorted({row["device"].upper() for row in rows}))
    return (
        f"In **{counting} of {len(rows)}** models a group moves at least {COUNTS:.0%} of the channels that layers "
        "make.\n".replace("%", " %")
        + f"Random elements of all groups move the function by at most {max(row['error'] for row in rows):.1e} of its "
        "largest value.\n"
        f"Recorded with {', '.join(versions)} at {', '.join(commits)}; one thread, {devices}."
    )


def _short(group: str) -> str:
    """Factors that follow each other, as a power.

    Examples
    --------
    >>> _short("(B(1) x B(1) x B(1) x O(16)) wr Perm(2)")
    '(B(1)^3 x O(16)) wr Perm(2)'
    """
    return re.sub(r"(\w+\(\d+\))((?: x \1)+)(?!\w)", lambda found: f"{found[1]}^{1 + found[2].count(' x ')}", group)


def _ranged(counts: dict[str, int]) -> dict[str, int]:
    """Groups that differ in their sizes alone as one, with the smallest and the largest size.

    Examples
    --------
    >>> _ranged({"Perm(64)": 3, "O(16) wr Perm(4)": 2, "Perm(512)": 1})
    {'Perm(64 to 512)': 4, 'O(16) wr Perm(4)': 2}
    """
    kinds: dict[str, list] = {}
    for name, count in counts.items():
        short = _short(name)
        # A power counts factors, and is no size.
        kinds.setdefault(re.sub(r"(?<!\^)\b\d+", "#", short), []).append((short, count))
    found = {}
    for kind, members in kinds.items():
        sizes = zip(*([int(one) for one in re.findall(r"(?<!\^)\b\d+", short)] for short, _ in members), strict=True)
        texts = [str(min(one)) if min(one) == max(one) else f"{min(one)} to {max(one)}" for one in map(tuple, sizes)]
        found["".join(part + text for part, text in zip(kind.split("#"), [*texts, ""], strict=True))] = sum(
            count for _, count in members
        )
    return found


def _listed(counts: dict[str, int], form: str) -> str:
    shown = [form.format(name, count) for name, count in list(counts.items())[:SHOWN]]
    rest = sum(list(counts.values())[SHOWN:])
    return ", ".join([*shown, *([f"{rest} more"] if rest else [])])


def _groups(found: dict) -> str:
    """Groups with their numbers, each unbroken, and what stays where anything does."""
    moved = _listed(_ranged(found["groups"]), "{1} × {0}").replace(" × ", "\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}")
    moved = moved.replace(" to ", "\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}")
    return f"{moved}; {_listed(found['still'], '{1} stay: {0}')}" if found["still"] else moved


def catalogue_rows(record: dict[str, dict]) -> list[tuple[str, ...]]:
    """One row of MyST text a model, in the order of the catalogue."""
    rows = []
    for entry in CATALOGUE:
        if (found := record.get(entry.name)) is None:
            continue
        size = entry.small or "as published"
        size += f", {entry.pixels} pixels" if entry.pixels else ""
        rows.append(
            (
                f"`{entry.name}`",
                f"{entry.library}; {size}",
                _groups(found),
                f"{100 * found['share']:.0f} %",
                f"{found['error']:.0e}",
                f"{found['cpu_seconds']:.1f}",
                f"{found['memory_bytes'] / 2**20:.0f}",
            )
        )
    return rows


def scale_rows(record: dict[str, dict]) -> list[tuple[str, ...]]:
    """One row of MyST text a rung of the ladder of widths."""
    rows = []
    for rung in LADDER:
        if (found := record.get(rung.name)) is None:
            continue
        rows.append(
            (
                rung.kind,
                str(rung.width),
                f"{found['parameters'] / 1e6:.1f}",
                f"{found['trace_seconds']:.1f}",
                f"{found['match_seconds']:.1f}",
                str(found["sweeps"]) + ("" if found["converged"] else ", not done"),
                f"{found['memory_bytes'] / found['model_bytes']:.1f}",
            )
        )
    return rows


class _RecordTable(SphinxDirective):
    """A table of a record, below what is said of it."""

    head: tuple[str, ...]
    record: str
    #: From the path of the record the lines above the table, and its rows.
    told: Callable[[Path], tuple[list[str], list[tuple[str, ...]]]]

    def run(self) -> list[nodes.Node]:
        """Build both."""
        path = Path(self.env.srcdir) / "results" / self.record
        self.env.note_dependency(str(path))
        above, rows = self.told(path)
        lines = [*above, "", "| " + " | ".join(self.head) + " |", "|" + "---|" * len(self.head)]
        lines += ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows]
        holder = nodes.container("", classes=["wide-table"])
        self.state.nested_parse(StringList([*lines, ""], self.name), self.content_offset, holder)
        return [holder]


class CatalogueTable(_RecordTable):
    """A paragraph that counts, and one row a model."""

    head = ("Model", "Made as", "Groups", "Share", "Error", "CPU s", "MB")
    record = "catalogue.json"

    def told(self, path: Path) -> tuple[list[str], list[tuple[str, ...]]]:
        """What is counted, and a row a model."""
        record = read_catalogue(path)
        return summary(record).splitlines(), catalogue_rows(record)


class ScaleTable(_RecordTable):
    """How the runs were made, and one row a width."""

    head = ("Network", "Width", "Million weights", "Follow, CPU s", "Align, CPU s", "Sweeps", "Memory, models")
    record = "alignment-scale.json"

    def told(self, path: Path) -> tuple[list[str], list[tuple[str, ...]]]:
        """Versions and commits, and a row a width."""
        record = read_scale(path)
        made = "; ".join(
            sorted({f"torch {row['versions']['torch']} at `{(row['commit'] or '')[:10]}`" for row in record.values()})
        )
        return [f"Recorded with {made}; one thread of a CPU."], scale_rows(record)


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_directive("catalogue-table", CatalogueTable)
    app.add_directive("scale-table", ScaleTable)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
