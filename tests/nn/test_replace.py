"""replace_activations: what it changes, keeps, refuses, proves and cannot reach."""

import contextlib
import copy
import dataclasses
import random
import threading
import warnings
from functools import partial

import numpy
import pytest
import torch
import torch.distributed
import torch.utils.checkpoint
from torch import nn
from torch.nn import functional as F

from colu.nn import MPU, CoLU, DYReLU, OnMaps, activation_layer, replace_activations
from colu.testing import assert_same_function


class Block(nn.Module):
    """Modules, a function call and a method call."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8)
        self.act = nn.ReLU()
        self.head = nn.Sequential(nn.Linear(8, 8), nn.ReLU())

    def forward(self, x):
        x = self.act(self.first(x))
        x = F.relu(x)
        return self.act(self.second(x)).relu() + self.head(x)


class Squeeze(nn.Module):
    """A convolution, and squeeze and excitation of a class of its name."""

    class SqueezeExcite(nn.Module):
        def __init__(self):
            super().__init__()
            self.down, self.act, self.up, self.gate = nn.Conv2d(8, 4, 1), nn.ReLU(), nn.Conv2d(4, 8, 1), nn.Sigmoid()

        def forward(self, x):
            return x * self.gate(self.up(self.act(self.down(x.mean((2, 3), keepdim=True)))))

    def __init__(self):
        super().__init__()
        self.conv, self.act, self.se, self.last = nn.Conv2d(3, 8, 3), nn.ReLU(), self.SqueezeExcite(), nn.Sigmoid()

    def forward(self, x):
        return self.last(self.se(self.act(self.conv(x))))


class Timed(nn.Module):
    """One activation for the feature map and for the vector that tells the time, as in diffusers."""

    def __init__(self):
        super().__init__()
        self.time_embed, self.conv, self.act = nn.Sequential(nn.Linear(1, 8), nn.SiLU()), nn.Conv2d(3, 8, 3), nn.SiLU()

    def forward(self, x, t):
        return self.act(self.conv(x)) + self.act(self.time_embed(t))[..., None, None]


class SwiGLU(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate, self.up, self.down, self.act = nn.Linear(8, 12), nn.Linear(8, 12), nn.Linear(12, 8), nn.SiLU()

    def forward(self, x):
        return self.down(self.act(self.gate(x)) * self.up(x))


def names_of(model, kind):
    return [name for name, module in model.named_modules() if isinstance(module, kind)]


def perceptron(**options):
    return nn.Sequential(nn.Linear(4, 8, **options), nn.ReLU(), nn.Linear(8, 8, **options))


def image(batch=2):
    return torch.randn(batch, 3, 6, 6)


def state_of(model):
    """All that a swap which is refused, or a proof, must leave alone."""
    return (
        [(name, type(module), module.training, dict(module._forward_hooks)) for name, module in model.named_modules()],
        [(name, value.clone()) for name, value in model.state_dict().items()],
        [None if p.grad is None else p.grad.clone() for p in model.parameters()],
    )


def assert_same_state(model, before):
    kinds, tensors, gradients = state_of(model)
    assert kinds == before[0]
    for (name, value), (other, wanted) in zip(tensors, before[1], strict=True):
        assert name == other and torch.equal(value, wanted)
    assert all(a is b or torch.equal(a, b) for a, b in zip(gradients, before[2], strict=True))


# What is changed, and what is kept.


def test_replaces_matching_modules_and_reports_them():
    model = nn.Sequential(Block(), nn.ReLU())
    report = replace_activations(model, nn.ReLU, "colu", dim=2)
    assert report.model is model and not names_of(model, nn.ReLU)
    assert [name for name, _, _ in report.changed] == ["0.act", "0.head.1", "1"]
    assert report.changed[0][1:] == ("ReLU()", "CoLU(dim=2, channel_dim=-1)")
    assert report.places["0.head.1"] == (-1, 8, "0.head.0")
    assert sorted(report.proofs) == ["identity", "keys", "paths", "rows", "samples"] and not report.unproved
    assert "0.act, 0.head.1, 1: ReLU() -> CoLU(dim=2, channel_dim=-1)" in str(report) and "proved: rows" in str(report)
    assert model(torch.randn(2, 8)).shape == (2, 8)


def test_replaced_model_computes_the_same_with_an_equal_activation():
    model = Block().double()
    x = torch.randn(5, 8, dtype=torch.float64)
    want = model(x)
    replace_activations(model, nn.ReLU, MPU)
    assert_same_function(model, lambda _: want, x)


@pytest.mark.parametrize("keep", [["0.head"], ["*head*"], "0.head.1", [nn.Sequential]])
def test_chosen_submodules_are_left_alone(keep):
    model = nn.ModuleList([Block()])[0] if keep == [nn.Sequential] else nn.Sequential(Block())
    report = replace_activations(model, nn.ReLU, "colu", keep=keep)
    assert names_of(model, nn.ReLU) == list(report.kept) == ["head.1" if keep == [nn.Sequential] else "0.head.1"]
    assert report.kept.popitem()[1] == "asked for by keep"


def test_only_what_is_named_is_replaced():
    model = nn.Sequential(Block())
    report = replace_activations(model, nn.ReLU, "colu", only="*head*")
    assert names_of(model, CoLU) == ["0.head.1"] and list(report.kept) == ["0.act"]


def test_squeeze_and_excitation_and_the_last_gate_are_left_alone_unless_asked_for():
    model = Squeeze()
    report = replace_activations(model, (nn.ReLU, nn.Sigmoid), "colu", example_input=image())
    assert names_of(model, CoLU) == ["act"] and sorted(report.kept) == ["last", "se.act", "se.gate"]
    assert report.kept["se.gate"].startswith("policy squeeze-excitation")
    assert report.kept["last"].startswith("policy output") and not report.warnings
    model = Squeeze()
    replace_activations(model, (nn.ReLU, nn.Sigmoid), "colu", example_input=image(), policies=())
    assert sorted(names_of(model, CoLU)) == ["act", "last", "se.act", "se.gate"]


def test_a_gate_is_left_alone_where_that_is_asked_for():
    assert replace_activations(SwiGLU(), nn.SiLU, "colu", policies="gate").kept == {
        "act": "policy gate: multiplies another signal"
    }
    assert replace_activations(SwiGLU(), nn.SiLU, "colu").places["act"] == (-1, 12, "gate")


def test_the_vector_that_tells_the_time_keeps_its_activation():
    example = (image(), torch.randn(2, 1))
    model = Timed()
    before = model.act(torch.ones(1, 8))
    report = replace_activations(model, nn.SiLU, "colu", example_input=example)
    assert report.kept["time_embed.1"].startswith("policy time-embedding")
    assert torch.equal(model.act(torch.ones(1, 8)), before) and isinstance(model.act.maps, CoLU)
    assert replace_activations(model, nn.SiLU, "colu", example_input=example).changed == []
    model = Timed()
    replace_activations(model, nn.SiLU, "colu", example_input=example, policies=())
    assert isinstance(model.act, CoLU) and isinstance(model.time_embed[1], CoLU)


def test_unknown_policies_are_refused():
    with pytest.raises(ValueError, match="policies='time'.*time-embedding"):
        replace_activations(perceptron(), nn.ReLU, "colu", policies="time")


@pytest.mark.parametrize(
    "which", ["relu", nn.ReLU, (nn.ReLU, nn.SiLU), ["gelu", nn.ReLU], lambda name, module: name == "1"]
)
def test_a_second_call_changes_nothing(which):
    model = perceptron()
    assert len(replace_activations(model, which, "colu").changed) == 1
    act, report = model[1], replace_activations(model, nn.ReLU, "colu")
    assert report.changed == [] and model[1] is act
    assert report.warnings == [f"nothing matches {nn.ReLU!r}; activations of the model: 1 CoLU"]


def test_what_a_second_call_would_change_is_said():
    report = replace_activations(perceptron(), nn.ReLU, nn.Sequential(nn.ReLU()))
    assert report.warnings == [f"a second call would change 1.0, since {nn.ReLU!r} matches what came in"]


def test_classes_of_other_libraries_are_found_by_name():
    class GELUActivation(nn.Module):
        def forward(self, x):
            return F.gelu(x)

    model = nn.Sequential(nn.Linear(4, 8), GELUActivation())
    report = replace_activations(model, "gelu", "colu")
    assert len(report.changed) == 1 and not report.functional_calls


# Where the channels are.


@pytest.mark.parametrize("shape, axis", [((2, 4), -1), ((2, 5, 4), -1), ((2, 3, 5, 4), -1)])
def test_a_linear_map_makes_channels_on_the_last_axis(shape, axis):
    model = perceptron()
    replace_activations(model, nn.ReLU, "colu", example_input=torch.randn(shape))
    assert model[1].channel_dim == axis


@pytest.mark.parametrize("conv, size", [(nn.Conv1d, 1), (nn.Conv2d, 2), (nn.Conv3d, 3)])
def test_a_convolution_makes_them_on_axis_one(conv, size):
    model = nn.Sequential(conv(3, 8, 3), nn.ReLU())
    report = replace_activations(model, nn.ReLU, "colu", example_input=torch.randn(2, 3, *[5] * size))
    assert model[1].channel_dim == 1 and report.places["1"] == (1, 8, "0")


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_learnable_activations_get_width_axis_and_type_of_the_layer_before(dtype):
    model = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16)).to(dtype)
    report = replace_activations(model, nn.GELU, "acon-c", example_input=torch.randn(2, 8, 16, dtype=dtype))
    assert {(p.numel(), p.dtype) for p in model[1].parameters()} == {(32, dtype)}
    assert report.added_keys == ["1.beta", "1.p1", "1.p2"] and not report.missing_keys
    assert "3 that came" in report.proofs["keys"]


def test_a_model_on_the_meta_device_is_swapped_there_and_nothing_is_proved():
    model = perceptron(device="meta")
    report = replace_activations(model, nn.ReLU, "acon-c")
    assert {p.device.type for p in model[1].parameters()} == {"meta"} and report.places["1"].num_channels == 8
    assert report.proofs == {} and "meta" in report.unproved["all"]


def test_channels_that_cannot_be_known_are_refused_by_name():
    model = nn.Sequential(nn.ReLU(), nn.Linear(4, 4))
    before = state_of(model)
    with pytest.raises(ValueError, match=r"'0' \(ReLU\(\)\).*no layer was met; give channel_dim=\{'0': ...\}"):
        replace_activations(model, nn.ReLU, "colu")
    assert_same_state(model, before)
    assert replace_activations(model, nn.ReLU, "colu", channel_dim={"0": -1}).changed
    assert model[0].channel_dim == -1


def test_the_axis_of_a_softmax_is_its_own():
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.query, self.value, self.softmax = nn.Linear(4, 4), nn.Linear(4, 4), nn.Softmax(-1)

        def forward(self, x):
            return self.softmax(self.query(x) @ x.mT) @ self.value(x)

    model = Attention()
    report = replace_activations(model, "softmax", "sparsemax", example_input=torch.randn(2, 5, 4))
    assert model.softmax.channel_dim == -1 and report.places["softmax"].num_channels == 5


def test_an_axis_that_contradicts_the_layer_before_fails_the_proof_and_nothing_is_changed():
    model = perceptron()
    before = state_of(model)
    with pytest.raises(ValueError, match="'1' moves .* other rows"):
        replace_activations(model, nn.ReLU, "colu", channel_dim=1, dim=2, example_input=torch.randn(2, 6, 4))
    assert_same_state(model, before)


@pytest.mark.parametrize("by", [CoLU(dim=2), lambda: CoLU(dim=2)])
def test_a_module_that_names_another_axis_is_refused(by):
    model = perceptron()
    with pytest.raises(ValueError, match=r"channel_dim=1, and the channels of '1', made by '0', lie on -1"):
        replace_activations(model, nn.ReLU, by, example_input=torch.randn(2, 6, 4))
    replace_activations(model, nn.ReLU, CoLU(dim=2, channel_dim=-1), example_input=torch.randn(2, 6, 4))
    assert model[1].channel_dim == -1


def test_parameters_a_channel_need_one_width():
    act = nn.ReLU()
    model = nn.Sequential(nn.Linear(4, 8), act, nn.Linear(8, 6), act)
    with pytest.raises(ValueError, match="'1' .* used with 6 and 8 channels"):
        replace_activations(model, nn.ReLU, "acon-c")
    report = replace_activations(model, nn.ReLU, MPU)
    assert [name for name, _, _ in report.changed] == ["1", "3"] and model[1] is model[3]


def test_channels_that_do_not_fit_name_the_nearest_ways():
    model = nn.Sequential(nn.Conv2d(3, 10, 3), nn.ReLU())
    before = state_of(model)
    said = r"'1', whose 10 channels lie on axis 1 \(made by '0'\): 10 channels do not fit dim=4: [^.]*; "
    said += "use dim=2, dim=5, dim=10, share_axis=True with dim=2 or 4, remainder='pass'"
    with pytest.raises(ValueError, match=said):
        replace_activations(model, nn.ReLU, "colu", dim=4, example_input=image())
    assert_same_state(model, before)
    replace_activations(model, nn.ReLU, "colu", dim=4, example_input=image(), remainder="pass")
    x = torch.randn(2, 10, 3, 3)
    assert torch.equal(model[1](x), torch.cat([CoLU()(x[:, :8]), x[:, 8:]], 1))
    assert replace_activations(model, nn.ReLU, "colu").changed == []


def test_what_changes_the_number_of_channels_is_refused():
    with pytest.raises(ValueError, match="it makes shape"):
        replace_activations(perceptron(), nn.ReLU, "crelu")


def test_a_model_that_is_an_activation_becomes_another():
    report = replace_activations(nn.ReLU(), nn.ReLU, CoLU, channel_dim=1)
    assert isinstance(report.model, CoLU)


# What is proved.


def causal(layers=2):
    layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.1, activation=nn.GELU(), batch_first=True)
    return nn.TransformerEncoder(layer, layers).double()


def test_no_token_reads_a_later_one_after_a_swap():
    model = causal()
    replace_activations(model, nn.GELU, "colu")
    mask = nn.Transformer.generate_square_subsequent_mask(16).double()
    x = torch.randn(1, 16, 32, dtype=torch.float64)
    y = x.clone()
    y[:, -1] += 1
    moved = (model.eval()(x, mask=mask) - model(y, mask=mask)).detach().abs().amax(dim=(0, 2))
    assert moved[:-1].max() == 0 and moved[-1] > 0


def test_inference_and_training_call_the_new_module_and_the_fused_path_is_named():
    model = causal().eval()
    report = replace_activations(model, nn.GELU, "colu")
    assert [line.split(",")[0] for line in report.switched_off] == [
        "the fused inference path of layers.0",
        "the fused inference path of layers.1",
        "the nested tensors of (model)",
    ]
    x = torch.randn(2, 16, 32, dtype=torch.float64)
    padding = torch.zeros(2, 16, dtype=torch.bool)
    padding[:, 12:] = True
    for mask in (None, padding):
        with torch.no_grad():
            bare = model(x, src_key_padding_mask=mask)
        grown = model(x.clone().requires_grad_(), src_key_padding_mask=mask).detach()
        torch.testing.assert_close(bare, grown, rtol=1e-9, atol=1e-9)


class Fused(nn.Module):
    """Passes over its activation where there are no gradients."""

    def __init__(self):
        super().__init__()
        self.first, self.act = nn.Linear(4, 8), nn.ReLU()

    def forward(self, x):
        x = self.first(x)
        return self.act(x) if torch.is_grad_enabled() else x.clamp(min=0)


class Absent(nn.Module):
    """Calls another module than the one it lists."""

    def __init__(self):
        super().__init__()
        self.first, self.act = nn.Linear(4, 8), nn.ReLU()
        self.hidden = [self.act]

    def forward(self, x):
        return self.hidden[0](self.first(x))


def test_a_fused_path_of_somebody_else_is_refused():
    model = Fused()
    before = state_of(model)
    with pytest.raises(ValueError, match="'act' is called 1 times with gradients and 0 times without"):
        replace_activations(model, nn.ReLU, "colu", example_input=torch.randn(2, 4))
    assert_same_state(model, before)


def test_a_module_that_the_model_holds_elsewhere_too_is_refused():
    model = Absent()
    with pytest.raises(ValueError, match="'act' is called 1 times by the model in training, and a copy in its place 0"):
        replace_activations(model, nn.ReLU, "colu", example_input=torch.randn(2, 4))
    assert isinstance(model.act, nn.ReLU)


class Rereads(nn.Module):
    """Adds what its activation has already changed."""

    def __init__(self, inplace):
        super().__init__()
        self.first, self.act, self.last = nn.Linear(4, 8), nn.ReLU(inplace), nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.first(x)
        return self.last(self.act(x) - x)


def test_an_activation_that_changes_what_others_read_is_refused():
    model = Rereads(inplace=True)
    before = state_of(model)
    with pytest.raises(ValueError, match=r"'act' changes its input in place.*keep=\['act'\]; nothing"):
        replace_activations(model, nn.ReLU, "colu")
    assert_same_state(model, before)
    assert len(replace_activations(Rereads(inplace=False), nn.ReLU, "colu").changed) == 2


def test_a_module_that_an_attribute_hides_is_refused():
    layer = nn.TransformerDecoderLayer(8, 2, 16, activation=nn.GELU(), batch_first=True)
    model = nn.TransformerDecoder(layer, 2).eval()
    if "activation" not in vars(model.layers[0]):
        pytest.skip("this PyTorch copies the layer whole")
    example = (torch.randn(2, 5, 8), torch.randn(2, 5, 8))
    before, wanted = state_of(model), model(*example)
    with pytest.raises(ValueError, match="'layers.0.activation' is hidden by an attribute"):
        replace_activations(model, nn.GELU, "colu", example_input=example)
    assert_same_state(model, before)
    assert torch.equal(model(*example), wanted)


class Aux(nn.Module):
    """A head for training alone, an activation held twice, or called past its hooks."""

    def __init__(self, how):
        super().__init__()
        self.first, self.act, self.last, self.how = nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4), how
        self.aux = nn.ReLU()
        self.also = [self.act]

    def forward(self, x):
        x = self.act(self.first(x))
        if self.how == "twice":
            x = self.also[0](x)
        if self.how == "training" and self.training:
            x = x + self.aux(x)
        if self.how == "past":
            x = self.aux.forward(x)
        return self.last(x)


def test_what_is_called_in_training_alone_gets_its_channels_there():
    model = Aux("training")
    replace_activations(model, nn.ReLU, "colu", example_input=torch.randn(2, 5, 4))
    assert model.aux.channel_dim == -1


@pytest.mark.parametrize("how, said", [
    ("twice", "'act' is called 2 times by the model in training, and a copy in its place 1 times"),
    ("past", "'aux'.*cannot be known: this example never calls it"),
])  # fmt: skip
def test_calls_that_a_swap_cannot_reach_are_refused(how, said):
    model = Aux(how)
    model.also = model.also if how == "twice" else []
    before = state_of(model)
    with pytest.raises(ValueError, match=said):
        keep = "aux" if how == "twice" else ()
        replace_activations(model, nn.ReLU, "colu", keep=keep, example_input=torch.randn(2, 5, 4))
    assert_same_state(model, before)


def test_with_unknown_channels_only_what_is_pointwise_comes_in():
    class Halved(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.act, self.last = nn.Linear(4, 16), nn.ReLU(), nn.Linear(8, 4)

        def forward(self, x):
            return self.last(self.act(F.glu(self.first(x))))

    example = torch.randn(2, 8, 4)
    with pytest.raises(ValueError, match="acts along an axis, and where the channels of 'act'.*aten::glu"):
        replace_activations(Halved(), nn.ReLU, CoLU(dim=2), example_input=example)

    class Weighted(nn.Module):
        def forward(self, x):
            return x * x.softmax(1)

    with pytest.raises(ValueError, match="or its channels, whose axis is not known"):
        replace_activations(Halved(), nn.ReLU, Weighted, example_input=example)
    assert replace_activations(Halved(), nn.ReLU, nn.SiLU, example_input=example).proofs["rows"]


def test_a_result_in_a_dataclass_is_compared_and_one_without_tensors_is_not_claimed():
    @dataclasses.dataclass
    class Result:
        logits: torch.Tensor

    class Boxed(Rereads):
        def forward(self, x):
            return Result(super().forward(x))

    with pytest.raises(ValueError, match="changes its input in place"):
        replace_activations(Boxed(inplace=True), nn.ReLU, "colu")

    class Silent(Rereads):
        def forward(self, x):
            super().forward(x)

    assert "no tensor" in replace_activations(Silent(inplace=False), nn.ReLU, "colu").unproved["identity"]


def test_a_squashed_output_is_one_through_a_view_too():
    class Binary(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.act = nn.Linear(4, 1), nn.Sigmoid()

        def forward(self, x):
            return self.act(self.first(x)).squeeze(-1)

    assert list(replace_activations(Binary(), nn.Sigmoid, nn.SiLU).kept) == ["act"]


def test_a_remainder_and_back_is_the_old_model():
    model = nn.Sequential(nn.Linear(4, 18), nn.ReLU(), nn.Linear(18, 4))
    x = torch.randn(3, 4)
    want = model(x)
    replace_activations(model, nn.ReLU, "colu", remainder="pass")
    replace_activations(model, CoLU, nn.ReLU)
    assert torch.equal(model(x), want) and isinstance(model[1], nn.ReLU)


def test_the_users_example_and_buffers_that_come_are_left_alone():
    class Writes(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.act = nn.Linear(4, 8), nn.ReLU()
            self.register_buffer("wide", torch.ones(1).expand(8))

        def forward(self, x):
            x.mul_(0.5)
            if not hasattr(self, "came"):
                self.register_buffer("came", torch.ones(x.shape[0], 1))
            return self.act(self.first(x)) * self.came * self.wide

    model, example = Writes(), torch.randn(2, 4)
    copied = example.clone()
    report = replace_activations(model, nn.ReLU, "colu", example_input=example)
    assert torch.equal(example, copied) and "came" not in model.state_dict() and "samples" in report.proofs


def test_a_model_under_autocast_keeps_the_type_of_its_parameters():
    class Half(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.act = nn.Linear(4, 8), nn.ReLU()

        def forward(self, x):
            with torch.autocast("cpu", torch.bfloat16):
                return self.act(self.first(x))

    model = Half()
    replace_activations(model, nn.ReLU, "acon-c")
    assert {p.dtype for p in model.act.parameters()} == {torch.float32}


def test_one_activation_for_images_and_a_head_is_swapped_in_both():
    class Headed(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.act, self.first, self.last = (
                nn.Conv2d(3, 8, 3),
                nn.ReLU(),
                nn.Linear(8, 16),
                nn.Linear(16, 4),
            )

        def forward(self, x):
            return self.last(self.act(self.first(self.act(self.conv(x)).mean((2, 3)))))

    model = Headed()
    replace_activations(model, nn.ReLU, "colu", example_input=image())
    assert isinstance(model.act, CoLU) and model.act.channel_dim == 1


def test_a_predicate_that_refuses_what_came_in_changes_nothing():
    model = perceptron()
    before = state_of(model)
    wanted = {nn.Sequential: False, nn.Linear: False, nn.ReLU: True}
    with pytest.raises(KeyError):
        replace_activations(model, lambda name, module: wanted[type(module)], "colu")
    assert_same_state(model, before)


def test_a_cone_of_one_channel_is_the_identity_and_that_is_said():
    report = replace_activations(perceptron(), nn.ReLU, "colu", dim=1)
    assert report.warnings == ["CoLU(dim=1, channel_dim=-1) at '1' is the identity, and the model is linear there"]


def test_rules_that_name_no_module_are_said():
    report = replace_activations(perceptron(), nn.ReLU, "colu", keep=["atc"], channel_dim={"2": -1, "typo": 1})
    assert report.warnings == ["'atc' names no module of the model", "'typo' names no module of the model"]


def test_what_the_example_never_calls_is_not_claimed():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU())
    model[0].spare = nn.ReLU()
    with pytest.raises(ValueError, match="'0.spare'.* cannot be known: this example never calls it"):
        replace_activations(model, nn.ReLU, MPU)
    report = replace_activations(model, nn.ReLU, nn.SiLU)
    assert report.unproved == {"0.spare": "this example never calls it"}
    assert report.proofs["paths"].startswith("1 of 2 new modules")


def test_an_activation_that_mixes_samples_is_refused():
    class Mean(nn.Module):
        def forward(self, x):
            return x - x.mean(0)

    with pytest.raises(ValueError, match="moves .* other rows"):
        replace_activations(perceptron(), nn.ReLU, Mean)


def test_one_that_mixes_positions_may_act_on_images_and_not_on_tokens():
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
    report = replace_activations(model, nn.ReLU, "frelu", example_input=image())
    by_design, in_training = report.warnings
    assert by_design == "1 new modules let the positions of a sample see each other, by design"
    assert in_training.startswith("in training, samples now see each other")
    with pytest.raises(
        ValueError, match="'dy-relu-b' lets the positions of a sample see each other, and '1' acts on tok"
    ):
        replace_activations(perceptron(), nn.ReLU, "dy-relu-b", example_input=torch.randn(2, 6, 4))
    assert replace_activations(perceptron(), nn.ReLU, "dy-relu-b", example_input=torch.randn(2, 4)).proofs["rows"]
    with pytest.raises(ValueError, match="moves .* other rows"):
        replace_activations(
            perceptron(), nn.ReLU, partial(DYReLU, 8, reduction=1, channel_dim=-1), example_input=torch.randn(2, 6, 4)
        )


def test_a_proof_leaves_buffers_random_states_modes_gradients_and_hooks_as_they_were():
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 8))
    model(torch.randn(8, 4)).sum().backward()
    model[3].eval()
    model[4].register_forward_hook(lambda *_: None)
    torch.manual_seed(5)
    before, states = state_of(model), (torch.get_rng_state(), random.getstate(), numpy.random.get_state()[1].copy())
    report = replace_activations(model, nn.ReLU, "colu", example_input=torch.randn(8, 4, generator=torch.Generator()))
    model[2] = nn.ReLU()
    assert_same_state(model, before)
    assert torch.equal(torch.get_rng_state(), states[0]) and random.getstate() == states[1]
    assert (numpy.random.get_state()[1] == states[2]).all()
    assert "identity" in report.proofs and not report.unproved


class Careless(nn.Module):
    """Writes into its parameters in the forward pass, and has random numbers of its own."""

    def __init__(self):
        super().__init__()
        self.layer, self.act = nn.Linear(4, 8), nn.ReLU()
        self.scale = nn.Parameter(torch.ones(8))
        self.torch, self.array, self.python = torch.Generator(), numpy.random.default_rng(0), random.Random(0)

    def forward(self, x):
        self.layer.weight.data = F.normalize(self.layer.weight.data)
        self.scale.data.clamp_(max=0.5)
        noise = torch.rand(8, generator=self.torch) + self.array.random() + self.python.random()
        return self.act(self.layer(x)) + noise


def test_parameters_that_the_model_writes_and_generators_of_its_own_are_given_back():
    model = Careless()
    before, places = state_of(model), [one.data_ptr() for one in model.parameters()]
    states = model.torch.get_state(), model.array.bit_generator.state, model.python.getstate()
    report = replace_activations(model, nn.ReLU, "colu", example_input=torch.randn(3, 4))
    model.act = nn.ReLU()
    assert_same_state(model, before)
    assert [one.data_ptr() for one in model.parameters()] == places
    assert torch.equal(model.torch.get_state(), states[0])
    assert (model.array.bit_generator.state, model.python.getstate()) == states[1:]
    assert "identity" in report.proofs


class Mixer(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.mix, self.act = nn.Linear(4, 6), nn.Linear(5, 8), nn.ReLU()

    def forward(self, x):
        return self.act(self.mix(self.embed(x).mT))


def test_an_activation_across_positions_is_warned_of_unless_it_is_pointwise():
    report = replace_activations(Mixer(), nn.ReLU, "colu", example_input=torch.randn(2, 5, 4))
    assert "acts across positions" in report.warnings[0] and "'mix'" in report.warnings[0]
    assert not replace_activations(Mixer(), nn.ReLU, "silu", example_input=torch.randn(2, 5, 4)).warnings


def test_what_is_alike_is_printed_in_one_line():
    model = nn.Sequential(*[layer for _ in range(6) for layer in (nn.Linear(4, 4), nn.ReLU())])
    report = replace_activations(model, nn.ReLU, "colu", keep=["1"])
    assert "  3, 5, 7 and 2 more: ReLU() -> CoLU" in str(report) and "kept: 1, asked" in str(report)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nothing_is_claimed_where_nothing_could_be_seen(value):
    report = replace_activations(perceptron(), nn.ReLU, "colu", example_input=torch.full((3, 4), value))
    assert not {"rows", "samples"} & set(report.proofs) and {"rows", "samples"} <= set(report.unproved)


def test_what_the_model_refuses_in_training_is_said():
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU())
    report = replace_activations(model, nn.ReLU, "colu", example_input=torch.randn(1, 4))
    assert report.proofs["identity"].endswith("changes no bit in evaluation and evaluation without gradients")
    assert "identity in training" in report.unproved and report.unproved["samples"] == "the example has one sample"


def test_nothing_is_proved_where_that_is_not_wanted_or_nothing_runs():
    assert replace_activations(perceptron(), nn.ReLU, "colu", prove=False).proofs == {}
    model = nn.Bilinear(3, 3, 4)
    model.act = nn.ReLU()
    report = replace_activations(model, nn.ReLU, nn.SiLU)
    assert "give example_input" in report.unproved["all"] and report.warnings


class Adapted(nn.Linear):
    """A layer with an adapter that it merges into its weight in evaluation, and takes out of it in training."""

    def __init__(self):
        super().__init__(4, 8)
        self.down, self.up = nn.Parameter(torch.randn(2, 4)), nn.Parameter(torch.randn(8, 2))
        self.weight.requires_grad_(False)
        self.merged = False

    def train(self, mode=True):
        super().train(mode)
        if mode == self.merged:
            self.weight.data += (-1 if mode else 1) * self.up @ self.down
            self.merged = not mode
        return self

    def forward(self, x):
        y = super().forward(x)
        return y if self.merged else y + x @ self.down.T @ self.up.T


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dim", [4, 3])
def test_layers_that_change_with_their_mode_are_given_back(training, dim):
    model = nn.Sequential(Adapted(), nn.ReLU()).train(training)
    before = state_of(model)
    with contextlib.suppress(ValueError):
        report = replace_activations(model, nn.ReLU, "colu", dim=dim, example_input=torch.randn(3, 4))
        assert "identity" in report.proofs
    model[1] = nn.ReLU().train(training)
    assert_same_state(model, before)
    assert model[0].merged is not training


class Keeps(nn.Module):
    """Holds what it has seen: a list, a tensor, a buffer that was not a number, and a sparse one."""

    def __init__(self):
        super().__init__()
        self.layer, self.act, self.seen, self.last = nn.Linear(4, 8), nn.ReLU(), [], None
        self.register_buffer("scale", torch.full((8,), float("nan")))
        self.register_buffer("graph", torch.eye(3).to_sparse())

    def forward(self, x):
        self.seen.append(x)
        if self.last is None:
            # As transformers does at the first call, and notes that it did.
            self.layer.register_forward_hook(lambda module, args, output: output + 1)
        self.last = x
        self.scale.copy_(self.scale.nan_to_num())
        return self.act(torch.sparse.mm(self.graph, self.layer(x)))


def test_what_a_model_holds_is_given_back():
    model = Keeps()
    assert replace_activations(model, nn.ReLU, "colu", example_input=torch.randn(3, 4)).changed
    assert model.seen == [] and model.last is None and model.scale.isnan().all() and not model.layer._forward_hooks


class InTraining(nn.Module):
    """Its activation meets something else in training: tokens, other widths, or itself past the model's reach."""

    def __init__(self, how):
        super().__init__()
        self.conv, self.act, self.tokens = nn.Conv1d(3, 8, 1), nn.ReLU(), nn.Linear(8, 6 if how == "width" else 8)
        self.how, self.past = how, partial(torch.utils.checkpoint.checkpoint, self.act, use_reentrant=False)

    def forward(self, x):
        y = self.conv(x)
        if not self.training or self.how != "past":
            y = self.act(y)
        if not self.training:
            return y
        return self.past(y) if self.how == "past" else self.act(self.tokens(y.transpose(1, 2)))


