"""The plain form of a chapter: readable without the book's own syntax, and nothing lost."""

import base64
import re
from pathlib import Path

import nbformat
import pytest

from colu.press.notebook import Notebook
from colu.press.project import BookError, Project
from colu.press.teach.plain import LEFT, Shelf, drawn_on_white, plain_notebook

ROOT = Path(__file__).resolve().parents[3]
SITE = "https://example.org/toy/notebooks/01-one.html"
BOOK = """@misc{one, author = {A. von One}, title = {First}, year = {2001}, url = {https://example.org/one}}
@misc{two, author = {B. Two and C. Two}, title = {Second}, year = {2002}}
@misc{more, author = {D. A and E. B and F. C}, title = {Third}, year = {2003}, doi = {10.1/x}}
@misc{accents, author = {G{\\"o}del, Kurt and {\\O}re, {\\AA}.}, title = {{\\'E}tude of {CNN}s}, year = {2004}}
"""
NUMBER = {
    "output_type": "display_data",
    "data": {"application/papermill.record/text/plain": "0.25"},
    "metadata": {"scrapbook": {"name": "quarter", "mime_prefix": "x"}},
}
CLAIM = {
    "output_type": "display_data",
    "data": {"application/papermill.record/text/plain": "2.0"},
    "metadata": {"colu_claim": {"id": "toy-two", "measured": 2.0, "shown": "2.000", "preset": "smoke"}},
}


@pytest.fixture
def shelf(toy):
    """A book of one chapter, whose executed copy a test writes."""
    (toy.pages / "references.bib").write_text(BOOK)
    return Shelf(toy, toy.executed("smoke"))


def plain(shelf, *cells):
    """The plain form of a chapter of these cells; its code cells, and its prose as one text."""
    made = []
    for k, cell in enumerate(cells):
        if isinstance(cell, str):
            made.append(nbformat.v4.new_markdown_cell(cell, id=f"m{k}"))
        else:
            source, outputs, *metadata = cell
            outputs = [nbformat.from_dict(output) for output in outputs]
            made.append(nbformat.v4.new_code_cell(source, id=f"c{k}", outputs=outputs, metadata=dict(*metadata)))
    notebook = Notebook("01-one", nbformat.v4.new_notebook(cells=made))
    for folder in (shelf.project.notebooks, shelf.copies):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "01-one.ipynb").write_text(notebook.dumps())
    found = plain_notebook(notebook, shelf)
    nbformat.validate(found.node)
    return [cell for cell in found.cells if cell.kind == "code"], found.prose


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{cite:p}`one`", "[[von One, 2001](https://example.org/one)]"),
        ("{cite:p}`two,more`", "[Two and Two, 2002; [A et al., 2003](https://doi.org/10.1/x)]"),
        ("{cite:t}`one`", "[von One (2001)](https://example.org/one)"),
        ("{cite:t}`accents`", "Gödel and Øre (2004)"),
        ("{doc}`01-one`", f"[01 Title]({SITE})"),
        ("{doc}`here <01-one>`", f"[here]({SITE})"),
        ("{doc}`../book/claims`", "[claims](https://example.org/toy/book/claims.html)"),
        ("{prf:ref}`thm-a`", f"[Theorem 01.1]({SITE}#thm-a)"),
        ("{ref}`ex-a`", f"[Exercise 01.1]({SITE}#ex-a)"),
        ("{numref}`fig-a`", f"[Fig. 01.1]({SITE}#fig-a)"),
        ("{claim}`toy-two`", f"[Claim 01.1]({SITE}#claim-toy-two)"),
        ("{func}`~colu.nn.create` and {func}`colu.nn.create`", "`create` and `create`"),
        ("{glue:text}`quarter:.1f` or {glue:text}`quarter`", "0.2 or 0.25"),
        ("{glue:text}`../notebooks/01-one.ipynb::quarter:.2f`", "0.25"),
    ],
)
def test_a_role_becomes_plain(shelf, text, wanted):
    labelled = "# Title\n\n```{prf:theorem} T\n:label: thm-a\n\nSo.\n```\n\n```{exercise} ★ E\n:label: ex-a\n\nDo.\n```"
    figure = {"mystnb": {"figure": {"caption": "A.", "name": "fig-a"}}}
    _, prose = plain(shelf, labelled, text, ("draw()", [NUMBER], figure))
    assert f"\n\n{wanted}\n\n" in prose


