"""The ladder of widths is recorded whole, and a rung measured anew is as the record says."""

import pytest

from colu.lab.catalogue import LADDER, measure_alignment, read_scale, record_scale, scale


def test_the_record_has_all_rungs_and_the_largest_is_a_vision_transformer():
    record = read_scale()
    assert list(record) == [rung.name for rung in LADDER]
    for name, found in record.items():
        assert found["commit"] and not found["dirty"] and found["threads"] == 1, name
        # Turns of 15 dimensions gain a little in each sweep, up to the last that is allowed.
        assert found["converged"] or "S = 16" in name and found["sweeps"] == 100, name
        assert found["memory_bytes"] > found["model_bytes"], name
    largest = record["vision transformer, 768"]
    assert largest["parameters"] > 85e6
    # Two cores have two minutes; one thread took this.
    assert largest["trace_seconds"] + largest["match_seconds"] < 120


def test_a_rung_measured_anew_has_the_same_sweeps():
    name = "784-512-512-10, CoLU, S = 4"
    told, found = read_scale()[name], measure_alignment(name)
    same = ("parameters", "model_bytes", "converged")
    assert {key: found[key] for key in same} == {key: told[key] for key in same}
    assert abs(found["sweeps"] - told["sweeps"]) <= 1


def test_names_are_checked_and_the_record_is_written_rung_by_rung(tmp_path, monkeypatch, capsys):
    with pytest.raises(ValueError, match="no rung 'wide'; use one of 784-512"):
        record_scale(["wide"], tmp_path / "scale.json")
    monkeypatch.setattr(scale, "LADDER", LADDER[:1])
    assert record_scale((), tmp_path / "scale.json") == []
    assert list(read_scale(tmp_path / "scale.json")) == [LADDER[0].name]
    assert "s to align in" in capsys.readouterr().out
    assert record_scale((), tmp_path / "scale.json") == [] and not capsys.readouterr().out
