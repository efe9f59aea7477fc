"""Missing runs within a budget, and what is left."""

import json
import sys

import pytest
from typer.testing import CliRunner

from colu.cli import app
from colu.lab.data import DataUnavailableError
from colu.lab.results import find_records, read_record, record_schema
from colu.lab.verdicts import campaign, left_of_protocols, load_protocols, run_missing
from colu.lab.verdicts import runs as module

from .conftest import PROTOCOL, write


def test_a_budget_stops_between_two_runs_and_the_next_goes_on(tmp_path):
    protocol, told = write(tmp_path), []
    ticks = iter([0.0, 1.0, 2.0, 1e6])
    done = run_missing(
        [protocol], tmp_path, budget=100, clock=lambda: next(ticks), report=lambda *event: told.append(event[1:])
    )
    assert done == 2 and [event for _, event in told] == ["begins", "done"] * 2
    (left,) = left_of_protocols([protocol], tmp_path)
    assert (left.runs, left.of, left.measured) == (14, 16, True)
    assert run_missing([protocol], tmp_path, budget=600) == 14
    assert run_missing([protocol], tmp_path, budget=600) == 0


def test_records_of_a_protocol_stand_apart_and_carry_its_stamp(done):
    (protocol,) = load_protocols(done).values()
    paths = [p for p in (done / "protocols" / "toy-v1").glob("*.json") if "curve" not in p.name]
    assert len(paths) == 16 and find_records("mnist-mlp", done) == []
    value = json.loads(paths[0].read_text())
    assert value["schema"] == 3 and value["protocol"] == protocol.stamp == read_record(paths[0]).protocol
    assert "protocol" in json.dumps(record_schema())


def test_a_run_that_fails_counts_and_is_not_tried_again(tmp_path, monkeypatch):
    protocol = write(tmp_path)
    original = module.get_experiment("mnist-mlp").build

    def build(config):
        task = original(config)
        if config.arm == "gelu" and config.plan.learning_rate == 10.0:
            task.loss = lambda *_: 1 / 0
        return task

    monkeypatch.setattr(sys.modules["colu.lab.experiments.run"], "get_experiment", lambda name: _With(build))
    assert run_missing([protocol], tmp_path, budget=600) == 16
    assert [(r.arm, r.status) for r in protocol.failed(tmp_path)] == [("gelu", "failed")]
    assert module.state_of(protocol, tmp_path).whole


class _With:
    def __init__(self, build):
        self.build = build


@pytest.mark.parametrize("unset", [True, False])
def test_absent_data_are_named_once_and_the_other_protocols_are_done(tmp_path, monkeypatch, unset):
    task = {"experiment": "gpt", "preset": "laptop", "settings": {"steps": 2}}
    asked = [{**PROTOCOL["tests"][0], "metric": "test_loss"}]
    for name, priority in (("first", 1), ("second", 2)):
        tuning = {**PROTOCOL["tuning"], "settings": {"batch_size": 2}}
        write(tmp_path, name, task=task, tuning=tuning, tests=asked, priority=priority)
    write(tmp_path, priority=3)
    monkeypatch.delenv("COLU_DATA", raising=False)
    if not unset:
        (tmp_path / "empty").mkdir()
        monkeypatch.setenv("COLU_DATA", str(tmp_path / "empty"))
    found = invoke("--budget", "10m", "--results", str(tmp_path))
    assert found.exit_code == 1 and "Traceback" not in found.output
    assert found.output.count("begins") == 17  # all of toy, and one of those that cannot be
    told = [line for line in found.output.splitlines() if "shakespeare is needed by" in line]
    assert len(told) == 1 and "needed by first, second and cannot be had" in told[0]
    assert "tinyshakespeare/input.txt" in told[0] and ("unset" if unset else str(tmp_path / "empty")) in told[0]
    assert "16 other runs done" in found.output
    assert not list((tmp_path / "protocols").glob("first-v1/**/*.json"))


def test_data_that_a_worker_cannot_have_end_the_protocol_on_a_cluster(tmp_path, monkeypatch):
    protocol = write(tmp_path)

    def on_cluster(configs, *_):
        yield configs[0], DataUnavailableError("digits are nowhere")
        raise AssertionError("asked for more runs of absent data")

    monkeypatch.setattr(campaign, "on_cluster", on_cluster)
    with pytest.raises(DataUnavailableError, match="digits is needed by toy and cannot be had: digits are nowhere"):
        run_missing([protocol], tmp_path, budget=600, scheduler="nowhere")


def invoke(*words):
    return CliRunner().invoke(app, ["campaign", *words])


def test_the_command_says_what_is_left_and_does_it(tmp_path):
    write(tmp_path)
    found = invoke("--plan", "--results", str(tmp_path))
    assert found.exit_code == 0 and "(by a guess)" in found.output
    assert "toy: 16 of 16 runs are left, about" in found.output
    found = invoke("--budget", "10m", "--only", "toy", "--results", str(tmp_path))
    assert found.exit_code == 0 and "16 runs done" in found.output and "toy: whole, 16 runs" in found.output


@pytest.mark.parametrize(("words", "said"), [
    (("--budget", "soon"), "budget is 'soon', wanted a time such as 90s, 30m or 2h"),
    (("--budget", "0m"), "budget is '0m'"),
    (("--only", "other"), "there is no protocol 'other'; choose among toy"),
])  # fmt: skip
def test_the_command_refuses_by_name(tmp_path, words, said):
    write(tmp_path)
    found = invoke(*words, "--results", str(tmp_path))
    assert found.exit_code == 2 and said in " ".join(found.output.split())


def test_a_folder_without_protocols_is_named(tmp_path):
    found = invoke("--results", str(tmp_path))
    assert found.exit_code == 2 and "there are no protocols in" in found.output


def test_a_cluster_does_the_tuning_and_then_the_rest(done, tmp_path):
    distributed = pytest.importorskip("distributed")
    protocol = write(tmp_path)
    here = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(protocol="tcp", host="127.0.0.1", **here) as cluster:
        told = []
        count = run_missing(
            [protocol], tmp_path, budget=600, scheduler=cluster.scheduler_address,
            report=lambda *event: told.append(event[1:]),
        )  # fmt: skip
    assert count == 16 and {event for _, event in told} == {"done"}
    tuned = [config.seed for config, _ in told[:6]]
    assert tuned == [100] * 6 and module.state_of(protocol, tmp_path).whole
    losses = ({r.stem: r.metrics for r in protocol.records(root)} for root in (tmp_path, done))
    assert next(losses) == next(losses)
