"""What the runs behind the pages took: ``{status-table}`` for the notebooks, ``{runs-table}`` for ``results/``."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from colu.files import read_json
from colu.press.check.budget import MARK
from colu.press.toc import toc_chapters

from .executed import executed_path

ABSENT = "–"


def notebook_facts(copy: Path) -> dict[str, str]:
    """Return what is known of one executed copy; a dash where a fact was not recorded."""
    record = read_json(copy.with_suffix(".json")) or {}
    stamp = str(record.get("ended") or "")
    versions = record.get("versions", {})
    known = [f"Python {record['python']}"] if record.get("python") else []
    known += [f"torch {versions['torch']}"] if versions.get("torch") else []
    return {
        "time": f"{record['seconds']:.0f} s" if "seconds" in record else ABSENT,
        "memory": f"{record['peak_memory_mb'] / 1024:.1f} GB" if record.get("peak_memory_mb") else ABSENT,
        "versions": ", ".join(known) or ABSENT,
        "device": str(record.get("device") or ABSENT),
        "last": stamp[:16].replace("T", " ") + " UTC" if stamp else ABSENT,
        "validated": {True: "yes", False: "no"}.get(record.get("validated"), ABSENT),
        "preset": str(record.get("preset") or ABSENT),
    }


def run_facts(root: Path) -> list[tuple[str, ...]]:
    """Return one row for each experiment, preset and device of the recorded runs."""
    groups = defaultdict(list)
    for path in sorted(root.glob("*/*.json")):
        if path.name.endswith(".curve.json"):
            continue
        record = json.loads(path.read_text(encoding="utf8"))
        groups[record["experiment"], record["preset"], record["device"]["name"]].append(record)
    rows = []
    for (experiment, preset, device), records in sorted(groups.items()):
        seconds = [record["seconds"] for record in records]
        peaks = [record["peak_memory_bytes"] for record in records if record.get("peak_memory_bytes")]
        rows.append(
            (
                f"`{experiment}`",
                preset,
                device,
                str(len(records)),
                f"{min(seconds):.0f} to {max(seconds):.0f} s",
                f"{max(peaks) / 2**30:.1f} GB" if peaks else ABSENT,
                ", ".join(sorted({record["versions"]["torch"] for record in records})),
                max(record["started"] for record in records)[:10],
            )
        )
    return rows


class _Table(SphinxDirective):
    def table(self, head: list[str], rows: list[tuple[str, ...]], after: str = "") -> list[nodes.Node]:
        """Parse rows of MyST text as a table."""
        lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        lines += ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows]
        holder = nodes.container()
        text = StringList([*lines, "", after, ""], self.name)
        self.state.nested_parse(text, self.content_offset, holder)
        return [nodes.container("", *holder.children, classes=["wide-table"])]


class StatusTable(_Table):
    """One row a chapter; below, what is the same for all."""

    def run(self) -> list[nodes.Node]:
        """Build the table."""
        app, rows, total, common = self.env.app, [], 0.0, defaultdict(set)
        for chapter in toc_chapters(Path(self.env.srcdir)):
            copy = executed_path(app, f"notebooks/{chapter.name}")
            for path in (copy, copy.with_suffix(".json")):
                self.env.note_dependency(str(path))
            facts = notebook_facts(copy)
            total += (read_json(copy.with_suffix(".json")) or {}).get("seconds", 0.0)
            row = (facts[name] for name in ("time", "memory", "validated", "last"))
            rows.append((f"{{doc}}`../notebooks/{chapter.name}`", *row))
            for name in ("preset", "versions", "device"):
                common[name].add(facts[name])
        after = [f"All chapters together, one after another: {total / 60:.0f} minutes."]
        for name, values in common.items():
            known = sorted(values - {ABSENT})
            after.append(f"{name.capitalize()}: {'; '.join(known) or 'not recorded'}.")
        return self.table(["Chapter", "Time", "Peak memory", "Same twice", "Last run"], rows, "\n".join(after))


class PageBudget(SphinxDirective):
    """Where the build writes how high the parts of each chapter are, if it can measure that."""

    def run(self) -> list[nodes.Node]:
        """Leave the mark."""
        return [nodes.raw("", MARK, format="html")]


class RunsTable(_Table):
    """The recorded runs by experiment, preset and device."""

    def run(self) -> list[nodes.Node]:
        """Build the table."""
        root = Path(self.env.srcdir, "results")
        for path in root.glob("*/*.json"):
            self.env.note_dependency(str(path))
        head = ["Experiment", "Preset", "Device", "Runs", "Time a run", "Memory", "torch", "Last"]
        return self.table(head, run_facts(root))


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_directive("status-table", StatusTable)
    app.add_directive("runs-table", RunsTable)
    app.add_directive("page-budget", PageBudget)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
