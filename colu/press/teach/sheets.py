"""Sheets for print, from a chapter's rendered page: its exercises, and the same with their solutions."""

from __future__ import annotations

import copy
import re
from html import escape
from typing import TYPE_CHECKING

from .expected import number_at_most
from .slide_parts import soup_of, split_exercise

if TYPE_CHECKING:
    from bs4 import Tag

__all__ = ["sheet_html", "solutions_html"]

STYLE = """
body { font: 11pt/1.45 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; color: #1b2530; background: #fff;
  max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5em; }
.name { display: flex; justify-content: space-between; gap: 1rem; border-bottom: 1px solid #4a5568;
  padding-bottom: 1.4rem; }
/* In print an exercise stays with its room to write, and a solution begins below its exercise. */
.item, .exercise, .solution img, .solution table { break-inside: avoid; }
.exercise { break-after: avoid; }
p, pre { orphans: 3; widows: 3; }
.item { margin: 1.6rem 0; }
.exercise, .expected, .hint, .solution { overflow-x: auto; overflow-wrap: anywhere; }
h1 { overflow-wrap: anywhere; }
.admonition-title { font-weight: 600; }
.points { color: #4a5568; font-weight: 400; }
.expected { border-left: 3px solid #c9d1d9; padding-left: 0.8rem; }
.room { height: calc(var(--points) * 2.5rem); }
.hint { margin: 0.4rem 0; padding-left: 0.8rem; }
.hint p { display: inline; }
.solution { border-left: 3px solid #0b6fa4; padding-left: 0.8rem; margin: 0.8rem 0 2.2rem; overflow-wrap: anywhere; }
.solution pre { background: #f3f4f5; padding: 0.5rem; font-size: 0.8em; white-space: pre-wrap; }
.solution img { max-width: 100%; height: auto; }
.solution table { border-collapse: collapse; font-size: 0.9em; }
.solution td, .solution th { border-bottom: 1px solid #c9d1d9; padding: 0.2rem 0.6rem; text-align: left; }
a { color: inherit; }
.only-screen { color: #4a5568; }
@media print { .only-screen { display: none; } body { margin: 0; } }
"""


def sheet_html(top: Tag, name: str) -> str:
    """Return the sheet of a chapter as a whole HTML page that stands in ``sheets/`` beside ``notebooks/``.

    Parameters
    ----------
    top : Tag
        The chapter, by :func:`colu.press.teach.slide_parts.cleaned`; it is left as it is.
    name : str
        The chapter, such as ``"12-symmetry"``.

    Returns
    -------
    str
        Title, points, a line for the name, the exercises with their points, room to write, and of an expected result
        a number at most.
    """
    boxes, total = [], 0
    for tag in top.select("div.exercise"):
        stars = tag.get_text().count("★")
        total += stars
        text, expected = split_exercise(tag)
        points = f'<span class="points"> – {stars} point{"s" * (stars != 1)}</span></p>'
        text = text.replace("</p>", points, 1)
        number = number_at_most(soup_of(expected).get_text().partition("Expected:")[2])
        result = f'<p class="expected"><em>Expected:</em> {escape(number)}</p>' if number else ""
        boxes.append(f'<div class="item" style="--points: {stars}">{text}{result}<div class="room"></div></div>')
    link = f'<a href="../solutions/{name}.html">solutions</a>'
    named = f'<p class="name"><span>Name:</span> <span>{total} points</span></p>\n'
    note = f"Print this page; its {link} have a page of their own."
    return _page("Exercises", top, name, named + "\n".join(boxes), note)


def solutions_html(top: Tag, name: str) -> str:
    """Return the exercises of a chapter, each with its solution, as a whole HTML page that stands in ``solutions/``.

    Parameters
    ----------
    top, name
        As for :func:`sheet_html`.

    Returns
    -------
    str
        Title, and for each exercise its text, expected result, hints, and solution with code and output.
    """
    solved = {_exercise_of(box): copy.copy(box) for box in top.select("div.solution")}
    boxes = []
    for tag in top.select("div.exercise"):
        boxes += [str(tag), *_hints(tag)]
        if box := solved.get(tag.get("id", "")):
            for extra in box.select(".admonition-title, script, .colu-slider, summary, img.on-dark"):
                extra.decompose()
            for fold in box.select("details"):
                fold.unwrap()
            boxes.append(f'<div class="solution">{box.decode_contents()}</div>')
    return _page("Solutions", top, name, "\n".join(boxes), "Numbers are those of the run that made the book.")


def _hints(exercise: Tag) -> list[str]:
    """The hints that stand under an exercise, open: the teacher gives them one by one."""
    found = []
    for fold in exercise.find_next_siblings():
        if "fold-hint" not in fold.get("class", []):
            break
        fold = copy.copy(fold)
        line = fold.summary.extract().get_text()
        found.append(f'<div class="hint"><em>{escape(line)}:</em> {fold.decode_contents().strip()}</div>')
    return found


def _exercise_of(solution: Tag) -> str:
    """The identifier of the exercise that a box solves."""
    link = solution.select_one(".admonition-title a[href]")
    return link["href"].partition("#")[2] if link else ""


def _page(kind: str, top: Tag, name: str, content: str, note: str) -> str:
    """A whole page; identifiers stay in the chapter."""
    title = escape(top.find("h1").get_text().strip())
    shown = re.sub(r'\s(id|name)="[^"]*"', "", content)
    number = name.split("-")[0]
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{kind} {number}: {title}</title>
<link rel="icon" href="../_static/favicon.svg">
<style>{STYLE}</style>
<script defer src="../_static/mathjax/tex-chtml.js"></script>
</head>
<body>
<main>
<h1>{kind} {number}: {title}</h1>
{shown}
</main>
<p class="only-screen">{note} <a href="../notebooks/{name}.html">The chapter</a></p>
</body>
</html>
"""
