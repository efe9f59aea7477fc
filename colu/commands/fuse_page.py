"""The report of ``colu fuse`` as one page that needs no other file and no network."""

from __future__ import annotations

import html
import io

__all__ = ["render_page"]

STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;"
    "padding:0 1rem;color:#1a1a1a;background:#fff}table{border-collapse:collapse;display:block;overflow-x:auto}"
    "th,td{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top;border-bottom:1px solid #8888}"
    "svg{max-width:100%;height:auto}figure{margin:1rem 0}code,pre,.long{overflow-wrap:anywhere}"
    "pre{white-space:pre-wrap}@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#14181c}"
    "svg{filter:invert(1) hue-rotate(180deg)}}"
)
#: A word of more letters than this may be broken in a table, a number never.
WORD = 16
LABELS = {"naive": "without alignment", "aligned": "aligned", "repaired": "aligned, statistics repaired"}


def _picture(curves: dict) -> str:
    import matplotlib.pyplot as plt

    from colu.lab.plot import MARKERS, use_style

    with plt.rc_context():
        use_style()
        figure, axes = plt.subplots(figsize=(4.2, 3.2), layout="constrained")
        for marker, (name, curve) in zip(MARKERS, curves.items(), strict=False):
            label = f"{LABELS[name]}, barrier {curve.loss_barrier:.3g}"
            axes.plot(curve.lambdas, curve.loss, marker=marker, markevery=4, label=label)
        axes.set_xlabel("share of the second network")
        axes.set_ylabel("loss")
        axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True)
        plt.close(figure)
    svg = stream.getvalue()
    return svg[svg.index("<svg") :]


def _table(head: list[str], rows: list[list]) -> str:
    kept = [k for k in range(len(head)) if not rows or any(str(row[k]) for row in rows)]

    def line(cells, tag):
        shown = [str(cells[k]) for k in kept]
        long = [" class='long'" * (max(map(len, cell.split()), default=0) > WORD) for cell in shown]
        cells = (f"<{tag}{how}>{html.escape(cell)}</{tag}>" for how, cell in zip(long, shown, strict=True))
        return "<tr>" + "".join(cells) + "</tr>"

    return "<table>" + line(head, "th") + "".join(line(row, "td") for row in rows) + "</table>"


def _list(texts) -> str:
    return "<ul>" + "".join(f"<li>{html.escape(text)}</li>" for text in texts) + "</ul>"


def _networks(metrics: dict) -> list[list]:
    rows = [[f"network {k}", one] for k, one in enumerate(metrics["parents"], 1)]
    rows += [[f"network {k}, aligned, alone", one] for k, one in enumerate(metrics["aligned_alone"], 1) if k > 1]
    rows.append(["fused", metrics["fused"]])
    if metrics["without_repair"]:
        rows.append(["fused, statistics not repaired", metrics["without_repair"]])
    if "naive" in metrics:
        rows.append(["merged without alignment", metrics["naive"]])
    rows.append(["merged after a random alignment (control)", metrics["random"]])
    rows.append([f"ensemble of all ({len(metrics['parents'])} networks' cost)", metrics["ensemble"]])
    return [
        [label, f"{one['loss']:.4f}", "" if one["accuracy"] is None else f"{100 * one['accuracy']:.2f}"]
        for label, one in rows
    ]


def folded(said: dict) -> list[str]:
    """Which gains went where."""
    return [f"{gain} into {', '.join(readers)}" for gain, readers in said["rewritten"].items()]


def _folding(report: dict) -> list[str]:
    said = report["folding"]
    if not said["taken"]:
        return []
    kept = [f"{gain} stays: {why}" for gain, why in said["kept"].items()]
    errors = [f"{one['invariance_error']:.2g}" for one in report["aligned"] if one.get("invariance_error") is not None]
    return [
        "<h2>Gains of one</h2><p>Before anything was aligned, the gains of norms were multiplied into the layers that "
        "read them, in every network: the same functions, of which the residual stream may turn as a whole "
        f"({said['turning']} channels more than before). What was written has gains of one there and fits the same "
        f"architecture. Networks folded and aligned move by {', '.join(errors)} of their largest outputs.</p>",
        _list(folded(said) + kept),
    ]


def _trunk(merge: dict) -> list[str]:
    """What a partial merge shares."""
    if "until" not in merge:
        return []
    shared = html.escape(", ".join(merge["trunk"])) or "nothing"
    return [
        f"<p>Merged up to <code>{html.escape(merge['until'])}</code> alone: <code>{shared}</code>. "
        "Behind it each network keeps its own layers, aligned, and their outputs are averaged: "
        "the file is read by <code>colu.fusion.PartialNetwork</code>, and costs the time of all networks.</p>"
    ]


