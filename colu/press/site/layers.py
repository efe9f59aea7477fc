"""Fold the lower layer of a chapter: set-up, live runs, the code of figures and tables, and each check in its box.

What is folded stands in the page all the same: search finds it, a link into it opens it, and so does the switch at the
top of the chapter, which each browser remembers.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx_proof.nodes import proof_node

from colu.files import write_atomically
from colu.press.layers import BADGE, CHECK, FIGURE, HELP, LAYERS, LIVE, NUMBERS, OPEN, PROOF, SETUP, TABLE, TAG
from colu.press.notebook import checked_claims

from .executed import PREFIX

logger = logging.getLogger(__name__)

SCRIPT = Path(__file__).parent / "assets" / "layers.js"
#: Lines of a proof that stand open.
LONG = 3
SWITCH = '<p class="layers"><button type="button" aria-pressed="false" hidden="">Show all code</button></p>'


class fold(nodes.General, nodes.Element):
    """Parts of a page behind one line."""


def put_behind(kind: str, *parts: nodes.Element, line: str = "") -> None:
    """Put parts that stand side by side behind one line, in their place."""
    parent, place = parts[0].parent, parts[0].parent.index(parts[0])
    for part in parts:
        parent.remove(part)
    parent.insert(place, fold("", *parts, kind=kind, line=line or LAYERS[kind]))


def visit_fold(translator, node: fold) -> None:
    """Open the element."""
    kind = node["kind"]
    translator.body.append(translator.starttag(node, "details", CLASS=f"fold fold-{kind}"))
    translator.body.append(f"<summary>{escape(node['line'])}</summary>\n")


def depart_fold(translator, node: fold) -> None:
    """Close it."""
    translator.body.append("</details>\n")


def _cells(doctree: nodes.document) -> Iterator[tuple[str, nodes.container]]:
    """The code cells of a page in their order, each with its layer."""
    for cell in list(doctree.findall(nodes.container)):
        if cell.get("nb_element") == "cell_code":
            tags = cell.get("cell_metadata", {}).get("tags", [])
            yield next((tag.removeprefix(TAG) for tag in tags if tag.startswith(TAG)), OPEN), cell


def _part(cell: nodes.container, name: str) -> nodes.Node | None:
    return next((part for part in cell.children if part.get("nb_element") == f"cell_code_{name}"), None)


def _put_aside(cell: nodes.container, kind: str) -> None:
    """Fold the code of a cell below what it shows."""
    source = _part(cell, "source")
    if source is not None:
        cell.remove(source)
        cell.append(source)
        put_behind(kind, source)


def _neighbours(cells: list[nodes.Element]) -> list[list[nodes.Element]]:
    """Those that stand side by side, together."""
    groups: list[list[nodes.Element]] = []
    for cell in cells:
        last = groups[-1][-1] if groups else None
        if last is not None and last.parent is cell.parent and cell.parent.index(cell) == last.parent.index(last) + 1:
            groups[-1].append(cell)
        else:
            groups.append([cell])
    return groups


def _pictures(output: nodes.Node) -> bool:
    return any(True for kind in (nodes.image, nodes.figure, nodes.raw) for _ in output.findall(kind))


def _put_into_box(cell: nodes.container, boxes: dict[str, nodes.Element], page: str) -> None:
    """Put a check into the last of the boxes that it checks; the others link to it."""
    claims = list(dict.fromkeys(checked_claims(cell.astext())))
    here = [box for claim, box in boxes.items() if claim in claims]
    if missing := [claim for claim in claims if claim not in boxes]:
        logger.warning(
            "claim %s is checked here and stated on another page: move the box or the cell",
            ", ".join(missing),
            location=page,
            type="colu",
            subtype="claim",
        )
    if not here:
        return
    last = here[-1]
    output = _part(cell, "output")
    shown = None
    if output is not None and _pictures(output):
        # A figure stays where the text speaks of it.
        cell.remove(output)
        shown = nodes.container(classes=["cell"], nb_element="cell_code")
        shown += output
        cell.parent.insert(cell.parent.index(cell), shown)
    cell.parent.remove(cell)
    last += cell
    put_behind(CHECK, cell)
    for link in [part for part in last.findall(nodes.inline) if "claim-check" in part["classes"]]:
        link.parent.remove(link)


def _fold_proof(proof: nodes.Element) -> None:
    """Fold a proof of more than a few lines."""
    if sum(bool(line.strip()) for line in proof.astext().splitlines()) <= LONG:
        return
    first = next(proof.findall(nodes.Text), None)
    if first is not None and first.startswith("Proof. "):
        first.parent.replace(first, nodes.Text(first.removeprefix("Proof. ")))
    put_behind(PROOF, proof)


def layer_page(app: Sphinx, doctree: nodes.document) -> None:
    """Fold the lower layer of a chapter."""
    if not app.env.docname.startswith(PREFIX):
        return
    cells = list(_cells(doctree))
    for kind in (SETUP, LIVE):
        for group in _neighbours([cell for layer, cell in cells if layer == kind]):
            put_behind(kind, *group)
    for layer, cell in cells:
        if layer in (FIGURE, TABLE):
            _put_aside(cell, layer)
        elif layer in (NUMBERS, HELP):
            put_behind(layer, cell)
    boxes = {
        identifier.removeprefix("claim-"): box
        for box in doctree.findall(nodes.admonition)
        for identifier in box["ids"]
        if identifier.startswith("claim-")
    }
    for layer, cell in cells:
        if layer == CHECK:
            _put_into_box(cell, boxes, app.env.docname)
    # A box beside others may be spoken of by them: it stays, unless all of them are lines.
    for group in _neighbours(list(boxes.values())):
        for box in group if all("badge" in box for box in group) else ():
            put_behind(BADGE, box, line=box["badge"])
    for proof in list(doctree.findall(proof_node)):
        _fold_proof(proof)
    title = next(doctree.findall(nodes.title), None)
    if title is not None and any(True for _ in doctree.findall(fold)):
        title.parent.insert(title.parent.index(title) + 1, nodes.raw("", SWITCH, format="html"))


def add_script(app: Sphinx, pagename: str, _template: str, _context: dict, _doctree) -> None:
    """Give the switch to the chapters."""
    if pagename.startswith(PREFIX):
        app.add_js_file(SCRIPT.name, loading_method="defer")


def write_script(app: Sphinx, error: Exception | None) -> None:
    """Write the switch's script into the site."""
    if not error and app.builder.format == "html":
        static = Path(app.outdir, "_static")
        static.mkdir(exist_ok=True)
        write_atomically(static / SCRIPT.name, SCRIPT.read_text(encoding="utf8"))


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    # For every builder that writes HTML: to name one of them takes the other handlers away from it.
    app.add_node(fold, html=(visit_fold, depart_fold))
    # After the links from code to the reference were found, which follow the order of the cells.
    app.connect("doctree-read", layer_page, priority=900)
    app.connect("html-page-context", add_script)
    app.connect("build-finished", write_script)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
