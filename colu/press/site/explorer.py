"""Interactive figures drawn by plain scripts: ``{activation-explorer}`` and ``{turning-figure}``.

Each has a static twin, an SVG that matplotlib draws from the same numbers, for print and for readers without scripts.
"""

from __future__ import annotations

import html
import math
from abc import ABC, abstractmethod
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from .svg import drawn

ASSETS = Path(__file__).with_name("assets")
TWINS = {"explorer": "explorer-twin.svg", "turn": "turn-twin.svg"}
ALT = {
    "explorer": (
        "Four panels. Over the first channel, ReLU is zero and then rises with slope 1; CoLU of two channels, at a "
        "second channel of 1, passes the first channel and opens the second between 0 and 1. Below, eight rings of "
        "points: ReLU folds them into a quarter-plane, CoLU into a wedge of half-angle 45 degrees and a half-line."
    ),
    "turn": (
        "A rose of five leaves in the plane of two channels, turned by 40 degrees. Under ReLU, turning first and "
        "acting first give two different curves; under CoLU, which clips each point to a disc, they give the same."
    ),
}

EXPLORER = """
<div class="colu-explorer" data-start="{start}">
<div class="twin"><img src="{static}explorer-twin.svg" alt="{alt}" width="736" height="560"></div>
<div class="live">
<div class="colu-controls">
<label><span class="colu-key which-0">first activation</span><select data-part="first"></select></label>
<label><span class="colu-key which-1">second activation</span><select data-part="second"></select></label>
<label>second channel in<select data-part="level"></select></label>
<button type="button" data-part="swap">swap the two</button>
</div>
<p data-part="notes" aria-live="polite"></p>
<div class="colu-panels">
{curves}
{clouds}
</div>
<details><summary>The values as a table</summary><div><table><thead><tr><th scope="col">first channel in</th>
{heads}
</tr></thead><tbody data-part="table"></tbody></table></div></details>
</div>
</div>
"""
PANEL = (
    '<figure><svg data-part="{part}" viewBox="0 0 340 260" role="img" aria-label=""></svg>'
    "<figcaption>{caption}</figcaption></figure>"
)
HEAD = '<th scope="col" data-part="head-{which}" data-kind="{kind}"></th>'

TURN = """
<div class="colu-turn">
<div class="twin"><img src="{static}turn-twin.svg" alt="{alt}" width="736" height="380"></div>
<div class="live">
<div class="colu-panels">
{panels}
</div>
<div class="colu-controls"><label>turn by <output></output><input type="range" min="0" max="360" value="40" step="1"
aria-label="angle of the turn in degrees"></label></div>
<p><span class="colu-key which-0">turn, then act</span> and <span class="colu-key which-1">act, then turn</span>,
for a rose in the plane of two channels (faint).</p>
</div>
</div>
"""
TURN_PANEL = (
    '<figure data-map="{name}"><svg viewBox="0 0 240 240" role="img" aria-label="{label}"><polygon class="before"/>'
    '<polygon class="first"/><polygon class="second"/></svg>'
    "<figcaption>{title}: largest distance <span data-part='gap'></span></figcaption></figure>"
)


class _Figure(SphinxDirective, ABC):
    """Put the markup of an interactive figure on the page and remember that the page needs its script."""

    name_of_script = ""

    @abstractmethod
    def markup(self, static: str) -> str:
        """The HTML."""

    def run(self) -> list[nodes.Node]:
        """Build the node."""
        self.env.__dict__.setdefault("colu_script_pages", {}).setdefault(self.env.docname, set()).add(
            self.name_of_script
        )
        static = "../" * self.env.docname.count("/") + "_static/"
        return [nodes.raw("", self.markup(static), format="html")]


class ExplorerDirective(_Figure):
    """``{activation-explorer}``; ``:start: relu colu`` names the two that are drawn first."""

    name_of_script = "explorer"
    option_spec = {"start": directives.unchanged}

    def markup(self, static: str) -> str:
        """Controls, four panels, table."""
        from colu.nn import get_entry

        start = self.options.get("start", "relu colu").split()
        if len(start) != 2:
            raise self.error(f":start: is {' '.join(start)!r}, wanted two names of activations, such as 'relu colu'")
        for name in start:
            get_entry(name)
        captions = {"values": "outputs", "slopes": "derivatives in the first channel"}
        clouds = [f'<span class="colu-key which-{k}" data-part="name-{k}"></span> on eight rings' for k in (0, 1)]
        return EXPLORER.format(
            start=html.escape(" ".join(start)),
            static=static,
            alt=html.escape(ALT["explorer"]),
            curves="\n".join(PANEL.format(part=part, caption=text) for part, text in captions.items()),
            clouds="\n".join(PANEL.format(part=f"cloud-{k}", caption=text) for k, text in enumerate(clouds)),
            heads="\n".join(HEAD.format(which=k, kind=kind) for k in (0, 1) for kind in ("output", "derivative")),
        )


class TurningDirective(_Figure):
    """``{turning-figure}``: what commutes with a rotation and what does not."""

    name_of_script = "turn"

    def markup(self, static: str) -> str:
        """Two panels and a slider."""
        said = "A rose of five leaves, turned and then sent through {}, and the other way round."
        panels = [("relu", "ReLU"), ("colu", "CoLU")]
        return TURN.format(
            static=static,
            alt=html.escape(ALT["turn"]),
            panels="\n".join(
                TURN_PANEL.format(name=name, title=title, label=said.format(title)) for name, title in panels
            ),
        )


