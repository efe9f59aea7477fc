"""``colu doctor``."""

from __future__ import annotations

from rich.console import Console

__all__ = ["doctor"]

console = Console(highlight=False, soft_wrap=True)


def doctor() -> None:
    """Print what a report of a fault needs: versions, devices, threads, data found."""
    from colu.lab.machine import machine_facts

    for heading, facts in machine_facts().items():
        console.print(f"{heading}", style="bold" if console.is_terminal else None)
        for name, value in facts.items():
            console.print(f"  {name}: {value}", markup=False)
