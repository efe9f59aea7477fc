"""Rules for the questions of the chapters: five each, every option with its reason, and no answer by its looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from colu.press.notebook import Notebook
from colu.press.project import BookError
from colu.press.quiz import Question, quiz_path, read_quiz

from .spelling import misspelt

__all__ = ["QUESTIONS", "lint_quizzes", "without_questions"]

#: Of each chapter.
QUESTIONS = 5
#: Of these so many at most may have their answer at one letter, and so many at most their longest option right.
AT_ONE_LETTER, LONGEST = 2, 2
#: Options of a question at least.
FEWEST = 3


def _question(question: Question) -> list[str]:
    texts = [question.ask, *(text for option in question.options for text in (option.text, option.why))]
    found = misspelt("\n\n".join(texts))
    if not all(texts):
        found.append("has an empty text")
    if any("\n\n" in text for text in texts):
        found.append("has a text of two paragraphs: one is enough")
    if len(question.options) < FEWEST:
        found.append(f"has {len(question.options)} options, wanted {FEWEST} or four")
    if len({option.text for option in question.options}) < len(question.options):
        found.append("has the same option twice")
    if not question.ask.endswith(("?", ":", "…")):
        found.append("asks nothing: end it with '?', or with ':' where the options complete it")
    return found


def _whole(questions: tuple[Question, ...]) -> list[str]:
    if len(questions) != QUESTIONS:
        return [f"{len(questions)} questions, wanted {QUESTIONS}"]
    found = []
    letter, count = Counter(question.letter for question in questions).most_common(1)[0]
    if count > AT_ONE_LETTER:
        found.append(f"{count} of the answers are {letter}, at most {AT_ONE_LETTER}: move some")
    lengths = [(question, [len(option.text) for option in question.options]) for question in questions]
    longest = sum(max(each) == each[question.answer] for question, each in lengths)
    if longest > LONGEST:
        found.append(f"the right option is the longest in {longest} questions, at most {LONGEST}: that gives it away")
    return found


def without_questions(notebooks: Iterable[Notebook], pages: Path) -> list[str]:
    """The chapters that have exercises and no questions."""
    return [each.name for each in notebooks if each.exercises and not quiz_path(pages, each.name).is_file()]


def lint_quizzes(notebooks: Iterable[Notebook], pages: Path) -> list[str]:
    """Problems of the questions, each a line that says where.

    A chapter with exercises has questions.

    Parameters
    ----------
    notebooks : iterable of Notebook
        The chapters.
    pages : Path
        The folder of the prose around them, which has the questions.

    Returns
    -------
    list of str
        Empty if all rules hold.
    """
    notebooks, places = list(notebooks), {}
    found = [
        f"{name} has exercises and no questions: write five into book/quizzes/{name}.yml"
        for name in without_questions(notebooks, pages)
    ]
    known = {quiz_path(pages, notebook.name) for notebook in notebooks}
    for path in sorted((pages / "quizzes").glob("*")):
        where = f"quizzes/{path.name}"
        if path not in known:
            found.append(f"{where} belongs to no chapter: name it as the notebook, NN-topic.yml")
            continue
        try:
            questions = read_quiz(path)
        except BookError as error:
            found.append(str(error))
            continue
        found += [f"{where}: {problem}" for problem in _whole(questions)]
        for question in questions:
            found += [f"{where}, {question.id!r}: {problem}" for problem in _question(question)]
            if question.id in places:
                found.append(f"{where}: the id {question.id!r} is that of a question in {places[question.id]}")
            places[question.id] = where
    return found
