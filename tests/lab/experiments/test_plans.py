"""What of a plan has no record yet."""

import dataclasses

import pytest

from colu.lab.experiments import left_of, missing_runs, run_arms
from colu.lab.results import write_record


@pytest.fixture
def root(tmp_path):
    for record in run_arms("rotation", "laptop", arms=["relu", "silu"], seeds=[0, 1], steps=20):
        took = {"seconds": float(2 + record.seed)}
        curve = [*record.curve[:-1], record.curve[-1] | took]
        write_record(dataclasses.replace(record, **took, curve=curve, peak_memory_bytes=10), tmp_path)
    return tmp_path


def test_a_recorded_run_is_not_missing_whatever_computed_it(tmp_path):
    def runs(root):
        return {m.experiment: m for m in missing_runs(root, ["smoke"])}["rotation"]

    before = runs(tmp_path)
    assert len(before.runs) == before.of
    (record,) = run_arms("rotation", "smoke", arms=["relu"], seeds=[0])
    write_record(record, tmp_path)
    after = runs(tmp_path)
    assert set(before.runs) - set(after.runs) == {("relu", 0)}


def test_another_setting_does_not_count_as_done(root):
    (missing,) = [m for m in missing_runs(root, ["laptop"]) if m.experiment == "rotation"]
    assert len(missing.runs) == missing.of


def test_a_part_of_a_plan_names_what_is_left_of_it(root):
    parts = [("rotation", "laptop", ("relu", "colu-3"), n, {"steps": 20}) for n in (2, 3)]
    two, three = left_of(parts, root)
    assert two.runs == [("colu-3", 0), ("colu-3", 1)] and two.of == 4
    assert two.command == "colu run rotation --preset laptop --arms colu-3 --seeds 0-1 --set steps=20"
    assert three.command == "colu run rotation --preset laptop --arms relu,colu-3 --seeds 0-2 --set steps=20"
    (none,) = left_of([("rotation", "laptop", ("relu",), 2, {"steps": 20})], root)
    assert none.runs == []
    with pytest.raises(ValueError, match="unknown options"):
        left_of([("rotation", "laptop", ("relu",), 1, {"hidden": 3})], root)
