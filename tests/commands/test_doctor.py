"""What a report of a fault needs is printed."""

import subprocess
import sys

import pytest
import torch
from typer.testing import CliRunner

from colu.cli import app
from colu.lab import machine

runner = CliRunner()


def test_doctor_says_what_is_there():
    result = runner.invoke(app, ["doctor"])
    assert result.exit_code == 0 and torch.__version__.split("+")[0] in result.output and "digits" in result.output


@pytest.mark.parametrize(
    "changes",
    [
        {"COLU_DATA": "~no-such-user"},
        {"COLU_RESULTS": "~no-such-user"},
        {"COLU_CACHE": "/dev/null/x"},
        {"CC": 'gcc "x'},
        {"PATH": ""},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_doctor_tells_what_is_wrong_and_never_stops_there(monkeypatch, recwarn, changes):
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    result = runner.invoke(app, ["doctor"])
    assert result.exit_code == 0, result.exception
    assert all(heading in result.output for heading in ("system", "kernels", "data", "records"))
    if any(value.startswith("~") for value in changes.values()):
        assert "no such home folder is known" in result.output


def test_the_most_memory_is_counted_in_bytes_for_this_process_and_its_children():
    import psutil

    held = psutil.Process().memory_info().rss
    assert held / 2 < machine.peak_memory() < psutil.virtual_memory().total
    subprocess.run([sys.executable, "-c", "x = bytes(64 << 20)"], check=True)
    assert 64 << 20 < machine.peak_memory(children=True) < psutil.virtual_memory().total


def test_on_windows_memory_is_asked_of_the_system(monkeypatch):
    import psutil

    class Process:
        def memory_info(self):
            return type("Info", (), {"peak_wset": 5 << 20})

    monkeypatch.setitem(sys.modules, "resource", None)
    monkeypatch.setattr(psutil, "Process", Process)
    assert machine.peak_memory() == 5 << 20
    assert machine.peak_memory(children=True) == 0
