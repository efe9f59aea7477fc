"""Exercise sheets for print: the exercises of a chapter from its rendered page, without code and solutions."""

from __future__ import annotations

import re
from html import escape

from colu.book.slide_parts import cleaned, split_exercise

__all__ = ["sheet_html"]

STYLE = """
body { font: 11pt/1.45 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; color: #1b2530; background: #fff;
  max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5em; }
.name { display: flex; justify-content: space-between; gap: 1rem; border-bottom: 1px solid #4a5568;
  padding-bottom: 1.4rem; }
.exercise { break-inside: avoid; margin: 1.6rem 0; }
.exercise, .expected { overflow-x: auto; overflow-wrap: anywhere; }
h1 { overflow-wrap: anywhere; }
.admonition-title { font-weight: 600; }
.points { color: #4a5568; font-weight: 400; }
.expected { border-left: 3px solid #c9d1d9; padding-left: 0.8rem; }
.room { height: 5rem; }
a { color: inherit; }
.only-screen { color: #4a5568; }
@media print { .only-screen { display: none; } body { margin: 0; } }
"""


def sheet_html(page: str, name: str) -> str:
    """Return the sheet of a chapter as a whole HTML page that stands in ``sheets/`` beside ``notebooks/``.

    Parameters
    ----------
    page : str
        The rendered page of the chapter.
    name : str
        The chapter, such as ``"12-symmetry"``.

    Returns
    -------
    str
        Title, points, a line for the name, the exercises with their points and expected results, and room to write.
    """
    top = cleaned(page, name)
    title = top.find("h1").get_text().strip()
    boxes, total = [], 0
    for tag in top.select("div.exercise"):
        stars = tag.get_text().count("★")
        total += stars
        text, expected = split_exercise(tag)
        points = f'<span class="points"> – {stars} point{"s" * (stars != 1)}</span></p>'
        text = text.replace("</p>", points, 1)
        boxes.append(f'{text}<div class="expected">{expected}</div><div class="room"></div>')
    shown = re.sub(r'\s(id|name)="[^"]*"', "", "\n".join(boxes))
    number = name.split("-")[0]
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Exercises {number}: {escape(title)}</title>
<link rel="icon" href="../_static/favicon.svg">
<style>{STYLE}</style>
<script defer src="../_static/mathjax/tex-chtml.js"></script>
</head>
<body>
<main>
<h1>Exercises {number}: {escape(title)}</h1>
<p class="name"><span>Name:</span> <span>{total} points</span></p>
{shown}
</main>
<p class="only-screen">Print this page; the solutions are in <a href="../notebooks/{name}.html">the chapter</a>.</p>
</body>
</html>
"""