@pytest.mark.parametrize("how, said", [
    ("tokens", "axis 1 of .* and on axis 2"),
    ("width", "axis 1 of .* and on axis 2"),
    ("past", "'act' is called 1 times by the model in training, and a copy in its place 0"),
])  # fmt: skip
def test_what_happens_in_training_alone_counts(how, said):
    with pytest.raises(ValueError, match=said):
        replace_activations(InTraining(how), nn.ReLU, "colu", example_input=torch.randn(2, 3, 8))


@pytest.mark.parametrize("by, size", [("evonorm-b0", 8), ("meta-acon-c", 32), ("dy-relu-a", 64), ("dy-relu-b", 8)])
def test_what_mixes_by_design_is_never_called_proved(by, size):
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
    report = replace_activations(model, nn.ReLU, by, example_input=torch.randn(2, 3, size, size))
    assert "rows" in report.unproved and "see each other, by design" in report.warnings[0]
    assert ("in training" in report.warnings[-1]) == (by in ("evonorm-b0", "meta-acon-c"))


class Centred(nn.Module):
    def forward(self, x):
        return F.relu(x - x.mean(1, keepdim=True))


@pytest.mark.parametrize("dtype, tokens", [(torch.float32, 4096), (torch.bfloat16, 16), (torch.float16, 64)])
def test_a_mean_over_many_tokens_is_seen_in_every_type(dtype, tokens):
    with pytest.raises(ValueError, match="moves .* other rows"):
        replace_activations(
            perceptron().to(dtype), nn.ReLU, Centred, example_input=torch.randn(1, tokens, 4, dtype=dtype)
        )


