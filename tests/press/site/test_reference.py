"""The reference: a table by family first, sources that can be followed, signatures without objects of Python."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import colu.kernels
import colu.nn
from colu.press.site.reference import families, readable, source_address

ROOT = Path(__file__).resolve().parents[3]
CONF = """
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinxcontrib.bibtex", "colu.press.site.reference"]
bibtex_bibfiles = []
html_theme_options = {}
def setup(app):
    app.connect("config-inited", lambda app, config: config.html_theme_options.update(
        repository_url="https://host/us/colu", repository_branch="main"), priority=100)
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    (folder / "conf.py").write_text(CONF)
    (folder / "index.rst").write_text("All\n===\n\n.. reference:: colu.lab.plot\n   :without: look\n")
    command = [sys.executable, "-m", "sphinx", "-q", str(folder), str(folder / "out")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return (folder / "out" / "index.html").read_text(encoding="utf8")


def test_every_family_has_a_table_whose_names_lead_to_their_entries(page):
    import colu.lab.plot

    grouped = families(colu.lab.plot, ("look",))
    assert page.count('<table class="api-summary') == len(grouped) > 1
    assert "Okabe and Ito" in page[page.index('id="colu.lab.plot.COLOURS"') :]
    names = [name for each in grouped.values() for name in each]
    for name in names:
        assert f'href="#colu.lab.plot.{name}"' in page and f'id="colu.lab.plot.{name}"' in page, name
    assert 'id="colu.lab.plot.look"' not in page
    entries = re.findall(r'<dt class="sig sig-object py" id="colu\.lab\.plot\.(\w+)"', page)
    assert entries == names, "the entries come in the order of the table"
    assert re.search(r'href="https://host/us/colu/blob/main/colu/lab/plot/\w+\.py#L\d+-L\d+"', page)


def test_constants_are_in_the_family_of_their_file_with_their_comment():
    found = families(colu.nn)
    assert found["colu.nn.selection"]["POLICIES"].startswith("Activations that a comparison of activations means")
    assert sorted(name for each in found.values() for name in each) == sorted(colu.nn.__all__)
    assert all(purpose for each in found.values() for purpose in each.values())


def test_the_lines_of_a_source_are_those_of_the_object():
    address = source_address("https://host/us/colu", "main", "colu.kernels", "explain")
    path, first, last = re.fullmatch(r"https://host/us/colu/blob/main/(.*)#L(\d+)-L(\d+)", address).groups()
    lines = (ROOT / path).read_text().splitlines()[int(first) - 1 : int(last)]
    assert "def explain(" in "\n".join(lines)
    assert source_address("https://host/us/colu", "main", "colu.nn", "absent") is None
    assert source_address("https://host/us/colu", "main", "colu.nn", "POLICIES") is None


@pytest.mark.parametrize(
    ("shown", "wanted"),
    [
        ("(say=<built-in function print>)", "(say=print)"),
        ("(activation=<class 'torch.nn.modules.activation.ReLU'>, bias=True)", "(activation=ReLU, bias=True)"),
        ("(curve=<factory>)", "(curve=...)"),
        ("(rule=<function Entry._none at 0x7f>)", "(rule=_none)"),
        ("(a=1)", "(a=1)"),
    ],
)
def test_a_default_is_a_name(shown, wanted):
    assert readable(shown) == wanted


def test_a_lambda_stays_to_be_seen_by_the_check_of_the_site():
    assert "<" in readable("(f=<function <lambda>>)")
