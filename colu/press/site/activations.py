"""The table of all activations, made from the registry: ``{activations-table}``."""

from __future__ import annotations

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from .words import main_entry

__all__ = ["anchor_of", "setup"]


def anchor_of(name: str) -> str:
    """Where the row of an activation stands on its page.

    Examples
    --------
    >>> anchor_of("leaky-relu")
    'activation-leaky-relu'
    """
    return f"activation-{name}"


def _facts(entry) -> list[str]:
    """The cells of one row as MyST text."""
    from colu.nn import create

    channels = 48
    symmetry = entry.symmetry(create(entry.name, channels), channels)
    properties = [
        f"parameters ${entry.parameter_formula}$",
        "group not known" if symmetry is None else f"group ${symmetry.latex}$",
        f"homogeneity {entry.homogeneity}",
        *_bounds(entry),
        "pointwise" if entry.pointwise else "",
        "positions see each other" if entry.mixes_positions else "",
        "" if entry.kind == "activation" else f"a {entry.kind}, not an activation alone",
    ]
    name = [f"`{entry.name}`", *(f"`{alias}`" for alias in entry.aliases)]
    formula = [f"${entry.formula}$"]
    if entry.citation:
        formula.append(f"{{cite:t}}`{entry.citation}`")
    if entry.notes:
        formula.append(entry.notes)
    return [
        "\n\n".join(name),
        "\n\n".join(formula),
        "\n\n".join(filter(None, properties)),
    ]


def _bounds(entry) -> list[str]:
    """The Lipschitz bound at the start and for all parameters, in one phrase where they are the same."""
    first, all_ = ("no bound known" if b is None else f"{b:.6g}" for b in (entry.lipschitz, entry.lipschitz_all))
    if first == all_:
        return [f"Lipschitz {first}"]
    return [f"Lipschitz {first} at the start", f"Lipschitz {all_} for all parameters"]


class ActivationsTableDirective(SphinxDirective):
    """All registered activations by family, never typed by hand."""

    columns = (("Name", 18), ("Formula and source", 47), ("Properties", 35))

    def run(self) -> list[nodes.Node]:
        """Build one table."""
        from colu.nn import list_activations

        entries = list_activations()
        table = nodes.table(classes=["activations-table"])
        group = nodes.tgroup(cols=len(self.columns))
        table += group
        group += [nodes.colspec(colwidth=width) for _, width in self.columns]
        head, body = nodes.thead(), nodes.tbody()
        group += [head, body]
        head += nodes.row("", *[nodes.entry("", nodes.paragraph("", name)) for name, _ in self.columns])
        for entry in sorted(entries, key=lambda entry: (entry.family, entry.name)):
            row = nodes.row("", *[self.cell(text) for text in _facts(entry)], ids=[anchor_of(entry.name)])
            row[0][:0] = [main_entry(name, anchor_of(entry.name)) for name in (entry.name, *entry.aliases)]
            body += row
        count = f"The registry holds {len(entries)} activations."
        return [nodes.paragraph("", count, classes=["activations-count"]), table]

    def cell(self, text: str) -> nodes.entry:
        """Parse MyST text into a table cell."""
        cell = nodes.entry()
        self.state.nested_parse(StringList([*text.splitlines(), ""], "registry"), 0, cell)
        return cell


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_directive("activations-table", ActivationsTableDirective)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
