"""The package reference links to chapters and to the bibliography."""

import pathlib
import subprocess
import sys

from colu.press.site.apilinks import chapters_using, keys_named

BIBLIOGRAPHY = pathlib.Path(__file__).parents[3] / "book" / "references.bib"
CONF = """
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinxcontrib.bibtex",
              "colu.press.site.apilinks"]
bibtex_bibfiles = ["references.bib"]
nb_execution_mode = "off"
"""
NOTEBOOK = """{"nbformat": 4, "nbformat_minor": 5, "metadata": {"language_info": {"name": "python"}},
 "cells": [
 {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# Sorting"},
 {"cell_type": "code", "id": "b", "metadata": {}, "execution_count": null, "outputs": [],
  "source": ["GroupSort(2)"]}]}"""


def test_objects_link_to_their_sources_and_chapters(tmp_path):
    (tmp_path / "conf.py").write_text(CONF)
    (tmp_path / "references.bib").write_text(BIBLIOGRAPHY.read_text(encoding="utf8"))
    (tmp_path / "sorting.ipynb").write_text(NOTEBOOK)
    (tmp_path / "index.rst").write_text(
        "All\n===\n\n.. toctree::\n\n   sorting\n\n.. autofunction:: colu.functional.group_sort\n\n"
        ".. autoclass:: colu.nn.GroupSort\n\n.. bibliography::\n"
    )
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(tmp_path), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf8")
    function, module = page.split('id="colu.nn.GroupSort"')
    assert "Sources:" in function and "Anil" in function and "Chapters:" not in function
    assert 'Chapters: <a class="reference internal" href="sorting.html">' in module


def test_a_name_inside_another_is_no_use_of_it():
    assert chapters_using("colu", {"a": "rcolu(x)", "b": "colu.load()"}) == []


def test_numbers_that_are_not_in_the_bibliography_give_no_key():
    assert keys_named("arXiv 9999.00001 and arXiv 1811.05381", BIBLIOGRAPHY.read_text(encoding="utf8")) == [
        "anil2019sorting"
    ]
