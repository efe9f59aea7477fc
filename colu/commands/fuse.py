"""``colu fuse``: two networks in, one out, with a report."""

from __future__ import annotations

import html
import io
import json
import warnings
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

File = Annotated[Path, typer.Argument(help="Weights as safetensors, or a checkpoint of colu run.")]


def _picture(curves: dict) -> str:
    import matplotlib.pyplot as plt

    from colu.lab.plot import MARKERS, use_style

    with plt.rc_context():
        use_style()
        figure, axes = plt.subplots(figsize=(5.2, 3.2), layout="constrained")
        for marker, (name, curve) in zip(MARKERS, curves.items(), strict=False):
            label = f"{name}, barrier {curve.loss_barrier:.3g}"
            axes.plot(curve.lambdas, curve.loss, marker=marker, markevery=4, label=label)
        samples = next(iter(curves.values()))
        axes.set_xlabel("share of the second network")
        axes.set_ylabel(f"loss, {samples.split} (nats)")
        axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)
        stream = io.StringIO()
        figure.savefig(stream, format="svg")
        plt.close(figure)
    svg = stream.getvalue()
    return svg[svg.index("<svg") :]


def _table(head: list[str], rows: list[list]) -> str:
    def line(cells, tag):
        return "<tr>" + "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"

    return "<table>" + line(head, "th") + "".join(line(row, "td") for row in rows) + "</table>"


STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;"
    "background:#fff}table{border-collapse:collapse}th,td{padding:.2rem .8rem .2rem 0;text-align:left;"
    "border-bottom:1px solid #ddd}svg{max-width:100%;height:auto}code{overflow-wrap:anywhere}"
)


def render_page(report: dict, curves: dict) -> str:
    """The report as one HTML page that needs no other file.

    Examples
    --------
    >>> report = {"architecture": "toy", "share": 0.5, "repair": "none", "invariance_error": 0.0, "metrics": None,
    ...           "inputs": ["a", "b"], "distrust": ["Nothing was measured."],
    ...           "aligned": {"mode": "conic", "sweeps": 1, "converged": True, "seed": 0, "groups": {}}}
    >>> "What to distrust" in render_page(report, {})
    True
    """
    aligned, metrics = report["aligned"], report["metrics"]
    groups = [[name, g["units"], g["dim"], g["moved"], g["reflections"]] for name, g in aligned["groups"].items()]
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>",
        f"<title>Fusion report</title><style>{STYLE}</style><h1>Fusion report</h1>",
        f"<p>Architecture <code>{html.escape(report['architecture'])}</code>, share of the second network "
        f"{report['share']:g}, repair: {report['repair']}.<br>",
        "<br>".join(f"<code>{html.escape(name)}</code>" for name in report["inputs"]),
        f"</p><h2>What was aligned</h2><p>Mode {aligned['mode']}, {aligned['sweeps']} sweeps, "
        f"{'converged' if aligned['converged'] else 'not converged'}, seed {aligned['seed']}. "
        f"The aligned network differs from the second one by {report['invariance_error']:.2g} of its largest output "
        "(float64, random inputs).</p>",
        _table(["group", "units", "dimension", "moved", "reflections"], groups),
    ]
    if metrics:
        names = {
            "parent_a": "first parent",
            "parent_b": "second parent",
            "aligned_alone": "second parent, aligned, alone",
            "fused": "fused",
            "ensemble": "ensemble of both (two networks' cost)",
        }
        rows = [
            [label, f"{metrics[k]['loss']:.4f}", f"{100 * metrics[k]['accuracy']:.2f}"] for k, label in names.items()
        ]
        labelled = "<svg role='img' aria-label='Loss along the line between the parents'"
        definition = report["curves"][aligned["mode"]]["definition"]
        parts += [
            f"<h2>What it does</h2><p>{metrics['fused']['samples']} samples, {html.escape(metrics['split'])}.</p>",
            _table(["network", "loss (nats)", "accuracy (%)"], rows),
            "<h2>Between the parents</h2><figure>",
            _picture(curves).replace("<svg", labelled, 1),
            f"<figcaption>Barrier: {html.escape(definition)}.</figcaption></figure>",
        ]
    doubts = "".join(f"<li>{html.escape(text)}</li>" for text in report["distrust"])
    return "\n".join([*parts, f"<h2>What to distrust</h2><ul>{doubts}</ul></html>"]) + "\n"


