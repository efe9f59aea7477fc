"""A project with tiny notebooks, made in a temporary folder."""

import os

import pytest

# Before anything imports PyTorch: each of several test processes would take all cores, and all wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

LEDGER = """
toy-two:
  expected: 2
  tolerance: 0.001
  source: Peano
"""


@pytest.fixture
def toy(tmp_path):
    # The library's tests run where there is no press.
    import nbformat

    from colu.press.project import Project

    class Toy(Project):
        """A project whose notebooks a test writes as lists of code cells."""

        def write(self, stem, *sources, tags=(), prose="", alt=""):
            """Write a notebook: a parameters cell, ``prose``, then ``sources`` with ids c1, c2, ... and ``tags``.

            With ``alt`` each of them announces a figure.
            """
            figure = {"mystnb": {"image": {"alt": alt}}} if alt else {}
            new = nbformat.v4
            cells = [new.new_code_cell('PRESET = "none"', id="params", metadata={"tags": ["parameters"]})]
            cells += [new.new_markdown_cell(prose, id="prose")] if prose else []
            cells += [
                new.new_code_cell(source, id=f"c{number}", metadata={"tags": list(tags)} | figure)
                for number, source in enumerate(sources, start=1)
            ]
            kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
            nbformat.write(new.new_notebook(cells=cells, metadata=kernel), self.notebooks / f"{stem}.ipynb")
            chapters = "".join(f"- file: notebooks/{path.stem}\n" for path in sorted(self.notebooks.glob("*.ipynb")))
            (self.root / "_toc.yml").write_text(f"format: jb-book\nroot: book/index\nchapters:\n{chapters}")

        def copy(self, stem, preset="smoke"):
            return self.executed(preset) / f"{stem}.ipynb"

    project = Toy(tmp_path / "project")
    for folder in (project.notebooks, project.pages, project.ledger, project.root / "results"):
        folder.mkdir(parents=True)
    (project.package / "code.py").write_text("x = 1\n")
    (project.package / "look.css").write_text("a {}\n")
    (project.ledger / "01-one.yml").write_text(LEDGER)
    project.lock.write_text("torch==2\n")
    (project.root / "_toc.yml").write_text("format: jb-book\nroot: book/index\n")
    (project.root / "_config.yml").write_text(
        "title: toy\nhtml:\n  baseurl: https://example.org/toy/\nrepository:\n  url: https://example.org/toy.git\n"
    )
    (project.pages / "index.md").write_text("# Toy\n")
    return project
