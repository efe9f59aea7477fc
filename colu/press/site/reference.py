"""The pages of the package reference: ``.. reference:: colu.nn``, and links to the sources.

A table of all public names comes first, by family, each with its purpose; the entries follow in that order.
A family is a file of the package.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name
from types import ModuleType

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

import colu

__all__ = ["families", "readable", "setup", "source_address"]

#: A function, method or class as a default, as Python shows it.
_OBJECT = re.compile(r"<(?:built-in )?(?:function|method|class) '?(?:[\w<>]+\.)*(\w+)'?(?: at \w+)?>")


def _first_paragraph(text: str | None) -> str:
    return " ".join(inspect.cleandoc(text or "").partition("\n\n")[0].split())


def _assigned(file: str) -> set[str]:
    """The names that a file gives to values of its own."""
    found = set()
    for statement in ast.parse(inspect.getsource(sys.modules[file])).body:
        targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def _constants(module: ModuleType, names: set[str]) -> Iterator[tuple[str, str, str]]:
    """The constants among the names: file, name, and the comment that stands before it in that file."""
    files = [name for name in sorted(sys.modules) if name.startswith(f"{module.__name__}.")]
    for file in [*files, module.__name__] if names else ():
        if here := names & _assigned(file):
            analyzer = ModuleAnalyzer.for_module(file)
            analyzer.analyze()
            for name in here:
                yield file, name, _first_paragraph("\n".join(analyzer.attr_docs.get(("", name), ())))
        names = names - here


def families(module: ModuleType, without: tuple[str, ...] = ()) -> dict[str, dict[str, str]]:
    """The public names of a package by the file that they are from, in alphabetical order, each with its purpose.

    Examples
    --------
    >>> import colu.claims
    >>> sorted(families(colu.claims)["colu.claims.checking"])
    ['ClaimFailed', 'check', 'glue']
    """
    found: dict[str, dict[str, str]] = {}
    things = {name: getattr(module, name) for name in set(module.__all__) - set(without)}
    constants = {name for name, thing in things.items() if _kind(thing) == "data"}
    for name in things.keys() - constants:
        found.setdefault(things[name].__module__, {})[name] = _first_paragraph(things[name].__doc__)
    for file, name, comment in _constants(module, constants):
        found.setdefault(file, {})[name] = comment
    return {
        file: dict(sorted(names.items(), key=lambda item: item[0].lower())) for file, names in sorted(found.items())
    }


def _kind(thing: object) -> str:
    if inspect.isclass(thing):
        return "exception" if issubclass(thing, BaseException) else "class"
    return "function" if inspect.isroutine(thing) else "data"


def _entry(package: str, name: str, kind: str, purpose: str) -> list[str]:
    """The entry of one object; of a constant the comment alone, and not what its type says of itself."""
    if kind == "data":
        return [f".. py:data:: {name}", f"   :module: {package}", "", f"   {purpose}", ""]
    return [f".. auto{kind}:: {package}.{name}", *["   :members:"] * (kind != "function"), ""]


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
            for member, purpose in members.items():
                lines.append(f"   * - :py:obj:`{member} <{name}.{member}>`")
                lines.append(f"     - {purpose}")
                entries += _entry(name, member, _kind(getattr(module, member)), purpose)
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