def _write(out: Path, made, force: bool) -> list[Path]:
    from safetensors.torch import save

    from colu.files import write_atomically

    paths = [out.with_suffix(".json"), out.with_suffix(".html"), out]
    data = [
        (json.dumps(made.report, indent=1, allow_nan=False) + "\n").encode(),
        render_page(made.report, made.curves).encode(),
        save({name: tensor.cpu().contiguous() for name, tensor in made.state.items()}),
    ]
    _check_free(out, force)
    # The network last: where it stands, its report does.
    fresh = [path for path in paths if not path.exists()]
    try:
        for path, content in zip(paths, data, strict=True):
            write_atomically(path, content)
    except BaseException:
        for path in fresh:
            path.unlink(missing_ok=True)
        raise
    return paths


def _check_free(out: Path, force: bool) -> None:
    if out.suffix != ".safetensors":
        raise ValueError(f"--out is {out}, wanted a name that ends in .safetensors")
    there = [path for path in (out, out.with_suffix(".json"), out.with_suffix(".html")) if path.exists()]
    if there and not force:
        raise ValueError(f"{there[0]} exists; choose another --out, or pass --force to replace it")


def _read(path: Path, model) -> dict:
    from colu.lab.experiments.architectures import load_state

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        state = load_state(path, model)
    for warning in said:
        errors.print(str(warning.message), markup=False)
    return state


def _images(architecture, dataset: str) -> tuple[tuple, tuple]:
    from colu.lab.data import labelled_images

    train, test = labelled_images(dataset, 2000)
    shape, wanted = tuple(test[0].shape[1:]), architecture.input_shape
    if shape != wanted and test[0][0].numel() != wanted[0]:
        raise ValueError(
            f"images of {dataset} have shape {shape}, {architecture.text} reads {wanted}; name another set"
        )
    return train, test


def fuse(
    a: File,
    b: File,
    arch: Annotated[str, typer.Option(help="Such as mlp:784-128-10:colu, resnet:8:16-32-64:colu, or a record's JSON.")],
    mode: Annotated[str, typer.Option(help="conic, or permutation of channels or cones.")] = "conic",
    out: Annotated[Path, typer.Option(help="The fused network; .json and .html go beside it.")] = Path(
        "fused.safetensors"
    ),
    data: Annotated[str | None, typer.Option(help="Images to measure on; a record's own where left out.")] = None,
    repair: Annotated[str, typer.Option(help="none, cone, channel, or batchnorm (recalibration).")] = "none",
    share: Annotated[float, typer.Option(help="Of the second network in the mean.")] = 0.5,
    seed: Annotated[int, typer.Option(help="Of the matching's order.")] = 0,
    lambdas: Annotated[int, typer.Option(help="Points of the barrier curves, both ends included.")] = 25,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
) -> None:
    """Align the second network with the first, average them, and report what to trust."""
    from colu.fusion import fuse as fuse_states
    from colu.lab.data import DataCorruptedError, DataUnavailableError
    from colu.lab.experiments.architectures import parse_architecture

    try:
        _check_free(out, force)
        architecture = parse_architecture(arch)
        states = [_read(path, architecture.model) for path in (a, b)]
        settings = {"mode": mode, "repair": repair, "share": share, "seed": seed, "lambdas": lambdas}
        if dataset := data or architecture.dataset:
            settings |= {"data": _images(architecture, dataset), "split": f"{dataset} test"}
        model, inputs = architecture.model, architecture.inputs()
        made = fuse_states(model, *states, inputs, name=architecture.text, **settings)
        made.report["inputs"] = [str(a), str(b)]
        paths = _write(out, made, force)
    except (ValueError, OSError, DataUnavailableError, DataCorruptedError) as error:
        errors.print(str(error), style="red" if errors.is_terminal else None, markup=False)
        raise typer.Exit(2 if isinstance(error, ValueError) else 1) from None
    console.print(f"invariance error {made.report['invariance_error']:.2g}, mode {mode}")
    if metrics := made.report["metrics"]:
        for name in ("parent_a", "parent_b", "aligned_alone", "fused", "ensemble"):
            value = metrics[name]
            console.print(f"  {name}: loss {value['loss']:.4f}, accuracy {100 * value['accuracy']:.2f} %")
        for name, curve in made.report["curves"].items():
            console.print(f"  barrier, {name}: {curve['loss_barrier']:.4g} nats")
    for path in paths:
        console.print(f"wrote {path}", markup=False)
