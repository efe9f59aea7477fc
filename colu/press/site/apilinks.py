"""Links of the package reference: from every object to the chapters that use it and the sources it names."""

from __future__ import annotations

import json
import pathlib
import re

from sphinx.application import Sphinx

__all__ = ["chapters_using", "keys_named", "setup"]

_ARXIV = re.compile(r"arXiv\s+(\d{4}\.\d{4,5})")


def keys_named(text: str, bibliography: str) -> list[str]:
    """Keys of the bibliography whose arXiv number stands in ``text``, in the order of ``text``.

    Examples
    --------
    >>> keys_named("see arXiv 1302.4389", "@misc{maxout,\\n eprint = {1302.4389},\\n}")
    ['maxout']
    """
    known = {}
    for entry in re.split(r"^@", bibliography, flags=re.MULTILINE)[1:]:
        number = re.search(r"eprint\s*=\s*\{([^}]+)\}", entry)
        if number:
            known[number[1]] = re.match(r"\w+\{([^,]+),", entry)[1]
    found = [known[number] for number in _ARXIV.findall(text) if number in known]
    return list(dict.fromkeys(found))


def chapters_using(name: str, code: dict[str, str]) -> list[str]:
    """Documents whose code calls ``name``.

    Examples
    --------
    >>> chapters_using("colu", {"a": "y = colu(x)", "b": "rcolu(x)", "c": "import colu"})
    ['a']
    """
    call = re.compile(rf"(?<!\w){re.escape(name)}\(")
    return [document for document, text in sorted(code.items()) if call.search(text)]


def _code(app: Sphinx) -> dict[str, str]:
    """The code of every chapter, read once a build."""
    if not hasattr(app, "_colu_code"):
        app._colu_code = {}
        for document in app.env.found_docs:
            path = pathlib.Path(app.env.doc2path(document))
            if path.suffix == ".ipynb":
                cells = json.loads(path.read_text(encoding="utf8"))["cells"]
                sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
                app._colu_code[document] = "\n".join(sources)
    return app._colu_code


def _add_links(app: Sphinx, what: str, name: str, obj, options, lines: list[str]) -> None:
    if what not in ("function", "class") or not name.startswith("colu."):
        return
    bibliography = "".join(pathlib.Path(path).read_text(encoding="utf8") for path in _bibliography(app))
    keys = keys_named("\n".join(lines), bibliography)
    documents = chapters_using(name.rpartition(".")[2], _code(app))
    links = []
    if keys:
        links.append("Sources: " + ", ".join(f":cite:t:`{key}`" for key in keys) + ".")
    if documents:
        links.append("Chapters: " + ", ".join(f":doc:`/{document}`" for document in documents) + ".")
    if links:
        lines += ["", " ".join(links), ""]


def _bibliography(app: Sphinx) -> list[pathlib.Path]:
    return [pathlib.Path(app.srcdir) / path for path in app.config.bibtex_bibfiles]


def setup(app: Sphinx) -> dict:
    """Register with Sphinx; after the docstring has become reStructuredText."""
    app.connect("autodoc-process-docstring", _add_links, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
