"""The claim box, the role that links to one from any page, and the table of all claims.

A claim's statement and expectation come from ``colu/claims/expectations.yml``; what was measured comes from
the output of its cell in the executed notebook, so the page cannot say more than the run showed.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

import colu
from colu.book.site.executed import PREFIX, executed_path, read_executed
from colu.claims import load_expectations

logger = logging.getLogger(__name__)

EXPECTATIONS = Path(colu.__file__).parent / "claims" / "expectations.yml"
VERDICTS = {"holds": "✓ holds", "fails": "✗ fails", "unknown": "not measured"}
_CHECKED = re.compile(r"""\bcheck\(\s*["']([^"']+)["']""")


def numbered(expectations: dict[str, dict]) -> dict[str, str]:
    """Number the claims: the chapter's number, a dot, the place in the chapter.

    Examples
    --------
    >>> numbered({"a": {"notebook": "10-cones"}, "b": {"notebook": "10-cones"}, "c": {"notebook": "30-mlp"}})
    {'a': '10.1', 'b': '10.2', 'c': '30.1'}
    """
    places: dict[str, int] = {}
    numbers = {}
    for claim, entry in expectations.items():
        notebook = entry["notebook"]
        places[notebook] = places.get(notebook, 0) + 1
        numbers[claim] = f"{notebook.split('-')[0]}.{places[notebook]}"
    return numbers


def number_text(value: object) -> str:
    """Write a measured or expected value for a reader.

    Examples
    --------
    >>> number_text(True), number_text(12), number_text(1.41421356), number_text(2.3e-16)
    ('true', '12', '1.41421', '2.3e-16')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return format(value, ".6g")
    return str(value)


def expected_text(entry: dict, preset: str) -> str:
    """Write what a claim's measured value must be.

    Examples
    --------
    >>> expected_text({"expected": {"smoke": 0.5, "full": 0.7}, "tolerance": 0.01}, "smoke")
    '0.5 ± 0.01'
    >>> expected_text({"at_most": 1e-6}, "smoke"), expected_text({"between": [0.9, 1]}, "smoke")
    ('at most 1e-06', 'between 0.9 and 1')
    """

    def at(key: str) -> object:
        value = entry[key]
        return value.get(preset, "no value for this preset") if isinstance(value, dict) else value

    if "at_most" in entry:
        return f"at most {number_text(at('at_most'))}"
    if "at_least" in entry:
        return f"at least {number_text(at('at_least'))}"
    if "between" in entry:
        low, high = at("between")
        return f"between {number_text(low)} and {number_text(high)}"
    text = number_text(at("expected"))
    return f"{text} ± {number_text(at('tolerance'))}" if entry.get("tolerance") else text


def measured_claims(notebook: dict | None) -> dict[str, dict]:
    """Return what the cells of an executed notebook measured: claim -> record."""
    found = {}
    for cell in (notebook or {}).get("cells", []):
        for output in cell.get("outputs", []):
            record = output.get("metadata", {}).get("colu_claim")
            if isinstance(record, dict) and "id" in record:
                found[record["id"]] = record
    return found


def verdict_of(record: dict | None) -> str:
    """Return ``holds``, ``fails`` or ``unknown``."""
    if record is None:
        return "unknown"
    verdict = record.get("verdict")
    return "holds" if verdict in (True, "holds", "pass", "passed", "ok", "true") else "fails"


class Reading:
    """What one page needs to know of the claims: expectations, numbers, measured values."""

    def __init__(self, app: Sphinx) -> None:
        self.app = app
        self.expectations = load_expectations()
        self.numbers = numbered(self.expectations)
        self._measured: dict[str, dict[str, dict]] = {}
        app.env.note_dependency(str(EXPECTATIONS))

    def record(self, claim: str) -> dict | None:
        """Return what the claim's cell recorded; None where it did not run."""
        notebook = self.expectations[claim]["notebook"]
        if notebook not in self._measured:
            path = executed_path(self.app, PREFIX + notebook)
            self.app.env.note_dependency(str(path))
            self._measured[notebook] = measured_claims(read_executed(path))
        return self._measured[notebook].get(claim)

    def facts(self, claim: str) -> tuple[str, str, str]:
        """Return the expected and the measured value, as text, and the verdict."""
        record = self.record(claim)
        preset = (record or {}).get("preset") or os.environ.get("COLU_PRESET") or "smoke"
        measured = number_text(record["measured"]) if record else "–"
        return expected_text(self.expectations[claim], preset), measured, verdict_of(record)


class claim_link(nodes.Inline, nodes.TextElement):
    """Stands for a link to a claim's box or cell until all pages are read."""


def link_to(claim: str, text: str, part: str = "claim") -> claim_link:
    """Return a link to the box (``part="claim"``) or the cell (``part="cell"``) of a claim."""
    return claim_link("", text, claim=claim, part=part)


def verdict_node(verdict: str) -> nodes.inline:
    """Return the verdict, marked for the style sheet by a class and for everybody by a word."""
    return nodes.inline("", VERDICTS[verdict], classes=["claim-verdict", f"claim-{verdict}"])


class ClaimDirective(SphinxDirective):
    """A numbered box: the statement, what was expected, what was measured, the verdict."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Build the box."""
        claim = self.arguments[0]
        reading = Reading(self.env.app)
        if claim not in reading.expectations:
            message = f'claim "{claim}" is not in colu/claims/expectations.yml'
            return [self.state.document.reporter.warning(message, line=self.lineno)]
        if reading.record(claim) is None:
            logger.warning(
                'claim "%s" was not measured: no output of notebooks/%s records it',
                claim,
                reading.expectations[claim]["notebook"],
                location=self.get_location(),
                type="colu",
                subtype="claim",
            )
        boxes = self.env.__dict__.setdefault("colu_claim_boxes", {})
        boxes[claim] = self.env.docname
        box = nodes.admonition(classes=["claim"], ids=[f"claim-{claim}"])
        box += nodes.title("", f"Claim {reading.numbers[claim]}")
        statement = nodes.container(classes=["claim-statement"])
        self.state.nested_parse(self.content, self.content_offset, statement)
        box += statement
        expected, measured, verdict = reading.facts(claim)
        facts = nodes.paragraph(classes=["claim-facts"])
        facts += [
            nodes.inline("", f"Expected {expected}", classes=["claim-expected"]),
            nodes.Text("; "),
            nodes.inline("", f"measured {measured}", classes=["claim-measured"]),
            nodes.Text(": "),
            verdict_node(verdict),
            nodes.Text(". "),
            link_to(claim, "The cell that checks it", "cell"),
            nodes.Text("."),
        ]
        box += facts
        return [box]


class ClaimRole(SphinxRole):
    """A link to a claim's box: ``{claim}`cone-is-convex```."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.Node]]:
        """Build the link; its target is found when all pages are read."""
        numbers = Reading(self.env.app).numbers
        if self.text not in numbers:
            message = f'claim "{self.text}" is not in colu/claims/expectations.yml'
            return [nodes.literal("", self.text)], [self.inliner.reporter.warning(message, line=self.lineno)]
        return [link_to(self.text, f"Claim {numbers[self.text]}")], []


class ClaimsTableDirective(SphinxDirective):
    """All claims: statement, source, expected, measured, verdict, links."""

    columns = (
        ("Claim", 8),
        ("Statement and source", 52),
        ("Expected", 14),
        ("Measured", 12),
        ("Verdict", 14),
    )

    def run(self) -> list[nodes.Node]:
        """Build the table."""
        reading = Reading(self.env.app)
        table = nodes.table(classes=["claims-table"])
        group = nodes.tgroup(cols=len(self.columns))
        table += group
        group += [nodes.colspec(colwidth=width) for _, width in self.columns]
        head, body = nodes.thead(), nodes.tbody()
        group += [head, body]
        head += nodes.row("", *[nodes.entry("", nodes.paragraph("", name)) for name, _ in self.columns])
        for claim, entry in reading.expectations.items():
            body += self.row(reading, claim, entry)
        return [table]

    def row(self, reading: Reading, claim: str, entry: dict) -> nodes.row:
        """Build the row of one claim."""
        expected, measured, verdict = reading.facts(claim)
        statement = nodes.entry()
        self.parse(entry["statement"], statement)
        source = nodes.container(classes=["claim-source"])
        self.parse(f"Source: {entry['source']}" if entry.get("source") else "", source)
        statement += source
        links = [
            nodes.paragraph("", "", link_to(claim, reading.numbers[claim])),
            nodes.paragraph("", "", link_to(claim, "cell", "cell")),
        ]
        return nodes.row(
            "",
            nodes.entry("", *links),
            statement,
            nodes.entry("", nodes.paragraph("", expected)),
            nodes.entry("", nodes.paragraph("", measured)),
            nodes.entry("", nodes.paragraph("", "", verdict_node(verdict))),
        )

    def parse(self, text: str, into: nodes.Element) -> None:
        """Parse MyST text into a node."""
        self.state.nested_parse(StringList([*text.strip().splitlines(), ""], str(EXPECTATIONS)), 0, into)


def mark_cells(app: Sphinx, doctree: nodes.document) -> None:
    """Give each claim's cell an anchor."""
    for cell in doctree.findall(nodes.container):
        if cell.get("nb_element") == "cell_code" and "claim" in cell.get("cell_metadata", {}).get("tags", []):
            cell["ids"].extend(f"cell-{claim}" for claim in dict.fromkeys(_CHECKED.findall(cell.astext())))


def resolve_links(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Point each link at the page on which the claim's box stands."""
    boxes = app.env.__dict__.get("colu_claim_boxes", {})
    for link in list(doctree.findall(claim_link)):
        claim, part = link["claim"], link["part"]
        if claim not in boxes:
            logger.warning(
                'claim "%s" stands on no page: write it in a {claim} block before its cell',
                claim,
                location=docname,
                type="colu",
                subtype="claim",
            )
            link.replace_self(nodes.inline("", link.astext()))
            continue
        address = f"{app.builder.get_relative_uri(docname, boxes[claim])}#{part}-{claim}"
        link.replace_self(nodes.reference("", link.astext(), refuri=address, internal=True))


def forget_page(app: Sphinx, env, docname: str) -> None:
    """Drop what a page said before it is read again."""
    boxes = env.__dict__.get("colu_claim_boxes", {})
    for claim in [claim for claim, page in boxes.items() if page == docname]:
        del boxes[claim]


def merge_pages(app: Sphinx, env, docnames, other) -> None:
    """Join what parallel readers noted."""
    env.__dict__.setdefault("colu_claim_boxes", {}).update(other.__dict__.get("colu_claim_boxes", {}))


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_directive("claim", ClaimDirective)
    app.add_directive("claims-table", ClaimsTableDirective)
    app.add_role("claim", ClaimRole())
    app.add_node(claim_link)
    app.connect("doctree-read", mark_cells)
    app.connect("doctree-resolved", resolve_links)
    app.connect("env-purge-doc", forget_page)
    app.connect("env-merge-info", merge_pages)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
