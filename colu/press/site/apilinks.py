"""What sphinx-codeautolink lacks: sources of the reference's objects, and headings that are those of sections.

It links the code of every page to the package reference, and every object there to the sections that use it.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Collection
from pkgutil import resolve_name

from docutils import nodes
from sphinx.application import Sphinx

from colu import lab

__all__ = ["aliases", "keys_named", "setup"]

#: What has a place of its own in a package; methods come with their classes.
KINDS = ("class", "data", "exception", "function")

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


def _add_sources(app: Sphinx, what: str, name: str, obj, options, lines: list[str]) -> None:
    if what not in ("function", "class"):
        return
    files = [pathlib.Path(app.srcdir, path) for path in app.config.bibtex_bibfiles]
    keys = keys_named("\n".join(lines), "".join(path.read_text(encoding="utf8") for path in files))
    if keys:
        lines += ["", "Sources: " + ", ".join(f":cite:t:`{key}`" for key in keys) + ".", ""]


class _Box(nodes.section):
    """A section without a title, such as the text of an exercise: codeautolink would end a titled one with it."""


class _BoxTitle(nodes.title):
    """A title without a section, such as a claim's: codeautolink would put it before all headings that follow."""


def _hide_boxes(app: Sphinx, doctree: nodes.document) -> None:
    for section in doctree.findall(nodes.section):
        if not isinstance(section[0], nodes.title):
            section.__class__ = _Box
    for title in doctree.findall(nodes.title):
        if type(title) is nodes.title and not isinstance(title.parent, nodes.section):
            title.__class__ = _BoxTitle


def _show_boxes(app: Sphinx, doctree: nodes.document) -> None:
    for section in doctree.findall(_Box):
        section.__class__ = nodes.section
    for title in doctree.findall(_BoxTitle):
        title.__class__ = nodes.title


def _place(thing: object) -> str | None:
    """Where an object is written, as a name; None for what does not know it."""
    name = getattr(thing, "__qualname__", None)
    return f"{thing.__module__}.{name}" if name and isinstance(getattr(thing, "__module__", None), str) else None


def aliases(documented: Collection[str]) -> dict[str, str]:
    """Further names of what the reference has: where it is written, and the short ways to it in the laboratory.

    Examples
    --------
    >>> found = aliases(["colu.lab.plot.use_style", "colu.lab.plot.PALETTE"])
    >>> found["colu.lab.plot.style.use_style"], found["colu.lab.PALETTE"]
    ('colu.lab.plot.use_style', 'colu.lab.plot.PALETTE')
    """
    found = {}
    for name in documented:
        try:
            thing = resolve_name(name)
        except (AttributeError, ImportError, ValueError):
            continue
        found |= {place: name for place in [_place(thing)] if place and place != name}
        short = f"colu.lab.{name.rpartition('.')[2]}"
        if name.startswith("colu.lab.") and short.rpartition(".")[2] in lab.__all__:
            found[short] = name
    return found


def _map_names(app: Sphinx, env) -> None:
    """Lead the place where an object is written to the name under which the reference has it."""
    objects = env.domains["py"].objects
    map_ = app.config.codeautolink_inventory_map
    map_.update(aliases([name for name, entry in objects.items() if entry.objtype in KINDS and not entry.aliased]))
    map_.update({name: entry.node_id for name, entry in objects.items() if entry.aliased})


def _leave_foreign_names(app: Sphinx, env) -> None:
    """Look up no name of a package without a reference here: it would be imported, and could lead nowhere."""
    ours = {name.partition(".")[0] for name in env.domains["py"].objects}
    # Codeautolink reads no code where no site is made.
    for transforms in getattr(env, "sphinx_codeautolink_transforms", {}).values():
        for transform in transforms:
            transform.names = [name for name in transform.names if str(name.import_components[0]) in ours]


def setup(app: Sphinx) -> dict:
    """Register with Sphinx; after the docstring has become reStructuredText, before and after codeautolink reads."""
    app.connect("autodoc-process-docstring", _add_sources, priority=900)
    app.connect("doctree-read", _hide_boxes, priority=480)
    app.connect("doctree-read", _show_boxes, priority=495)
    app.connect("env-updated", _map_names, priority=400)
    app.connect("env-updated", _leave_foreign_names, priority=410)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