class Noisy(nn.Module):
    def forward(self, x):
        return x + torch.rand_like(x)


def test_noise_is_not_taken_for_mixing():
    assert "rows" in replace_activations(perceptron(), nn.ReLU, Noisy, example_input=torch.randn(3, 4)).proofs


@pytest.mark.parametrize("model, example, later", [
    (nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU()), (3, 4, 4), (5, 3, 4, 4)),
    (nn.Sequential(nn.Linear(3, 8), nn.Unflatten(-1, (8, 1)), nn.ReLU()), (4, 3), (2, 4, 3)),
])  # fmt: skip
def test_an_axis_stays_right_for_inputs_of_another_rank(model, example, later):
    replace_activations(model, nn.ReLU, "colu", example_input=torch.randn(example))
    x = torch.randn(later)
    other = torch.cat([x[:1] + 1, x[1:]])
    assert torch.equal(model(x)[1:], model(other)[1:])


class Hidden(nn.Module):
    """Activations that no module of the model holds."""

    made = nn.ReLU()

    def __init__(self):
        super().__init__()
        self.layer, self.act, self.more = nn.Linear(4, 8), nn.ReLU(), [nn.Sequential(nn.ReLU())]

    def forward(self, x):
        return self.made(nn.ReLU()(self.more[0](self.act(self.layer(x)))))


