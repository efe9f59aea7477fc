"""Names in the text lead somewhere: objects of the package to the reference, activations to their pages.

An object is known by its code, `` `colu.nn.CoLU` ``, `` `CoLU(dim=4)` ``; an activation by its name in the registry, as
code or as a whole cell of a table, and in a chapter's prose where it is named first, "leaky ReLU".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from weakref import WeakKeyDictionary

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

from colu.press.atlas import FOLDER

from .executed import PREFIX
from .quiz import quiz

__all__ = ["Reference", "activation_named", "first_activations", "object_named", "setup"]

#: Where a short name is looked for first; the laboratory comes last.
ORDER = ("colu.nn", "colu.functional", "colu.geometry", "colu.fusion", "colu.kernels", "colu.testing", "colu.claims")
_CODE = re.compile(r"([A-Za-z_][\w.]*)(\(.*\))?", re.DOTALL)
_KINDS = ("class", "data", "function", "exception")
_CLOSED = (
    *(nodes.reference, nodes.title, nodes.math, nodes.raw),
    *(addnodes.desc_signature, addnodes.pending_xref, quiz),
)
#: Names of activations that prose writes as a word of its own; the others have capitals, as in SiLU.
_WORDS = {"maxout", "mish", "softplus", "sparsemax", "sqish", "swish"}

#: Page and anchor of each object of the reference, by its full name.
Reference = Mapping[str, tuple[str, str]]


@cache
def _activations() -> dict[str, str]:
    """The registered name of each name and alias, without regard to hyphens and case."""
    from colu.nn import list_activations

    entries = list_activations()
    return {_plain(name): entry.name for entry in entries for name in (entry.name, *entry.aliases)}


def _plain(name: str) -> str:
    return re.sub(r"[-_ ]", "", name).lower()


def activation_named(text: str) -> str | None:
    """The registered name of an activation that a text names as a whole.

    Examples
    --------
    >>> activation_named("Leaky ReLU"), activation_named("maxmin"), activation_named("ReLU and more")
    ('leaky-relu', 'group-sort', None)
    """
    return _activations().get(_plain(text.strip()))


@cache
def _in_prose() -> re.Pattern:
    from colu.nn import list_activations

    names = sorted((name for e in list_activations() for name in (e.name, *e.aliases)), key=len, reverse=True)
    spelled = "|".join(re.escape(name).replace(r"\-", "[- ]?") for name in names)
    return re.compile(rf"(?<![\w-])(?:{spelled})(?![\w-])", re.IGNORECASE)


def first_activations(text: str, known: set[str]) -> list[tuple[re.Match, str]]:
    """Where a text names activations that are not yet known, each once; they are known from then on.

    Examples
    --------
    >>> [name for _, name in first_activations("ReLU, leaky ReLU, ReLU and a threshold", set())]
    ['relu', 'leaky-relu']
    """
    found = []
    for match in _in_prose().finditer(text):
        name = activation_named(match[0])
        proper = sum(letter.isupper() for letter in match[0]) > 1 or match[0].lower() in _WORDS
        if proper and name not in known:
            known.add(name)
            found.append((match, name))
    return found


def object_named(text: str, reference: Reference, short: Mapping[str, str]) -> str | None:
    """The full name of the object that a piece of code names: with or without its package, called or not.

    A word in lower case alone, such as ``apply``, is no name of an object.

    Parameters
    ----------
    text : str
        Code in a line of text.
    reference : mapping
        All objects by their full names.
    short : mapping of str to str
        The full name by the last part.
    """
    match = _CODE.fullmatch(text.strip())
    if match is None:
        return None
    name, called = match.groups()
    if name in reference:
        return name
    if "." in name and not name.startswith("colu."):
        owner, _, member = name.partition(".")
        full = f"{short.get(owner)}.{member}"
        return full if full in reference else None
    last = name.rpartition(".")[2]
    telling = called or "_" in last or not last.islower()
    return short.get(last) if telling or "." in name else None


_known: WeakKeyDictionary[Sphinx, _Pages] = WeakKeyDictionary()


class _Pages:
    """Links of one writing process."""

    def __init__(self, app: Sphinx) -> None:
        objects = app.env.domains["py"].objects
        self.reference = {name: (entry.docname, entry.node_id) for name, entry in objects.items()}
        place = {package: number for number, package in enumerate(ORDER)}
        mine = [name for name, entry in objects.items() if entry.objtype in _KINDS and not entry.aliased]
        mine.sort(key=lambda name: place.get(name.rpartition(".")[0], len(place)), reverse=True)
        self.short = {name.rpartition(".")[2]: name for name in mine}
        self.there = app.env.found_docs
        self.address = app.builder.get_relative_uri

    def of_object(self, text: str, page: str) -> str | None:
        name = object_named(text, self.reference, self.short)
        return None if name is None else self._to(page, *self.reference[name])

    def of_activation(self, name: str | None, page: str) -> str | None:
        goal = f"{FOLDER}/{name}"
        return self.address(page, goal) if goal in self.there and page != goal else None

    def _to(self, page: str, target: str, anchor: str) -> str:
        return (self.address(page, target) if page != target else "") + f"#{anchor}"


def _closed(node: nodes.Node, *more: type) -> bool:
    while node is not None:
        if isinstance(node, (*_CLOSED, *more)):
            return True
        node = node.parent
    return False


def _link(address: str, *parts: nodes.Node) -> nodes.reference:
    return nodes.reference("", "", *parts, refuri=address, internal=True, classes=["named"])


def link_names(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Link the names of a page."""
    if app.builder.format != "html":
        return
    if app not in _known:
        _known[app] = _Pages(app)
    pages = _known[app]
    for code in list(doctree.findall(nodes.literal)):
        if not _closed(code.parent):
            text = code.astext()
            activation = activation_named(text) if text.islower() else None
            address = pages.of_activation(activation, page) or pages.of_object(text, page)
            if address:
                code.replace_self(_link(address, code.deepcopy()))
    for cell in doctree.findall(nodes.entry):
        texts = [text for text in cell.findall(nodes.Text) if text.strip()]
        if len(texts) == 1 and not _closed(texts[0], nodes.thead, nodes.literal):
            address = pages.of_activation(activation_named(texts[0]), page)
            if address:
                texts[0].parent.replace(texts[0], _link(address, nodes.Text(texts[0])))
    if page.startswith(PREFIX):
        _link_prose(doctree, pages, page)


def _link_prose(doctree: nodes.document, pages: _Pages, page: str) -> None:
    known: set[str] = set()
    for paragraph in doctree.findall(nodes.paragraph):
        for text in list(paragraph.findall(nodes.Text)):
            if _closed(text, nodes.literal, nodes.entry, nodes.caption):
                continue
            parts, end = [], 0
            for match, name in first_activations(text, known):
                address = pages.of_activation(name, page)
                if address is None:
                    continue
                link = _link(address, nodes.Text(match[0]))
                parts += [nodes.Text(text[end : match.start()]), link]
                end = match.end()
            if parts:
                text.parent.replace(text, [*parts, nodes.Text(text[end:])])


def setup(app: Sphinx) -> dict:
    """Register with Sphinx; after the links that a page has by itself were resolved."""
    app.connect("doctree-resolved", link_names, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
