"""Rules for the slides that a notebook has: each with a heading, short, showing what is there, with words to say."""

from __future__ import annotations

from colu.press.notebook import Notebook
from colu.press.teach.blocks import SAID, SlideBlock, showable, slide_blocks

__all__ = ["WORDS", "lint_slides"]

#: A slide is looked at while somebody speaks.
WORDS = 90


def _problems(slide: SlideBlock, there: set[str], sliders: int) -> list[str]:
    found = []
    if not slide.heading:
        found.append("has no heading: write it behind {slide}")
    counted = slide.show.startswith("slider-") and slide.show[7:] in {str(number + 1) for number in range(sliders)}
    if slide.show and slide.show not in there and not counted:
        found.append(
            f"shows {slide.show!r}, which is no figure, drawing, theorem, claim or exercise of this chapter: "
            "name one, or slider-1 for the first figure with sliders"
        )
    if not slide.show and not slide.text:
        found.append("is empty: give it text or ':show:'")
    if (words := len(slide.text.split())) > WORDS:
        found.append(f"has {words} words, at most {WORDS}: say the rest")
    if not slide.said:
        found.append(f"does not say what is said to it: write that below a line {SAID!r}")
    return found


def lint_slides(notebook: Notebook) -> list[str]:
    """Problems of a chapter's slides, each a line that says which slide and what would mend it.

    Parameters
    ----------
    notebook : Notebook

    Returns
    -------
    list of str
        Empty if all rules hold, or if the chapter has no slides.

    Examples
    --------
    >>> import nbformat
    >>> cell = nbformat.v4.new_markdown_cell("```{slide} Why\\n:show: fig-b\\n---\\nSay it.\\n```", id="c")
    >>> lint_slides(Notebook("12-a", nbformat.v4.new_notebook(cells=[cell])))[0][:52]
    "cell 'c': the slide 'Why' shows 'fig-b', which is no"
    """
    there, sliders = showable(notebook), sum(cell.draws_sliders for cell in notebook.cells)
    return [
        f"cell {slide.cell!r}: the slide {slide.heading!r} {problem}"
        for slide in slide_blocks(notebook)
        for problem in _problems(slide, there, sliders)
    ]
