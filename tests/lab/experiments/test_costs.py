"""What runs took."""

import dataclasses

import pytest

from colu.lab.experiments import recorded_costs, run_arms
from colu.lab.results import find_records, results_root, write_record


@pytest.fixture
def root(tmp_path):
    for record in run_arms("rotation", "laptop", arms=["relu", "silu"], seeds=[0, 1], steps=20):
        took = {"seconds": float(2 + record.seed)}
        curve = [*record.curve[:-1], record.curve[-1] | took]
        write_record(dataclasses.replace(record, **took, curve=curve, peak_memory_bytes=10), tmp_path)
    return tmp_path


def test_costs_are_those_of_the_records(root):
    (cost,) = recorded_costs(root)
    assert (cost.runs, cost.arms, cost.seconds, cost.total_seconds, cost.peak_memory_bytes) == (4, 2, 2.5, 10.0, 10)
    (command,) = cost.commands
    assert command == "colu run rotation --preset laptop --arms relu,silu --seeds 0-1 --set steps=20 --results mine"


def test_every_record_is_in_the_costs_once():
    names = [f.name for f in results_root().iterdir() if list(f.glob("*.json"))]
    assert sum(c.runs for c in recorded_costs()) == sum(len(find_records(name)) for name in names)
