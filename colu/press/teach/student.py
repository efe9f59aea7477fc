"""Notebooks for teaching: the student's without solutions, the teacher's with them, and the source of both for otter.

Under each exercise of a student's notebook stands an empty cell; where the package keeps the answer, the cell checks
it. Of the expected result the text keeps a number at most, and none where the cell checks.
"""

from __future__ import annotations

from pathlib import Path

from colu.files import write_atomically
from colu.press.notebook import Cell, Exercise, Notebook
from colu.press.project import BookError, Project, UnknownName
from colu.press.toc import select

from .exercises import number_of, plain_exercise, wanted
from .expected import number_at_most
from .otter import otter_notebook
from .plain import Shelf, plain_notebook

#: What ``colu book student`` writes: notebooks to read and fill in, or sources for ``otter assign``.
FORMATS = ("plain", "otter")

__all__ = ["FORMATS", "student_notebook", "teacher_notebook", "write_teaching_notebooks"]


def _own_cell(number: str, label: str, checked: bool) -> dict:
    """The empty cell under an exercise; where the answer is checked it says how many numbers are wanted."""
    asked = wanted(label) if checked else "your answer"
    lines = [f"# Exercise {number}", f"answer = None  # put {asked} here"]
    if checked:
        lines += ["from colu.testing import check_answer", "", f'check_answer("{label}", answer)']
    return {
        "cell_type": "code",
        "id": f"answer-{number.replace('.', '-')}",
        "metadata": {"tags": ["exercise"]},
        "execution_count": None,
        "outputs": [],
        "source": "\n".join(lines),
    }


class _Edition:
    """Goes through the cells of a chapter, knowing whether it is inside a solution and how many exercises it met."""

    def __init__(self, notebook: Notebook, checked: set[str], solutions: bool) -> None:
        self.notebook, self.checked, self.solutions = notebook, checked, solutions
        self.inside, self.count = False, 0

    def expected(self, exercise: Exercise) -> str:
        """What the text keeps of the result: all of it beside a solution, else a number, and none above a check."""
        if self.solutions:
            return exercise.expected
        return "" if exercise.label in self.checked else number_at_most(exercise.expected)

    def cells(self) -> list[dict]:
        cells = []
        for cell in self.notebook.cells:
            if cell.kind == "markdown":
                cells += self.prose(cell)
            elif self.solutions or not self.inside:
                cells.append(cell.node)
        return cells

    def prose(self, cell: Cell) -> list[dict]:
        """A cell of prose with its exercises in plain Markdown; a cell may end one solution and begin the next."""
        lines, kept, asked, at = cell.text.splitlines(keepends=True), "", [], 0
        for block in cell.blocks:
            if block.kind not in ("exercise", "solution-start", "solution-end"):
                continue
            before, at = "".join(lines[at : block.lines[0]]), block.lines[1]
            kept += before if self.solutions or not self.inside else ""
            if block.kind == "exercise":
                exercise, self.count = self.notebook.exercises[self.count], self.count + 1
                number = number_of(self.notebook.number, self.count)
                kept += plain_exercise(exercise, number, self.expected(exercise)) + "\n"
                asked.append(_own_cell(number, exercise.label, exercise.label in self.checked))
            else:
                self.inside = block.kind == "solution-start"
                kept += "\n**Solution.**\n\n" if self.inside and self.solutions else ""
        kept += "".join(lines[at:]) if self.solutions or not self.inside else ""
        cells = [cell.node | {"source": kept.strip() + "\n"}] if kept.strip() else []
        return cells + ([] if self.solutions else asked)


def student_notebook(notebook: Notebook) -> Notebook:
    """Return the notebook for students: no solutions, and a cell for each answer."""
    from colu.testing import answer_ids

    return notebook.with_cells(_Edition(notebook, set(answer_ids()), solutions=False).cells())


def teacher_notebook(notebook: Notebook) -> Notebook:
    """Return the notebook for teachers: the solutions stand open under their exercises."""
    return notebook.with_cells(_Edition(notebook, set(), solutions=True).cells())


def _check_current(copy: Notebook, committed: Notebook, where: Path) -> None:
    """Stop where a copy is of another version of its chapter: its code may be for another package."""
    texts = ([c.text for c in notebook.cells if "injected-parameters" not in c.tags] for notebook in (copy, committed))
    if next(texts) != next(texts):
        raise BookError(f"{where / copy.name}.ipynb is of another version of the chapter: run 'make book' first")


def write_teaching_notebooks(
    project: Project,
    folder: Path,
    names=(),
    *,
    preset: str = "smoke",
    copies: Path | None = None,
    form: str = "plain",
    hidden: bool = False,
) -> list[Path]:
    """Write notebooks for teaching below ``folder``, in the plain form, without outputs and links to pictures.

    Parameters
    ----------
    project : Project
    folder : Path
        Made where it does not exist.
    names : sequence of str
        Chapters; all where empty.
    preset : {"smoke", "laptop", "full"}
        From which executed copies the numbers in the text are.
    copies : Path, optional
        The folder of those copies.
    form : {"plain", "otter"}
        Plain notebooks go to ``students/`` and ``teachers/``, sources for ``otter assign`` to ``otter/``.
    hidden : bool
        Whether ``otter assign`` keeps the tests from the students.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    BookError
        If a chapter was not executed as it is now, or has what the plain form cannot express; for another ``form``,
        and for hidden tests of plain notebooks, which have none.
    """
    if form not in FORMATS:
        raise UnknownName(f"unknown format {form!r}: choose one of {', '.join(FORMATS)}")
    if hidden and form != "otter":
        raise BookError("only notebooks of the format otter have tests to hide: add --format otter")
    copies = copies or project.executed(preset)
    written, shelf = [], Shelf(project, copies, preset)
    editions = {"students": student_notebook, "teachers": teacher_notebook}
    if form == "otter":
        editions = {"otter": lambda notebook: otter_notebook(notebook, shelf.repository, hidden=hidden)}
    for path in select(project, names):
        notebook = shelf.copy(path.stem)
        _check_current(notebook, shelf.committed(path.stem), copies)
        for kind, edition in editions.items():
            target = folder / kind / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(target, plain_notebook(edition(notebook), shelf, embed=True).stripped().dumps())
            written.append(target)
    return written
