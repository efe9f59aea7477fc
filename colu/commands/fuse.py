"""``colu fuse``: networks in, one out, with a report."""

from __future__ import annotations

import json
import platform
import shlex
import shutil
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from .fuse_folders import is_folder, recipe, write_folder

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

CONVERT = (
    "Weights are read from safetensors: a file, an index of shards, or a folder that transformers saved. "
    "A .pt or .pth file is never unpickled; the command says how to convert it."
)


@dataclass(frozen=True)
class Places:
    """Where everything goes."""

    out: Path
    report: Path
    page: Path
    #: Folder of the aligned networks, if they are asked for.
    parents: Path | None
    aligned: tuple[Path, ...] = ()

    @property
    def all(self) -> list[Path]:
        """In the order of writing, the fused network last: where it stands, its report does."""
        more = [*self.aligned, self.parents / "mergekit.yml"] if self.parents else []
        return [*more, self.report, self.page, self.out]


def _places(out: Path, networks: list[Path], parents: Path | None) -> Places:
    whole = is_folder(networks[0])
    if out.suffix != ".safetensors" and not whole:
        raise ValueError(f"--out is {out}, wanted a name that ends in .safetensors")
    beside = out if out.suffix == ".safetensors" else out.with_name(f"{out.name}.x")
    ends = ["" if is_folder(path) else ".safetensors" for path in networks]
    aligned = [parents / f"network-{k}{end}" for k, end in enumerate(ends, 1)] if parents else []
    return Places(out, beside.with_suffix(".json"), beside.with_suffix(".html"), parents, tuple(aligned))


def _check_free(places: Places, inputs: list[Path], force: bool) -> None:
    read = {one.resolve() for one in inputs}
    if over := [path for path in (*places.all, places.parents) if path and path.resolve() in read]:
        raise ValueError(f"{over[0]} is one of the networks that are read; choose another --out or --write-parents")
    there = [path for path in places.all if path.exists()]
    if there and not force:
        raise ValueError(f"{there[0]} exists; choose another name, or pass --force to replace it")


def _versions() -> dict[str, str]:
    import torch

    from colu import __version__

    return {"colu": __version__, "torch": str(torch.__version__), "python": platform.python_version()}


def _write(places: Places, made, states: list, networks: list[Path], base, metadata: dict, force: bool) -> None:
    from colu.commands.fuse_page import render_page
    from colu.files import write_atomically
    from colu.fusion import write_state

    text = (json.dumps(made.report, indent=1, allow_nan=False) + "\n").encode()
    shown = render_page(made.report, made.curves).encode()
    _check_free(places, networks, force)
    fresh = [path for path in places.all if not path.exists()]
    # What is carried to other widths has the files of the network whose widths it has.
    sources = [k if state.shapes == states[0].shapes else 0 for k, state in enumerate(states)]
    try:
        for place, (path, state, source) in enumerate(zip(places.aligned, made.aligned, sources, strict=False), 1):
            said = metadata | {"aligned": f"network {place} in the frame of {'the base' if base else 'network 1'}"}
            _write_network(path, networks[source], states[source], state, said)
        if places.parents:
            kind = next(one for one in states[0].dtypes.values() if one.is_floating_point)
            written = recipe(places.parents, places.aligned, made.report, kind, base)
            write_atomically(places.parents / "mergekit.yml", written)
        write_atomically(places.report, text)
        write_atomically(places.page, shown)
        if "until" in made.report["merge"]:
            write_state(places.out, made.state, metadata | {"until": made.report["merge"]["until"]})
        else:
            _write_network(places.out, networks[0], states[0], made.state, metadata)
    except BaseException:
        for path in fresh:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        raise


