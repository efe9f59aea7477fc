"""The claim box, the role that links to one from any page, and the table of all claims.

A claim's statement stands in its notebook, its expectation in ``colu/claims/expectations``; what was measured comes
from the output of its cell in the executed notebook, so the page cannot say more than the run showed.
"""

from __future__ import annotations

import os
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from colu.claims import load_expectations
from colu.claims.ledger import LEDGER, ledger_files, numbered
from colu.press.notebook import Notebook, checked_claims

from .executed import PREFIX, executed_path, read_executed

logger = logging.getLogger(__name__)

#: The page with the table of all claims.
TABLE = "book/claims"
VERDICTS = {"holds": "✓ holds", "fails": "✗ fails", "unknown": "not measured"}


class Reading:
    """What one page needs to know of the claims: expectations, numbers, measured values."""

    def __init__(self, app: Sphinx) -> None:
        self.app = app
        self.ledger = Path(app.srcdir, app.config.colu_expectations)
        self.expectations = load_expectations(self.ledger)
        self.numbers = numbered(self.expectations)
        self._measured: dict[str, dict[str, dict]] = {}
        for file in ledger_files(self.ledger):
            app.env.note_dependency(str(file))

    @classmethod
    def of(cls, env) -> Reading:
        """The reading of the page that is being read: its boxes share it."""
        if "colu_claims" not in env.temp_data:
            env.temp_data["colu_claims"] = cls(env.app)
        return env.temp_data["colu_claims"]

    def record(self, claim: str) -> dict | None:
        """Return what the claim's cell recorded; None where it did not run."""
        notebook = self.expectations[claim].notebook
        if notebook not in self._measured:
            path = executed_path(self.app, PREFIX + notebook)
            self.app.env.note_dependency(str(path))
            copy = read_executed(path)
            self._measured[notebook] = copy.measured if copy else {}
        return self._measured[notebook].get(claim)

    def facts(self, claim: str, location) -> tuple[str, str, str]:
        """Return the expected and the measured value, as text, and the verdict; warn unless it holds.

        The verdict is made here, from the committed expectation: an old run cannot vouch for a new ledger.
        """
        expectation, record = self.expectations[claim], self.record(claim)
        preset = (record or {}).get("preset") or os.environ.get("COLU_PRESET") or "smoke"
        if record is None:
            _warn(
                f'claim "{claim}" was not measured: no output of {PREFIX}{expectation.notebook} records it',
                location,
            )
            return expectation.words(preset), "–", "unknown"
        if expectation.holds(record["measured"], preset):
            return expectation.words(preset), str(record["shown"]), "holds"
        _warn(
            f'claim "{claim}" fails: measured {record["measured"]}, expected {expectation.words(preset)}',
            location,
        )
        return expectation.words(preset), str(record["shown"]), "fails"


def _warn(message: str, location) -> None:
    logger.warning(message, location=location, type="colu", subtype="claim")


class claim_link(nodes.Inline, nodes.TextElement):
    """Stands for a link to a claim's box or cell until all pages are read."""


def link_to(claim: str, text: str, part: str = "claim") -> claim_link:
    """Return a link to a claim: to its box (``part="claim"``), its cell (``"cell"``) or its row (``"row"``)."""
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
        reading = Reading.of(self.env)
        if claim not in reading.expectations:
            _warn(f'claim "{claim}" is not in {reading.ledger.name}', self.get_location())
            return []
        boxes = self.env.__dict__.setdefault("colu_claim_boxes", {})
        boxes[claim] = self.env.docname
        box = nodes.admonition(classes=["claim"], ids=[f"claim-{claim}"])
        box += nodes.title("", "", link_to(claim, f"Claim {reading.numbers[claim]}", "row"))
        statement = nodes.container(classes=["claim-statement"])
        self.state.nested_parse(self.content, self.content_offset, statement)
        box += statement
        expected, measured, verdict = reading.facts(claim, self.get_location())
        facts = nodes.paragraph(classes=["claim-facts"])
        facts += [
            nodes.inline("", f"Expected {expected}", classes=["claim-expected"]),
            nodes.Text("; "),
            nodes.inline("", f"measured {measured}", classes=["claim-measured"]),
            nodes.Text(": "),
            verdict_node(verdict),
            nodes.Text("."),
            # Taken out again of the box that holds the check itself.
            nodes.inline("", " ", link_to(claim, "The check", "cell"), nodes.Text("."), classes=["claim-check"]),
        ]
        box += facts
        if reading.expectations[claim].of_rounding:
            box["badge"] = f"Claim {reading.numbers[claim]}: {VERDICTS[verdict]} but for rounding"
        return [box]