def test_activations_that_no_module_holds_are_named_as_functions_are():
    report = replace_activations(Hidden(), nn.ReLU, "colu", example_input=torch.randn(3, 4))
    (line,) = report.functional_calls
    assert line.startswith("relu at ") and "test_replace.py" in line


def test_what_comes_in_may_change_its_input_where_nobody_reads_it():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    assert "rows" in replace_activations(model, nn.ReLU, nn.SiLU, inplace=True, example_input=torch.randn(3, 4)).proofs
    for rows in (1, 3):
        model = Rereads(False)
        with pytest.raises(ValueError, match="leave out inplace=True"):
            replace_activations(model, nn.ReLU, nn.SiLU, inplace=True, example_input=torch.randn(rows, 4))
        assert isinstance(model.act, nn.ReLU)


def test_what_comes_in_may_not_change_what_a_derivative_reads():
    model = nn.Sequential(nn.Linear(4, 8), nn.Sigmoid(), nn.ELU(), nn.Linear(8, 2))
    with pytest.raises(ValueError, match="or the derivative of the layer before does; leave out inplace=True"):
        replace_activations(model, nn.ELU, nn.LeakyReLU, inplace=True, example_input=torch.randn(3, 4))


class Locked(nn.ReLU):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


class Particular(nn.Module):
    def forward(self, x):
        assert x.abs().max() < 50, "too large"
        return F.relu(x)


