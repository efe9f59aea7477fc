"""The command line: ``colu book ...``, and ``colu run``, ``sweep``, ``campaign``, ``verify``, ``fuse`` and others."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from colu.commands import book, training
from colu.commands.bench import bench
from colu.commands.doctor import doctor
from colu.commands.fuse import fuse
from colu.commands.verdicts import campaign
from colu.commands.verify import compare, verify

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Conic Linear Units: the package and its book.")
app.add_typer(book.app, name="book")
for command in (
    training.run,
    training.sweep,
    campaign,
    training.table,
    doctor,
    training.cost,
    training.seal,
    compare,
    verify,
    bench,
    fuse,
):
    app.command()(command)

console = Console(highlight=False, soft_wrap=True)


def _version(wanted: bool) -> None:
    if wanted:
        from colu import __version__

        console.print(f"colu {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Conic Linear Units: the package and its book."""