class ClaimRole(SphinxRole):
    """A link to a claim's box: ``{claim}`cone-is-convex```."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.Node]]:
        """Build the link; its target is found when all pages are read."""
        reading = Reading.of(self.env)
        numbers = reading.numbers
        if self.text not in numbers:
            _warn(f'claim "{self.text}" is not in {reading.ledger.name}', self.get_location())
            return [nodes.literal("", self.text)], []
        return [link_to(self.text, f"Claim {numbers[self.text]}")], []


class ClaimsTableDirective(SphinxDirective):
    """All claims by chapter: statement, source, expected, measured, verdict, links."""

    columns = (
        ("Claim", 8),
        ("Statement and source", 52),
        ("Expected", 14),
        ("Measured", 12),
        ("Verdict", 14),
    )

    def run(self) -> list[nodes.Node]:
        """Build a section with a table for each chapter."""
        reading = Reading.of(self.env)
        chapters: dict[str, list[str]] = {}
        for claim, expectation in reading.expectations.items():
            chapters.setdefault(expectation.notebook, []).append(claim)
        presets = {(reading.record(claim) or {}).get("preset") for claim in reading.expectations}
        said = " and ".join(sorted(filter(None, presets)))
        after = sum(expectation.from_run for expectation in reading.expectations.values())
        count = (
            f"{len(reading.expectations)} claims in {len(chapters)} chapters; "
            f"of their expectations {after} were set after a run; preset of this run: {said}."
        )
        result: list[nodes.Node] = [nodes.paragraph("", count, classes=["claims-preset"])]
        for notebook, claims in chapters.items():
            number = notebook.split("-")[0]
            section = nodes.section(ids=[f"claims-{number}"])
            file = Path(self.env.srcdir, PREFIX, f"{notebook}.ipynb")
            self.env.note_dependency(str(file))
            chapter = Notebook.read(file)
            section += nodes.title("", f"{number} {chapter.title}")
            section += self.table(reading, chapter, claims)
            result.append(section)
        return result

    def table(self, reading: Reading, chapter: Notebook, claims: list[str]) -> nodes.table:
        """Build the table of one chapter."""
        table = nodes.table(classes=["claims-table"])
        group = nodes.tgroup(cols=len(self.columns))
        table += group
        group += [nodes.colspec(colwidth=width) for _, width in self.columns]
        head, body = nodes.thead(), nodes.tbody()
        group += [head, body]
        head += nodes.row("", *[nodes.entry("", nodes.paragraph("", name)) for name, _ in self.columns])
        body += [self.row(reading, chapter, claim) for claim in claims]
        return table

    def row(self, reading: Reading, chapter: Notebook, claim: str) -> nodes.row:
        """Build the row of one claim."""
        expected, measured, verdict = reading.facts(claim, self.get_location())
        statement = nodes.entry()
        self.parse(chapter.from_page(chapter.statement(claim)), statement)
        source = nodes.container(classes=["claim-source"])
        self.parse(f"Source: {reading.expectations[claim].source}", source)
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
            ids=[f"row-{claim}"],
        )

    def parse(self, text: str, into: nodes.Element) -> None:
        """Parse MyST text into a node."""
        self.state.nested_parse(StringList([*text.strip().splitlines(), ""], "expectations"), 0, into)


def mark_cells(app: Sphinx, doctree: nodes.document) -> None:
    """Give each claim's cell an anchor."""
    for cell in doctree.findall(nodes.container):
        if cell.get("nb_element") == "cell_code" and "claim" in cell.get("cell_metadata", {}).get("tags", []):
            cell["ids"].extend(f"cell-{claim}" for claim in dict.fromkeys(checked_claims(cell.astext())))


def resolve_links(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Point each link at the page on which the claim's box stands."""
    boxes = app.env.__dict__.get("colu_claim_boxes", {})
    for link in list(doctree.findall(claim_link)):
        claim, part = link["claim"], link["part"]
        page = TABLE if part == "row" else boxes.get(claim)
        if page not in app.env.found_docs:
            if part == "claim":
                _warn(f'claim "{claim}" stands on no page: write it in a {{claim}} block', docname)
            link.replace_self(nodes.inline("", link.astext()))
            continue
        address = f"{app.builder.get_relative_uri(docname, page)}#{part}-{claim}"
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
    app.add_config_value("colu_expectations", str(LEDGER), "env", str)
    app.add_directive("claim", ClaimDirective)
    app.add_directive("claims-table", ClaimsTableDirective)
    app.add_role("claim", ClaimRole())
    app.add_node(claim_link)
    app.connect("doctree-read", mark_cells)
    app.connect("doctree-resolved", resolve_links)
    app.connect("env-purge-doc", forget_page)
    app.connect("env-merge-info", merge_pages)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
