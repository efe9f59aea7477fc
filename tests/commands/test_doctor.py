"""What a report of a fault needs is printed."""

import json
import subprocess
import sys
import pytest
import torch
from typer.testing import CliRunner
from colu.cli import app
from colu.lab.experiments import (
    ARMS,
    EXPERIMENTS,
    STANDARD_ARMS,
    Config,
    PartlyLinear,
    cap_points,
    choose_arms,
    get_arm,
    get_experiment,
    record_path,
    rotation_matrix,
    run,
    run_arms,
)
from colu.lab.experiments.sweep import parse_seeds
from colu.lab.results import find_records, read_record


runner = CliRunner()


def test_doctor_says_what_is_there():
    result = runner.invoke(app, ["doctor"])
    assert result.exit_code == 0 and torch.__version__.split("+")[0] in result.output and "digits" in result.output