class LeftOutDirective(SphinxDirective):
    """``{explorer-left-out}``: the activations that two channels cannot show, with the package's reason."""

    def run(self) -> list[nodes.Node]:
        """Build the list."""
        from .explorer_data import explorer_data

        found = nodes.bullet_list()
        for name, reason in explorer_data()["left_out"].items():
            found += nodes.list_item("", nodes.paragraph("", "", nodes.literal("", name), nodes.Text(f": {reason}")))
        return [found]


def rose(count: int = 240) -> list[tuple[float, float]]:
    """The rose of five leaves that ``turn.js`` draws."""
    angles = [2 * math.pi * k / count for k in range(count)]
    return [((r := 1.25 + 0.75 * math.cos(5 * a)) * math.cos(a), r * math.sin(a)) for a in angles]


def turn_twin() -> str:
    """SVG of the turning figure at 40 degrees, with the package's maps."""
    import torch

    from colu.functional import colu

    angle = math.radians(40)
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]], dtype=torch.float64)
    points = torch.tensor(rose(), dtype=torch.float64)

    def conic(sections: torch.Tensor) -> torch.Tensor:
        return colu(torch.cat([torch.ones(len(sections), 1, dtype=torch.float64), sections], dim=1), dim=3)[:, 1:]

    def draw(figure, axes) -> None:
        for ax, (label, act) in zip(axes.flat, {"ReLU": torch.relu, "CoLU": conic}.items(), strict=True):
            ax.fill(*(points @ turn.T).T, fill=False, edgecolor="#b9c0c8", linewidth=1)
            ax.fill(*act(points @ turn.T).T, fill=False, edgecolor="#0072B2", linewidth=4, label="turn, then act")
            after = act(points) @ turn.T
            ax.fill(*after.T, fill=False, edgecolor="#B84E00", linestyle="--", linewidth=1.5, label="act, then turn")
            ax.set(aspect="equal", xlabel=f"{label}, first channel", ylabel="second channel")
        axes.flat[0].legend(loc="lower left", fontsize=8)

    return drawn(draw, (1, 2), (7.4, 3.8))


def explorer_twin() -> str:
    """SVG of the explorer with ReLU and CoLU."""
    from .explorer_data import GRID, LEVELS, RAYS, explorer_data

    data = explorer_data()
    names, level = ("relu", "colu"), LEVELS.index(1.0)

    def draw(figure, axes) -> None:
        for which, name in enumerate(names):
            facts, colour = data["activations"][name], ("#0072B2", "#B84E00")[which]
            curves = facts["curves"][0 if facts["pointwise"] else level]
            for ax, kind in zip(axes[0], ("value", "slope"), strict=True):
                for output, column in enumerate(curves[kind]):
                    style = {"color": colour, "linestyle": ("-", "--")[which], "linewidth": (2, 1)[output]}
                    label = f"{name}, {('first', 'second')[output]} output"
                    ax.plot(GRID, column, **style, label=label)
            ax = axes[1, which]
            for columns, shade in ((data["input"], "#b9c0c8"), (facts["cloud"], colour)):
                for first in range(0, len(columns[0]), RAYS):
                    ring = [[*column[first : first + RAYS], column[first]] for column in columns]
                    ax.plot(*ring, color=shade, linestyle="-", linewidth=0.9)
            ax.set(aspect="equal", xlabel=f"{name}, first channel out", ylabel="second channel out")
        axes[0, 0].set(xlabel="first channel in", ylabel="output")
        axes[0, 1].set(xlabel="first channel in", ylabel="derivative")
        axes[0, 0].legend(fontsize=7)

    return drawn(draw, (2, 2), (7.4, 5.6))


def forget_page(app: Sphinx, env, docname: str) -> None:
    """Drop what a page said before it is read again."""
    env.__dict__.get("colu_script_pages", {}).pop(docname, None)


def merge_pages(app: Sphinx, env, docnames, other) -> None:
    """Join what parallel readers noted."""
    env.__dict__.setdefault("colu_script_pages", {}).update(other.__dict__.get("colu_script_pages", {}))


def add_scripts(app: Sphinx, pagename: str, _template: str, context: dict, _doctree) -> None:
    """Give a page the scripts that its figures need, and no other page."""
    wanted = app.env.__dict__.get("colu_script_pages", {}).get(pagename, ())
    if wanted:
        app.add_css_file("figures.css")
    for name in sorted(wanted):
        if name == "explorer":
            app.add_js_file("explorer-data.js", loading_method="defer")
        app.add_js_file(f"{name}.js", loading_method="defer")


def write_files(app: Sphinx, error: Exception | None) -> None:
    """Write scripts, data and twins into the site."""
    wanted = set().union(*app.env.__dict__.get("colu_script_pages", {}).values()) if not error else set()
    if not wanted or app.builder.format != "html":
        return
    static = Path(app.outdir, "_static")
    static.mkdir(exist_ok=True)
    for name in ("figures.css", *(f"{name}.js" for name in wanted)):
        (static / name).write_text((ASSETS / name).read_text(encoding="utf8"), encoding="utf8")
    if "explorer" in wanted:
        from .explorer_data import data_script

        (static / "explorer-data.js").write_text(data_script(), encoding="utf8")
        (static / TWINS["explorer"]).write_text(explorer_twin(), encoding="utf8")
    if "turn" in wanted:
        (static / TWINS["turn"]).write_text(turn_twin(), encoding="utf8")


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_directive("activation-explorer", ExplorerDirective)
    app.add_directive("turning-figure", TurningDirective)
    app.add_directive("explorer-left-out", LeftOutDirective)
    app.connect("env-purge-doc", forget_page)
    app.connect("env-merge-info", merge_pages)
    app.connect("html-page-context", add_scripts, priority=800)
    app.connect("build-finished", write_files)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
