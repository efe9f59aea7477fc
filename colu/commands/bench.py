"""``colu bench``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

__all__ = ["bench", "grid"]

console = Console(highlight=False, soft_wrap=True)
# A table in a file or a pipe is not cut to 80 columns.
console.width = max(console.width, 150)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def grid(size: str, device: str = "cpu") -> list:
    """The cases of ``tiny``, ``quick`` or ``full``.

    Examples
    --------
    >>> [str(case) for case in grid("tiny")]
    ['8x16 last S=4 float32']
    """
    from colu.lab.bench.measure import BenchError, Case

    if size == "tiny":
        return [Case((8, 16), 4, last=True, device=device)]
    if device == "cuda":
        # Far above the second-level cache, so that memory is what is measured.
        shapes = [((524288, 512), True), ((256, 256, 64, 64), False)]
        return [Case(shape, s, "bfloat16", last, device) for shape, last in shapes for s in (4, 16)]
    if size == "quick":
        shapes = [((1024, 256), True), ((8192, 256), True), ((64, 64, 28, 28), False)]
        return [Case(shape, 4, last=last) for shape, last in shapes]
    if size != "full":
        raise BenchError(f"size is {size!r}, choose one of tiny, quick, full")
    cases = []
    shapes = [((1024, 256), True), ((8192, 256), True), ((65536, 256), True)]
    shapes += [((16, 256, 8, 8), False), ((128, 256, 8, 8), False), ((64, 64, 56, 56), False)]
    for dtype in ("float32", "bfloat16"):
        for shape, last in shapes:
            channels = shape[-1] if last else shape[1]
            for s in (2, 3, 4, 8, 16, channels):
                kept = channels // s * s
                fit = (*shape[:-1], kept) if last else (shape[0], kept, *shape[2:])
                cases.append(Case(fit, s, dtype, last))
    return cases


def bench(
    quick: Annotated[bool, typer.Option("--quick", help="Three cases instead of the whole grid.")] = False,
    tiny: Annotated[bool, typer.Option("--tiny", hidden=True)] = False,
    compiled: Annotated[bool, typer.Option(help="Also torch.compile of the reference; seconds a case.")] = False,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of each case.")] = 25,
    least: Annotated[float, typer.Option(help="Seconds that a measurement takes at least.")] = 1e-3,
    allocator: Annotated[str, typer.Option(help="warm, default (of the C library) or both.")] = "both",
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder for the CSV and the figure.")] = Path("bench"),
) -> None:
    """Time the activations against ReLU, with a control, and weigh their memory."""
    import torch

    from colu.lab.bench.measure import BenchError
    from colu.lab.bench.runner import ALLOCATORS
    from colu.lab.bench.runner import bench as run
    from colu.lab.bench.table import ratio_table, write_csv
    from colu.lab.training import check_device

    try:
        check_device(device)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    size = "tiny" if tiny else "quick" if quick else "full"
    networks = ["tiny"] if tiny else ["mlp", "resnet"] if device == "cpu" else ["resnet56", "unet"]
    # glibc's allocator does not decide about the memory of a GPU.
    modes = list(ALLOCATORS) if device == "cpu" else ["default"]
    if allocator != "both":
        if allocator not in modes:
            raise typer.BadParameter(f"{allocator!r} on {device}: choose one of both, {', '.join(modes)}")
        modes = [allocator]
    counts = sorted({1, torch.get_num_threads()}) if device == "cpu" else [1]
    records = []
    try:
        for threads in counts:
            for mode in modes:
                console.print(f"{threads} thread{'s' * (threads > 1)}, {mode} allocator ...")
                options = {"allocator": mode, "threads": threads, "rounds": rounds, "least": least}
                records += run(grid(size, device), networks=networks, device=device, compiled=compiled, **options)
    except BenchError as error:
        errors.print(str(error), style="red" if errors.is_terminal else None, markup=False)
        raise typer.Exit(1) from None
    console.print(ratio_table(records))
    refused = {(r["case"], r["threads"], r["allocator"], r["passes"]) for r in records if r["ratio"] is None}
    if refused:
        console.print(f"{len(refused)} measurements have no verdict: ReLU against itself was not 1.00 to 0.05")
    path = write_csv(records, out)
    import matplotlib

    matplotlib.use("Agg")
    from colu.lab.bench.figure import ratio_figure
    from colu.lab.plot import use_style

    use_style()
    ratio_figure(records, allocator=modes[-1]).savefig(path.with_suffix(".svg"))
    console.print(f"written: {path} and {path.with_suffix('.svg').name}")
