"""A site with the pages of the interactive figures alone, in a browser that reaches nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from colu.press.check.browser import ARGUMENTS, TIMEOUT, find_chromium, served
from colu.press.interactive import FOLDER, interactive_names

ROOT = Path(__file__).resolve().parents[4]
PAGES = ROOT / "book"
CONF = """
html_theme = "sphinx_book_theme"
html_favicon = "icon.svg"
html_context = {"default_mode": "auto"}
extensions = ["myst_parser", "colu.press.site.lab"]
myst_enable_extensions = ["dollarmath", "attrs_inline", "colon_fence"]
"""
#: Canvases are drawn by the processor: a graphics card that the processor plays takes more than twice as long.
DRAWN = [*(argument for argument in ARGUMENTS if "angle" not in argument), "--disable-gpu"]
PAGE = "# A figure\n\n```{{interactive}} {name}\n```\n"
AXE = """async () => (await axe.run({include: [[".colu-lab"]]}, {resultTypes: ["violations"]})).violations
  .filter(found => ["serious", "critical"].includes(found.impact))
  .map(found => found.id + ": " + found.nodes.slice(0, 3).map(node => node.target.join(" ")).join(", "))"""
FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
WIDER = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="session")
def laboratory(tmp_path_factory):
    """The folder of the built site; what stands on a figure's own page beside the figure is left out."""
    root = tmp_path_factory.mktemp("laboratory")
    names = interactive_names(PAGES)
    (root / "conf.py").write_text(CONF)
    (root / "icon.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
    folder = root / "book" / FOLDER
    folder.mkdir(parents=True)
    for name in names:
        shutil.copy(PAGES / FOLDER / f"{name}.yml", folder)
        (folder / f"{name}.md").write_text(PAGE.format(name=name))
    listed = "\n".join(f"book/{FOLDER}/{name}" for name in names)
    (root / "index.md").write_text(f"# First\n\n```{{toctree}}\n{listed}\n```\n")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(root), str(root / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return root / "out"


@pytest.fixture(scope="module")
def chromium(laboratory):
    if find_chromium() is None:
        pytest.skip("no Chromium (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with served(laboratory) as address, sync_playwright() as tools:
        chromium = tools.chromium.launch(executable_path=find_chromium(), args=DRAWN)
        chromium.address = address
        yield chromium
        chromium.close()


class Figure:
    """One figure in a window: what a test does with it."""

    def __init__(self, tab, address: str, name: str) -> None:
        self.tab, self.name, self.page = tab, name, f"{address}/book/{FOLDER}/{name}.html"
        self.errors: list[str] = []
        tab.on("pageerror", lambda error: self.errors.append(str(error)))
        tab.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)

    def open(self, query: str = "") -> Figure:
        """Load the page in a state."""
        # The same page with another state would not be loaded again.
        self.tab.goto("about:blank")
        self.tab.goto(f"{self.page}#lab-{self.name}?{query}", wait_until="load")
        self.tab.wait_for_selector(".colu-lab.ready")
        return self.settle()

    def settle(self) -> Figure:
        """Wait until what was changed is drawn, and told to the address."""
        self.tab.evaluate(FRAMES)
        self.tab.wait_for_timeout(270)
        return self

    @property
    def state(self) -> dict:
        """The values that the figure shows."""
        return self.tab.evaluate(f"() => coluLab.ready.{self.name}.state")

    @property
    def said(self) -> str:
        """What it says in words."""
        return self.tab.inner_text(".lab-said")

    @property
    def note(self) -> str:
        """What it says of the state that was asked for."""
        return self.tab.text_content(".lab-note")

    @property
    def drawing(self) -> str:
        """All that is drawn, as text; of a canvas its pixels."""
        return self.tab.evaluate(
            "() => [...document.querySelectorAll('.lab-panels svg')].map(each => each.outerHTML).join('')"
            " + [...document.querySelectorAll('.lab-panels canvas')].map(each => each.toDataURL()).join('')"
        )

    def axe(self, mode: str) -> list[str]:
        """Serious findings of axe in a mode, ``light`` or ``dark``."""
        from importlib.resources import files

        self.tab.evaluate("mode => Object.assign(document.documentElement.dataset, {theme: mode, mode: mode})", mode)
        self.tab.add_style_tag(content="*, *::before, *::after { transition: none !important; }")
        self.tab.add_script_tag(path=str(files("axe_playwright_python") / "axe.min.js"))
        self.settle()
        return self.tab.evaluate(AXE)

    def too_wide(self) -> int:
        """Pixels by which the page is wider than the window."""
        return self.tab.evaluate(WIDER)


@pytest.fixture
def figure(chromium):
    """Open a figure by its name, in a window of its own: ``figure("cone", width=390)``."""
    tabs = []

    def begin(name: str, width: int = 1000, **options) -> Figure:
        tab = chromium.new_page(viewport={"width": width, "height": 1000}, **options)
        tabs.append(tab)
        tab.set_default_timeout(TIMEOUT)
        return Figure(tab, chromium.address, name)

    yield begin
    for tab in tabs:
        tab.close()
