"""Notebooks and sheets for teaching: solutions stripped, or kept, and exercises with their points.

The student's notebook is the chapter without the solutions.
Under each exercise stands an empty cell; where the package keeps the answer, the cell checks it,
and the expected result is taken out of the text.
"""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

from colu.files import write_atomically
from colu.press.build.project import Project

from .chapters import read_chapter

__all__ = ["exercise_sheet", "student_notebook", "write_student_files"]

_EXERCISE = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{exercise\}[ \t]*(?P<title>[^\n]*)\n"
    r"(?P<options>(?::[^\n]*\n)*)(?P<body>.*?)^(?P=fence)[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
_START = re.compile(r"^`{3,}\{solution-start\}.*?^`{3,}[ \t]*$\n?", re.MULTILINE | re.DOTALL)
_END = re.compile(r"^`{3,}\{solution-end\}[ \t]*\n`{3,}[ \t]*$\n?", re.MULTILINE)
_EXPECTED = re.compile(r"^\*Expected:\*.*?(?=\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)


def _plain(title: str, body: str, number: str, checked: bool) -> str:
    """One exercise as Markdown that Jupyter shows."""
    stars = re.match(r"★*", title)[0]
    points = f"{len(stars)} point{'s' if len(stars) != 1 else ''}"
    text = (_EXPECTED.sub("", body) if checked else body).strip()
    return f"### Exercise {number} {stars} ({points}): {title[len(stars) :].strip()}\n\n{text}\n"


def _own_cell(number: str, checked: bool) -> dict:
    """The empty cell under an exercise."""
    lines = [f"# Exercise {number}", "answer = None  # put your answer here"]
    if checked:
        lines += ["from colu.testing import check_answer", "", f'check_answer("{number}", answer)']
    source = "\n".join(lines)
    identifier = f"answer-{number.replace('.', '-')}"
    return {
        "cell_type": "code",
        "id": identifier,
        "metadata": {"tags": ["exercise"]},
        "execution_count": None,
        "outputs": [],
        "source": source,
    }


def _rewritten(text: str, chapter: str, count: int, checked: set[str]) -> tuple[str, list[str]]:
    """Replace the exercise blocks of a cell; return the text and the numbers of its exercises."""
    numbers: list[str] = []

    def replace(match: re.Match) -> str:
        number = f"{chapter}.{count + len(numbers) + 1}"
        numbers.append(number)
        return _plain(match["title"], match["body"], number, number in checked)

    return _EXERCISE.sub(replace, text), numbers


def student_notebook(notebook: dict, chapter: str, *, solutions: bool = False) -> dict:
    """Return the notebook for students, or with ``solutions`` the one for teachers.

    Parameters
    ----------
    notebook : dict
        The chapter as committed.
    chapter : str
        Its number, such as ``"12"``.
    solutions : bool
        Keep the solutions, as open cells.

    Returns
    -------
    dict
        A new notebook.
    """
    from colu.testing import answer_ids

    checked = set() if solutions else set(answer_ids())
    result, cells, inside, count = copy.deepcopy(notebook), [], False, 0
    for cell in result["cells"]:
        if cell["cell_type"] != "markdown":
            if solutions or not inside:
                cells.append(cell)
            continue
        text = "".join(cell["source"])
        kept = ""
        # A cell may end one solution and begin the next.
        while text:
            mark = (_END if inside else _START).search(text)
            part = text[: mark.start()] if mark else text
            if solutions or not inside:
                kept += part
            if mark and not inside and solutions:
                kept += "\n**Solution.**\n\n"
            inside, text = inside ^ bool(mark), text[mark.end() :] if mark else ""
        kept, numbers = _rewritten(kept, chapter, count, checked)
        count += len(numbers)
        if kept.strip():
            cells.append(cell | {"source": kept.strip() + "\n"})
        if not solutions:
            cells += [_own_cell(number, number in checked) for number in numbers]
    result["cells"] = cells
    return result


def exercise_sheet(path: Path) -> str:
    """Return the exercises of a chapter as Markdown, with points and expected results, for print."""
    chapter = read_chapter(path)
    total = sum(exercise.stars for exercise in chapter.exercises)
    lines = [f"# Exercises {chapter.number}: {chapter.title}", "", f"{total} points. Name: ____________________", ""]
    for number, exercise in enumerate(chapter.exercises, 1):
        title = "★" * exercise.stars + exercise.title
        lines.append(_plain(title, exercise.text, f"{chapter.number}.{number}", checked=False))
    return "\n".join(lines)


def write_student_files(project: Project, folder: Path, names=()) -> list[Path]:
    """Write ``students/``, ``solutions/`` and ``sheets/`` below ``folder``.

    Parameters
    ----------
    project : Project
    folder : Path
        Made where it does not exist.
    names : sequence of str
        Chapters; all where empty.

    Returns
    -------
    list of Path
        What was written.
    """
    written = []
    for path in project.select(names):
        notebook = json.loads(path.read_text(encoding="utf8"))
        number = path.stem.split("-")[0]
        texts = {
            folder / "students" / path.name: json.dumps(student_notebook(notebook, number), indent=1),
            folder / "solutions" / path.name: json.dumps(student_notebook(notebook, number, solutions=True), indent=1),
            folder / "sheets" / f"{path.stem}.md": exercise_sheet(path),
        }
        for target, text in texts.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(target, text.rstrip() + "\n")
            written.append(target)
    return written
