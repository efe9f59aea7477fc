"""What the page of one unit says, as MyST text: made of its facts, nothing typed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

__all__ = ["sections"]

SMOOTH = {
    "jump": "jumps",
    "kink": "continuous, with a kink",
    "C1": "once differentiable ($C^1$)",
    "C2": "twice differentiable ($C^2$)",
    "smooth": "smooth: differentiable as often as one likes",
}
BOUNDED = {"none": "on neither side", "below": "from below", "above": "from above", "both": "on both sides"}
DEVICES = {"cpu": "CPU", "cuda": "GPU"}


def signed(value: float) -> str:
    """A number with its sign, in few digits.

    Examples
    --------
    >>> signed(-0.0263), signed(2.0)
    ('−0.0263', '+2')
    """
    return "0" if value == 0 else f"{value:+.3g}".replace("-", "\N{MINUS SIGN}")


def _bound(value: float | None) -> str:
    return "no bound known" if value is None else f"{value:.6g}"


def _lipschitz(facts: dict) -> str:
    first, every = _bound(facts["lipschitz"]), _bound(facts["lipschitz_all"])
    return first if first == every else f"{first} at the start, {every} for all parameters"


def _monotone(facts: dict) -> str:
    said = {True: "yes", False: "no", None: "does not apply: it maps several channels at once"}
    return said[facts["monotone"]]


def _acts(facts: dict) -> str:
    said = "each entry alone" if facts["pointwise"] else "several entries together"
    if facts["mixes_positions"]:
        said += "; positions see each other, so it is not for a causal model"
    if facts["kind"] != "activation":
        said += f"; a {facts['kind']}, not an activation alone"
    elif facts["unfit"]:
        said += f"; {facts['unfit']}"
    return said


def _listed(rows: list[tuple[str, str]]) -> str:
    return ":::{container} atlas-list\n" + "\n".join(f"{name}\n: {value}\n" for name, value in rows) + ":::"


def _properties(facts: dict) -> str:
    group = f"${facts['symmetry']}$: {facts['moved']}" if facts["symmetry"] else "not known"
    return _listed(
        [
            ("acts on", _acts(facts)),
            ("commutes with", group),
            ("homogeneity", facts["homogeneity"]),
            ("Lipschitz bound", _lipschitz(facts)),
            ("smoothness", SMOOTH[facts["smoothness"]]),
            ("monotone", _monotone(facts)),
            ("bounded", BOUNDED[facts["bounded"]]),
            ("gates its input", "yes" if facts["gated"] else "no"),
            ("parameters for $C$ channels", f"${facts['parameters']}$"),
        ]
    )


def _moments(facts: dict) -> str:
    found = facts["moments"]
    if found["gain"] is None:
        return f"Not defined here: it {found['why']}."
    slope = f"not defined: it {found['why']}" if found["slope"] is None else f"{found['slope']:.4g}"
    over = "one channel" if found["channels"] == 1 else f"{found['channels']} channels"
    rows = [
        ("gain, $1/\\sqrt\\rho$", f"{found['gain']:.4g}"),
        ("mean of the output", f"{found['mean']:.4g}"),
        ("second moment, $\\rho$", f"{found['second']:.4g}"),
        ("second moment of the slope, $\\chi$", slope),
    ]
    told = (
        f"Measured on {over} of standard normal numbers when the book was built, with the default options.\n"
        "Weights multiplied by the gain keep the second moment from layer to layer; "
        "a gradient keeps its size where $\\chi = \\rho$."
    )
    return f"{told}\n\n{_listed(rows)}"


def _cost(facts: dict) -> str:
    lines = []
    for entry in facts["cost"]:
        way = f", as {entry['way']}" if entry["way"] else ""
        spread = "pairs of runs" if entry["n"] else "95 % interval"
        lines.append(
            f"- {DEVICES[entry['device']]}{way}, {entry['what']}: **{entry['ratio']:.3g} times ReLU** "
            f"({entry['low']:.3g} to {entry['high']:.3g}"
            + (f" over {entry['n']} {spread})" if entry["n"] else f", {spread})")
            + f": `{entry['record']}`"
        )
    there = {entry["device"] for entry in facts["cost"]}
    lines += [f"- {name}: not measured" for device, name in DEVICES.items() if device not in there]
    return "\n".join(lines)


def _results(facts: dict) -> str:
    if facts["name"] == "relu":
        return "ReLU is the baseline of the comparisons: what was found stands on the pages of the others."
    if not facts["results"]:
        return "No recorded comparison."
    lines = ["| Comparison | Difference | $n$ | Word |", "|---|---|---|---|"]
    for found in facts["results"]:
        where = f"protocol `{found['protocol']}`" if found["protocol"] else f"`{found['experiment']}`"
        half = (found["high"] - found["low"]) / 2
        number = f"{signed(found['mean'])} ± {half:.2g}{' ' + found['unit'] if found['unit'] else ''}"
        metric = found["metric"].replace("_", " ").replace("@", " at ")
        compared = f"{found['label']} minus {found['against']}, {metric}; {where}"
        lines.append(f"| {compared} | {number} | {found['n']} | {found['word']} |")
    told = (
        "Means of paired differences with half a 95 % interval, over $n$ seeds.\n"
        "A word is given by the rule of a protocol that was written before the runs; what is *exploratory* carries "
        "none, and its interval is not corrected for the number of comparisons."
    )
    return f"{told}\n\n" + "\n".join(lines)


def _wrong(facts: dict) -> str:
    if not facts["wrong"]:
        return "Nothing is recorded as wrong."
    return "\n".join("- " + text.strip().replace("\n", "\n  ") for text in facts["wrong"])


def _code(facts: dict) -> str:
    whose = "In PyTorch's own names" if facts["own"] else "PyTorch has no name of its own for it"
    channels = "" if not facts["parameters"] or facts["parameters"] == "0" else ", num_channels=48"
    ours = f'from colu.nn import create\n\ncreate("{facts["name"]}"{channels})'
    return f"```python\n{ours}\n```\n\n{whose}:\n\n```python\n{facts['torch']}\n```"


def _places(facts: dict, chapter: Callable[[str], str], titles: dict[str, str]) -> str:
    first, *rest = [f"{{doc}}`/notebooks/{chapter(each)}`" for each in facts["chapters"]]
    lines = [f"- explained in {first}" + (f"; also in {', '.join(rest)}" if rest else "")]
    lines += [f"- {{doc}}`{titles[name]} </book/atlas/{name}>`: {how}" for name, how in facts["relatives"].items()]
    return "\n".join(lines)


def opening(facts: dict) -> str:
    """Purpose, formula, source and other names."""
    lines = [facts["purpose"], "", "$$", facts["formula"], "$$", ""]
    year = f", {facts['year']}" if facts["year"] else ""
    lines.append(f"Source: {{cite:t}}`{facts['citation']}`." if facts["citation"] else f"No single source{year}.")
    if facts["aliases"]:
        lines.append(f"Also named {', '.join(f'`{alias}`' for alias in facts['aliases'])} here.")
    if facts["notes"]:
        lines.append(facts["notes"].rstrip(".") + ".")
    return "\n".join(lines)


def sections(facts: dict, chapter: Callable[[str], str], titles: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The headings of a page below its plot, each with its text.

    Parameters
    ----------
    facts : dict
        Of :func:`colu.press.site.atlas_facts.unit_facts`.
    chapter : callable
        From a topic to the name of the chapter; raises for one that is none.
    titles : dict of str to str
        Of all pages, by name of the unit.
    """
    yield "Properties", _properties(facts)
    yield "Signal and gradient", _moments(facts)
    yield "Cost", _cost(facts)
    yield "Results", _results(facts)
    yield "Wrong in print or in code", _wrong(facts)
    yield "Code", _code(facts)
    yield "Chapters and relatives", _places(facts, chapter, titles)
