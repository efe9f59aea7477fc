"""A chapter as the source notebook that ``otter assign``, of otter-grader, makes an autograded assignment of.

Each exercise is a question, a star a point. Where the package keeps a sealed answer the test asks ``check_answer``, so
that no test holds an answer; where the exercise gives code with a test, that test decides; others are marked by hand.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

import yaml

from colu.press.notebook import Cell, Exercise, Notebook

from .exercises import number_of, plain_exercise, wanted
from .expected import number_at_most

__all__ = ["otter_notebook", "parted_code"]

#: Code that an exercise gives to begin from.
_GIVEN = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
#: How the code that a chapter gives calls its test, which says *right* or what is wrong.
_PRINTED = re.compile(r"print\((test_\w+)\((\w+)\)\)")


def parted_code(code: str) -> tuple[str, str]:
    r"""Part the code that an exercise gives into what a student completes, and the test that decides.

    Parameters
    ----------
    code : str
        Either its last function is followed by assertions, or its last line is ``print(test_it(own))``, with a function
        ``test_it`` that says *right* or what is wrong.

    Returns
    -------
    (str, str)
        The first runs unfinished too. The second is empty where the code has no test.

    Examples
    --------
    >>> parted_code("def own(x):\n    ...\n\nassert own(2) == 4")
    ('def own(x):\n    ...', 'assert own(2) == 4')
    >>> parted_code("def own(x):\n    return x")
    ('def own(x):\n    return x', '')
    """
    body, lines = ast.parse(code).body, code.splitlines()
    functions = [node for node in body if isinstance(node, ast.FunctionDef)]
    called = _PRINTED.fullmatch(ast.unparse(body[-1])) if body else None
    if called:
        # The test brings the function that it calls, since a student can edit the one in the cell.
        test = next(ast.get_source_segment(code, node) for node in functions if node.name == called[1])
        return code.strip(), f'{test}\n\n\nverdict = {called[1]}({called[2]})\nassert verdict == "right", verdict'
    if functions and any(isinstance(node, ast.Assert) for node in body):
        end = functions[-1].end_lineno
        return "\n".join(lines[:end]).strip(), "\n".join(lines[end:]).strip()
    return code.strip(), ""


def _sealed(label: str, name: str) -> str:
    """The test of a sealed answer; where it fails, the hint is what the student reads."""
    call = f'verdict = check_answer("{label}", {name})'
    return f"from colu.testing import check_answer\n\n{call}\nassert verdict, verdict.message"


@dataclass
class _Question:
    """One exercise on its way: the code that a student begins from, and its test."""

    exercise: Exercise
    number: str
    sealed: bool
    begin: list[str] = field(default_factory=list)
    test: str = ""
    solving: bool = False
    answered: bool = False

    def __post_init__(self) -> None:
        self.begin.append(f"# Exercise {self.number}")
        given = _GIVEN.search(self.exercise.text)
        if self.sealed:
            name = f"answer_{self.number.rpartition('.')[2]}"
            self.begin.append(f"{name} = None  # put {wanted(self.exercise.label)} here")
            self.test = _sealed(self.exercise.label, name)
        elif given and parted_code(given[1])[1]:
            self.give(given[1])
        else:
            self.begin.append("# Your code, where you need some.")

    def give(self, code: str) -> None:
        """Let the student begin from code of the chapter."""
        begin, test = parted_code(code)
        self.begin[1:] = [begin] + (self.begin[1:] if self.test else [])
        self.test = self.test or test

    def source(self, solution: str) -> str:
        """The cell for the answer: where a student begins, and the solution, which only the teacher's copy keeps."""
        begin = "\n".join(self.begin)
        return f"{begin}\n\n# BEGIN SOLUTION NO PROMPT\n{solution}\n# END SOLUTION" if solution else begin

    def config(self, hidden: bool) -> dict:
        """What otter is told of the question."""
        known = {"name": self.exercise.label, "points": self.exercise.stars}
        if not self.test:
            return known | {"manual": True}
        # Without a test the student's copy has nothing to call.
        return known | ({"check_cell": False} if hidden else {})