def test_blocks_become_quotations_headings_and_lines_that_open(shelf):
    _, prose = plain(
        shelf,
        "# T\n\n:::{claim} toy-two\nIt is $2$.\n:::\n\nBetween.",
        "```{prf:lemma} Name\n:label: l\n\nFirst.\n\nSecond.\n```",
        "```{prf:proof}\nBecause.\n```\n\n:::{admonition} Erratum: one\n:class: warning\n\nWrong.\n:::",
        ("claims.check('toy-two', 2.0)", [CLAIM]),
        "```{exercise} ★★ Try\n:label: ex\n\nDo it.\n```\n\n````{solution-start} ex\n:class: dropdown\n````",
        ("answer = 1", []),
        "So it is.\n\n````{solution-end}\n````\n\nAfter.",
    )
    assert "> **Claim 01.1.**\n>\n> It is $2$.\n>\n> *Expected 2 ± 0.001; measured 2.000: holds.*\n\nBetween." in prose
    assert "> **Lemma 01.1 (Name).**\n>\n> First.\n>\n> Second." in prose
    assert "<details><summary>Proof</summary>\n\nBecause.\n\n</details>\n\n> **Erratum: one.**\n>\n> Wrong." in prose
    assert "### Exercise 01.1 ★★ Try\n\nDo it." in prose
    solution = "<details><summary>Solution</summary>\n\n```python\nanswer = 1\n```\n\nSo it is.\n\n</details>\n\nAfter."
    assert solution in prose


DRAWING = "# T\n\nQ?\n\n```{drawing} cone\n:alt: A cone\n\nA cone.\n```"
SVG = """<svg xmlns="http://www.w3.org/2000/svg" class="drawn" viewBox="0 0 640 242">
<style>
  .drawn { --ink: #222; }
  @media (prefers-color-scheme: dark) { .drawn { --ink: #eee; } }
  .drawn text { fill: var(--ink); }
</style>
<text>cone</text>
</svg>
"""


def test_a_drawing_is_a_link_to_the_site_or_stands_in_its_cell(shelf):
    notebook = Notebook("01-one", nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(DRAWING, id="m0")]))
    with pytest.raises(BookError, match=r"01-one shows the drawing 'cone', and there is no .*cone\.svg"):
        plain_notebook(notebook, shelf, embed=True)
    (folder := shelf.project.pages / "_static" / "drawings").mkdir(parents=True)
    (folder / "cone.svg").write_text(SVG)
    linked, held = plain_notebook(notebook, shelf), plain_notebook(notebook, shelf, embed=True)
    assert "![A cone](https://example.org/toy/_static/drawings/cone.svg)\n\nA cone." in linked.prose
    assert "data:" not in linked.prose
    text, kept = held.prose.split("\n\n[drawing-cone]: data:image/svg+xml;base64,")
    assert "![A cone][drawing-cone]\n\nA cone." in text and "https://" not in text
    assert base64.b64decode(kept).decode() == drawn_on_white(SVG)


def test_a_drawing_in_a_cell_stands_on_white_in_every_mode():
    light = drawn_on_white(SVG)
    assert "prefers-color-scheme" not in light and "#eee" not in light
    assert ".drawn { --ink: #222; }" in light and ".drawn { background: #fff; }" in light
    assert (
        light.startswith("<svg")
        and 'viewBox="0 0 640 242" width="640" height="242">' in light
        and "<text>cone</text>" in light
    )


