"""``{teaching}``: how each chapter is taught, a section a chapter under its part, see :mod:`colu.press.teaching`."""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

from colu.press.moved import topic
from colu.press.notebook import Notebook
from colu.press.project import BookError
from colu.press.quiz import quiz_path, read_quiz
from colu.press.teaching import Lesson, Misconception, read_lesson, teaching_path
from colu.press.toc import toc_parts

from .gathered import _Gathering

_LECTURES = ("First lecture", "Second lecture")


def timed(chapter: Notebook, lesson: Lesson) -> str:
    """The minutes of a lesson as MyST text: together, and by section for each lecture."""
    total = sum(lesson.minutes.values())
    lines = [f"{{doc}}`Chapter {chapter.number} <../notebooks/{chapter.name}>`, {total} minutes", ""]
    if len(lesson.lectures) > 1:
        lines[0] += f" in {len(lesson.lectures)} lectures, with the break before *{lesson.second}*"
    lines[0] += "."
    for number, lecture in enumerate(lesson.lectures):
        said = f"{_LECTURES[number]}, {sum(lecture.values())} minutes: " if len(lesson.lectures) > 1 else ""
        # A line does not end between the minutes and what they are for.
        parts = [f"**{minutes}**\N{NO-BREAK SPACE}{heading}" for heading, minutes in lecture.items()]
        lines += [said + " · ".join(parts), ""]
    return "\n".join(lines)


class Teaching(_Gathering):
    """Minutes, misconceptions, what to skip and what to draw, for every chapter that has a lesson."""

    def run(self) -> list[nodes.Node]:
        """One section a part, and in it one a chapter."""
        by_name, found = {chapter.name: chapter for chapter in self.chapters()}, []
        for number, (caption, names) in enumerate(toc_parts(Path(self.env.srcdir)), 1):
            inside = [section for name in names if (section := self.lesson(by_name[name]))]
            if inside:
                found.append(nodes.section("", nodes.title("", caption), *inside, ids=[f"teaching-part-{number}"]))
        return found

    def lesson(self, chapter: Notebook) -> nodes.section | None:
        """The section of one chapter; none where it has no lesson."""
        pages = Path(self.env.srcdir, "book")
        path, quiz = teaching_path(pages, chapter.name), quiz_path(pages, chapter.name)
        for each in (path, quiz):
            self.env.note_dependency(str(each))
        try:
            lesson = read_lesson(path)
            asked = [question.id for question in read_quiz(quiz)]
        except BookError as error:
            raise self.error(str(error)) from None
        if lesson is None:
            return None
        title = nodes.title("", f"{chapter.number} {chapter.title}")
        section = nodes.section("", title, ids=[f"teaching-{topic(chapter.name)}"])
        section += self.parse(timed(chapter, lesson))
        section += nodes.bullet_list("", *(self.said(chapter, each, asked) for each in lesson.misconceptions))
        section += self.parse(f"**When time is short.** {lesson.skip}")
        steps = [f"{number}. {step}" for number, step in enumerate(lesson.board, 1)]
        section += self.parse("\n".join(["**On the board.**", "", *steps]))
        return section

    def said(self, chapter: Notebook, each: Misconception, asked: list[str]) -> nodes.list_item:
        """What a student says, what to answer, and a link to the question that reveals it."""
        if each.asks not in asked:
            raise self.error(f"{each.asks!r} is no question of chapter {chapter.name}; known are {', '.join(asked)}")
        (line,) = self.parse(f"*{each.says}* {each.answer}")
        word = f"question {asked.index(each.asks) + 1}"
        link = nodes.reference("", word, internal=True, refuri=f"../notebooks/{chapter.name}.html#quiz-{each.asks}")
        # A reader of links alone hears which chapter it is.
        link["reftitle"] = f"{word} of chapter {chapter.number}"
        line += [nodes.Text(" ("), link, nodes.Text(")")]
        return nodes.list_item("", line)


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_directive("teaching", Teaching)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
