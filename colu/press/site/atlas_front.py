"""The front of the atlas: cards that filter, and the comparison of up to four units, as HTML."""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape

from .atlas_curves import LEVELS, plane_maps
from .atlas_page import BOUNDED
from .atlas_plots import FRAMES, colours, curves_at, finding, lines, panel, rings, thumbnail

__all__ = ["START", "cards", "comparison", "data_script", "filters"]

#: What is compared before anything is chosen.
START = ("relu", "colu")
YEARS = (("before 2010", 0, 2009), ("2010 to 2014", 2010, 2014), ("2015 to 2018", 2015, 2018),
         ("2019 and later", 2019, 9999))  # fmt: skip
#: Bounds of a run of training against ReLU's.
COSTS = ((1.1, "up to 1.1 times ReLU's"), (1.5, "1.1 to 1.5 times"), (float("inf"), "more than 1.5 times"))
UNKNOWN = "not measured"
#: Name of a filter, its label, and the choices in their order.
FILTERS = {
    "symmetry": ("commutes with", ()),
    "smoothness": ("smoothness", ("jump", "kink", "C1", "C2", "smooth")),
    "monotone": ("monotone", ("yes", "no", "several channels")),
    "bounded": ("bounded", tuple(BOUNDED)),
    "learnable": ("learnable", ("yes", "no")),
    "gated": ("gated", ("yes", "no")),
    "cost": ("training time", (*(said for _, said in COSTS), UNKNOWN)),
    "year": ("year", (*(said for said, *_ in YEARS), "no source")),
}
SORTS = {"name": "name", "year": "year", "gain": "gain", "time": "training time", "family": "family"}
#: Rows of the table that sets units side by side.
ROWS = (
    "year", "commutes with", "homogeneity", "Lipschitz bound at the start", "for all parameters", "smoothness",
    "monotone", "bounded", "learnable", "gated", "gain", "mean", "second moment", "second moment of the slope",
    "training time, times ReLU's",
)  # fmt: skip


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def training_time(facts: dict) -> float | None:
    """A whole run of training as a multiple of ReLU's; None where no record says."""
    if facts["name"] == "relu":
        return 1.0
    return next((entry["ratio"] for entry in facts["cost"] if entry["n"]), None)


def chosen_by(facts: dict) -> dict[str, str]:
    """The value of each filter for one unit."""
    time, year = training_time(facts), facts["year"]
    return {
        "symmetry": facts["moved"],
        "smoothness": facts["smoothness"],
        "monotone": "several channels" if facts["monotone"] is None else _yes(facts["monotone"]),
        "bounded": facts["bounded"],
        "learnable": _yes(facts["learnable"]),
        "gated": _yes(facts["gated"]),
        "cost": UNKNOWN if time is None else next(said for bound, said in COSTS if time <= bound),
        "year": next((said for said, low, high in YEARS if year and low <= year <= high), "no source"),
    }


def _sorted_by(facts: dict) -> dict[str, str]:
    time, gain = training_time(facts), facts["moments"]["gain"]
    keys = {"year": facts["year"], "gain": gain, "time": time}
    numbers = {key: "9999" if value is None else f"{value:.6g}" for key, value in keys.items()}
    return {"name": facts["name"], "family": f"{facts['family']} {facts['name']}"} | numbers


def _box(name: str, title: str) -> str:
    """What chooses a unit for the comparison."""
    if not curves_at(name):
        return "<em>not drawn</em>"
    box = f'<input type="checkbox" name="units" form="atlas" value="{name}" aria-label="compare {title}">'
    return f'<label class="live">{box} compare</label>'


def cards(units: Iterable[dict], folder: str = "atlas") -> str:
    """One card a unit: its curve, name and page, and a box that chooses it for the comparison."""
    made = []
    for facts in units:
        name, title = facts["name"], escape(facts["title"])
        keys = chosen_by(facts) | {f"by-{key}": value for key, value in _sorted_by(facts).items()}
        data = " ".join(f'data-{key}="{escape(str(value))}"' for key, value in keys.items())
        made.append(
            f'<li id="activation-{name}" {data} style="{colours(name, facts["family"])}">'
            f'<a class="reference internal" href="{folder}/{name}.html">{thumbnail(name)}<span>{title}</span></a>'
            f"<small>{facts['year'] or ''}</small>"
            f"{_box(name, title)}</li>"
        )
    return f'<ul class="atlas-cards" data-part="cards">{"".join(made)}</ul>'


def _select(name: str, label: str, options: Iterable[tuple[str, str]], start: str) -> str:
    made = "".join(
        f'<option value="{escape(value)}"{" selected" if value == start else ""}>{escape(said)}</option>'
        for value, said in options
    )
    return f'<label>{label}<select name="{name}" form="atlas">{made}</select></label>'


