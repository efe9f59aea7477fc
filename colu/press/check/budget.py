"""What shares of its height a chapter has for what, where its first figure stands, and how long it says nothing."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path

from .browser import ARGUMENTS, TIMEOUT, find_chromium, served, standing

__all__ = ["Budget", "MARK", "budget_table", "fill_budget", "measure_chapters"]

#: Pixels of the window in which heights are measured; a screen is its height.
WIDTH, SCREEN = 1440, 1000
#: Whose shares of the height are told.
PARTS = ("code", "claims", "figures")
#: What stands on the status page until the table takes its place.
MARK = '<p class="page-budget">Not measured: that needs Chromium.</p>'
MEASURE = """() => {
  const article = document.querySelector('article');
  const box = element => element.getBoundingClientRect();
  const seen = element => box(element).height > 0
    && !element.closest('details:not([open]) > :not(summary)') && !element.closest('.toggle-hidden');
  const all = kind => [...article.querySelectorAll(kind)].filter(seen);
  const sum = kind => all(kind).reduce((total, element) => total + box(element).height, 0);
  const figures = all('.cell_output img, figure img, .drawing svg, .drawing img, .colu-slider > svg');
  const words = all('p, li, dd, figcaption, .quiz legend, .quiz label').filter(
    element => !element.closest('table, pre'));
  const ends = words.map(box).sort((one, other) => one.top - other.top);
  let silent = 0, last = box(article).top;
  for (const each of [...ends, {top: box(article).bottom, bottom: 0}]) {
    silent = Math.max(silent, each.top - last);
    last = Math.max(last, each.bottom);
  }
  return {
    height: box(article).height - sum('.quiz'),
    code: sum('.cell_input'),
    claims: sum('.admonition.claim, details.fold-badge'),
    figures: sum('.cell_output img, figure, .drawing, .colu-slider'),
    first: figures.length ? box(figures[0]).top + scrollY : null,
    silent: silent,
  };
}"""


@dataclass(frozen=True)
class Budget:
    """Of one chapter, in pixels.

    Attributes
    ----------
    height : float
        Of the article without its questions, which would make every share smaller.
    code, claims, figures : float
        Of what stands open, together.
    first : float or None
        From the top of the page to the first figure; None where there is none.
    silent : float
        The longest stretch without a sentence.
    """

    height: float
    code: float
    claims: float
    figures: float
    first: float | None
    silent: float

    def share(self, part: str) -> float:
        """A part's share of the height."""
        return getattr(self, part) / self.height


def measure_chapters(site: Path) -> dict[str, Budget]:
    """The budget of every chapter of a built site, by its name; empty where there is no Chromium."""
    program = find_chromium()
    if program is None:
        return {}
    from playwright.sync_api import sync_playwright

    found = {}
    with served(site) as address, sync_playwright() as tools:
        chromium = tools.chromium.launch(executable_path=program, args=ARGUMENTS)
        try:
            tab = chromium.new_page(viewport={"width": WIDTH, "height": SCREEN})
            tab.set_default_timeout(TIMEOUT)
            for path in standing(site.glob("notebooks/*.html")):
                tab.goto(f"{address}/notebooks/{path.name}", wait_until="load")
                tab.evaluate("() => window.MathJax && MathJax.startup && MathJax.startup.promise.then(() => true)")
                found[path.stem] = Budget(**tab.evaluate(MEASURE))
        finally:
            chromium.close()
    return found


def _row(name: str, cells: list[str]) -> str:
    return "<tr><td>" + "</td><td>".join([name, *cells]) + "</td></tr>"


def _cells(budget: Budget) -> list[str]:
    first = "–" if budget.first is None else f"{budget.first / SCREEN:.1f}"
    shares = [f"{100 * budget.share(part):.0f} %" for part in PARTS]
    return [f"{budget.height / SCREEN:.1f}", *shares, first, f"{budget.silent / SCREEN:.1f}"]


def budget_table(budgets: dict[str, Budget]) -> str:
    """The budgets as a table of HTML, with the medians in its last row."""
    head = ["Chapter", "Screens", "Open code", "Claims", "Figures"]
    head += ["First figure on screen", "Longest without a sentence (screens)"]
    rows = [_row(f'<a href="../notebooks/{name}.html">{name}</a>', _cells(each)) for name, each in budgets.items()]
    every = list(budgets.values())
    middle = [f"{statistics.median(each.height for each in every) / SCREEN:.1f}"]
    middle += [
        f"{100 * statistics.median(each.share(part) for each in every):.0f} %" for part in ("code", "claims", "figures")
    ]
    first = [each.first for each in every if each.first is not None]
    middle.append(f"{statistics.median(first) / SCREEN:.1f}" if first else "–")
    middle.append(f"{statistics.median(each.silent for each in every) / SCREEN:.1f}")
    top = "<tr><th>" + "</th><th>".join(head) + "</th></tr>"
    body = "\n".join([*rows, _row("<strong>Median</strong>", middle)])
    table = f'<table class="table">\n<thead>{top}</thead>\n<tbody>\n{body}\n</tbody></table>'
    return f'<div class="wide-table">{table}</div>'


def fill_budget(site: Path) -> None:
    """Measure a site that is about to be put in place, and write the table on its status page."""
    page = site / "book" / "status.html"
    if not page.is_file() or MARK not in (text := page.read_text(encoding="utf8")):
        return
    if budgets := measure_chapters(site):
        page.write_text(text.replace(MARK, budget_table(budgets)), encoding="utf8")