@pytest.mark.parametrize("path", sorted((ROOT / "book/_static/drawings").glob("*.svg")), ids=lambda path: path.stem)
def test_every_drawing_can_be_put_on_white(path):
    svg = path.read_text(encoding="utf8")
    light = drawn_on_white(svg)
    assert "prefers-color-scheme" in svg and "@media" not in light and "background: #fff" in light
    assert light.count("{") == light.count("}") and ' width="' in light.partition(">")[0] and len(light) < len(svg)


def test_a_formula_in_a_quotation_stands_on_one_line(shelf):
    formula = "$$\n\\begin{aligned}\nx &= 1 \\\\\n&= y\n\\end{aligned}\n$$"
    _, prose = plain(
        shelf, "# T", f"```{{prf:theorem}} N\n:label: t\n\nSo\n\n{formula}\n\nends.\n```\n\n{formula}", ("x", [])
    )
    assert "> So\n>\n> $$ \\begin{aligned} x &= 1 \\\\ &= y \\end{aligned} $$\n>\n> ends." in prose
    assert prose.endswith(formula)


def test_a_slide_is_left_out_with_what_only_it_glues_and_cites(shelf):
    slide = "```{slide} Look\n:show: fig-x\n\nOf {cite:t}`one` and {glue:text}`nothing`.\n\n---\n\nSay it.\n```"
    _, prose = plain(shelf, "# T", "Before.\n\n" + slide, slide, ("x = 1", []), "```{bibliography}\n```")
    assert "Before." in prose and not any(word in prose for word in ("Look", "Say", "von One", "slide"))


def test_outputs_captions_and_the_cell_that_installs_are_there_and_serving_code_is_hidden(shelf):
    picture = {"output_type": "display_data", "data": {"image/png": "x"}, "metadata": {}}
    code, prose = plain(
        shelf,
        "# T\n\n## S",
        ("draw()", [picture], {"mystnb": {"figure": {"caption": "See {cite:t}`two`.", "name": "f"}}}),
        ("def f(x):\n    return x", []),
    )
    assert [cell.id for cell in code] == ["install", "c1", "c2"]
    assert code[0].text.count('pip install "colu[lab] @ git+https://example.org/toy.git"') == 1
    assert code[0].text.count('%pip install -q "colu[lab] @ git+https://example.org/toy.git"') == 1
    assert code[1].outputs == [picture] and code[1].metadata["jupyter"] == {"source_hidden": True}
    assert "jupyter" not in code[2].metadata
    assert "**Fig. 01.1.** See Two and Two (2002)." in prose


def test_a_live_run_is_closed_with_what_it_shows(shelf):
    code, _ = plain(shelf, "# T\n\n## S", ("train()", [], {"tags": ["live"]}), ("train()", []))
    assert code[1].metadata["jupyter"] == {"source_hidden": True, "outputs_hidden": True}
    assert "jupyter" not in code[2].metadata


def test_the_bibliography_lists_what_is_cited(shelf):
    _, prose = plain(shelf, "# T\n\n{cite:t}`more` {cite:p}`one`", "## References\n\n```{bibliography}\n:style: x\n```")
    assert prose.endswith(
        "- A, D., B, E., C, F. Third. 2003. <https://doi.org/10.1/x>\n- von One, A. First. 2001. <https://example.org/one>"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{kbd}`x`", "nothing for {kbd}`x`"),
        (":::{margin}\nx\n:::", "nothing for the directive {margin}"),
        ("{cite:p}`three`", "cites 'three', which the bibliography does not have"),
        ("{numref}`fig-x`", "refers to 'fig-x', which no chapter has"),
        ("{glue:text}`x:.2f`", "glues 'x', which no cell hands on"),
        ("> ```{note}\n> x\n> ```", "is left in the plain form of cell m0"),
    ],
)
def test_what_the_plain_form_cannot_express_is_named(shelf, text, message):
    with pytest.raises(BookError, match=f"01-one.*{re.escape(message)}"):
        plain(shelf, text)


