"""Code links to the reference, and the reference to the sections that use it and to the bibliography."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from colu.press.site.apilinks import keys_named

ROOT = pathlib.Path(__file__).parents[3]
BIBLIOGRAPHY = ROOT / "book" / "references.bib"
CONF = """
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinxcontrib.bibtex", "sphinx_exercise",
              "sphinx_codeautolink", "colu.press.site.apilinks"]
bibtex_bibfiles = ["references.bib"]
nb_execution_mode = "off"
codeautolink_concat_default = True
codeautolink_autodoc_inject = True
"""


def _cells(*sources):
    for number, source in enumerate(sources):
        cell = {"id": f"c{number}", "metadata": {}, "source": source}
        if source.startswith("#"):
            yield cell | {"cell_type": "markdown"}
        else:
            yield cell | {"cell_type": "code", "execution_count": 1, "outputs": []}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    (folder / "conf.py").write_text(CONF)
    (folder / "references.bib").write_text(BIBLIOGRAPHY.read_text(encoding="utf8"))
    cells = _cells(
        "# Sorting",
        "%matplotlib inline\nfrom colu.nn import GroupSort",
        "## In groups\n\n```{exercise} Hard\n:label: one\nSort.\n```\n\n```{admonition} A box\nOf text.\n```",
        "!ls\nGroupSort(2)",
        "## Of nothing",
        "GroupSort = 3\nunknown.GroupSort(2)",
        "import foreign\nforeign.name()",
    )
    (folder / "foreign.py").write_text(
        "import pathlib\npathlib.Path(__file__).with_name('imported').touch()\nname = int\n"
    )
    language = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": language, "cells": list(cells)}
    (folder / "sorting.ipynb").write_text(json.dumps(notebook))
    (folder / "index.rst").write_text(
        "All\n===\n\n.. toctree::\n   :hidden:\n\n   sorting\n\n.. autofunction:: colu.functional.group_sort\n\n"
        ".. autoclass:: colu.nn.GroupSort\n\n.. bibliography::\n"
    )
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(folder), str(folder / "out")]
    path = os.pathsep.join([str(folder), str(ROOT)])
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path})
    assert not (folder / "imported").exists(), "a package of somebody else was imported"
    assert done.returncode == 0, done.stderr
    return {page: (folder / "out" / f"{page}.html").read_text(encoding="utf8") for page in ("index", "sorting")}


def test_objects_link_to_their_sources_and_to_the_sections_that_use_them(site):
    function, module = site["index"].split('id="colu.nn.GroupSort"')
    assert "Sources:" in function and "Anil" in function and "sorting.html#" not in function
    assert 'href="sorting.html#sorting">Sorting</a>' in module
    assert 'href="sorting.html#in-groups">Sorting / In groups</a>' in module
    assert "sorting.html#of-nothing" not in module and "sorting.html#exercise-content" not in module


def test_code_links_to_the_reference_beside_magics_and_boxes(site):
    links = site["sorting"].count('<a class="sphinx-codeautolink-a" href="index.html#colu.nn.GroupSort"')
    assert links == 2 and 'id="exercise-content"' in site["sorting"]


def test_the_book_names_the_extensions_in_the_order_they_need():
    import yaml

    sphinx = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf8"))["sphinx"]
    names = sphinx["extra_extensions"]
    assert names.index("sphinx.ext.napoleon") < names.index("sphinx_codeautolink")
    assert sphinx["config"]["codeautolink_concat_default"] and sphinx["config"]["codeautolink_autodoc_inject"]
    assert "sphinx.ext.intersphinx" not in names, "no inventory of another project is fetched"


def test_numbers_that_are_not_in_the_bibliography_give_no_key():
    assert keys_named("arXiv 9999.00001 and arXiv 1811.05381", BIBLIOGRAPHY.read_text(encoding="utf8")) == [
        "anil2019sorting"
    ]
