"""The same picture in fewer bytes: what matplotlib writes at every mark and letter is said once."""

from __future__ import annotations

import re
from collections import Counter
from xml.etree import ElementTree

__all__ = ["slim"]

_SVG, _LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
#: Numbered names that matplotlib gives, to which nothing refers.
_NUMBERED = re.compile(r"(?:matplotlib\.axis|[xyz]tick|line2d|text|patch|legend|[A-Z]\w*)_\d+\Z")
_UNTURNED = re.compile(r"rotate\(-?0(?:\.0*)? [-\d. ]+\)\Z")
_FAMILY = re.compile(r"font-family: ([^;]+);? ?")


def slim(svg: str) -> str:
    """Return an SVG of matplotlib that draws the same with less text.

    The style that all marks of a line share stands at their group, the font that most letters have at the root;
    numbered names, groups without a purpose, turns by nothing and indentation go.

    Parameters
    ----------
    svg : str

    Examples
    --------
    >>> ten = '<use x="1" y="2" style="fill: #d55e00" />' * 10
    >>> slim(f'<svg xmlns="http://www.w3.org/2000/svg"><g id="line2d_1">{ten}</g></svg>').count("fill")
    1
    """
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _LINK)
    root = ElementTree.fromstring(svg)
    for part in root.iter():
        if _NUMBERED.match(part.get("id", "")):
            del part.attrib["id"]
        if _UNTURNED.match(part.get("transform", "")):
            del part.attrib["transform"]
    _share_font(root)
    for part in root.iter(f"{{{_SVG}}}g"):
        _share_style(part)
    _unwrap(root)
    for part in root.iter():
        if part.tag not in (f"{{{_SVG}}}text", f"{{{_SVG}}}tspan") and not (part.text or "").strip():
            part.text = None
        if part.tag != f"{{{_SVG}}}tspan":
            part.tail = "\n" if part.tail else None
    return ElementTree.tostring(root, encoding="unicode")


def _share_font(root: ElementTree.Element) -> None:
    letters = [part for part in root.iter() if part.tag in (f"{{{_SVG}}}text", f"{{{_SVG}}}tspan")]
    families = Counter(found[1] for part in letters if (found := _FAMILY.search(part.get("style", ""))))
    if not families or root.get("font-family"):
        return
    common = families.most_common(1)[0][0]
    root.set("font-family", common)
    for part in letters:
        found = _FAMILY.search(part.get("style", ""))
        if found and found[1] == common:
            part.set("style", part.get("style").replace(found[0], ""))


def _share_style(group: ElementTree.Element) -> None:
    """The style of marks goes to their group, unless it fades each by itself: a group would fade as one."""
    styles = {part.get("style") if part.tag == f"{{{_SVG}}}use" else None for part in group}
    if len(group) < 2 or len(styles) > 1 or None in styles or group.get("style"):
        return
    (style,) = styles
    if re.search(r"(?<![-\w])opacity:", style):
        return
    group.set("style", style)
    for part in group:
        del part.attrib["style"]


def _unwrap(parent: ElementTree.Element) -> None:
    """Put what is in groups without attributes where the group is."""
    kept = []
    for part in list(parent):
        _unwrap(part)
        kept += list(part) if part.tag == f"{{{_SVG}}}g" and not part.attrib else [part]
    parent[:] = kept
