"""Interactive figures on a page: markup, scripts where they are needed, links to states, what stays without scripts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

from colu.press.interactive import FOLDER, Interactive, State
from colu.press.site import lab

CONF = """
import sys, types
html_theme = "alabaster"
extensions = ["myst_parser", "colu.press.site.lab"]
made = types.ModuleType("colu.press.site.interactives.toy")
made.twin = lambda: "<svg/>"
made.data = lambda: {"two": 2}
sys.modules[made.__name__] = made
from colu.press.site import lab
import pathlib
lab.ASSETS = pathlib.Path(__file__).parent / "assets"
"""
TOY = """
title: A toy
question: Is 1 < 2?
alt: Two "bars".
finding: It is & stays.
states:
  - {label: the first, address: "x=1&y=2", says: Look.}
  - {label: the second, address: "x=2", says: See.}
"""
PAGES = {
    "index.md": "# First\n\n```{interactive-list}\ntoy\n```\n\nSee {state}`one <toy?x=1&y=2>`.\n\n"
    "```{toctree}\nbook/a\nbook/laboratory/toy\n```\n",
    "book/a.md": "# A\n\n```{interactive} toy\n:start: x=2\n```\n\nSee {state}`it <toy?x=1>`.\n",
    "book/laboratory/toy.md": "# Toy\n\n```{interactive} toy\n```\n",
    "book/laboratory/toy.yml": TOY,
}


def built(root, builder="html", **more):
    """Build a site of these pages; the process and where it wrote."""
    for name, text in {"conf.py": CONF, **PAGES, **more}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "assets").mkdir(exist_ok=True)
    for name in (*lab.SHARED, lab.STYLE, "toy.js"):
        (root / "assets" / name).write_text(f"/* {name} */")
    command = [sys.executable, "-m", "sphinx", "-b", builder, "-W", "--keep-going", "-q", str(root), str(root / "out")]
    return subprocess.run(command, capture_output=True, text=True), root / "out"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    done, out = built(tmp_path_factory.mktemp("lab"))
    assert done.returncode == 0, done.stderr
    return out


def test_markup_holds_question_states_and_what_stays_without_scripts():
    states = (State("one", "a=1&b=<2>", "Look."), State("two", "a=2", "See."), State("three", "a=3", "Now."))
    figure = Interactive("toy", 'A "toy"', "Is 1 < 2?", "Bars.", "It is.", states)
    text = lab.markup(figure, "../_static/", "a=1", "x/toy.html")
    assert 'id="lab-toy" data-figure="toy" data-start="a=1"' in text and "A &quot;toy&quot;" in text
    assert "Is 1 &lt; 2?" in text and 'src="../_static/lab-toy.svg" alt="Bars."' in text and "<p>It is.</p>" in text
    assert 'href="#lab-toy?a=1&amp;b=&lt;2&gt;" data-says="Look."' in text
    assert re.search(r"one</a>, <a [^>]*>two</a> or <a [^>]*>three</a>\. It has <a href=\"x/toy.html\">", text)
    assert "page of its own" not in lab.markup(figure, "_static/")


def test_scripts_are_given_to_the_pages_that_need_them_in_order(site):
    def scripts(page):
        return re.findall(r'src="(?:\.\./)*_static/((?:lab|core|math)[\w.-]*)\b', Path(site, page).read_text())

    assert scripts("index.html") == []
    for page in ("book/a.html", "book/laboratory/toy.html"):
        names = [name for name in scripts(page) if name.endswith(".js")]
        assert names == [*lab.SHARED, "lab-toy-data.js", "lab-toy.js"]
    for name in (*lab.SHARED, "lab-toy.js", lab.STYLE, "lab-toy.svg"):
        assert (site / "_static" / name).is_file()
    said = re.fullmatch(r"coluLab\.data\.toy = (.*);\n", (site / "_static" / "lab-toy-data.js").read_text())[1]
    assert json.loads(said) == {"two": 2}


def test_states_lead_to_the_figure_on_the_page_or_to_its_own(site):
    assert 'href="book/laboratory/toy.html#lab-toy?x=1&amp;y=2"' in (site / "index.html").read_text()
    assert re.search(r'laboratory/toy.html">.*A toy.*</a>: Is 1 &lt; 2\?', (site / "index.html").read_text())
    page = (site / "book/a.html").read_text()
    assert 'class="lab-state reference internal" href="#lab-toy?x=1"' in page
    assert 'data-start="x=2"' in page and 'href="../book/laboratory/toy.html">a page of its own' in page


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```{interactive} cube\n```", "no interactive figure 'cube'; there are toy"),
        ("{state}`one <cube?x=1>`", "no interactive figure 'cube'"),
        ("{state}`one`", "a state is"),
    ],
)
def test_a_figure_that_there_is_not_stops_the_build(tmp_path, text, message):
    done, _ = built(tmp_path, **{"book/a.md": f"# A\n\n{text}\n"})
    assert done.returncode and message in done.stderr


def test_other_forms_of_the_book_get_the_picture_and_links_without_states(tmp_path):
    done, out = built(tmp_path, "epub")
    assert "toy" in (out / "index.xhtml").read_text(), done.stderr
    assert "#lab-toy?" not in (out / "index.xhtml").read_text().replace("&#35;", "#")


def test_the_data_of_a_figure_without_any_is_no_script(monkeypatch):
    bare = types.ModuleType("colu.press.site.interactives.bare")
    bare.twin = lambda: "<svg/>"
    monkeypatch.setitem(sys.modules, bare.__name__, bare)
    assert lab.data_script("bare") is None and lab.twin("bare") == "<svg/>"


def test_all_scripts_together_are_small():
    """What the laboratory's pages load, all figures taken together, in bytes."""
    sizes = {path.name: len(lab.served(path.read_text(encoding="utf8")).encode()) for path in lab.ASSETS.glob("*.js")}
    assert sum(sizes.values()) < 60_000, sizes


def test_what_is_served_is_the_script_without_comments_and_spaces_that_say_nothing():
    """The other tests run what is served; no text of a script goes over a line's end, where it would lose something."""
    for path in lab.ASSETS.glob("*.js"):
        script = path.read_text(encoding="utf8")
        assert all(line.count("`") % 2 == 0 for line in script.splitlines()), path.name
        kept = [line.strip() for line in re.sub(r"(?ms)^ */\*.*?\*/ *$", "", script).splitlines()]
        kept = [line for line in kept if line and not line.startswith("//")]
        given = lab.served(script).splitlines()
        assert [line.replace(" ", "") for line in given] == [line.replace(" ", "") for line in kept], path.name
        assert all(a == b for a, b in zip(given, kept, strict=True) if re.search("[\"'`/]|--", b)), path.name


def test_no_script_asks_for_anything():
    asks = re.compile(
        r"\b(fetch|XMLHttpRequest|WebSocket|EventSource|sendBeacon|importScripts|import)\b\s*\(|https?://(?!www\.w3\.org/2000/svg)"
    )
    for path in lab.ASSETS.glob("*.js"):
        assert not asks.search(path.read_text(encoding="utf8")), path.name


def test_folder_of_the_pages_is_that_of_the_links():
    assert lab._page("toy") == f"book/{FOLDER}/toy"
