"""A description gives the model that it means, and weights are taken only if they are of that model."""

import json

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from colu.lab.experiments import get_experiment
from colu.lab.experiments.architectures import load_state, parse_architecture


def normal_state(model, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(tensor.shape, generator=generator) for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize("text, shape, widths", [
    ("mlp:64-32-10:colu", (64,), [64, 32, 10]), ("mlp:6-8-4-2:relu", (6,), [6, 8, 4, 2]),
])  # fmt: skip
def test_a_perceptron_has_the_widths_that_were_named(text, shape, widths):
    found = parse_architecture(text)
    layers = [m for m in found.model if isinstance(m, nn.Linear)]
    assert [layers[0].in_features, *(m.out_features for m in layers)] == widths
    assert (found.text, found.input_shape, found.dataset) == (text, shape, None)
    x = found.inputs(5)
    assert x.shape == (5, *shape) and x.dtype == torch.float64
    assert torch.equal(x, found.inputs(5)) and not torch.equal(x, found.inputs(5, seed=1))
    assert found.model.double()(x).shape == (5, widths[-1])


def test_a_residual_network_has_no_norm_and_three_channels_unless_they_are_named():
    plain, full = (parse_architecture(f"resnet:8:8-16-16:colu{more}") for more in ("", ":batch:1"))
    assert plain.input_shape == (3, 32, 32) and full.input_shape == (1, 32, 32)
    kinds = [any(isinstance(m, nn.BatchNorm2d) for m in one.model.modules()) for one in (plain, full)]
    assert kinds == [False, True]
    assert full.model.eval().double()(full.inputs(2)).shape == (2, 10)


def test_a_checkpoint_and_a_record_are_read(tmp_path):
    config = get_experiment("mnist-mlp").config("smoke", "colu", 0, hidden=[32])
    (tmp_path / "record.json").write_text(json.dumps({"config": config.to_dict()}))
    architecture = parse_architecture(str(tmp_path / "record.json"))
    assert architecture.dataset == "digits"
    state = normal_state(architecture.model)
    tensors = {f"model.{name}": t for name, t in state.items()} | {"losses": torch.zeros(3)}
    save_file(tensors, tmp_path / "checkpoint.safetensors")
    found = load_state(tmp_path / "checkpoint.safetensors", architecture.model)
    assert sorted(found) == sorted(state) and all(torch.equal(found[name], state[name]) for name in state)


def test_the_averaged_weights_of_a_checkpoint_are_preferred(tmp_path):
    model = parse_architecture("mlp:4-8-2:relu").model
    last, average = normal_state(model), normal_state(model, 1)
    both = {f"model.{n}": t for n, t in last.items()} | {f"average.{n}": t for n, t in average.items()}
    save_file(both, tmp_path / "checkpoint.safetensors")
    found = load_state(tmp_path / "checkpoint.safetensors", model)
    assert all(torch.equal(found[name], average[name]) for name in average)


@pytest.mark.parametrize("change, message", [
    (lambda state: state.pop("1.bias"), r"lacks 1.bias \(8,\)"),
    (lambda state: state.update(more=torch.ones(3)), r"has more \(3,\) beyond it"),
    (lambda state: state.update({"1.bias": torch.ones(4)}), r"1.bias is \(4,\), wanted \(8,\)"),
    (lambda state: state["1.bias"].fill_(float("nan")), r"NaN or infinity in \['1.bias'\]"),
])  # fmt: skip
def test_weights_of_another_model_are_refused_with_what_differs(tmp_path, change, message):
    model = parse_architecture("mlp:4-8-2:relu").model
    state = normal_state(model)
    change(state)
    save_file(state, tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match=message):
        load_state(tmp_path / "a.safetensors", model)


@pytest.mark.parametrize("text, message", [
    ("vgg:16", "of no known form; wanted mlp"), ("mlp:64-10:relu", "no hidden layer"),
    ("mlp:64-x-10:relu", "'64-x-10'"), ("mlp:64-0-10:relu", "at least 1"),
    ("mlp:64-30-10:colu", "width 30 .*'colu'; use 28"),
    ("mlp:64-32-10:rleu", "did you mean 'relu'"), ("resnet:9:8-16-16:relu", "depth is 9"),
    ("resnet:8:8-16-18:colu", "width 18"), ("resnet:8:8-16-16:relu:layer", "norm is 'layer'"),
    ("gone.json", "gone.json is no record"),
])  # fmt: skip
def test_a_description_that_means_nothing_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_architecture(text)


def test_a_record_of_something_else_than_pictures_is_refused(tmp_path):
    path = tmp_path / "record.json"
    path.write_text(json.dumps({"config": get_experiment("gpt").config("smoke", "relu", 0).to_dict()}))
    with pytest.raises(ValueError, match="'gpt' of .*record.json does not classify images"):
        parse_architecture(str(path))
    path.write_text("{")
    with pytest.raises(ValueError, match="is no record or configuration of colu run"):
        parse_architecture(str(path))