def test_what_cannot_be_copied_or_tried_is_said():
    model = nn.Sequential(nn.Linear(4, 8), Locked(), nn.Linear(8, 2))
    report = replace_activations(model, nn.ReLU, "colu", example_input=torch.randn(3, 4))
    assert "cannot be copied" in report.unproved["identity"] and "rows" in report.proofs
    model = nn.Sequential(nn.Linear(4, 8), Locked(), nn.Linear(8, 2))
    model[2].register_forward_pre_hook(lambda module, args, act=model[1]: act(*args))
    with pytest.raises(ValueError, match="is still called in .* after the swap"):
        replace_activations(model, nn.ReLU, "colu", example_input=torch.randn(3, 4))
    report = replace_activations(perceptron(), nn.ReLU, Particular, example_input=torch.randn(3, 4))
    assert "too large" in report.unproved["rows of 1"] and "rows" not in report.proofs


def test_a_conjugate_buffer_is_a_tensor_as_others_are():
    model = perceptron()
    model.register_buffer("turn", torch.tensor([1j, 2.0]).conj())
    assert replace_activations(model, nn.ReLU, "colu", example_input=torch.randn(3, 4)).proofs["identity"]


class Auxiliary(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.act, self.gate = nn.Linear(4, 8), nn.Tanh(), nn.Sigmoid()

    def forward(self, x):
        h = self.act(self.layer(x)) + 0
        return (h, self.gate(h)) if self.training else h


def test_what_is_returned_in_training_alone_is_an_output():
    report = replace_activations(Auxiliary(), (nn.Tanh, nn.Sigmoid), "colu", example_input=torch.randn(3, 4))
    assert list(report.kept) == ["gate"] and [name for name, *_ in report.changed] == ["act"]


def test_new_parameters_in_a_distributed_model_are_refused(tmp_path):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        model = nn.parallel.DistributedDataParallel(perceptron())
        with pytest.raises(ValueError, match="swap first and wrap then"):
            replace_activations(model, nn.ReLU, "prelu", example_input=torch.randn(3, 4))
        assert replace_activations(model, nn.ReLU, "colu", example_input=torch.randn(3, 4)).changed
    finally:
        torch.distributed.destroy_process_group()


def test_a_parametrisation_is_no_activation_of_features():
    model = perceptron()
    nn.utils.parametrize.register_parametrization(model[2], "weight", nn.ReLU())
    report = replace_activations(model, nn.ReLU, "silu", example_input=torch.randn(3, 4))
    assert list(report.kept) == ["2.parametrizations.weight.0"] and (model[2].weight >= 0).all()


@pytest.mark.parametrize("which, found", [
    ("gelu", ["0", "1"]), ("gelu-tanh", ["1"]), ("colu", ["2", "3"]), ("colu-soft", ["3"]),
    ("mpu", ["4", "5"]), ("mpu-learnable", ["5"]), ("hardtanh", ["7"]), ("relu6", ["6"]),
])  # fmt: skip
def test_a_name_selects_what_it_says(which, found):
    model = nn.Sequential(
        nn.GELU(), nn.GELU("tanh"), CoLU(), CoLU(scaling="soft"), MPU(), MPU(learnable_angle=True), nn.ReLU6(),
        nn.Hardtanh(), nn.Identity(),
    )  # fmt: skip
    report = replace_activations(model, which, "identity", prove=False, policies=())
    assert [name for name, *_ in report.changed] == found


@pytest.mark.parametrize("options", [{"keep": ["1"]}, {"only": ["0"]}])
def test_an_activation_that_what_is_kept_shares_is_swapped_at_its_other_places(options):
    act = nn.ReLU()
    model = nn.Sequential(nn.Sequential(nn.Linear(4, 8), act), nn.Sequential(nn.Linear(8, 6), act))
    report = replace_activations(model, nn.ReLU, "colu", example_input=torch.randn(3, 4), **options)
    assert [name for name, *_ in report.changed] == ["0.1"] and model[1][1] is act and "paths" in report.proofs


def test_the_name_of_the_model_itself_is_no_policy():
    class SqueezeExciteNet(nn.Sequential):
        pass

    assert replace_activations(SqueezeExciteNet(nn.Linear(4, 8), nn.ReLU()), nn.ReLU, "colu").changed


def test_a_gate_comes_in_where_a_gate_was():
    model = nn.Sequential(nn.Linear(4, 16), nn.GLU(), nn.Linear(8, 2))
    assert replace_activations(model, nn.GLU, "swiglu", example_input=torch.randn(3, 4)).places["1"] == (-1, 16, "0")
    with pytest.raises(ValueError, match=r"makes shape \(2, 16\) .* wanted is \(2, 8\)"):
        replace_activations(model, "swiglu", nn.SiLU, example_input=torch.randn(3, 4))


def test_a_factory_that_gives_one_module_gives_each_place_its_own():
    one = nn.PReLU()
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU())
    replace_activations(model, nn.ReLU, lambda: one)
    assert model[1] is not model[3]


