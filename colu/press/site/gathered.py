"""Pages gathered from the chapters: ``{chapters-table}``, ``{objectives}``, ``{errata}``, ``{exercise-list}``.

``{news}`` shows the newest lines of the changelog.

Whatever chapters ``_toc.yml`` names are taken; nothing is typed twice.
"""

from __future__ import annotations

import re
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from colu.press.notebook import Notebook
from colu.press.toc import TOC, toc_chapters, toc_parts


class _Gathering(SphinxDirective):
    """Writes MyST text from the chapters and parses it in its place."""

    def chapters(self) -> list[Notebook]:
        """Read the chapters and note that the page depends on them."""
        root = Path(self.env.srcdir)
        chapters = toc_chapters(root)
        for path in (root / TOC, *(root / "notebooks" / f"{chapter.name}.ipynb" for chapter in chapters)):
            self.env.note_dependency(str(path))
        return chapters

    def parse(self, text: str) -> list[nodes.Node]:
        """Parse MyST text."""
        holder = nodes.container()
        self.state.nested_parse(StringList([*text.splitlines(), ""], self.name), self.content_offset, holder)
        return holder.children


def _link(chapter: Notebook) -> str:
    return f"{{doc}}`../notebooks/{chapter.name}`"


class ChaptersTable(_Gathering):
    """Number, title, question, exercises; by part."""

    def run(self) -> list[nodes.Node]:
        """Build one table."""
        by_name = {chapter.name: chapter for chapter in self.chapters()}
        lines = ["| | Chapter | Question | Exercises |", "|---|---|---|---|"]
        for caption, names in toc_parts(Path(self.env.srcdir)):
            lines.append(f"| | **{caption}** | | |")
            for name in names:
                chapter = by_name[name]
                question = " ".join(chapter.from_page(chapter.question).split()).replace("|", r"\|")
                lines.append(f"| {chapter.number} | {_link(chapter)} | {question} | {len(chapter.exercises)} |")
        found = self.parse("\n".join(lines))
        for table in found:
            table["classes"].append("chapters-table")
        return found


class Objectives(_Gathering):
    """What a reader can do after each chapter, and what it needs."""

    def run(self) -> list[nodes.Node]:
        """One list a chapter."""
        text = []
        for chapter in self.chapters():
            text += ["", f"**{chapter.number}** {_link(chapter)}", ""]
            text += [f"- {chapter.from_page(objective)}" for objective in chapter.objectives]
            if chapter.prerequisites:
                text += ["", f"*Needs:* {chapter.from_page(' '.join(chapter.prerequisites.split()))}"]
        return self.parse("\n".join(text))


class ExerciseList(_Gathering):
    """Every exercise by chapter, with its points; the title links to the chapter."""

    def run(self) -> list[nodes.Node]:
        """One table."""
        lines = ["| Chapter | Exercise | Points |", "|---|---|---|"]
        total = 0
        for chapter in self.chapters():
            for exercise in chapter.exercises:
                title = exercise.title.replace("|", r"\|")
                lines.append(f"| {_link(chapter)} | {title} {'★' * exercise.stars} | {exercise.stars} |")
                total += exercise.stars
        return self.parse("\n".join([*lines, f"| | together | {total} |"]))


def divide_into_weeks(weights: list[int], weeks: int) -> list[int]:
    """Put chapters, in their order, into weeks of about equal weight; return the week of each, from 0.

    Examples
    --------
    >>> divide_into_weeks([4, 4, 4, 4, 8], 3)
    [0, 0, 1, 1, 2]
    """
    if weeks > len(weights):
        raise ValueError(f"{len(weights)} chapters do not fill {weeks} weeks; name more chapters or fewer weeks")
    total, placed, before = sum(weights), [], 0
    for number, weight in enumerate(weights):
        week = min(int((before + weight / 2) * weeks / total), weeks - 1)
        last = placed[-1] if placed else -1
        # No week is left out, and enough chapters remain for those that follow.
        week = max(last, min(week, last + 1), weeks - (len(weights) - number))
        placed.append(week)
        before += weight
    return placed


