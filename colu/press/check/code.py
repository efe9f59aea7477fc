"""Rules for the code that a student reads: comments, width, no comprehension inside another, no table by hand."""

from __future__ import annotations

import ast
import re

from colu.press.notebook import Cell, Notebook

__all__ = ["COMMENTED", "WIDTH", "lint_code"]

#: Characters of a line, and the share of open lines that are comments or say what a function does.
WIDTH, COMMENTED = 88, 1 / 5
#: With so few open lines a share says nothing.
FEW = 20
#: What is not open: drawn, printed or checked, and behind a line on the page.
FOLDED = {"hide-cell", "hide-input", "remove-cell", "remove-input", "claim"}
#: The line below the head of a table in Markdown.
_RULE = re.compile(r"\| *(:?-{3,}|:-+|-+:)")
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def _parsed(text: str) -> ast.AST:
    """The code of a cell; empty where it is no plain Python."""
    try:
        return ast.parse(text)
    except SyntaxError:
        return ast.Module([], [])


def _nested(tree: ast.AST) -> list[int]:
    """The lines with a comprehension inside another one."""
    outer = [node for node in ast.walk(tree) if isinstance(node, _COMPREHENSIONS)]
    inside = [one for node in outer for one in ast.walk(node) if one is not node and isinstance(one, _COMPREHENSIONS)]
    return sorted({one.lineno for one in inside})


def _tables(tree: ast.AST) -> list[int]:
    """The lines of texts that hold the rule of a Markdown table."""
    texts = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return sorted({text.lineno for text in texts if _RULE.search(text.value)})


def _explains(line: str) -> bool:
    return "#" in line or line.strip().startswith('"""')


def lint_code(notebook: Notebook) -> list[str]:
    """What makes the code of a chapter hard to read aloud, each a line that says where.

    Parameters
    ----------
    notebook : Notebook

    Returns
    -------
    list of str
        Empty if all rules hold.

    Examples
    --------
    >>> import nbformat
    >>> cell = nbformat.v4.new_code_cell("[[i * j for i in a] for j in b]", id="c")
    >>> lint_code(Notebook("12-a", nbformat.v4.new_notebook(cells=[cell])))
    ["cell 'c', line 1: a comprehension inside another: give the inner one a name"]
    """
    found, lines = [], []
    for cell in notebook.cells:
        if cell.kind == "code":
            found += _lint_cell(cell)
            if not FOLDED & set(cell.tags):
                lines += [line for line in cell.text.splitlines() if line.strip()]
    share = sum(map(_explains, lines)) / max(len(lines), 1)
    if len(lines) > FEW and share < COMMENTED:
        found.append(f"{share:.0%} of {len(lines)} open lines of code are comments, wanted {COMMENTED:.0%}: say why")
    return found


def _lint_cell(cell: Cell) -> list[str]:
    found = []
    for number, line in enumerate(cell.text.splitlines(), 1):
        if len(line) > WIDTH:
            found.append(f"cell {cell.id!r}, line {number}: {len(line)} characters, at most {WIDTH}")
    tree = _parsed(cell.text)
    for line in _tables(tree):
        found.append(f"cell {cell.id!r}, line {line}: a table by hand: give its rows to colu.lab.results.show")
    if not FOLDED & set(cell.tags):
        for line in _nested(tree):
            found.append(f"cell {cell.id!r}, line {line}: a comprehension inside another: give the inner one a name")
    return found