def test_a_remainder_is_no_way_out_of_two_widths():
    model = Shared(nn.ReLU(), 6)
    with pytest.raises(ValueError) as refused:
        replace_activations(model, nn.ReLU, "colu", remainder="pass", example_input=torch.randn(3, 4))
    assert "remainder" not in str(refused.value)


class Shared(nn.Module):
    def __init__(self, act, width):
        super().__init__()
        self.first, self.act, self.second = nn.Linear(4, 8), act, nn.Linear(8, width)

    def forward(self, x):
        return self.act(self.second(self.act(self.first(x))))


@pytest.mark.parametrize("which, by, options, said", [
    (nn.ReLU(), "colu", {}, "selects nothing"),
    (nn.ReLU, nn.ELU, {"alfa": 3}, "makes no activation with options"),
    (nn.ReLU, nn.Threshold, {}, "makes no activation with options"),
    (nn.ReLU, F.silu, {}, "makes no activation with options"),
    (nn.ReLU, lambda: nn.Softmax(3), {}, "does not fit '1'"),
    (nn.ReLU, "grelu", {}, "'adjacency'"),
])  # fmt: skip
def test_what_cannot_come_in_is_refused_in_words(which, by, options, said):
    model = perceptron()
    with pytest.raises(ValueError, match=said):
        replace_activations(model, which, by, example_input=torch.randn(3, 4), keep=None, **options)
    assert isinstance(model[1], nn.ReLU)