def _write_network(path: Path, source: Path, stored, state, metadata: dict) -> None:
    from colu.fusion import write_state

    if path.suffix == ".safetensors":
        write_state(path, state, metadata, {name: (stored.dtypes[name], stored.shapes[name]) for name in stored})
    else:
        write_folder(path, source, stored, state, metadata)


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
        Path,
        typer.Option(
            help="The fused network, or a folder for it where the networks are folders; its report goes beside it as "
            ".json and .html."
        ),
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
    merge: Annotated[
        str, typer.Option(help="average, task, ties (both need --base), universe, or partial (needs --until).")
    ] = "average",
    share: Annotated[
        list[float] | None, typer.Option(help="Of the second of two networks; or once for each network.")
    ] = None,
    base: Annotated[Path | None, typer.Option(help="What the networks were fine-tuned from.")] = None,
    until: Annotated[
        str | None,
        typer.Option(
            help="Of partial: the last layer that is merged, by name, or start or end. Behind it each network keeps "
            "its own layers, and outputs are averaged: colu.fusion.PartialNetwork reads what is written."
        ),
    ] = None,
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
    folding: Annotated[
        str,
        typer.Option(
            help="no, yes, or auto: fold the gains of norms into the layers behind them first, so that the residual "
            "stream of a transformer may turn. What is written has gains of one. The networks are held in memory."
        ),
    ] = "no",
    write_parents: Annotated[
        Path | None,
        typer.Option(
            help="A folder for the aligned networks, each as its files are, and a mergekit.yml that merges them: "
            "for any other recipe."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
) -> None:
    """Align networks with the first one, merge them, and report what to trust. --model and --data run code."""
    from colu.fusion.verdict import doubtful_parent

    from .fuse_inputs import said_accuracy

    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", UserWarning)
            options = {
                "method": method, "merge": merge, "until": until, "scale": scale, "density": density, "repair": repair,
                "group": group, "cost": cost, "squared": squared, "solver": solver, "eps": eps,
                "max_iterations": iterations, "partners": partners, "seed": seed, "seeds": seeds, "lambdas": lambdas,
            }  # fmt: skip
            options["shares"] = share[0] if share and len(share) == 1 else share
            if folding not in ("no", "yes", "auto"):
                raise ValueError(f"--folding is {folding!r}; wanted no, yes or auto")
            if folding != "no" and base and write_parents:
                raise ValueError("--folding rewrites the --base too, which --write-parents does not write: use one")
            options["folding"] = {"no": False, "yes": True}.get(folding, folding)
            if until is not None and out.suffix != ".safetensors":
                raise ValueError(f"--out is {out}, and --merge partial makes no folder; wanted a name in .safetensors")
            places = _places(out, networks, write_parents)
            made, states = _made(networks, model, places, data, base, shape, force, options)
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
        _write(places, made, states, networks, base, metadata, force)
    except (ValueError, OSError) as error:
        errors.print(str(error), style="red" if errors.is_terminal else None, markup=False)
        raise typer.Exit(2 if isinstance(error, ValueError) else 1) from None
    _summary(made.report)
    for path in places.all:
        console.print(f"wrote {path}", markup=False)


def _made(networks, model, places, data, base, shape, force, options):
    """Read, fuse, and add to the report what only the command knows."""
    from colu.fusion import example_for
    from colu.fusion import fuse as fuse_states
    from colu.fusion.samples import first, is_pair
    from colu.fusion.stored import keep_nothing

    from .fuse_inputs import bound, load_data, load_model, try_model

    if len(networks) < 2:
        raise ValueError(f"one network, {networks[0]}, has nothing to be fused with; name two or more")
    if len(model) not in (1, len(networks)):
        raise ValueError(f"--model is given {len(model)} times for {len(networks)} networks; once, or once for each")
    _check_free(places, [*networks, *([base] if base else [])], force)
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
        for net in dict.fromkeys(nets):
            seen = found.fit if is_pair(found.fit) else next(iter(found.fit))
            try_model(net, first(seen[0], 2), f"the first samples of --data {data!r}")
    x = example_for(nets[0], sizes) if found is None or sizes else None
    if x is None and found is None:
        raise ValueError(
            f"no inputs were found that --model {model[0]!r} runs on; give --input, the sizes of one sample, or --data"
        )
    if sizes:
        try_model(nets[0], first(x, 2), f"--input {shape}")
    streamed = found is None and not options["folding"] and options["until"] is None
    if streamed:
        keep_nothing()
    parents = states if streamed else [dict(state) for state in states]
    options |= {"base": origin, "example_input": x, "models": nets[1:], "name": model[0], "scratch": streamed}
    made = fuse_states(nets[0], *parents, **options)
    files = [{"path": str(state.path), "sha256": state.digests(), "says": state.metadata} for state in states]
    sums = [sorted(one["sha256"].values()) for one in files]
    for place, one in enumerate(sums):
        if (twin := sums.index(one)) < place:
            made.report["distrust"].insert(0, f"Networks {twin + 1} and {place + 1} hold the same weights.")
    made.report.update({
        "files": files,
        "base": None if origin is None else {"path": str(base), "sha256": origin.digests()},
        "out": str(places.out),
        "models": model,
        "command": shlex.join(["colu", *sys.argv[1:]]),
        "versions": _versions(),
        "data": found and {"function": data, "scaling": found.scaling, "split": found.split, **found.seen},
    })  # fmt: skip
    return made, states


def _summary(report: dict) -> None:
    from .fuse_page import folded

    for place, one in enumerate(report["aligned"], 1):
        if "invariance_error" in one:
            error = one["invariance_error"]
            checked = "not checked, give --input or --data" if error is None else f"{error:.2g}"
            console.print(f"network {place} aligned by {one['method']}: its function moves by {checked}")
    if report["folding"]["taken"]:
        for text in folded(report["folding"]):
            console.print(f"gains folded: {text}", markup=False)
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
