"""The command line as a whole."""

from typer.testing import CliRunner

from colu import __version__
from colu.cli import app


def test_version_is_printed():
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"colu {__version__}\n")