def test_only_modules_are_swapped_in():
    with pytest.raises(ValueError, match="is no Module"):
        replace_activations(F.relu, nn.ReLU, "colu")


# What a swap of modules cannot reach.


def test_activations_called_as_functions_are_named_with_their_line():
    report = replace_activations(nn.Sequential(Block()), nn.ReLU, "colu")
    assert [call.split(" at ")[0] for call in report.functional_calls] == ["relu", "relu"]
    assert all("test_replace.py:" in call and call.endswith("in 0") for call in report.functional_calls)


def test_functions_of_a_layer_of_torch_are_named():
    report = replace_activations(nn.TransformerEncoderLayer(8, 2), nn.ReLU, "colu", example_input=torch.randn(3, 2, 8))
    assert any("nn/modules/transformer.py" in call for call in report.functional_calls)


def test_modules_are_not_taken_for_functions():
    model = nn.Sequential(nn.Linear(8, 8), CoLU(), nn.ReLU(), nn.Hardswish(), nn.GLU(), nn.LSTM(4, 4))
    assert not replace_activations(model, nn.ReLU, MPU).functional_calls


# Bad input.


@pytest.mark.parametrize("example, said", [
    (torch.randn(2, 5), r"\(2, 5\) torch.float32"),
    ({"y": torch.randn(2, 4)}, "unexpected keyword"),
    (torch.zeros(2, 4, dtype=torch.long), "torch.int64"),
])  # fmt: skip
def test_an_example_that_does_not_fit_is_refused(example, said):
    model = perceptron()
    before = state_of(model)
    with pytest.raises(ValueError, match=f"does not run on example_input.*{said}"):
        replace_activations(model, nn.ReLU, "colu", example_input=example)
    assert_same_state(model, before)


def test_compiled_scripted_and_quantised_models_are_refused():
    with pytest.raises(ValueError, match="compiled; swap first.*_orig_mod"):
        replace_activations(torch.compile(perceptron()), nn.ReLU, "colu")
    model = perceptron()
    model[1].compile()
    with pytest.raises(ValueError, match="'1' was compiled in place; swap first"):
        replace_activations(model, nn.ReLU, "colu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.trace(perceptron(), torch.randn(2, 4))
    with pytest.raises(ValueError, match="torch.jit"):
        replace_activations(scripted, nn.ReLU, "colu")
    model = perceptron()
    model[0] = torch.ao.nn.qat.Linear(4, 8, qconfig=torch.ao.quantization.get_default_qat_qconfig())
    with pytest.raises(ValueError, match="'0' is quantised"):
        replace_activations(model, nn.ReLU, "colu")


def test_what_vmap_hides_is_refused_in_its_words():
    class Mapped(nn.Module):
        def __init__(self, scale):
            super().__init__()
            self.layer, self.act, self.scale = nn.Linear(4, 8), nn.ReLU(), scale

        def forward(self, x):
            return torch.vmap(lambda one: self.act(self.scale(self.layer(one))))(x)

    assert replace_activations(Mapped(nn.Identity()), nn.ReLU, "colu", example_input=torch.randn(2, 4)).places["act"]
    with pytest.raises(ValueError, match="'act'.*inside torch.vmap"):
        replace_activations(Mapped(lambda h: 2 * h), nn.ReLU, "colu", example_input=torch.randn(2, 4))


def test_models_without_sizes_are_refused():
    with pytest.raises(ValueError, match="'0.weight' has no shape yet"):
        replace_activations(nn.Sequential(nn.LazyLinear(8), nn.ReLU()), nn.ReLU, "colu")


def test_hooks_of_an_activation_would_be_lost_and_are_named():
    model = perceptron()
    model[1].register_forward_hook(lambda *_: None)
    with pytest.raises(ValueError, match=r"'1' has hooks.*keep=\['1'\]"):
        replace_activations(model, nn.ReLU, "colu")


def test_shared_activations_stay_shared_and_copies_are_separate():
    act = nn.ReLU()
    model = nn.Sequential(nn.Linear(4, 4), act, nn.Linear(4, 4), act, nn.ReLU())
    report = replace_activations(model, nn.ReLU, MPU(learnable_angle=True, channel_dim=-1))
    assert model[1] is model[3] and model[1] is not model[4]
    assert report.shared == ["1, 2 calls", "3, 2 calls"]


def test_keys_of_activations_with_parameters_are_reported():
    model = nn.Sequential(nn.Linear(4, 4), nn.PReLU(4))
    assert len(replace_activations(copy.deepcopy(model), "prelu", MPU).changed) == 1
    report = replace_activations(model, nn.PReLU, MPU, learnable_angle=True)
    assert report.missing_keys == ["1.weight"] and report.added_keys == ["1.angle_logit"]


def test_state_dict_keys_stay():
    model = Block()
    before = copy.deepcopy(model.state_dict())
    report = replace_activations(model, nn.ReLU, "colu")
    assert list(model.state_dict()) == list(before) and not report.missing_keys and not report.added_keys
    model.load_state_dict(before)


def test_training_mode_is_taken_over():
    model = perceptron().eval()
    replace_activations(model, nn.ReLU, "colu")
    assert not model[1].training


@pytest.mark.parametrize(
    "which, by, options, message",
    [
        (nn.ReLU, "collu", {}, "collu.*colu"),
        ("reluu", "colu", {}, "reluu.*relu"),
        (3, "colu", {}, "which=3"),
        (nn.ReLU, 3, {}, "by=3"),
        (nn.ReLU, lambda: 3, {}, "not a Module"),
        (nn.ReLU, CoLU(), {"dim": 2}, "is a module already"),
        (nn.ReLU, "colu", {"remainder": "drop"}, "remainder='drop'"),
        (nn.ReLU, "gr-kan", {}, "is a layer and no activation"),
        (nn.ReLU, "colu", {"channel_dim": "last"}, "channel_dim='last'"),
        (F.relu, "colu", {}, "selects nothing"),
    ],
)
def test_bad_arguments_are_refused(which, by, options, message):
    with pytest.raises(ValueError, match=message):
        replace_activations(perceptron(), which, by, **options)


@pytest.mark.parametrize("layer", [CoLU, MPU, activation_layer("colu", dim=8), activation_layer("rcolu")])
def test_torchvision_takes_our_classes_as_activation_layer(layer):
    ops = pytest.importorskip("torchvision.ops")
    net = nn.Sequential(ops.Conv2dNormActivation(3, 8, activation_layer=layer), nn.Flatten(1))
    assert net(torch.randn(2, 3, 4, 4)).shape == (2, 128)


# Models that others wrote, with random weights.


def torchvision(name, size=64, **options):
    def make():
        return getattr(pytest.importorskip("torchvision.models"), name)(**options), torch.randn(2, 3, size, size)

    return make


def timm(name, size=64, **options):
    def make():
        return pytest.importorskip("timm").create_model(name, **options), torch.randn(2, 3, size, size)

    return make


def transformers(name, config, **options):
    def make():
        library = pytest.importorskip("transformers")
        ids = torch.randint(50, (2, 12), generator=torch.Generator().manual_seed(0))
        model = getattr(library, name)(
            getattr(library, config)(vocab_size=50, bos_token_id=1, eos_token_id=2, **options)
        )
        return model, {"input_ids": ids}

    return make


def diffusers(name, time, **options):
    def make():
        model = getattr(pytest.importorskip("diffusers"), name)(
            in_channels=1, out_channels=1, block_out_channels=(16, 32), norm_num_groups=4, **options
        )
        x = torch.randn(2, 1, 8, 8)
        return model, (x, torch.tensor([3, 700])) if time else x

    return make


UNET = dict(sample_size=8, layers_per_block=1, down_block_types=("DownBlock2D", "AttnDownBlock2D"))
UNET |= dict(up_block_types=("AttnUpBlock2D", "UpBlock2D"), attention_head_dim=8)
AUTOENCODER = dict(down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2)
SMALL = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4)
#: How it is made; how many activations are replaced, left alone and called as functions; in the usual run or not.
MODELS = {
    "resnet18": (torchvision("resnet18"), 9, 0, 0, True),
    "resnet50": (torchvision("resnet50"), 17, 0, 0, False),
    "vgg11": (torchvision("vgg11"), 10, 0, 0, False),
    "vgg11_bn": (torchvision("vgg11_bn"), 10, 0, 0, False),
    "alexnet": (torchvision("alexnet"), 7, 0, 0, False),
    "mobilenet_v2": (torchvision("mobilenet_v2"), 35, 0, 0, False),
    "mobilenet_v3_small": (torchvision("mobilenet_v3_small"), 24, 9, 0, True),
    "densenet121": (torchvision("densenet121"), 120, 0, 1, False),
    "googlenet": (torchvision("googlenet", 96, init_weights=False), 0, 0, 2, False),
    "convnext_tiny": (torchvision("convnext_tiny"), 18, 0, 0, False),
    "vit_b_16": (torchvision("vit_b_16", 32, image_size=32), 12, 0, 0, False),
    "swin_t": (torchvision("swin_t"), 12, 0, 0, False),
    "efficientnet_b0": (torchvision("efficientnet_b0"), 33, 16, 0, False),
    "shufflenet_v2": (torchvision("shufflenet_v2_x1_0"), 37, 0, 0, False),
    "regnet_y": (torchvision("regnet_y_400mf"), 49, 16, 0, False),
    "timm resnet18": (timm("resnet18"), 17, 0, 0, False),
    "timm vit_tiny": (timm("vit_tiny_patch16_224", img_size=64), 12, 0, 0, False),
    "timm mixer": (timm("mixer_s16_224", img_size=64), 16, 0, 0, False),
    "timm convnext_atto": (timm("convnext_atto"), 12, 0, 0, True),
    "timm efficientnet_b0": (timm("efficientnet_b0"), 33, 16, 0, False),
    "gpt2": (
        transformers("GPT2LMHeadModel", "GPT2Config", n_positions=32, n_embd=32, n_layer=2, n_head=4),
        2,
        0,
        0,
        True,
    ),
    "bert": (transformers("BertModel", "BertConfig", **SMALL), 2, 0, 0, True),
    "unet": (diffusers("UNet2DModel", True, **UNET), 9, 9, 0, True),
    "autoencoder": (diffusers("AutoencoderKL", False, **AUTOENCODER), 12, 0, 0, True),
    "llama": (transformers("LlamaForCausalLM", "LlamaConfig", **SMALL), 2, 0, 0, True),
}


