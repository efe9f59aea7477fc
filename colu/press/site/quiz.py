"""``{quiz}``: the questions of a chapter, which a script lets readers answer; without it the answers are folded.

No chapter writes it: it stands before the summary of each that has questions, see :mod:`colu.press.quiz`.
"""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from colu.files import write_atomically
from colu.press.layers import ANSWERS
from colu.press.notebook import Notebook
from colu.press.project import BookError
from colu.press.quiz import HEADING, INTRO, Question, quiz_path, read_quiz, with_questions

from .executed import PREFIX
from .layers import fold

FILES = ("quiz.css", "quiz.js")
ASSETS = Path(__file__).parent / "assets"
CELL = f"## {HEADING}\n\n{INTRO}\n\n```{{quiz}}\n```"


class quiz(nodes.General, nodes.Element):
    """The questions of a chapter, and behind a line their answers."""


class question(nodes.General, nodes.Element):
    """One question and its options."""


def _visit_quiz(translator, node: quiz) -> None:
    translator.body.append(translator.starttag(node, "div", CLASS="quiz"))


def _visit_question(translator, node: question) -> None:
    translator.body.append(translator.starttag(node, "div", CLASS="quiz-question", **{"data-right": node["right"]}))


def _depart(translator, _node: nodes.Element) -> None:
    translator.body.append("</div>\n")


def _path(app: Sphinx, docname: str) -> Path:
    return quiz_path(Path(app.srcdir, "book"), docname.rsplit("/", 1)[-1])


class Quiz(SphinxDirective):
    """The questions of the page's own chapter."""

    def run(self) -> list[nodes.Node]:
        """Questions with their options, and the answers behind a line."""
        path = _path(self.env.app, self.env.docname)
        try:
            questions = read_quiz(path)
        except BookError as error:
            raise self.error(str(error)) from None
        self.env.note_dependency(str(path))
        box, answers = quiz(), fold("", kind=ANSWERS, line="The answers")
        for number, each in enumerate(questions, 1):
            asked = question(ids=[f"quiz-{each.id}"], right=each.answer)
            self.parse(each.ask, asked)
            asked[0].insert(0, nodes.strong("", f"{number}. "))
            asked += self.listed([option.text for option in each.options])
            box += asked
            answers += self.answered(number, each)
        box += answers
        return [box]

    def parse(self, text: str, holder: nodes.Element) -> None:
        """Read Markdown into a holder."""
        self.state.nested_parse(StringList(text.splitlines(), self.env.docname), self.content_offset, holder)

    def listed(self, texts: list[str]) -> nodes.enumerated_list:
        """A list by letters."""
        found = nodes.enumerated_list(enumtype="upperalpha", prefix="", suffix=".")
        for text in texts:
            item = nodes.list_item()
            self.parse(text, item)
            found += item
        return found

    def answered(self, number: int, each: Question) -> list[nodes.Node]:
        """Which option is right, and what is to be said of each."""
        line = nodes.paragraph("", "", nodes.strong("", f"{number}. {each.letter} is right."))
        return [line, self.listed([option.why for option in each.options])]


def add_questions(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put the questions before the summary of a chapter."""
    notebook = str(app.env.doc2path(docname)).endswith(".ipynb")
    if notebook and docname.startswith(PREFIX) and _path(app, docname).is_file():
        source[0] = with_questions(Notebook.loads(source[0], docname), CELL).dumps()


def add_files(app: Sphinx, pagename: str, _template: str, _context: dict, _doctree) -> None:
    """Give script and style to the pages that ask."""
    if pagename.startswith(PREFIX) and _path(app, pagename).is_file():
        app.add_css_file(FILES[0])
        app.add_js_file(FILES[1], loading_method="defer")


def copy_files(app: Sphinx, error: Exception | None) -> None:
    """Copy script and style into the site."""
    if not error and app.builder.name == "html":
        for name in FILES:
            write_atomically(Path(app.outdir, "_static", name), (ASSETS / name).read_text(encoding="utf8"))


def setup(app: Sphinx) -> dict:
    """Register with Sphinx; the folds are of ``layers``."""
    app.setup_extension("colu.press.site.layers")
    app.add_node(quiz, html=(_visit_quiz, _depart))
    app.add_node(question, html=(_visit_question, _depart))
    app.add_directive("quiz", Quiz)
    app.connect("source-read", add_questions, priority=550)  # after the executed copy was read
    app.connect("html-page-context", add_files)
    app.connect("build-finished", copy_files)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
