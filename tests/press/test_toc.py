"""The table of contents is read in the order of the book."""

from pathlib import Path

import pytest

from colu.press.project import BookError, Project, UnknownName
from colu.press.toc import outside, select, toc_chapters, toc_pages, toc_parts

ROOT = Path(__file__).resolve().parents[2]
TOC = """format: jb-book
root: book/index
parts:
- caption: One
  chapters:
  - file: notebooks/10-a
    sections:
    - file: book/api/nn
  - file: notebooks/11-b.ipynb
- caption: Pages
  chapters:
  - file: book/errata
"""


@pytest.fixture
def root(tmp_path):
    (tmp_path / "_toc.yml").write_text(TOC)
    return tmp_path


def test_pages_come_with_those_below_them(root):
    assert toc_pages(root) == ["book/index", "notebooks/10-a", "book/api/nn", "notebooks/11-b", "book/errata"]


def test_a_pattern_stands_for_the_files_that_it_names(root):
    (root / "_toc.yml").write_text(TOC.replace("book/errata", "book/atlas\n    sections:\n    - glob: book/atlas/*"))
    (root / "book" / "atlas").mkdir(parents=True)
    for name in ("tanh", "relu"):
        (root / "book" / "atlas" / f"{name}.md").touch()
    assert toc_pages(root)[-3:] == ["book/atlas", "book/atlas/relu", "book/atlas/tanh"]


def test_parts_without_chapters_are_left_out(root):
    assert toc_parts(root) == [("One", ["10-a", "11-b"])]


def test_what_jupyter_book_cannot_read_is_named(root):
    (root / "_toc.yml").write_text(TOC.replace("root:", "rooot:"))
    with pytest.raises(BookError, match="_toc.yml cannot be read"):
        toc_pages(root)


def test_every_chapter_of_the_book_can_be_read():
    chapters = toc_chapters(ROOT)
    assert len(chapters) >= 15
    for chapter in chapters:
        assert chapter.question and chapter.objectives and chapter.cost, chapter.name
        for exercise in chapter.exercises:
            assert exercise.label and 1 <= exercise.stars <= 3, (chapter.name, exercise)
            assert exercise.expected and exercise.solution, (chapter.name, exercise.label)


def test_chapters_are_chosen_by_name_or_number_and_all_in_the_order_of_the_book(root):
    project = Project(root)
    project.notebooks.mkdir()
    for name in ("11-b", "10-a", "12-draft", "12-other", "Untitled"):
        (project.notebooks / f"{name}.ipynb").touch()

    def names(*wanted):
        return [path.stem for path in select(project, wanted)]

    assert names() == ["10-a", "11-b"] and outside(project) == ["12-draft", "12-other", "Untitled"]
    assert names("11", "10-a.ipynb", "Untitled") == ["11-b", "10-a", "Untitled"]
    for unclear in ("12", "13", "10-b"):
        with pytest.raises(UnknownName, match="the nearest are"):
            names(unclear)
    (project.notebooks / "10-a.ipynb").unlink()
    with pytest.raises(BookError, match="_toc.yml lists 10-a, which"):
        names()
