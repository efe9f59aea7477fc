"""A small book with every page that is gathered from the chapters."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

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


@pytest.fixture(scope="session")
def gathered(tmp_path_factory):
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
        "```{weeks}\n:weeks: 2\n:chapters: 11 10\n```\n",
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
            "metadata": {"kernelspec": {"name": "python3", "display_name": "P", "language": "python"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        for folder in ("notebooks", "executed/smoke"):
            (root / folder / f"{name}.ipynb").write_text(json.dumps(notebook))
    record = {"seconds": 61.0, "peak_memory_mb": 1536.0, "python": "3.11.7", "versions": {"torch": "2.15.0"}}
    record |= {"preset": "smoke", "validated": True, "device": "A processor"}
    record |= {"ended": "2026-11-27T06:05:19+00:00"}
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


@pytest.fixture
def page_of(gathered):
    """The HTML of a page of the gathered book."""
    return lambda name: (gathered / "out" / f"{name}.html").read_text()
