"""One configuration is one record, the same from every door."""

import dataclasses
import os
import threading

import pytest
import torch

from colu.files import held
from colu.kernels import explain
from colu.lab.data import DataUnavailableError
from colu.lab.experiments import EXPERIMENTS, RunningElsewhere, get_experiment, record_path, run, run_arms
from colu.lab.experiments.run import checkpoint_folder
from colu.lab.results import find_records, read_record


def test_the_same_configuration_is_one_record(tmp_path):
    config = get_experiment("mnist-mlp").config("smoke", "colu", 0, steps=20)
    first = run(config, tmp_path)
    assert run(config, tmp_path) == first
    assert len(find_records("mnist-mlp", tmp_path)) == 1
    assert not list(tmp_path.glob(".unfinished/*"))


def test_two_runs_give_the_same_numbers():
    config = get_experiment("cifar-resnet").config("smoke", "colu", 0, steps=6, log_every=3)
    a, b = (run(config, keep=False) for _ in range(2))
    assert a.metrics == b.metrics
    assert [{**e, "seconds": 0} for e in a.curve] == [{**e, "seconds": 0} for e in b.curve]


def test_a_record_says_under_what_it_was_computed(tmp_path, monkeypatch):
    config = get_experiment("rotation").config("smoke", "colu-3", 0, steps=200)
    value = run(config, tmp_path)
    told = value.conditions
    assert told["kernel"] == explain(torch.zeros(64, 256), dim=4).path and told["cores"] == os.cpu_count()
    # All of the training and little else, however busy the machine is.
    assert 0 < told["cpu_seconds"] and told["cpu_seconds"] < 2 * value.seconds * max(1, config.threads)
    for load, busy in ((0.1, False), (64.0, True)):
        monkeypatch.setattr(os, "getloadavg", lambda load=load: (load, load, load))
        monkeypatch.setattr(os, "cpu_count", lambda: 8)
        again = run(config, keep=False).conditions
        assert (again["load"], again["shared"]) == (load, busy)


def test_without_records_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_arms("rotation", arms=["relu"], seeds=[0], steps=3)
    assert not list(tmp_path.iterdir())


def test_a_run_that_fails_is_recorded_with_its_error(tmp_path):
    config = get_experiment("mnist-mlp").config("smoke", "relu", 0, learning_rate=1e38, optimiser="sgd", steps=20)
    with pytest.raises(Exception, match="not finite"):
        run(config, tmp_path)
    (failed,) = (tmp_path / "mnist-mlp" / "failed").glob("*.json")
    value = read_record(failed)
    assert value.status == "failed" and "not finite at step" in value.error


def test_arms_come_one_after_another_each_by_its_seeds():
    records = run_arms("rotation", arms=["silu", "relu"], seeds=[1, 0], steps=2)
    assert [(r.arm, r.seed) for r in records] == [("silu", 1), ("silu", 0), ("relu", 1), ("relu", 0)]


@pytest.mark.parametrize("fault", [ValueError("no such size"), DataUnavailableError("no such file")])
def test_a_run_that_cannot_be_built_is_no_failed_run(tmp_path, monkeypatch, fault):
    def build(config):
        raise fault

    config = get_experiment("mnist-mlp").config("smoke", "relu", 0)
    monkeypatch.setitem(EXPERIMENTS, "mnist-mlp", dataclasses.replace(get_experiment("mnist-mlp"), build=build))
    with pytest.raises(type(fault), match="no such"):
        run(config, tmp_path)
    assert not list(tmp_path.rglob("*.json"))


def test_a_metric_that_is_no_number_is_a_failed_run(tmp_path, monkeypatch):
    from colu.lab.experiments import ImageClassification

    monkeypatch.setattr(ImageClassification, "evaluate", lambda self, model: {"test_accuracy": float("nan")})
    with pytest.raises(RuntimeError, match="not finite.*test_accuracy"):
        run(get_experiment("mnist-mlp").config("smoke", "relu", 0, steps=3), tmp_path)
    assert len(list((tmp_path / "mnist-mlp" / "failed").glob("*.json"))) == 1


def lock_of(config, root):
    return checkpoint_folder(config, root).with_name(f"{checkpoint_folder(config, root).name}.lock")


def test_a_run_that_runs_elsewhere_is_left_without_a_record(tmp_path):
    config = get_experiment("rotation").config("smoke", "relu", 0, steps=3)
    with held(lock_of(config, tmp_path)), pytest.raises(RunningElsewhere, match="relu, seed 0 is running elsewhere"):
        run(config, tmp_path, wait=False)
    assert not list(tmp_path.rglob("*.json"))
    assert run(config, tmp_path, wait=False).status == "done"


def test_a_run_that_runs_elsewhere_is_waited_for_and_not_done_again(tmp_path):
    config = get_experiment("rotation").config("smoke", "relu", 0, steps=3)
    elsewhere = run(config, tmp_path)
    path = record_path(config, tmp_path)
    hidden = path.rename(path.with_suffix(".later"))
    holds, found = threading.Event(), []

    def holder():
        with held(lock_of(config, tmp_path)):
            holds.set()
            assert waits.wait(300)
            hidden.rename(path)

    waits = threading.Event()
    thread = threading.Thread(target=holder)
    thread.start()
    assert holds.wait(300)
    found.append(run(config, tmp_path, say=lambda line: waits.set()))
    thread.join()
    assert found == [elsewhere] and not list(tmp_path.glob(".unfinished/*"))
