"""The turning rose, drawn by a plain script: ``{turning-figure}``.

It has a static twin, an SVG that matplotlib draws from the same numbers, for print and for readers without scripts.
"""

from __future__ import annotations

import html
import io
import math
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ASSETS = Path(__file__).with_name("assets")
TWIN = "turn-twin.svg"
ALT = (
    "A rose of five leaves in the plane of two channels, turned by 40 degrees. Under ReLU, turning first and "
    "acting first give two different curves; under CoLU, which clips each point to a disc, they give the same."
)

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


class TurningDirective(SphinxDirective):
    """``{turning-figure}``: what commutes with a rotation and what does not."""

    def run(self) -> list[nodes.Node]:
        """Build the node and remember that the page needs its script."""
        self.env.__dict__.setdefault("colu_turning_pages", set()).add(self.env.docname)
        static = "../" * self.env.docname.count("/") + "_static/"
        return [nodes.raw("", self.markup(static), format="html")]

    def markup(self, static: str) -> str:
        """Two panels and a slider."""
        said = "A rose of five leaves, turned and then sent through {}, and the other way round."
        panels = [("relu", "ReLU"), ("colu", "CoLU")]
        return TURN.format(
            static=static,
            alt=html.escape(ALT),
            panels="\n".join(
                TURN_PANEL.format(name=name, title=title, label=said.format(title)) for name, title in panels
            ),
        )


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

    return _svg(draw, (1, 2), (7.4, 3.8))


def _svg(draw, shape: tuple[int, int], size: tuple[float, float]) -> str:
    """Draw in the book's style, without a window."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    from colu.lab.plot import use_style

    with mpl.rc_context():
        use_style()
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure, figure.subplots(*shape, squeeze=False))
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


def forget_page(app: Sphinx, env, docname: str) -> None:
    """Drop what a page said before it is read again."""
    env.__dict__.get("colu_turning_pages", set()).discard(docname)


def merge_pages(app: Sphinx, env, docnames, other) -> None:
    """Join what parallel readers noted."""
    env.__dict__.setdefault("colu_turning_pages", set()).update(other.__dict__.get("colu_turning_pages", ()))


def add_scripts(app: Sphinx, pagename: str, _template: str, context: dict, _doctree) -> None:
    """Give a page the script that its figure needs, and no other page."""
    if pagename in app.env.__dict__.get("colu_turning_pages", ()):
        app.add_css_file("figures.css")
        app.add_js_file("turn.js", loading_method="defer")


def write_files(app: Sphinx, error: Exception | None) -> None:
    """Write script, style and twin into the site."""
    if error or app.builder.format != "html" or not app.env.__dict__.get("colu_turning_pages"):
        return
    static = Path(app.outdir, "_static")
    static.mkdir(exist_ok=True)
    for name in ("figures.css", "turn.js"):
        (static / name).write_text((ASSETS / name).read_text(encoding="utf8"), encoding="utf8")
    (static / TWIN).write_text(turn_twin(), encoding="utf8")


def setup(app: Sphinx) -> dict:
    """Register with Sphinx."""
    app.add_directive("turning-figure", TurningDirective)
    app.connect("env-purge-doc", forget_page)
    app.connect("env-merge-info", merge_pages)
    app.connect("html-page-context", add_scripts, priority=800)
    app.connect("build-finished", write_files)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