def elementwise(name, module):
    kinds = (nn.ReLU, nn.ReLU6, nn.GELU, nn.SiLU, nn.Hardswish)
    return isinstance(module, kinds) or type(module).__module__.startswith(("transformers.act", "timm.layers.act"))


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=[] if ordinary else pytest.mark.long) for name, (*_, ordinary) in MODELS.items()
])  # fmt: skip
def test_models_that_others_wrote(name):
    make, changed, kept, functions, _ = MODELS[name]
    torch.manual_seed(0)
    model, example = make()
    model.eval()
    keys = list(model.state_dict())
    report = replace_activations(model, elementwise, "colu", dim=2, example_input=example)
    assert (len(report.changed), len(report.kept), len(report.functional_calls)) == (changed, kept, functions)
    assert list(model.state_dict()) == keys and not report.unproved
    if name == "unet":
        # One activation a block, for features and for the vector that tells the time: these calls keep theirs.
        vectors = [module.vectors for module in model.modules() if isinstance(module, OnMaps)]
        assert len(vectors) == 8 and all(isinstance(module, nn.SiLU) for module in vectors)
    if changed:
        assert sorted(report.proofs) == ["identity", "keys", "paths", "rows", "samples"]
        across = ["what comes in at blocks.0.mlp_tokens.act, blocks.1.mlp_tokens.act"] if name == "timm mixer" else []
        assert [text.split(", blocks.2")[0] for text in report.warnings] == across
        assert len(names_of(model, CoLU)) == changed
    assert {place.channel_dim for place in report.places.values()} <= {1, -1}
    first = [name for name, _, _ in report.changed][:1]
    model, example = make()
    again = replace_activations(
        model.eval(), elementwise, "colu", dim=2, example_input=example, keep=first, prove=False
    )
    assert len(again.changed) == changed - len(first) and all(name in again.kept for name in first)


@pytest.mark.long
def test_a_transformer_on_independent_tokens_stays_at_their_entropy_after_a_swap():
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(32, 2, 64, dropout=0.0, activation=nn.GELU(), batch_first=True)
    model = nn.Sequential(
        nn.Embedding(8, 32), nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(32, 8)
    )
    replace_activations(model, nn.GELU, "colu", example_input=torch.randint(8, (2, 16)))
    mask = nn.Transformer.generate_square_subsequent_mask(16)
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    losses = []
    for _ in range(600):
        tokens = torch.randint(8, (32, 17))
        hidden = model[1](model[0](tokens[:, :-1]), mask=mask, is_causal=True)
        loss = F.cross_entropy(model[2](hidden).flatten(0, 1), tokens[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    # The wrong axis reaches half of it: a token then reads the one that it should foretell.
    assert sum(losses[-50:]) / 50 == pytest.approx(numpy.log(8), abs=0.02)
