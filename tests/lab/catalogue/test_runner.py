"""The record holds what it promises, and three models followed anew give what it says."""

import json

import pytest

from colu.lab.catalogue import CATALOGUE, follow_entry, read_catalogue, record_catalogue, runner
from colu.lab.catalogue.runner import _reason

NAMED = ("vit", "swin", "convnext", "efficientnet", "mobilenet_v3", "gpt2", "bert", "llama")


def test_the_record_has_all_models_with_exact_groups():
    record = read_catalogue()
    assert list(record) == [entry.name for entry in CATALOGUE if entry.name in record] and len(record) >= 30
    assert {entry.library for entry in CATALOGUE if entry.name in record} == {"torchvision", "timm", "transformers"}
    for name in NAMED:
        assert any(one.startswith(name) for one in record), name
    for name, found in record.items():
        assert found["error"] <= 1e-10, name
        assert found["groups"] and 0 < found["share"] <= 1, name
        assert found["commit"] and not found["dirty"], name
        assert found["cpu_seconds"] >= 0 and found["memory_bytes"] >= 0 and "torch" in found["versions"], name


@pytest.mark.parametrize("name", ["squeezenet1_1", "vit_tiny_patch16_224", "llama"])
def test_a_model_followed_anew_is_as_the_record_says(name):
    library = next(entry.library for entry in CATALOGUE if entry.name == name)
    pytest.importorskip(library, reason=f"{name} is a model of {library}")
    told, found = read_catalogue()[name], follow_entry(name)
    assert found["error"] <= 1e-10
    if found["versions"][library] == told["versions"][library]:
        same = ("groups", "still", "share", "parameters")
        assert {key: found[key] for key in same} == {key: told[key] for key in same}


def test_a_record_is_gone_on_with_and_failures_are_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(runner, "CATALOGUE", CATALOGUE[:2])
    path, (first, second) = tmp_path / "catalogue.json", CATALOGUE[:2]
    done = {"groups": {"Perm(2)": 1}, "share": 1.0, "error": 0.0, "cpu_seconds": 0.0}
    asked = []

    class Pool:
        def __init__(self, *_, **__): ...

        def __enter__(self):
            return self

        def __exit__(self, *_): ...

        def submit(self, _, name):
            self.name = name
            return self

        def result(self):
            asked.append(self.name)
            if len(asked) == 1:
                raise MemoryError("too large")
            return dict(done)

    monkeypatch.setattr(runner, "ProcessPoolExecutor", Pool)
    assert record_catalogue(path=path) == [first.name] and "MemoryError: too large" in capsys.readouterr().err
    assert list(json.loads(path.read_text())) == [second.name]
    assert record_catalogue(path=path) == [] and asked == [first.name, second.name, first.name]
    assert list(json.loads(path.read_text())) == [first.name, second.name]


def test_a_name_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="no model 'lama' in the catalogue; use one of resnet18"):
        follow_entry("lama")


@pytest.mark.parametrize(
    "why, told",
    [("div in 'blocks.0.attn'", "div"), ("addmm in 'a', which adds channels up", "addmm, which adds channels up"),
     ("Perm(3) would move the function by 0.1", "Perm(3) refused by the trial"),
     ("a single channel", "a single channel")],
)  # fmt: skip
def test_reasons_leave_the_place_out(why, told):
    assert _reason(why) == told
