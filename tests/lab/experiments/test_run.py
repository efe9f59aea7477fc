"""One configuration is one record, the same from every door."""

import pytest

from colu.lab.experiments import get_experiment, run, run_arms
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
