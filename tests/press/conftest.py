"""A small book made on the fly: two notebooks with executed copies, and two pages."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

#: One pixel.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

LEDGER = {
    "10-a": """
half:
  expected: {smoke: 0.5, laptop: 0.6}
  tolerance: 0.01
  source: arithmetic
small: {at_most: 0.1, source: arithmetic}
""",
    "11-b": "even: {expected: true, source: measured, from_run: true}\n",
}

CONF = """
project = "toy"
root_doc = "book/index"
html_title = "toy"
html_theme = "sphinx_book_theme"
html_favicon = "icon.svg"
html_theme_options = {
    "repository_url": "https://github.com/colu-book/colu", "repository_branch": "main",
    "use_download_button": True,
    "launch_buttons": {"colab_url": "https://colab.research.google.com", "binderhub_url": "https://mybinder.org"},
}
extensions = ["myst_nb", "colu.press.site.executed", "colu.press.site.figures", "colu.press.site.claims",
              "colu.press.site.layers", "colu.press.site.offline", "colu.press.site.sliders",
              "colu.press.site.finish", "colu.press.site.plain"]
colu_expectations = "expectations"
nb_execution_mode = "off"
numfig = True
html_context = {"default_mode": "auto"}
exclude_patterns = ["executed", "out", "jupyter_execute"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
"""


def markdown(text: str, identifier: str) -> dict:
    """A Markdown cell."""
    return {"cell_type": "markdown", "id": identifier, "metadata": {}, "source": text}


def code(text: str, identifier: str, *outputs: dict, **metadata) -> dict:
    """A code cell with its outputs."""
    return {
        "cell_type": "code",
        "id": identifier,
        "metadata": metadata,
        "execution_count": 1,
        "outputs": list(outputs),
        "source": text,
    }


def shown(data: dict, **metadata) -> dict:
    """An output that shows something."""
    return {"output_type": "display_data", "data": data, "metadata": metadata}


def recorded(claim: str, value) -> dict:
    """The output that a claim's check leaves."""
    prefix = "application/papermill.record/"
    return shown(
        {prefix + "text/plain": repr(value)},
        scrapbook={"name": claim, "mime_prefix": prefix},
        colu_claim={
            "id": claim,
            "measured": value,
            "shown": f"{value}",
            "preset": "smoke",
            "verdict": "holds",
        },
    )


def surface(alt: str) -> dict:
    """The output of a figure with a slider."""
    from colu.lab.plot import Trace, slider_figure

    def draw(height: float) -> list:
        return [Trace([[0, 0], [1, height]])]

    figure = slider_figure(draw, {"height": [0, 1]}, alt=alt, xlim=(0, 1), ylim=(0, 1))
    return shown({"text/html": figure.html(), "text/plain": repr(figure)})


@dataclass
class SmallBook:
    """A project folder, how to write into it, and how to build it."""

    folder: Path
    out: Path = field(init=False)
    png = PNG
    markdown, code, shown = staticmethod(markdown), staticmethod(code), staticmethod(shown)
    recorded, surface = staticmethod(recorded), staticmethod(surface)

    def __post_init__(self) -> None:
        self.out = self.folder / "out"
        (self.folder / "conf.py").write_text(CONF)
        (self.folder / "_config.yml").write_text(
            "html:\n  baseurl: https://example.org/toy/\nrepository:\n  url: https://example.org/toy.git\n"
        )
        (self.folder / "binder").mkdir()
        (self.folder / "binder/runtime.txt").write_text("python-3.11\n")
        (self.folder / "binder/requirements.txt").write_text("# Small.\ntorch\n.[lab]\n")
        (self.folder / "icon.svg").write_text(
            '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
        )
        (self.folder / "expectations").mkdir()
        for name, entries in LEDGER.items():
            (self.folder / "expectations" / f"{name}.yml").write_text(entries)

    def page(self, name: str, text: str) -> None:
        """Write a Markdown page."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def notebook(self, name: str, *cells: dict, executed: bool = True) -> None:
        """Write a committed notebook, and its executed copy with the cell that papermill injects."""
        injected = code("PRESET = 'injected'", "injected", tags=["injected-parameters"])
        bare = [{**cell, "outputs": []} if cell["cell_type"] == "code" else cell for cell in cells]
        self._write(f"notebooks/{name}.ipynb", bare)
        if executed:
            self._write(f"executed/smoke/{name}.ipynb", [cells[0], injected, *cells[1:]])

    def _write(self, name: str, cells: list[dict]) -> None:
        metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        path = self.folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(
            json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})
        )

    def build(self, **variables: str) -> subprocess.CompletedProcess:
        """Build with warnings as errors, all of them shown."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("COLU_")}
        command = [sys.executable, "-m", "sphinx", "-b", "html", "-n", "-W", "--keep-going", "-q"]
        return subprocess.run(
            [*command, str(self.folder), str(self.out)],
            env=environment | variables | {"PYTHONPATH": str(Path(__file__).parents[2]), "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=120,
        )

    def epub(self) -> Path:
        """Make the pages of its EPUB; their folder."""
        out = self.folder / "epub"
        command = [sys.executable, "-m", "sphinx", "-b", "epub", "-q", "-d", str(self.folder / "trees")]
        options = ["-D", "epub_show_urls=no", str(self.folder), str(out)]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
        subprocess.run([*command, *options], env=environment, capture_output=True, text=True)
        return out

    def html(self, name: str) -> str:
        """Read a built page."""
        return (self.out / name).read_text()


def fill(small_book: SmallBook) -> None:
    """Write a book in which everything is right."""
    small_book.page(
        "book/index.md",
        "# Toy\n\nA cone; {claim}`half` and {glue:text}`../notebooks/10-a.ipynb::half:.3f`.\n\n"
        "```{toctree}\n../notebooks/10-a\n../notebooks/11-b\nclaims\n```\n",
    )
    small_book.page("book/claims.md", "# Claims\n\n```{claims-table}\n```\n")
    small_book.notebook(
        "10-a",
        markdown(
            "# First\n\nWith $x$.\n\n:::{claim} half\nA half is $\\frac{1}{2}$.\n:::\n\n"
            ":::{claim} small\nIt is small.\n:::",
            "title",
        ),
        code(
            'claims.check("half", h)\nclaims.check("small", s)',
            "check",
            recorded("half", 0.498),
            recorded("small", 0.02),
            tags=["claim"],
        ),
        code("plt.show()", "line", shown({"image/png": PNG}), mystnb={"image": {"alt": "a line"}}),
        code("show(fig)", "surface", surface(alt='a "saddle" of z < 5')),
    )
    small_book.notebook(
        "11-b",
        markdown("# Second\n\n:::{claim} even\nTwo is even.\n:::", "title"),
        code('claims.check("even", True)', "check", recorded("even", True), tags=["claim"]),
    )


@pytest.fixture(scope="session")
def good(tmp_path_factory) -> SmallBook:
    """A book in which everything is right, built; tests only read it."""
    small_book = SmallBook(tmp_path_factory.mktemp("good"))
    fill(small_book)
    result = small_book.build()
    assert result.returncode == 0, result.stderr
    redirect = '<html><head><meta http-equiv="refresh" content="0;url=book/index.html"></head></html>'
    (small_book.out / "index.html").write_text(redirect)  # as Jupyter Book writes it
    return small_book


@pytest.fixture(scope="session")
def new_book(tmp_path_factory):
    """Makes books in which everything is right, not yet built, for a module to change and share."""

    def make(name: str) -> SmallBook:
        small_book = SmallBook(tmp_path_factory.mktemp(name))
        fill(small_book)
        return small_book

    return make


@pytest.fixture
def small_book(tmp_path) -> SmallBook:
    """A book in which everything is right, not yet built, for a test to spoil."""
    small_book = SmallBook(tmp_path)
    fill(small_book)
    return small_book


@pytest.fixture
def text_of():
    """The words of a page, without its tags."""
    return lambda html: re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html))
