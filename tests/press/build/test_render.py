"""The site that stands is replaced only by a whole one, and only when something changed."""

import os
import subprocess
import sys

import pytest

from colu.press.build.render import _jupyter_book, render, render_chapter
from colu.press.project import BookError

FAKE = """
import os, pathlib, sys
html = pathlib.Path(sys.argv[sys.argv.index("--path-output") + 1], "_build", "html")
html.mkdir(parents=True)
html.joinpath("index.html").write_text(os.environ["COLU_PRESET"] + " " + os.environ["COLU_EXECUTED_DIR"])
html.joinpath("environment").write_text(" ".join(sorted(os.environ)))
print("page.md:3: WARNING: unknown role")
sys.exit(int(os.environ.get("COLU_FAKE_STATUS", "0")))
"""
COMMAND = [sys.executable, "-c", FAKE]


def test_site_is_rendered_once_and_again_only_after_a_change(toy):
    page, rendered = render(toy, command=COMMAND)
    assert rendered and page == toy.site / "index.html"
    assert page.read_text() == f"smoke {toy.executed('smoke')}"
    assert render(toy, command=COMMAND) == (page, False)
    changes = [toy.pages / "index.md", toy.package / "look.css", toy.ledger / "01-one.yml", toy.lock]
    for path in [*changes, toy.root / "_toc.yml", toy.results / "r.csv", toy.executed("smoke") / "01.json"]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text((path.read_text() if path.exists() else "{}") + "\n# changed\n")
        assert render(toy, command=COMMAND)[1], path
        assert not render(toy, command=COMMAND)[1], path
    page.unlink()
    assert render(toy, command=COMMAND)[1]


def test_failed_rendering_keeps_the_site_and_gives_the_warnings(toy, monkeypatch):
    page, _ = render(toy, command=COMMAND)
    page.write_text("old")
    monkeypatch.setenv("COLU_FAKE_STATUS", "1")
    with pytest.raises(BookError, match="WARNING: unknown role"):
        render(toy, command=COMMAND, force=True)
    assert page.read_text() == "old"


def test_rendering_sees_an_environment_by_allow_list(toy, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setenv("HTTPS_PROXY", "x")
    render(toy, command=COMMAND)
    seen = (toy.site / "environment").read_text().split()
    assert "MPLBACKEND" not in seen and {"HTTPS_PROXY", "PATH", "COLU_PRESET"} <= set(seen)


CHAPTER = """
import pathlib, sys
toc = pathlib.Path(sys.argv[sys.argv.index("--toc") + 1]).read_text()
page = pathlib.Path(sys.argv[sys.argv.index("--path-output") + 1], "_build", "html", "notebooks", "01-one.html")
page.parent.mkdir(parents=True)
page.write_text(toc + str("-W" in sys.argv))
"""


def test_one_chapter_is_rendered_beside_the_site(toy):
    toy.write("01-one", "1")
    page, _ = render(toy, command=COMMAND)
    alone = render_chapter(toy, "01", command=[sys.executable, "-c", CHAPTER])
    assert alone.read_text() == "format: jb-book\nroot: notebooks/01-one\nFalse"
    assert page.is_file() and alone == toy.build / "chapter" / "notebooks" / "01-one.html"


def test_jupyter_book_runs_and_ends_with_the_build():
    *command, code, driver, processes = _jupyter_book()
    assert driver == str(os.getpid())
    done = subprocess.run([*command, code, driver, processes, "--version"], capture_output=True, text=True, check=True)
    assert "Jupyter Book" in done.stdout
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    # It would wait for ever otherwise.
    waits = code.replace("main(prog", "import threading; threading.Event().wait(); main(prog")
    assert subprocess.run([*command, waits, str(gone.pid), processes], timeout=600).returncode == 1
