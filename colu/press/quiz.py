"""The questions with which a reader checks a chapter: five, in ``book/quizzes/NN-topic.yml``.

The page and the plain notebook take them from there and put them before the summary, which would give them away.
A question is what is asked and three or four options, of which one is right; each says why, or what it mistakes::

    - id: twice
      ask: What is twice two?
      options:
        - wrong: Three.
          why: That adds one, and twice adds the number itself.
        - right: Four.
          why: Two and two.
        - wrong: Two.
          why: That is once two.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from .notebook import Notebook
from .project import BookError

__all__ = ["HEADING", "INTRO", "LETTERS", "Option", "Question", "quiz_path", "read_quiz", "with_questions"]

LETTERS = "ABCD"
HEADING = "Check yourself"
#: What stands under the heading.
INTRO = "Five questions, before the summary gives the answers away."
#: Before the first of these sections that a chapter has.
_BEFORE = ("Summary", "Exercises", "References")


@dataclass(frozen=True)
class Option:
    """One answer to choose: its text, whether it is right, and why."""

    text: str
    right: bool
    why: str


@dataclass(frozen=True)
class Question:
    """One question; ``id`` is unique in the book."""

    id: str
    ask: str
    options: tuple[Option, ...]

    @property
    def answer(self) -> int:
        """Which option is right, from 0; of several the first."""
        return next(number for number, option in enumerate(self.options) if option.right)

    @property
    def letter(self) -> str:
        """The letter of the right option."""
        return LETTERS[self.answer]


def quiz_path(pages: Path, name: str) -> Path:
    """Where the questions of a chapter lie, below the folder of the pages."""
    return pages / "quizzes" / f"{name}.yml"


def _option(entry: object) -> Option:
    kinds = [kind for kind in ("right", "wrong") if isinstance(entry, dict) and kind in entry]
    if len(kinds) != 1 or set(entry) != {kinds[0], "why"} or not all(isinstance(part, str) for part in entry.values()):
        raise BookError("an option is 'right: TEXT' or 'wrong: TEXT', and 'why: TEXT'; quote a text that holds ': '")
    return Option(entry[kinds[0]].strip(), kinds[0] == "right", entry["why"].strip())


def _question(entry: object) -> Question:
    if not isinstance(entry, dict) or set(entry) != {"id", "ask", "options"}:
        raise BookError("a question has id, ask and options, and nothing else")
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", str(entry["id"])):
        raise BookError(f"its id is {entry['id']!r}, wanted small letters, digits and hyphens")
    if not isinstance(entry["ask"], str) or not isinstance(entry["options"], list):
        raise BookError("ask is a text, and options a list")
    if len(entry["options"]) > len(LETTERS):
        raise BookError(f"it has {len(entry['options'])} options, at most {len(LETTERS)}")
    options = tuple(map(_option, entry["options"]))
    if sum(option.right for option in options) != 1:
        raise BookError(f"{sum(option.right for option in options)} of its options are right, wanted one")
    return Question(entry["id"], entry["ask"].strip(), options)


def read_quiz(path: Path) -> tuple[Question, ...]:
    """The questions in a file, in their order; none where there is no file.

    Raises
    ------
    BookError
        If the file is not as described above; it names the question.
    """
    if not path.is_file():
        return ()
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf8"))
    except yaml.YAMLError as error:
        raise BookError(f"{path.name} of the quizzes is no YAML: {error}") from error
    if not isinstance(entries, list):
        raise BookError(f"{path.name} of the quizzes is no list of questions")
    found = []
    for number, entry in enumerate(entries, 1):
        try:
            found.append(_question(entry))
        except BookError as error:
            raise BookError(f"{path.name} of the quizzes, question {number}: {error}") from None
    return tuple(found)


def with_questions(notebook: Notebook, text: str) -> Notebook:
    """The notebook with a cell of Markdown before its summary; where it has none before its exercises, else references.

    Examples
    --------
    >>> import nbformat
    >>> cell = nbformat.v4.new_markdown_cell("# A\\n\\n## Summary\\n\\nSo.", id="c")
    >>> made = with_questions(Notebook("12-a", nbformat.v4.new_notebook(cells=[cell])), "Why?")
    >>> [(cell.id, cell.text) for cell in made.cells]
    [('c', '# A'), ('quiz', 'Why?'), ('c-end', '## Summary\\n\\nSo.')]
    """
    nodes = [cell.node for cell in notebook.cells]
    asked = {"cell_type": "markdown", "id": "quiz", "metadata": {}, "source": text}
    for heading in _BEFORE:
        for cell in notebook.cells:
            found = re.search(rf"^## {heading}\s*$", cell.text, re.MULTILINE) if cell.kind == "markdown" else None
            if found is None:
                continue
            before, after = cell.text[: found.start()].strip(), cell.text[found.start() :]
            parts = [cell.node | {"source": before}] if before else []
            rest = cell.node | {"source": after, "id": f"{cell.id[:60]}-end" if before else cell.id}
            return notebook.with_cells([*nodes[: cell.number], *parts, asked, rest, *nodes[cell.number + 1 :]])
    return notebook.with_cells([*nodes, asked])
