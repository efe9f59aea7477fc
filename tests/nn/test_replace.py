"""replace_activations: what it changes, keeps, reports and cannot reach."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from colu.nn import MPU, CoLU, activation_layer, replace_activations
from colu.testing import assert_same_function


class Block(nn.Module):
    """Modules, a function call and a method call."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)
        self.act = nn.ReLU()
        self.time_embed = nn.Sequential(nn.Linear(8, 8), nn.ReLU())

    def forward(self, x):
        return self.act(self.second(F.relu(self.first(self.act(x))))).relu() + self.time_embed(x)


class Branching(Block):
    """Not traceable: the path depends on the data."""

    def forward(self, x):
        if x.sum() > 0:
            x = torch.sigmoid(x)
        return F.silu(self.act(self.first(x)))


def names_of(model, kind):
    return [name for name, module in model.named_modules() if isinstance(module, kind)]


def test_replaces_matching_modules_and_reports_them():
    model = nn.Sequential(Block(), nn.ReLU())
    report = replace_activations(model, nn.ReLU, "colu", dim=2)
    assert report.model is model
    assert [name for name, _, _ in report.changed] == ["0.act", "0.time_embed.1", "1"]
    assert report.changed[0][1:] == ("ReLU()", "CoLU(dim=2)")
    assert not names_of(model, nn.ReLU) and len(names_of(model, CoLU)) == 3
    assert report.reused == ["0.act"]
    assert "0.act: ReLU() -> CoLU(dim=2)" in str(report)
    assert model(torch.randn(2, 8)).shape == (2, 8)


def test_replaced_model_computes_the_same_with_an_equal_activation():
    model = Block().double()
    x = torch.randn(5, 8, dtype=torch.float64)
    want = model(x)
    replace_activations(model, nn.ReLU, MPU)
    assert_same_function(model, lambda _: want, x)


@pytest.mark.parametrize("keep", [["0.time_embed"], ["*time_embed*"], "0.time_embed.1"])
def test_chosen_submodules_are_left_alone(keep):
    model = nn.Sequential(Block(), nn.ReLU())
    report = replace_activations(model, nn.ReLU, "colu", keep=keep)
    assert names_of(model, nn.ReLU) == report.kept == ["0.time_embed.1"]


def test_classes_can_be_kept():
    model = nn.Sequential(Block(), nn.ReLU())
    replace_activations(model, nn.ReLU, "colu", keep=[Block])
    assert names_of(model, CoLU) == ["1"]


def test_function_and_method_calls_are_found_by_tracing():
    report = replace_activations(nn.Sequential(Block()), nn.ReLU, "colu")
    assert report.functional_calls == ["relu in 0", ".relu() in 0"]
    assert "warning: not replaced, a function call: relu in 0" in str(report)
    assert not report.warnings


def test_untraceable_models_are_read_instead():
    report = replace_activations(nn.Sequential(Branching()), nn.ReLU, "colu")
    assert report.functional_calls == ["sigmoid in 0", "silu in 0"]
    assert len(report.warnings) == 1 and "torch.fx" in report.warnings[0]
    assert len(report.changed) == 2


def test_functions_held_as_attributes_are_found():
    report = replace_activations(nn.TransformerEncoderLayer(8, 2), nn.ReLU, "colu")
    assert any("held as (model).activation" in call for call in report.functional_calls)


def test_model_without_function_calls_has_no_warning():
    report = replace_activations(nn.Sequential(nn.Linear(8, 8), nn.ReLU()), nn.ReLU, "colu")
    assert not report.functional_calls and not report.warnings and not report.reused


def test_models_with_our_activations_are_traced():
    model = nn.Sequential(nn.Linear(8, 8), CoLU(), nn.ReLU())
    assert not replace_activations(model, nn.ReLU, MPU).warnings
    traced = torch.fx.symbolic_trace(model)
    x = torch.randn(3, 8)
    assert_same_function(traced, model, x)


def test_state_dict_keys_stay():
    model = Block()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    report = replace_activations(model, nn.ReLU, "colu")
    assert list(model.state_dict()) == list(before) and not report.missing_keys and not report.added_keys
    model.load_state_dict(before)


def test_keys_of_activations_with_parameters_are_reported():
    model = nn.Sequential(nn.Linear(4, 4), nn.PReLU(4))
    report = replace_activations(copy.deepcopy(model), "prelu", MPU)
    assert len(report.changed) == 1
    report = replace_activations(model, nn.PReLU, MPU, learnable_angle=True)
    assert report.missing_keys == ["1.weight"] and report.added_keys == ["1.angle_logit"]


def test_shared_activation_stays_shared_and_copies_are_separate():
    act = nn.ReLU()
    model = nn.Sequential(act, nn.Linear(4, 4), act, nn.ReLU())
    report = replace_activations(model, nn.ReLU, MPU(learnable_angle=True))
    assert model[0] is model[2] and model[0] is not model[3]
    assert [name for name, _, _ in report.changed] == ["0", "2", "3"]


def test_model_that_is_an_activation():
    report = replace_activations(nn.ReLU(), nn.ReLU, CoLU)
    assert isinstance(report.model, CoLU)


def test_selection_by_name_tuple_and_predicate():
    def net():
        return nn.Sequential(nn.ReLU(), nn.SiLU(), nn.GELU())

    for which, count in [("relu", 1), ((nn.ReLU, nn.SiLU), 2), (lambda name, module: name == "2", 1)]:
        assert len(replace_activations(net(), which, "colu").changed) == count


def test_training_mode_is_taken_over():
    model = nn.Sequential(nn.ReLU()).eval()
    replace_activations(model, nn.ReLU, "colu")
    assert not model[0].training


@pytest.mark.parametrize(
    "which, by, message",
    [
        (nn.ReLU, "collu", "collu.*colu"),
        ("reluu", "colu", "reluu.*relu"),
        (3, "colu", "which=3"),
        (nn.ReLU, 3, "by=3"),
        (nn.ReLU, lambda: 3, "not a Module"),
        (nn.ReLU, "colu", None),
    ],
)
def test_bad_arguments_are_refused(which, by, message):
    model = nn.Sequential(nn.ReLU())
    if message is None:
        assert replace_activations(model, which, by).changed
        return
    with pytest.raises(ValueError, match=message):
        replace_activations(model, which, by)


def test_torchvision_resnet():
    models = pytest.importorskip("torchvision.models")
    model = models.resnet18(num_classes=10)
    keys = list(model.state_dict())
    report = replace_activations(model, nn.ReLU, "colu")
    assert len(report.changed) == 9 and len(report.reused) == 8 and not report.functional_calls
    assert list(model.state_dict()) == keys
    model(torch.randn(2, 3, 32, 32)).sum().backward()


@pytest.mark.parametrize("layer", [CoLU, MPU, activation_layer("colu", dim=8), activation_layer("rcolu")])
def test_torchvision_takes_our_classes_as_activation_layer(layer):
    ops = pytest.importorskip("torchvision.ops")
    net = nn.Sequential(ops.Conv2dNormActivation(3, 8, activation_layer=layer), nn.Flatten(1))
    assert net(torch.randn(2, 3, 4, 4)).shape == (2, 128)
