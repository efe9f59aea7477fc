"""Pages that are gathered from the chapters, and what the readers of notebooks find in them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from colu.press.site.gathered import spread
from colu.press.site.glossary import first_use, glossary_terms
from colu.press.site.status import notebook_facts, run_facts
from colu.press.teach.chapters import read_chapter, toc_chapters, toc_parts

ROOT = Path(__file__).resolve().parents[3]
CONF = """
extensions = ["myst_nb", "colu.press.site.executed", "colu.press.site.gathered", "colu.press.site.glossary",
              "colu.press.site.status", "sphinx_exercise"]
nb_execution_mode = "off"
myst_enable_extensions = ["dollarmath", "colon_fence"]
exclude_patterns = ["executed", "out", "CHANGELOG.md", "results"]
root_doc = "book/index"
"""
FIRST = """# The first

**Question.** Does it $x$?

**You will be able to**

- see {doc}`11-b`;
- count
  to two.

**Before you start.** Nothing.

**Cost.** None.

A cone is convex, and cones are many.

```{admonition} Erratum
:class: warning

Equation 5 of {doc}`11-b` is wrong.
```

```{exercise} ★★ Count
:label: ex-count

Count to two.

*Expected:* 2.
```

````{solution-start} ex-count
:class: dropdown
````
"""
END = "Two.\n\n````{solution-end}\n````"
SECOND = "# The second\n\n**Question.** Why?\n\n:::{admonition} Errata of print\n:class: warning\n\nA slip.\n:::"


def _cell(kind: str, text: str) -> dict:
    extra = {"outputs": [], "execution_count": None} if kind == "code" else {}
    return {"cell_type": kind, "id": f"c{abs(hash(text)) % 10**8}", "metadata": {}, "source": text} | extra


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("gathered")
    (root / "conf.py").write_text(CONF)
    (root / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n- old\n- middle\n- new\n\n## 0.1\n\n- older\n")
    (root / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nparts:\n- caption: One\n  chapters:\n  - file: notebooks/10-a\n"
        "  - file: notebooks/11-b\n- caption: Pages\n  chapters:\n  - file: book/errata\n"
    )
    pages = {
        "index": "# I\n\n```{chapters-table}\n```\n\n```{news}\n:count: 2\n```\n\n```{toctree}\n../notebooks/10-a\n"
        "../notebooks/11-b\nerrata\nglossary\nstatus\n```\n",
        "errata": "# Errata\n\n```{errata}\n```\n\n```{objectives}\n```\n\n```{exercise-list}\n```\n\n"
        "```{weeks}\n:weeks: 2\n```\n",
        "glossary": "# G\n\n```{glossary}\ncone\n  A set.\n\nother thing\n  Another.\n```\n",
        "status": "# S\n\n```{status-table}\n```\n\n```{runs-table}\n```\n",
    }
    for folder in ("book", "notebooks", "executed/smoke", "results/small_book"):
        (root / folder).mkdir(parents=True)
    for name, text in pages.items():
        (root / "book" / f"{name}.md").write_text(text)
    cells = {
        "10-a": [_cell("markdown", FIRST), _cell("code", "1 + 1"), _cell("markdown", END)],
        "11-b": [_cell("markdown", SECOND)],
    }
    for name, listed in cells.items():
        notebook = {
            "cells": listed,
            "metadata": {
                "kernelspec": {"name": "python3", "display_name": "P", "language": "python"},
                "papermill": {"end_time": "2026-11-27T06:05:19.5+00:00"},
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        for folder in ("notebooks", "executed/smoke"):
            (root / folder / f"{name}.ipynb").write_text(json.dumps(notebook))
    record = {"seconds": 61.0, "peak_memory_mb": 1536.0, "python": "3.11.7", "versions": {"torch": "2.15.0"}}
    record |= {"preset": "smoke", "validated": True, "device": "A processor"}
    (root / "executed/smoke/10-a.json").write_text(json.dumps(record))
    run = {"experiment": "small_book", "preset": "laptop", "device": {"type": "cpu", "name": "P"}, "seconds": 3.2}
    run |= {"versions": {"torch": "2.15.0"}, "started": "2026-11-24T00:42:30Z", "peak_memory_bytes": 2**30}
    (root / "results/small_book/a.json").write_text(json.dumps(run))
    (root / "results/small_book/b.json").write_text(json.dumps(run | {"seconds": 8.0}))
    (root / "results/small_book/a.curve.json").write_text("[]")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(root), str(root / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return root


def _html(project: Path, name: str) -> str:
    return (project / "out" / f"{name}.html").read_text()


def test_a_chapter_is_read(project):
    chapter = read_chapter(project / "notebooks" / "10-a.ipynb")
    assert (chapter.title, chapter.question, chapter.number) == ("The first", "Does it $x$?", "10")
    assert chapter.objectives == ("see {doc}`11-b`;", "count to two.")
    (exercise,) = chapter.exercises
    assert (exercise.label, exercise.stars, exercise.title, exercise.expected) == ("ex-count", 2, "Count", "2.")
    assert exercise.solution == (0, 1, 2)
    assert chapter.errata[0].text.startswith("Equation 5")


def test_parts_without_chapters_are_left_out(project):
    assert toc_parts(project) == [("One", ["10-a", "11-b"])]


def test_errata_page_has_every_box_and_leads_back(project):
    page = _html(project, "book/errata")
    assert "Equation 5 of" in page and "A slip." in page and "Errata of print" in page
    for name in ("10-a", "11-b"):
        assert f"../notebooks/{name}.html#erratum-1" in page
        assert 'id="erratum-1"' in _html(project, f"notebooks/{name}")


def test_first_page_lists_the_chapters_and_the_news(project):
    page = _html(project, "book/index")
    assert page.index("The first") < page.index("The second")
    assert page.index(">new<") < page.index(">middle<") and "older" not in page and ">old<" not in page


def test_exercises_add_up(project):
    page = re.sub(r"<[^>]+>", " ", _html(project, "book/errata"))
    assert re.search(r"together\s+2\b", page)


def test_only_the_first_use_of_a_term_is_linked(project):
    page = _html(project, "notebooks/10-a")
    assert page.count("glossary-use") == 1 and "../book/glossary.html#term-cone" in page
    assert "notebooks/10-a.html#term-use" in _html(project, "genindex")
    assert first_use("cone", "Cones") and not first_use("cone", "semi-cone")


def test_status_says_what_was_recorded_and_no_more(project):
    facts = notebook_facts(project / "executed/smoke/10-a.ipynb")
    assert facts["time"] == "61 s" and facts["memory"] == "1.5 GB" and facts["last"] == "2026-11-27 06:05 UTC"
    bare = notebook_facts(project / "executed/smoke/11-b.ipynb")
    assert {bare[name] for name in ("time", "memory", "device", "validated")} == {"–"}
    ((*_, runs, seconds, memory, _torch, last),) = run_facts(project / "results")
    assert (runs, seconds, memory, last) == ("2", "3 to 8 s", "1.0 GB", "2026-11-24")


def test_every_chapter_of_the_book_can_be_read():
    chapters = toc_chapters(ROOT)
    assert len(chapters) >= 15
    for chapter in chapters:
        assert chapter.question and chapter.objectives and chapter.cost, chapter.name
        for exercise in chapter.exercises:
            assert exercise.label and 1 <= exercise.stars <= 3, (chapter.name, exercise)
            assert exercise.expected and exercise.solution, (chapter.name, exercise.label)


def test_the_glossary_of_the_book_is_in_order():
    terms = re.findall(r"^(\S[^\n]*)\n(?=  )", (ROOT / "book/glossary.md").read_text(), re.M)
    assert terms == sorted(terms, key=str.lower) and len(terms) == len(glossary_terms(ROOT / "book/glossary.md"))


def test_plans_leave_no_week_empty_and_keep_the_order():
    for count in range(1, 35):
        weights = [1 + (7 * number) % 11 for number in range(count)]
        for weeks in range(1, count + 1):
            placed = spread(weights, weeks)
            assert placed == sorted(placed) and set(placed) == set(range(weeks)), (count, weeks)
    with pytest.raises(ValueError, match="2 chapters do not fill 3 weeks"):
        spread([1, 1], 3)


def test_a_plan_names_its_chapters(project):
    page = re.sub(r"<[^>]+>", " ", _html(project, "book/errata"))
    assert re.search(r"1\s+10\s+The first.*2\s+11\s+The second", page, re.S)
