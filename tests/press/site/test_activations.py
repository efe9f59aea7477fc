"""The table of activations says what the registry says."""

import html
import re
import subprocess
import sys
from pathlib import Path

import pytest

from colu.nn import create, list_activations
from colu.press.notebook import Notebook

ROOT = Path(__file__).resolve().parents[3]
BIBLIOGRAPHY = ROOT / "book" / "references.bib"
CONF = """
extensions = ["myst_parser", "sphinxcontrib.bibtex", "colu.press.site.activations"]
bibtex_bibfiles = ["references.bib"]
myst_enable_extensions = ["dollarmath"]
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    root = tmp_path_factory.mktemp("table")
    (root / "conf.py").write_text(CONF)
    (root / "references.bib").write_text(BIBLIOGRAPHY.read_text(encoding="utf8"))
    (root / "index.md").write_text("# All\n\n```{activations-table}\n```\n\n```{bibliography}\n```\n")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(root), str(root / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return (root / "out" / "index.html").read_text(encoding="utf8")


def test_every_registered_activation_has_a_row(page):
    table = page[page.index("<table") : page.index("</table>")]
    rows = re.findall(r"<tr", table)
    assert len(rows) == 1 + len(list_activations())
    for entry in list_activations():
        assert f">{entry.name}<" in table


def test_group_is_that_of_the_symmetry(page):
    rows = {re.search(r"<code[^>]*>(?:<[^>]*>)*([^<]+)<", row)[1]: html.unescape(row) for row in page.split("<tr")[2:]}
    for entry in list_activations():
        symmetry = entry.symmetry(create(entry.name, 48), 48)
        wanted = "group not known" if symmetry is None else f"group \\({symmetry.latex}\\)"
        assert wanted in re.sub(r"<[^>]+>", "", rows[entry.name]), entry.name


def test_bounds_at_the_start_and_for_all_parameters_are_told_apart(page):
    rows = {re.search(r"<code[^>]*>(?:<[^>]*>)*([^<]+)<", row)[1]: re.sub(r"<[^>]+>", "", row)
            for row in page.split("<tr")[2:]}  # fmt: skip
    for entry in list_activations():
        learnt = "at the start" in rows[entry.name] and "for all parameters" in rows[entry.name]
        assert learnt == (entry.lipschitz != entry.lipschitz_all)
        assert ("positions see each other" in rows[entry.name]) == entry.mixes_positions


def test_every_citation_is_in_the_bibliography():
    known = set(re.findall(r"^@\w+\{([^,]+),", BIBLIOGRAPHY.read_text(encoding="utf8"), re.M))
    cited = {entry.citation for entry in list_activations() if entry.citation}
    assert cited <= known, f"add {sorted(cited - known)} to book/references.bib"


def test_parameter_formula_agrees_with_the_modules():
    for entry in list_activations():
        for channels in (16, 48):
            module = entry.factory(channels) if entry.needs_channels else entry.factory()
            counted = sum(p.numel() for p in module.parameters())
            assert counted == entry.parameters(channels), entry.name


def test_every_registered_activation_has_its_place_in_a_chapter():
    chapters = [Notebook.read(path) for path in sorted(ROOT.glob("notebooks/*.ipynb"))]
    prose = "\n".join(cell.text for chapter in chapters for cell in chapter.cells if cell.kind == "markdown")

    def is_named(name):
        written = r"[-\s]?".join(map(re.escape, name.split("-")))
        return re.search(rf"(?<![\w-]){written}(?![\w-])", prose, re.IGNORECASE)

    assert [one.name for one in list_activations() if not any(map(is_named, (one.name, *one.aliases)))] == []
