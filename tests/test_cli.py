"""The command line as a whole."""

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from colu import __version__
from colu.cli import app


def test_version_is_printed():
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"colu {__version__}\n")


def test_a_terminal_that_lacks_characters_gets_others():
    environment = os.environ | {"PYTHONIOENCODING": "latin-1", "PYTHONPATH": os.pathsep.join(sys.path)}
    program = "from colu.__main__ import replace_what_a_terminal_lacks as f; f(); print('ü, \u20ac and \u2265')"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True)
    assert done.stdout.strip() == "ü, ? and ?".encode("latin-1"), done.stderr


def test_the_command_line_starts_by_it(monkeypatch):
    import colu.__main__ as start

    called = []
    monkeypatch.setattr(start, "replace_what_a_terminal_lacks", lambda: called.append(1))
    monkeypatch.setattr(sys, "argv", ["colu", "--version"])
    with pytest.raises(SystemExit):
        start.main()
    assert called == [1]