def test_a_configuration_without_addresses_is_named(shelf):
    (shelf.project.root / "_config.yml").write_text("title: toy\n")
    with pytest.raises(BookError, match="lacks html.baseurl or repository.url"):
        plain(shelf, "# T", ("x", []))


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem[:2])
def test_no_chapter_has_syntax_that_the_plain_form_keeps(path, monkeypatch):
    """Of the committed chapters, without a run: a number that is glued is a stand-in here."""
    monkeypatch.setattr("colu.press.teach.plain._Writer._glue", lambda self, content: "0")
    shelf = Shelf(Project(ROOT), ROOT / "notebooks")
    prose = plain_notebook(shelf.copy(path.stem), shelf).prose
    assert not LEFT.search(prose) and "$`" not in prose
    assert prose.count("<details>") == prose.count("</details>")


def test_hints_are_lines_that_open_one_by_one(shelf):
    _, prose = plain(shelf, "# Title\n\n```{hints}\nA {glue:text}`quarter`.\n---\nMore.\n```", ("x", [NUMBER]))
    first = "<details><summary>Hint 1 of 2</summary>\n\nA 0.25.\n\n</details>"
    assert f"{first}\n\n<details><summary>Hint 2 of 2</summary>\n\nMore.\n\n</details>" in prose


QUIZ = """
- id: twice
  ask: >-
    What is twice {glue:text}`quarter`
    of two?
  options:
    - wrong: Two.
      why: That is {doc}`01-one`.
    - right: One.
      why: A half of two.
"""


def test_questions_stand_before_the_summary_and_their_answers_behind_a_line(shelf):
    path = shelf.project.pages / "quizzes" / "01-one.yml"
    path.parent.mkdir()
    path.write_text(QUIZ)
    _, prose = plain(shelf, "# Title", ("x", [NUMBER]), "So.\n\n## Summary\n\nAll.")
    between = prose.partition("So.")[2].partition("## Summary")[0].strip()
    assert between == (
        "## Check yourself\n\nFive questions, before the summary gives the answers away.\n\n"
        "**1.** What is twice 0.25 of two?\n\n- A. Two.\n- B. One.\n\n<details><summary>The answers</summary>\n\n"
        f"**1. B is right.**\n\n- A. That is [01 Title]({SITE}).\n- B. A half of two.\n\n</details>"
    )


def test_a_solution_that_the_questions_would_cut_open_stays_whole(shelf):
    path = shelf.project.pages / "quizzes" / "01-one.yml"
    path.parent.mkdir()
    path.write_text(QUIZ.replace("{glue:text}`quarter`", "a quarter"))
    _, prose = plain(shelf, "# Title", "## Exercises\n\n```{exercise} ★ E\n:label: ex-a\n\nDo.\n```")
    assert prose.index("## Check yourself") < prose.index("## Exercises") < prose.index("### Exercise 01.1")


def test_interactive_figure_becomes_its_question_its_finding_and_a_link(shelf):
    (shelf.project.pages / "laboratory").mkdir(parents=True)
    entry = "title: T\nquestion: What moves?\nalt: A.\nfinding: It moves.\n"
    entry += "states: [{label: a, address: x=1, says: b.}]\n"
    (shelf.project.pages / "laboratory" / "cone.yml").write_text(entry)
    _, prose = plain(shelf, "# One\n\n```{interactive} cone\n:start: x=1\n```\n\nSee {state}`there <cone?x=1&y=2>`.")
    address = "https://example.org/toy/book/laboratory/cone.html#lab-cone?"
    assert "> **What moves?**" in prose
    assert "> It moves." in prose and f"({address})" in prose
    assert f"See [there]({address}x=1&y=2)." in prose