def _aligned(report: dict) -> list[str]:
    parts = []
    for place, one in enumerate(report["aligned"], 1):
        if one["method"] == "reference":
            continue
        error = one.get("invariance_error")
        checked = "not checked on any input" if error is None else f"{error:.2g} of its largest output"
        parts.append(f"<p>Network {place}, method {one['method']}: its function moves by {checked}.</p>")
        groups, soft = one.get("groups", {}), one.get("softness", {})
        rows = []
        for name, group in report["groups"].items():
            found = groups.get(name, {})
            moved = f"{found['moved']} of {found['units']}" if found else "by a plan" if soft else ""
            turned = found.get("reflections") or ""
            partners = f"{soft[name]['mean']:.3g} (at most {soft[name]['largest']:.3g})" if name in soft else ""
            layers = ", ".join(group["made_by"] + [f"{key} (reads)" for key in group["read_by"]])
            rows.append([layers, group["group"], group["channels"], moved, turned, partners])
        parts.append(
            _table(["weights", "group", "channels", "units moved", "reflections", "partners of a unit"], rows)
        )
    return [
        "<p>Perm(n) stands for units that change places, B(n) for those that may change their signs too, O(n) for maps "
        "that turn n channels into each other, wr for the one inside each unit of the other.</p>",
        *parts,
    ]


def render_page(report: dict, curves: dict) -> str:
    """One HTML page for someone who did not run the command.

    Parameters
    ----------
    report : dict
        Of :func:`colu.fusion.fuse`, with what the command adds: ``files``, ``command``, ``versions``, ``data``.
    curves : dict of str to BarrierCurve
    """
    merge, metrics, far = report["merge"], report["metrics"], report["weights"]["distance"]
    shares = ", ".join(f"{share:.3g}" for share in merge["shares"])
    files = [[k, one["path"], " ".join(one["sha256"].values())] for k, one in enumerate(report["files"], 1)]
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>",
        f"<title>Fusion report</title><style>{STYLE}</style><h1>Fusion report</h1>",
        f"<p>{report['parents']} networks of the architecture <code>{html.escape(report['name'])}</code> were aligned "
        f"(method {report['method']}) and merged ({merge['kind']}, shares {shares}) into "
        f"<code>{html.escape(report['out'])}</code>. Aligning renumbers and turns the units of a network without "
        "changing what it computes; merging then changes it.</p>",
        *_trunk(merge),
        _table(["network", "file", "SHA-256"], files),
        "<h2>What to distrust</h2>",
        _list(report["distrust"]),
    ]
    if metrics:
        data = report["data"]
        parts += [
            f"<h2>What it does</h2><p>{metrics['fused']['samples']} samples, split: {html.escape(metrics['split'])}. "
            f"Scaling: {html.escape(data['scaling'])}. Nothing was normalised by the command.</p>",
            _table(["network", "loss", "accuracy (%)"], _networks(metrics)),
        ]
        repair = report["repair"]
        parts.append(f"<p>Statistics: {html.escape(repair['taken'])} ({html.escape(repair['why'])}).</p>")
    if curves:
        labelled = "<svg role='img' aria-label='Loss along the line between the networks'"
        definition = next(iter(report["curves"].values()))["definition"]
        barriers = [
            [LABELS[name], f"{curve['loss_barrier']:.4g}",
             "" if curve["accuracy_barrier"] is None else f"{100 * curve['accuracy_barrier']:.3g}"]
            for name, curve in report["curves"].items()
        ]  # fmt: skip
        parts += [
            "<h2>Between the networks</h2><figure>",
            _picture(curves).replace("<svg", labelled, 1),
            f"<figcaption>Barrier: {html.escape(definition)}. A is the first network, B the second one.</figcaption>"
            "</figure>",
            _table(["line", "barrier of the loss", "barrier of the accuracy (points)"], barriers),
        ]
    parts += ["<h2>What was aligned</h2>", *_aligned(report), *_folding(report)]
    fixed = report["fixed"]
    parts += [
        "<h2>What was fixed</h2>",
        "<p>Entries without channels that may move, such as what makes the classes: "
        f"<code>{html.escape(', '.join(fixed)) or 'none'}</code>.</p>",
        *([] if not report["still"] else [
            "<p>Channels that layers make and that no group moves:</p>",
            _table(["made by", "channels", "why"], [list(row.values()) for row in report["still"]]),
        ]),
        "<h2>Norms and distances</h2><p>Distance of the merge from the first network, as a share of its norm: "
        + ", ".join(f"{html.escape(name)} {value:.3g}" for name, value in far.items())
        + ". Norm of each merged matrix by the mean norm of those merged, and of each aligned matrix by its own:</p>",
        _table(
            ["weights", "merged", *(f"network {k}" for k in range(1, report["parents"] + 1))],
            [
                [name, f"{ratio:.3f}", *(f"{own[name]:.3f}" for own in report["weights"]["norm_aligned"])]
                for name, ratio in report["weights"]["norm_ratio"].items()
            ],
        ),
        f"<h2>The command</h2><pre>{html.escape(report['command'])}</pre>",
        "<p>" + ", ".join(f"{html.escape(k)} {html.escape(v)}" for k, v in report["versions"].items()) + "</p></html>",
    ]
    return "\n".join(parts) + "\n"
