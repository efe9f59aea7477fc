"""Let Sphinx use several processes: three extensions allow it and do not say so, or not in the way that Sphinx asks."""

from __future__ import annotations

from collections.abc import Collection

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx_proof.domain import ProofDomain

#: The one numbers chapters when all pages are read, the other acts for LaTeX alone; neither keeps notes while reading.
SILENT = ("sphinx_multitoc_numbering", "sphinx_jupyterbook_latex")


class Proofs(ProofDomain):
    """The domain of theorems, which has no notes of its own: its extension joins the list of proofs itself."""

    def merge_domaindata(self, docnames: Collection[str], otherdata: dict) -> None:
        """Join nothing."""


def declare(app: Sphinx, config: Config) -> None:
    """Say it for them, where they have not."""
    for name in SILENT:
        extension = app.extensions.get(name)
        if extension is not None and extension.parallel_read_safe is None:
            extension.parallel_read_safe = True


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.setup_extension("sphinx_proof")
    app.add_domain(Proofs, override=True)
    app.connect("config-inited", declare)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
