"""Commands in the cells of a table are blocks, with a button that copies them, as long ones break in many places."""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx

__all__ = ["is_command", "setup"]

PROGRAMS = ("colu", "git", "make", "pip", "python", "torchrun", ".venv/bin/colu")
#: Signs of a command that a table's column may have in one line.
SHORT = 45


def is_command(text: str) -> bool:
    """Whether a piece of code is typed into a terminal.

    Examples
    --------
    >>> is_command("colu run vae --preset laptop"), is_command("colu.nn"), is_command("make")
    (True, False, False)
    """
    program, _, arguments = text.partition(" ")
    return program in PROGRAMS and bool(arguments)


def _commands(paragraph: nodes.paragraph) -> list[str]:
    """The commands of a paragraph that has nothing else but ends of lines."""
    found = []
    for part in paragraph.children:
        if isinstance(part, nodes.literal) and is_command(part.astext()):
            found.append(part.astext())
        elif not isinstance(part, nodes.raw) and part.astext().strip():
            return []
    return found


def set_blocks(app: Sphinx, doctree: nodes.document) -> None:
    """Make blocks of the long commands in tables."""
    for cell in doctree.findall(nodes.entry):
        for paragraph in [part for part in cell.children if isinstance(part, nodes.paragraph)]:
            commands = _commands(paragraph)
            if any(len(command) > SHORT for command in commands):
                text = "\n".join(commands)
                cell.replace(paragraph, nodes.literal_block(text, text, language="bash", classes=["command"]))


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.connect("doctree-read", set_blocks, priority=940)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
