"""``colu fuse``: networks in, one out, with a report."""

from __future__ import annotations

import json
import platform
import shlex
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

CONVERT = (
    "Weights are read from safetensors: a file, an index of shards, or a folder that transformers saved. "
    "A .pt or .pth file is never unpickled; the command says how to convert it."
)


def _paths(out: Path, number: int, aligned: bool) -> list[Path]:
    """Where the aligned networks, the report, the page and the fused network go, in the order of writing."""
    stem = out.with_suffix("")
    more = [stem.with_name(f"{stem.name}-aligned-{k}.safetensors") for k in range(1, number + 1)] if aligned else []
    return [*more, out.with_suffix(".json"), out.with_suffix(".html"), out]


def _check_free(paths: list[Path], inputs: list[Path], force: bool) -> None:
    if paths[-1].suffix != ".safetensors":
        raise ValueError(f"--out is {paths[-1]}, wanted a name that ends in .safetensors")
    read = {one.resolve() for one in inputs}
    if over := [path for path in paths if path.resolve() in read]:
        raise ValueError(f"{over[0]} is one of the networks that are read; choose another --out")
    there = [path for path in paths if path.exists()]
    if there and not force:
        raise ValueError(f"{there[0]} exists; choose another --out, or pass --force to replace it")


def _versions() -> dict[str, str]:
    import torch

    from colu import __version__

    return {"colu": __version__, "torch": str(torch.__version__), "python": platform.python_version()}


def _write(paths: list[Path], made, like: dict, metadata: dict, force: bool, inputs: list[Path]) -> None:
    from colu.commands.fuse_page import render_page
    from colu.files import write_atomically
    from colu.fusion import write_state

    *aligned, report, page, out = paths
    text = (json.dumps(made.report, indent=1, allow_nan=False) + "\n").encode()
    shown = render_page(made.report, made.curves).encode()
    _check_free(paths, inputs, force)
    fresh = [path for path in paths if not path.exists()]
    try:
        # The fused network last: where it stands, its report does.
        for place, (path, state) in enumerate(zip(aligned, made.aligned, strict=False), 1):
            write_state(path, state, metadata | {"aligned": f"network {place} in the frame of network 1"}, like)
        write_atomically(report, text)
        write_atomically(page, shown)
        write_state(out, made.state, metadata, like)
    except BaseException:
        for path in fresh:
            path.unlink(missing_ok=True)
        raise


def _say_data(data) -> None:
    for part in ("fit", "test"):
        seen = ", ".join(f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
                         for key, value in data.seen[part].items())  # fmt: skip
        console.print(f"data, {part}: {seen}", markup=False)
    console.print(f"split: {data.split}; scaling: {data.scaling}; nothing is normalised here", markup=False)