def filters(units: list[dict]) -> str:
    """Native boxes for each filter and the order."""
    there = [chosen_by(facts) for facts in units]
    boxes = []
    for name, (label, order) in FILTERS.items():
        values = {each[name] for each in there}
        known = [value for value in order if value in values] or sorted(values)
        boxes.append(_select(name, label, [("", "any"), *((value, value) for value in known)], ""))
    boxes.append(_select("sort", "in the order of", SORTS.items(), "name"))
    return f'<div class="colu-controls live">{"".join(boxes)}<a href="#atlas">show all</a></div>'


def _fact_cells(facts: dict) -> list[str]:
    found, time, values = facts["moments"], training_time(facts), chosen_by(facts)
    bounds = ["no bound known" if b is None else f"{b:.6g}" for b in (facts["lipschitz"], facts["lipschitz_all"])]
    numbers = ["not defined" if found[k] is None else f"{found[k]:.4g}" for k in ("gain", "mean", "second", "slope")]
    first = [str(facts["year"] or "no source"), facts["moved"], facts["homogeneity"], *bounds]
    middle = [values[key] for key in ("smoothness", "monotone", "bounded", "learnable", "gated")]
    return [*first, *middle, *numbers, UNKNOWN if time is None else f"{time:.3g}"]


def _cells(facts: dict) -> list[str]:
    """The column of a unit in the table, its title first."""
    cells = [f"<td>{escape(text)}</td>" for text in _fact_cells(facts)]
    return [f'<th scope="col">{escape(facts["title"])}</th>', *cells]


def _side_by_side(units: list[dict]) -> str:
    columns = [_cells(facts) for facts in units]
    heads = ["<td></td>", *(f'<th scope="row">{row}</th>' for row in ROWS)]
    rows = ("".join([head, *(column[k] for column in columns)]) for k, head in enumerate(heads))
    return "".join(f"<tr>{row}</tr>" for row in rows)


def _ring(facts: dict) -> str:
    title = escape(facts["title"])
    said = f"Where {title} sends eight rings of points about the origin."
    return (
        f'<svg viewBox="0 0 340 260" role="img" aria-label="{said}">{rings(facts["name"])}</svg>'
        f"<figcaption>{title} on eight rings</figcaption>"
    )


def comparison(units: dict[str, dict]) -> str:
    """The comparison as it stands before anything is chosen, and without scripts: ``START``."""
    shown = [units[name] for name in START if name in units]
    looks = [f'class="slot-{k}" style="{colours(f["name"], f["family"])}"' for k, f in enumerate(shown)]
    said = " ".join(finding(facts["name"], facts["title"]) for facts in shown)
    panels = ""
    for kind, caption in (("value", "outputs"), ("slope", "derivatives in the first channel")):
        drawn = [lines(curves_at(facts["name"])[kind]) for facts in shown]
        inside = "".join(f"<g {look}>{line}</g>" for look, line in zip(looks, drawn, strict=True))
        panels += (
            f'<figure><svg data-part="{kind}" viewBox="0 0 340 260" role="img" aria-label="{caption.capitalize()} '
            f'of the units that are named above, over the first channel.">{panel(kind, inside, FRAMES[kind])}</svg>'
            f"<figcaption>{caption}</figcaption></figure>"
        )
    both = list(zip(shown, looks, strict=True))
    keys = "".join(f"<li {look}>{escape(facts['title'])}</li>" for facts, look in both)
    clouds = "".join(f"<figure {look}>{_ring(facts)}</figure>" for facts, look in both)
    levels = _select("level", "second channel in", [(f"{level:g}", f"{level:g}") for level in LEVELS], "1")
    return (
        f'<div class="colu-controls live">{levels}</div><ul class="atlas-key" data-part="key">{keys}</ul>'
        f'<div class="colu-panels">{panels}</div><div class="colu-panels" data-part="rings">{clouds}</div>'
        f'<p data-part="said">{escape(said)}</p>'
        '<div class="atlas-facts" tabindex="0" role="region" aria-label="facts side by side">'
        f'<table><tbody data-part="facts">{_side_by_side(shown)}</tbody></table></div>'
    )


def data_script(units: Iterable[dict]) -> str:
    """What the comparison draws, as a script, because a page opened from a folder may not fetch a file of JSON."""
    shown = {}
    for facts in units:
        name = facts["name"]
        if (drawn := plane_maps()["units"].get(name)) is not None:
            kinds = {kind: [lines(curve[kind]) for curve in drawn["curves"]] for kind in FRAMES}
            own = {"title": escape(facts["title"]), "colours": colours(name, facts["family"])}
            shown[name] = own | kinds | {"rings": _ring(facts), "facts": _cells(facts)}
    data = {"start": [name for name in START if name in shown], "units": shown}
    return f"window.coluAtlas = {json.dumps(data, separators=(',', ':'), allow_nan=False)};\n"
