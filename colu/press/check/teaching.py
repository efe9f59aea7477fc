"""Rules for the lessons of the chapters: headings and questions that exist, and no lecture longer than it may be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

from colu.press.notebook import Notebook
from colu.press.project import BookError
from colu.press.quiz import quiz_path, read_quiz
from colu.press.teaching import Lesson, headings, read_lesson, teaching_path

from .spelling import misspelt

__all__ = ["LECTURE", "lint_teaching"]

#: Minutes of a lecture at most.
LECTURE = 90
#: Misconceptions of a chapter, and steps on the board.
MISCONCEPTIONS, STEPS = (1, 2), (2, 4)


def _near(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _sections(lesson: Lesson, known: tuple[str, ...]) -> list[str]:
    absent = [heading for heading in lesson.minutes if heading not in known]
    found = [f"{heading!r} is no heading of the notebook{_near(heading, known)}" for heading in absent]
    if not absent and list(lesson.minutes) != [heading for heading in known if heading in lesson.minutes]:
        found.append("its headings are not in the order of the notebook")
    for minutes in (sum(lecture.values()) for lecture in lesson.lectures):
        if minutes > LECTURE:
            found.append(f"a lecture of {minutes} minutes, at most {LECTURE}: shorten it, or break it in two")
    return found


def _texts(lesson: Lesson) -> list[str]:
    said = [text for each in lesson.misconceptions for text in (each.says, each.answer)]
    found = misspelt("\n\n".join([*said, lesson.skip, *lesson.board]))
    for what, count, (fewest, most) in (
        ("misconceptions", len(lesson.misconceptions), MISCONCEPTIONS),
        ("steps on the board", len(lesson.board), STEPS),
    ):
        if not fewest <= count <= most:
            found.append(f"{count} {what}, wanted {fewest} to {most}")
    return found


def lint_teaching(notebooks: Iterable[Notebook], pages: Path) -> list[str]:
    """Problems of the lessons, each a line that says where.

    A chapter with questions has a lesson.

    Parameters
    ----------
    notebooks : iterable of Notebook
        The chapters.
    pages : Path
        The folder of the prose around them, which has lessons and questions.

    Returns
    -------
    list of str
        Empty if all rules hold.
    """
    found, known = [], set()
    for notebook in notebooks:
        path, quiz = teaching_path(pages, notebook.name), quiz_path(pages, notebook.name)
        known.add(path)
        where = f"teaching/{path.name}"
        try:
            lesson = read_lesson(path)
            asked = [question.id for question in read_quiz(quiz)]
        except BookError as error:
            found.append(str(error))
            continue
        if lesson is None:
            if asked:
                found.append(f"{notebook.name} has questions and no lesson: write one into book/{where}")
            continue
        absent = [each.asks for each in lesson.misconceptions if each.asks not in asked]
        problems = [f"{name!r} is no question of quizzes/{quiz.name}{_near(name, asked)}" for name in absent]
        problems += _sections(lesson, headings(notebook)) + _texts(lesson)
        found += [f"{where}: {problem}" for problem in problems]
    for path in sorted(set((pages / "teaching").glob("*")) - known):
        found.append(f"teaching/{path.name} belongs to no chapter: name it as the notebook without its number")
    return found