def fuse(
    networks: Annotated[list[Path], typer.Argument(help=f"Two networks or more. {CONVERT}")],
    model: Annotated[
        list[str],
        typer.Option(
            help="The architecture, whose code is run: package.module:callable, timm:NAME or hf:FOLDER, with arguments "
            "in parentheses; once for all networks, or once for each where widths differ. timm and transformers are "
            "not installed with colu."
        ),
    ],
    out: Annotated[
        Path, typer.Option(help="The fused network; its report goes beside it as .json and .html.")
    ] = Path("fused.safetensors"),
    method: Annotated[
        str, typer.Option(help="weights, activations (needs --data), transport (other widths too), or naive.")
    ] = "weights",
    data: Annotated[
        str | None,
        typer.Option(
            help="module:function, which is run and gives ((inputs, labels), (inputs, labels)): samples to take "
            "outputs and statistics from, and samples to measure on; or a dict with fit, test, split, scaling and "
            "loss. Nothing is normalised."
        ),
    ] = None,
    merge: Annotated[str, typer.Option(help="average, task, ties (both need --base), or universe.")] = "average",
    share: Annotated[
        list[float] | None, typer.Option(help="Of the second of two networks; or once for each network.")
    ] = None,
    base: Annotated[Path | None, typer.Option(help="What the networks were fine-tuned from.")] = None,
    scale: Annotated[float, typer.Option(help="Of the differences from the base.")] = 1.0,
    density: Annotated[float, typer.Option(help="Share of each difference that TIES keeps.")] = 0.2,
    repair: Annotated[str, typer.Option(help="auto, none, cone, channel, or batchnorm.")] = "auto",
    group: Annotated[
        str, typer.Option(help="whole: what the model's layers leave; or permutation, units alone.")
    ] = "whole",
    cost: Annotated[str, typer.Option(help="Of transport: activations or weights.")] = "activations",
    squared: Annotated[bool, typer.Option(help="Whether transport takes squares of distances.")] = True,
    solver: Annotated[str, typer.Option(help="Of transport: emd (exact), sinkhorn or partners.")] = "emd",
    eps: Annotated[float, typer.Option(help="Of sinkhorn, relative to the largest cost.")] = 0.01,
    iterations: Annotated[int, typer.Option(help="Of sinkhorn, at most.")] = 5000,
    partners: Annotated[int, typer.Option(help="Of each unit, for the solver of this name.")] = 1,
    shape: Annotated[
        str | None, typer.Option("--input", help="Of one sample, such as 3,224,224, to check the alignment on.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the matching's order.")] = 0,
    seeds: Annotated[int, typer.Option(help="Orders that are tried; the best is kept.")] = 1,
    lambdas: Annotated[int, typer.Option(help="Points of the barrier curves, both ends included.")] = 25,
    aligned: Annotated[
        bool, typer.Option("--aligned", help="Write the aligned networks too, for any other tool that merges.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
) -> None:
    """Align networks with the first one, merge them, and report what to trust. --model and --data run code."""
    from colu.fusion.verdict import doubtful_parent

    from .fuse_inputs import said_accuracy

    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", UserWarning)
            options = {
                "method": method, "merge": merge, "scale": scale, "density": density, "repair": repair,
                "group": group, "cost": cost, "squared": squared, "solver": solver, "eps": eps,
                "max_iterations": iterations, "partners": partners, "seed": seed, "seeds": seeds, "lambdas": lambdas,
            }  # fmt: skip
            options["shares"] = share[0] if share and len(share) == 1 else share
            paths, made, states, like = _made(networks, model, out, data, base, shape, aligned, force, options)
        for warning in said:
            if issubclass(warning.category, UserWarning):
                errors.print(str(warning.message), markup=False)
        metrics = made.report["metrics"] or {}
        for place, (state, one) in enumerate(zip(states, metrics.get("parents", []), strict=False), 1):
            if text := doubtful_parent(f"Network {place}", one, said_accuracy(state), metrics.get("guess")):
                errors.print(text, markup=False)
                plain = doubtful_parent(f"Network {place}", one, guess=metrics.get("guess"))
                others = [said for said in made.report["distrust"] if said != plain]
                made.report["distrust"] = [text, *others]
        metadata = {
            "format": "pt", "made_by": "colu fuse", "command": made.report["command"],
            "parents": json.dumps(made.report["files"]), "versions": json.dumps(made.report["versions"]),
        }  # fmt: skip
        _write(paths, made, like, metadata, force, networks)
    except (ValueError, OSError) as error:
        errors.print(str(error), style="red" if errors.is_terminal else None, markup=False)
        raise typer.Exit(2 if isinstance(error, ValueError) else 1) from None
    _summary(made.report)
    for path in paths:
        console.print(f"wrote {path}", markup=False)


def _made(networks, model, out, data, base, shape, aligned, force, options):
    """Read, fuse, and add to the report what only the command knows."""
    from colu.fusion import example_for
    from colu.fusion import fuse as fuse_states

    from .fuse_inputs import bound, load_data, load_model

    if len(networks) < 2:
        raise ValueError(f"one network, {networks[0]}, has nothing to be fused with; name two or more")
    if len(model) not in (1, len(networks)):
        raise ValueError(f"--model is given {len(model)} times for {len(networks)} networks; once, or once for each")
    paths = _paths(out, len(networks), aligned)
    _check_free(paths, [*networks, *([base] if base else [])], force)
    nets = [load_model(text) for text in model]
    nets *= len(networks) if len(nets) == 1 else 1
    states = [bound(path, net) for path, net in zip(networks, nets, strict=True)]
    origin = bound(base, nets[0]) if base else None
    try:
        sizes = None if shape is None else tuple(int(part) for part in shape.split(","))
    except ValueError:
        raise ValueError(f"--input is {shape!r}; wanted whole numbers with commas, such as 3,224,224") from None
    found = None
    if data is not None:
        found = load_data(data)
        _say_data(found)
        options |= {"data": (found.fit, found.test), "split": found.split, "loss": found.loss}
    x = example_for(nets[0], sizes) if found is None or sizes else None
    parents = states if found is None else [dict(state) for state in states]
    options |= {"base": origin, "example_input": x, "models": nets[1:], "name": model[0], "scratch": found is None}
    made = fuse_states(nets[0], *parents, **options)
    files = [{"path": str(state.path), "sha256": state.digests(), "says": state.metadata} for state in states]
    made.report.update({
        "files": files,
        "base": None if origin is None else {"path": str(base), "sha256": origin.digests()},
        "out": str(out),
        "models": model,
        "command": shlex.join(["colu", *sys.argv[1:]]),
        "versions": _versions(),
        "data": found and {"function": data, "scaling": found.scaling, "split": found.split, **found.seen},
    })  # fmt: skip
    like = {name: (states[0].dtypes[name], states[0].shapes[name]) for name in states[0]}
    return paths, made, states, like


def _summary(report: dict) -> None:
    for place, one in enumerate(report["aligned"], 1):
        if "invariance_error" in one:
            error = one["invariance_error"]
            checked = "not checked, give --input or --data" if error is None else f"{error:.2g}"
            console.print(f"network {place} aligned by {one['method']}: its function moves by {checked}")
    far = report["weights"]["distance"]
    console.print("distance from network 1: " + ", ".join(f"{name} {value:.3g}" for name, value in far.items()))
    if metrics := report["metrics"]:
        from .fuse_page import _networks

        for label, loss, accuracy in _networks(metrics):
            console.print(f"  {label}: loss {loss}" + (f", accuracy {accuracy} %" if accuracy else ""))
        for name, curve in report["curves"].items():
            console.print(f"  barrier, {name}: {curve['loss_barrier']:.4g}")
    else:
        console.print("nothing was measured; --data module:function gives samples to measure on")
    for text in report["distrust"]:
        console.print(f"distrust: {text}", markup=False)