class Weeks(_Gathering):
    """A plan: the chapters of ``:chapters:`` (numbers; all where left out), as the book has them, over ``:weeks:``."""

    option_spec = {"weeks": directives.positive_int, "chapters": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Build the table."""
        chapters = {chapter.number: chapter for chapter in self.chapters()}
        wanted = self.options.get("chapters", "").split() or list(chapters)
        if unknown := [number for number in wanted if number not in chapters]:
            raise self.error(f"there is no chapter {', '.join(unknown)}; known are {', '.join(chapters)}")
        chosen = [chapter for number, chapter in chapters.items() if number in wanted]
        points = [sum(exercise.stars for exercise in chapter.exercises) for chapter in chosen]
        try:
            weeks = divide_into_weeks([point + 4 for point in points], self.options["weeks"])
        except ValueError as error:
            raise self.error(str(error)) from error
        lines = ["| Week | Chapters | Exercises | Points |", "|---|---|---|---|"]
        for week in range(self.options["weeks"]):
            places = [place for place, at in enumerate(weeks) if at == week]
            links = "; ".join(f"{chosen[place].number} {_link(chosen[place])}" for place in places)
            count = sum(len(chosen[place].exercises) for place in places)
            lines.append(f"| {week + 1} | {links} | {count} | {sum(points[place] for place in places)} |")
        return self.parse("\n".join(lines))


class Errata(_Gathering):
    """All boxes on errors in the literature, each with a link to its place."""

    def run(self) -> list[nodes.Node]:
        """One section a chapter; a sentence where there is none."""
        found = [(chapter, chapter.errata) for chapter in self.chapters() if chapter.errata]
        if not found:
            return self.parse("No chapter has found an error in the literature so far.")
        result = []
        for chapter, errata in found:
            result += self.parse(f"**{chapter.number}** {_link(chapter)}")
            for number, erratum in enumerate(errata, 1):
                title = re.sub(r"`|:{3,}", "", erratum.title)
                fence = "`" * (3 + max((len(run) for run in re.findall(r"`{3,}", erratum.text)), default=0))
                box = f"{fence}{{admonition}} {title}\n:class: warning\n\n{chapter.from_page(erratum.text)}\n{fence}"
                result += self.parse(box)
                link = nodes.reference("", "The cell that shows it", internal=True)
                link["refuri"] = f"../notebooks/{chapter.name}.html#erratum-{number}"
                result.append(nodes.paragraph("", "", link, classes=["erratum-link"]))
        return result


class News(SphinxDirective):
    """The newest entries of the changelog, the last written first; ``:count:`` says how many."""

    option_spec = {"count": directives.positive_int}

    def run(self) -> list[nodes.Node]:
        """One list."""
        path = Path(self.env.srcdir, "CHANGELOG.md")
        self.env.note_dependency(str(path))
        newest = path.read_text(encoding="utf8").partition("\n## ")[2].partition("\n## ")[0]
        lines = [line for line in newest.splitlines() if line.startswith("- ")]
        lines = lines[-self.options.get("count", 5) :][::-1]
        holder = nodes.container()
        self.state.nested_parse(StringList([*lines, ""], "CHANGELOG.md"), 0, holder)
        return holder.children


def mark_errata(app: Sphinx, doctree: nodes.document) -> None:
    """Give each box on an erratum an anchor."""
    boxes = [box for box in doctree.findall(nodes.admonition) if box.children and box[0].astext().startswith("Errat")]
    if app.env.docname.startswith("notebooks/"):
        for number, box in enumerate(boxes, 1):
            box["ids"].append(f"erratum-{number}")


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_directive("chapters-table", ChaptersTable)
    app.add_directive("objectives", Objectives)
    app.add_directive("exercise-list", ExerciseList)
    app.add_directive("errata", Errata)
    app.add_directive("weeks", Weeks)
    app.add_directive("news", News)
    app.connect("doctree-read", mark_errata)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
