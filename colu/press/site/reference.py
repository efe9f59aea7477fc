"""The pages of the package reference: ``.. reference:: colu.nn``, and links to the sources.

A table of all classes and functions comes first, by family, each with its purpose; the entries follow in that order.
A family is a file of the package.
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from pkgutil import resolve_name
from types import ModuleType

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.docutils import SphinxDirective

import colu

__all__ = ["families", "readable", "setup", "source_address"]

#: A function, method or class as a default, as Python shows it.
_OBJECT = re.compile(r"<(?:built-in )?(?:function|method|class) '?(?:[\w<>]+\.)*(\w+)'?(?: at \w+)?>")


def _first_paragraph(text: str | None) -> str:
    return " ".join(inspect.cleandoc(text or "").partition("\n\n")[0].split())


def families(module: ModuleType, without: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """The public classes and functions of a package by the file that they are from, in alphabetical order.

    Examples
    --------
    >>> import colu.claims
    >>> families(colu.claims)["colu.claims.checking"]
    ['check', 'ClaimFailed', 'glue']
    """
    found: dict[str, list[str]] = {}
    for name in sorted(set(module.__all__) - set(without), key=str.lower):
        thing = getattr(module, name)
        if inspect.isclass(thing) or inspect.isroutine(thing):
            found.setdefault(thing.__module__, []).append(name)
    return dict(sorted(found.items()))


def _kind(thing: object) -> str:
    if inspect.isclass(thing):
        return "exception" if issubclass(thing, BaseException) else "class"
    return "function"


class Reference(SphinxDirective):
    """All public names of a package: a table by family, then an entry for each."""

    required_arguments = 1
    option_spec = {"without": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Write reStructuredText and parse it."""
        name = self.arguments[0]
        module = resolve_name(name)
        lines, entries = [f".. automodule:: {name}", ""], []
        grouped = families(module, tuple(self.options.get("without", "").split()))
        for file, members in grouped.items():
            if len(grouped) > 1:
                title = _first_paragraph(sys.modules[file].__doc__).partition(". ")[0].rstrip(".")
                lines += [f".. rubric:: {title}", ""]
            lines += [".. list-table::", "   :class: api-summary", "   :widths: 30 70", ""]
            for member in members:
                thing = getattr(module, member)
                lines.append(f"   * - :py:obj:`{member} <{name}.{member}>`")
                lines.append(f"     - {_first_paragraph(thing.__doc__)}")
                entries += [f".. auto{_kind(thing)}:: {name}.{member}", "   :members:" * inspect.isclass(thing), ""]
            lines.append("")
        holder = nodes.container()
        text = StringList([*lines, *entries, ""], f"reference of {name}")
        self.state.nested_parse(text, self.content_offset, holder)
        return holder.children


def source_address(repository: str, branch: str, module: str, name: str) -> str | None:
    """Where the source of an object can be read; None for what has no lines of its own.

    Examples
    --------
    >>> source_address("https://host/us/colu", "main", "colu.nn", "CoLU").partition("#")[0]
    'https://host/us/colu/blob/main/colu/nn/conic.py'
    """
    try:
        thing = resolve_name(f"{module}:{name}")
        thing = inspect.unwrap(thing.fget if isinstance(thing, property) else thing)
        file, (lines, first) = inspect.getsourcefile(thing), inspect.getsourcelines(thing)
        root = Path(colu.__file__).parents[1]
        path = Path(file).relative_to(root).as_posix()
    except (AttributeError, ImportError, TypeError, OSError, ValueError):
        return None
    return f"{repository}/blob/{branch}/{path}#L{first}-L{first + len(lines) - 1}"


def readable(signature: str) -> str:
    """A signature whose defaults are names, where Python shows an object.

    Examples
    --------
    >>> readable("(f=<function Entry.rule>, kind=<class 'torch.nn.ReLU'>, names=<factory>)")
    '(f=rule, kind=ReLU, names=...)'
    """
    return _OBJECT.sub(r"\1", signature).replace("<factory>", "...")


def name_defaults(app: Sphinx, what: str, name: str, thing, options, signature: str | None, returns: str | None):
    """Make the signature of one object readable."""
    return (readable(signature), returns) if signature and "<" in signature else None


def link_sources(app: Sphinx, config: Config) -> None:
    """Tell Sphinx where sources are, by the repository that the pages name."""
    options = config.html_theme_options
    repository, branch = options.get("repository_url", "").rstrip("/"), options.get("repository_branch") or "main"

    def resolve(domain: str, info: dict) -> str | None:
        if domain != "py" or not info.get("module") or not repository:
            return None
        return source_address(repository, branch, info["module"], info["fullname"])

    config.linkcode_resolve = resolve


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.setup_extension("sphinx.ext.linkcode")
    app.add_directive("reference", Reference)
    app.connect("autodoc-process-signature", name_defaults)
    app.connect("config-inited", link_sources)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