class _Writer:
    """Goes through the cells of a chapter and puts otter's marks around its exercises."""

    def __init__(self, notebook: Notebook, hidden: bool) -> None:
        from colu.testing import answer_ids

        self.notebook, self.hidden, self.checked = notebook, hidden, set(answer_ids())
        self.cells: list[dict] = []
        self.count, self.prose = 0, ""
        self.question: _Question | None = None

    def put(self, kind: str, source: str, metadata: dict | None = None) -> None:
        """Append a cell, after the prose that waits."""
        self.flush()
        node = {"cell_type": kind, "id": f"otter-{len(self.cells)}", "metadata": metadata or {}, "source": source}
        self.cells.append(node | ({"outputs": [], "execution_count": None} if kind == "code" else {}))

    def flush(self) -> None:
        """Append the prose that waits, if there is any."""
        prose, self.prose = self.prose.strip(), ""
        if prose:
            self.put("markdown", prose + "\n")

    def mark(self, words: str) -> None:
        """Append a raw cell that begins or ends a block."""
        self.put("raw", f"# {words}")

    def code(self, cell: Cell) -> None:
        """A cell of code: of the chapter, given to the student, or of a solution."""
        question = self.question
        if question is None:
            self.cells.append(cell.node)
        elif not question.solving:
            question.give(cell.text)
        else:
            self.answer(question, cell.text, dict(cell.metadata))

    def answer(self, question: _Question, solution: str, metadata: dict) -> None:
        """The cell for the answer, once; more code of the solution goes into cells of its own."""
        if question.answered:
            question.begin.clear()
        self.put("code", question.source(solution).lstrip(), metadata | {"tags": ["exercise"]})
        question.answered = True

    def text(self, cell: Cell) -> None:
        """A cell of prose; it may end one solution and begin the next exercise."""
        blocks = [block for block in cell.blocks if block.kind in ("exercise", "solution-start", "solution-end")]
        if not blocks and self.question is None:
            self.cells.append(cell.node)
            return
        lines, at = cell.text.splitlines(keepends=True), 0
        for block in blocks:
            self.prose += "".join(lines[at : block.lines[0]])
            at = block.lines[1]
            if block.kind == "exercise":
                self.ask()
            elif block.kind == "solution-end":
                self.close()
            elif self.question:
                self.mark("BEGIN SOLUTION")
                self.question.solving = True
                expected = self.question.exercise.expected
                self.prose = f"*Expected:* {expected}\n\n" if expected else ""
        self.prose += "".join(lines[at:])
        self.flush()

    def ask(self) -> None:
        """Begin the question of the next exercise."""
        self.close()
        exercise, self.count = self.notebook.exercises[self.count], self.count + 1
        number = number_of(self.notebook.number, self.count)
        self.question = question = _Question(exercise, number, exercise.label in self.checked)
        # A scaffold of the chapter comes after this cell and may bring the test: the mark is completed at the end.
        self.mark("BEGIN QUESTION")
        self.begun = len(self.cells) - 1
        expected = "" if question.test else number_at_most(exercise.expected)
        self.prose = plain_exercise(exercise, number, expected) + "\n"

    def close(self) -> None:
        """End the question that is open."""
        question = self.question
        if question is None:
            return
        if not question.solving:
            self.mark("BEGIN SOLUTION")
        if not question.answered:
            self.answer(question, "", {})
        self.mark("END SOLUTION")
        if question.test:
            self.mark("BEGIN TESTS")
            self.put("code", ("# HIDDEN\n" if self.hidden else "") + question.test)
            self.mark("END TESTS")
        self.mark("END QUESTION")
        begin = self.cells[self.begun]
        begin["source"] += "\n" + yaml.safe_dump(question.config(self.hidden), sort_keys=False).strip()
        self.question = None


def _assignment(notebook: Notebook, repository: str) -> str:
    """What otter is told of the chapter."""
    config = {
        "name": notebook.name,
        # What the machine needs that grades.
        "requirements": [f"colu[lab] @ git+{repository}"],
        # Sealed answers stand in no solution, so that the solutions do not have all points.
        "run_tests": False,
        "export_cell": {"pdf": False, "run_tests": False},
    }
    return "# ASSIGNMENT CONFIG\n" + yaml.safe_dump(config, sort_keys=False, width=200).strip()


def otter_notebook(notebook: Notebook, repository: str, *, hidden: bool = False) -> Notebook:
    """Return the source for ``otter assign``.

    Parameters
    ----------
    notebook : Notebook
        A chapter, committed or executed.
    repository : str
        From where the machine that grades installs the package.
    hidden : bool
        Whether the tests are kept from the students.
    """
    writer = _Writer(notebook, hidden)
    writer.put("raw", _assignment(notebook, repository))
    for cell in notebook.cells:
        (writer.text if cell.kind == "markdown" else writer.code)(cell)
    writer.close()
    return notebook.with_cells(writer.cells)
