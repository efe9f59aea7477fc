"""Estimates: nothing is trained, and what is kept is read."""

import pytest
from typer.testing import CliRunner

from colu.cli import app
from colu.lab.experiments import estimate, get_experiment, read_estimates


def test_an_estimate_trains_nothing_and_is_kept(tmp_path):
    done = CliRunner().invoke(
        app, ["cost", "rotation", "--arms", "relu", "--keep", "--results", str(tmp_path), "--set", "steps=7"]
    )
    assert done.exit_code == 0, done.output
    (found,) = read_estimates(tmp_path)
    assert found.settings == {"steps": 7}
    assert found.steps == 7 and found.seconds == pytest.approx(7 * found.seconds_per_update)
    assert not list((tmp_path).glob("rotation/*"))


def test_no_updates_are_refused():
    with pytest.raises(ValueError, match="updates is 0"):
        estimate(get_experiment("rotation").config("smoke", "relu", 0), 0)
