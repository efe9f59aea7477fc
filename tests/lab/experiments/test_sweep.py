"""Sweeps: the records of single runs, and what is said of those that fail; ``test_crash.py`` kills them."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from colu.lab.experiments import get_experiment, run
from colu.lab.experiments.sweep import parse_seeds, sweep

ARMS, SEEDS = ("relu", "colu"), (0, 1, 2)
# Long enough to be killed in, with checkpoints to go on from.
LONG = {"steps": 800, "checkpoint_every": 50, "evaluate_every": 400, "log_every": 50}


@pytest.mark.parametrize(
    ("text", "message"),
    [("a-b", "'a-b'"), ("0-99999999999", "at most 10,000"), ("1,1", "each once"), ("3-1", "at least one")],
)
def test_seeds_that_are_none_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_seeds(text)


@pytest.mark.slow
def test_a_sweep_gives_the_records_of_single_runs(tmp_path):
    result = sweep("mnist-mlp", arms=ARMS, seeds=(0,), root=tmp_path, workers=1, steps=20)
    assert (result.done, result.skipped, result.failed) == (2, 0, {})
    for record in result.records:
        alone = run(get_experiment("mnist-mlp").config("smoke", record.arm, 0, steps=20), keep=False)
        assert alone.metrics == record.metrics and alone.config_hash == record.config_hash
    again = sweep("mnist-mlp", arms=ARMS, seeds=(0, 1), root=tmp_path, workers=1, steps=20)
    assert (again.done, again.skipped) == (2, 2)


@pytest.mark.long
@pytest.mark.slow
def test_a_run_that_fails_is_named_and_the_others_go_on(tmp_path):
    def wrong(**changes):
        return sweep("mnist-mlp", arms=("relu", "colu"), seeds=(0,), root=tmp_path, workers=1, steps=20, **changes)

    result = wrong(optimiser="sgd", learning_rate=1e38)
    assert set(result.failed) == {"relu, seed 0", "colu, seed 0"}
    assert all("not finite" in error for error in result.failed.values())
    assert len(list((tmp_path / "mnist-mlp" / "failed").glob("*.json"))) == 2


def start(folder):
    command = [sys.executable, "-m", "colu", "sweep", "mnist-mlp", "--arms", ",".join(ARMS), "--seeds", "0-2"]
    command += ["--results", str(folder), "--workers", "2"]
    command += [word for name, value in LONG.items() for word in ("--set", f"{name}={value}")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError("waited in vain")


def checkpoints(folder):
    return list(folder.glob(".unfinished/*/checkpoint-*.json"))


@pytest.mark.long
@pytest.mark.slow
def test_a_sweep_opens_no_socket_and_a_signal_ends_all_of_it(tmp_path):
    process = start(tmp_path)
    wait_for(lambda: checkpoints(tmp_path))
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    assert [c for member in family for c in member.net_connections("inet")] == []
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 130, output
    assert "stopped; what was finished is kept" in output
    assert "leaked" not in output and "Traceback" not in output, output
    wait_for(lambda: not any(c.is_running() and c.status() != psutil.STATUS_ZOMBIE for c in family[1:]))
    assert not list(tmp_path.rglob("failed"))


def _dies(value, root):
    os._exit(9)


@pytest.mark.long
@pytest.mark.slow
def test_a_run_whose_worker_always_dies_is_named_at_last(tmp_path, monkeypatch):
    monkeypatch.setattr("colu.lab.experiments.sweep._on_worker", _dies)
    result = sweep("rotation", arms=["relu"], seeds=[0], root=tmp_path, workers=1, steps=3)
    assert list(result.failed) == ["relu, seed 0"] and "worker died 3 times" in result.failed["relu, seed 0"]


@pytest.mark.long
@pytest.mark.slow
def test_an_address_where_nobody_answers_is_an_error(tmp_path):
    command = [sys.executable, "-m", "colu", "sweep", "mnist-mlp", "--results", str(tmp_path)]
    command += ["--scheduler", "tcp://127.0.0.1:9", "--wait", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode in (1, 2) and "Traceback" not in done.stderr
    assert "127.0.0.1:9" in done.stderr
