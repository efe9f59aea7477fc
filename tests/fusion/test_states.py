"""Wrapped networks are looked through, and weights that have no mean are named with what to do."""

import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import prune
from torch.optim.swa_utils import AveragedModel

from colu.fusion import (
    apply,
    barrier,
    evaluate,
    from_sequential,
    fuse,
    invariance_error,
    lerp,
    match_activations,
    match_weights,
    mean_state,
    recalibrate_batch_norm,
    repair_statistics,
    sequential_merge,
    trace_spec,
)
from colu.fusion.states import check_tensors, plain_state, unwrapped

WRAPPERS = {
    "compiled": torch.compile,
    "parallel": nn.DataParallel,
    "averaged": AveragedModel,
    "compiled in parallel": lambda model: nn.DataParallel(torch.compile(model)),
    "parallel, compiled": lambda model: torch.compile(nn.DataParallel(model)),
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_a_wrapper_changes_no_specification(nets, wrap):
    model = nets.mlp()
    wrapped = wrap(model)
    assert type(unwrapped(wrapped)) is type(model)
    wanted = from_sequential(model)
    assert trace_spec(wrapped) == from_sequential(wrapped) == wanted
    assert invariance_error(wrapped, wanted, nets.vectors()) < 1e-9


def test_what_is_compiled_inside_a_model_is_followed(nets):
    model = nets.mlp()
    wanted = trace_spec(model)
    model[2] = torch.compile(model[2])
    found = trace_spec(model)
    assert list(found.groups) == ["0", "2._orig_mod"] and found.groups["0"] == wanted.groups["0"]
    found.check(model.state_dict())


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_names_of_wrappers_are_dropped_and_that_is_said(nets, wrap):
    model, other = nets.mlp(), nets.mlp(seed=7)
    spec, x, y = from_sequential(model), nets.vectors(60), torch.arange(60) % 5
    plain, state = model.state_dict(), wrap(other).state_dict()
    assert set(state).isdisjoint(plain)

    def both(call):
        """A result from the wrapped state, which warns, and from the plain one, which does not."""
        with pytest.warns(UserWarning, match="'(_orig_mod|module)\\.'.* dropped"):
            wrapped = call(state)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return wrapped, call(other.state_dict())

    calls = [
        lambda s: apply(spec, spec.random(1), s),
        lambda s: match_weights(spec, plain, s).apply(spec, s),
        lambda s: lerp(plain, s, 0.5),
        lambda s: lerp(s, plain, 0.5),
        lambda s: mean_state([plain, s]),
        lambda s: sequential_merge(plain, [s]),
        lambda s: repair_statistics(spec, model, lerp(plain, s, 0.5), (plain, s), x),
        lambda s: fuse(model, plain, s, example_input=x).state,
    ]
    for call in calls:
        wrapped, wanted = both(call)
        assert list(wrapped) == list(wanted) == list(plain)
        assert all(torch.equal(wrapped[name], wanted[name]) for name in plain)
    wrapped, wanted = both(lambda s: evaluate(model, s, (x, y)))
    assert wrapped == wanted


def test_a_wrapped_model_takes_either_state(nets):
    model, x, y = nets.mlp(), nets.vectors(), torch.arange(40) % 5
    wrapped, state = torch.compile(model), model.state_dict()
    wanted = evaluate(model, state, (x, y))
    assert evaluate(wrapped, state, (x, y)) == wanted
    with pytest.warns(UserWarning, match="dropped"):
        assert evaluate(wrapped, wrapped.state_dict(), (x, y)) == wanted
    assert barrier(wrapped, state, state, (x, y), split="toy", lambdas=3).loss[0] == wanted.loss
    spec = from_sequential(model)
    elements = match_activations(spec, wrapped, nn.DataParallel(model), x).elements
    assert all(torch.equal(element.permutation, torch.arange(element.num_groups)) for element in elements.values())
    model = nets.conv(nn.ReLU, nn.BatchNorm2d)
    found = recalibrate_batch_norm(nn.DataParallel(model), model.state_dict(), nets.images(20))
    assert set(found) == set(model.state_dict())


def test_a_submodule_that_is_called_module_is_no_wrapper(nets):
    class Holder(nn.Module):
        def __init__(self):
            super().__init__()
            self.module = nets.mlp()

        def forward(self, x):
            return self.module(x)

    model = Holder()
    spec, state = trace_spec(model), model.state_dict()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert plain_state(state, spec.axes) is state
        assert set(apply(spec, spec.random(0), state)) == set(state)
    with pytest.warns(UserWarning, match="'module.'"):
        assert list(plain_state(nn.DataParallel(model).state_dict(), spec.axes)) == list(state)


def test_names_that_do_not_fit_at_all_stay_for_the_message(nets):
    model, other = nets.mlp(), {"module.encoder.weight": torch.ones(2)}
    spec = from_sequential(model)
    with pytest.raises(ValueError, match="leaves out .'module.encoder.weight'"):
        apply(spec, spec.identity(), other)


ODD = {
    "int64": (lambda t: t.long(), "torch.int64; a weight has to be floating: convert it with tensor.float()"),
    "bool": (lambda t: t > 0, "torch.bool; a weight has to be floating"),
    "float8": (lambda t: t.to(torch.float8_e4m3fn), "torch.float8_e4m3fn; .* convert it with tensor.float()"),
    "sparse": (lambda t: t.to_sparse(), "sparse, torch.sparse_coo; make it dense with tensor.to_dense()"),
    "sparse rows": (lambda t: t.reshape(len(t), -1).to_sparse_csr(), "sparse, torch.sparse_csr; make it dense"),
    "complex": (lambda t: t.to(torch.complex64), "torch.complex64; .* torch.view_as_real"),
    "a list": (lambda t: t.tolist(), "a list; give a state dict of tensors"),
}


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")
@pytest.mark.parametrize("change, message", ODD.values(), ids=ODD)
def test_weights_that_have_no_mean_are_named(nets, change, message):
    model, other = nets.mlp(), nets.mlp(seed=7)
    spec, a, b = from_sequential(model), model.state_dict(), other.state_dict()
    b["4.weight"] = change(b["4.weight"])
    for call in (
        lambda: fuse(model, a, b),
        lambda: fuse(model, b, a),
        lambda: match_weights(spec, a, b),
        lambda: apply(spec, spec.identity(), b),
        lambda: lerp(a, b, 0.5),
        lambda: mean_state([a, b]),
        lambda: sequential_merge(a, [b]),
    ):
        with pytest.raises(ValueError, match=f"^4.weight of .* is {message}"):
            call()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_quantised_weights_are_named():
    weight = torch.quantize_per_tensor(torch.ones(2, 2), 0.1, 0, torch.qint8)
    with pytest.raises(ValueError, match="^w of the state is quantised, torch.qint8; .*tensor.dequantize()"):
        check_tensors({"w": weight})


def test_a_weight_of_another_name_is_known_by_the_model():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Linear(3, 4), nn.Linear(4, 2)
            self.act = nn.PReLU(4)

        def forward(self, x):
            return self.two(self.act(self.one(x)))

    with pytest.raises(ValueError, match="^scale of x is torch.int64"):
        check_tensors({"scale": torch.ones(3, dtype=torch.int64)}, "x", ["scale"])
    model = Scaled()
    state = model.state_dict()
    wrong = state | {"act.weight": state["act.weight"].long()}
    with pytest.raises(ValueError, match="^act.weight of network 2 is torch.int64"):
        fuse(model, state, wrong)


def test_counters_and_indices_are_no_weights(nets):
    model = nets.conv(nn.ReLU, nn.BatchNorm2d)
    state = model.state_dict()
    assert state["3.num_batches_tracked"].dtype == torch.int64
    made = fuse(model, state, state, example_input=nets.images())
    assert torch.equal(made.state["3.num_batches_tracked"], state["3.num_batches_tracked"])
    index = {"index": torch.arange(4), "mask": torch.ones(2, dtype=torch.bool)}
    assert all(torch.equal(lerp(index, index, 0.5)[name], index[name]) for name in index)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_every_real_dtype_of_training_is_taken(nets, dtype):
    state = {name: tensor.to(dtype) for name, tensor in nets.mlp().state_dict().items()}
    assert lerp(state, state, 0.5)["0.weight"].dtype == dtype


@pytest.mark.parametrize("computed", [
    lambda layer: prune.random_unstructured(layer, "weight", 0.4),
    lambda layer: nn.utils.weight_norm(layer),
], ids=["pruned", "weight norm of old"])  # fmt: skip
@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
def test_weights_that_modules_compute_are_copied(nets, computed):
    layers = computed(nn.Linear(4, 6)), nn.ReLU(), computed(nn.Linear(6, 3))
    model, x = nn.Sequential(*layers).eval(), torch.randn(20, 4)
    assert invariance_error(model, spec := trace_spec(model, x), x) < 1e-10 and len(spec.groups) == 1
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    moved = {name: t.float() for name, t in apply(spec, spec.random(1), state).items()}
    made = fuse(model, state, moved, data=((x, x.argmax(1) % 3),) * 2, lambdas=3)
    assert made.report["metrics"]["keeps_the_parent"] == [True, True]
    assert not any("Buffers" in text for text in made.report["distrust"])


def test_buffers_that_differ_are_told_and_statistics_are_not():
    def network(seed):
        torch.manual_seed(seed)
        first = prune.random_unstructured(nn.Linear(4, 6), "weight", 0.4)
        model = nn.Sequential(first, nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3))
        model(torch.randn(20, 4))
        return model.eval()

    one, other = network(0), network(1)
    report = fuse(one, one.state_dict(), other.state_dict(), example_input=torch.randn(5, 4)).report
    (said,) = [text for text in report["distrust"] if "Buffers" in text]
    assert "0.weight_mask:" in said
