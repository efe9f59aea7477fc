"""What a report of a fault needs is printed."""

import torch
from typer.testing import CliRunner

from colu.cli import app

runner = CliRunner()


def test_doctor_says_what_is_there():
    result = runner.invoke(app, ["doctor"])
    assert result.exit_code == 0 and torch.__version__.split("+")[0] in result.output and "digits" in result.output
