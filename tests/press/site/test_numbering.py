"""Figures are numbered by the chapter that they stand in, and references say the same numbers."""

from __future__ import annotations

import re
import subprocess
import sys

from colu.press.site.numbering import by_chapter

FIGURE = ".. _{0}:\n\n.. figure:: a.svg\n   :alt: a\n\n   Of {0}.\n\n"


def test_numbers_of_a_chapter_start_from_one_in_their_order_and_other_pages_keep_theirs():
    numbers = {
        "notebooks/30-mlp": {"figure": {"late": (9,), "early": (7,)}, "exercise": {"e": (12,)}},
        "notebooks/31-more": {"figure": {"a": (10,), "same": (10,), "next": (11,)}},
        "book/index": {"figure": {"kept": (1, 2)}},
    }
    by_chapter(numbers)
    assert numbers == {
        "notebooks/30-mlp": {"figure": {"late": (30, 2), "early": (30, 1)}, "exercise": {"e": (30, 1)}},
        "notebooks/31-more": {"figure": {"a": (31, 1), "same": (31, 1), "next": (31, 2)}},
        "book/index": {"figure": {"kept": (1, 2)}},
    }


def test_captions_and_references_of_a_built_book_say_the_number_of_the_chapter(tmp_path):
    (tmp_path / "conf.py").write_text("extensions = ['colu.press.site.numbering']\nnumfig = True\n")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "a.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    for name, figures in (("10-a", ["one", "two"]), ("11-b", ["three"])):
        text = f"{name}\n====\n\n" + "".join(FIGURE.format(figure) for figure in figures)
        (tmp_path / "notebooks" / f"{name}.rst").write_text(text)
    toctree = ".. toctree::\n   :numbered:\n\n   notebooks/10-a\n   notebooks/11-b\n"
    (tmp_path / "index.rst").write_text(f"I\n=\n\n:numref:`two` and :numref:`three`.\n\n{toctree}")
    command = [sys.executable, "-m", "sphinx", "-W", "-q", str(tmp_path), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    index, first, second = (
        re.sub(r"<[^>]+>", "", (tmp_path / "out" / f"{name}.html").read_text())
        for name in ("index", "notebooks/10-a", "notebooks/11-b")
    )
    assert "Fig. 10.2 and Fig. 11.1." in index
    assert "Fig. 10.1 Of one." in first and "Fig. 10.2 Of two." in first and "Fig. 11.1 Of three." in second
