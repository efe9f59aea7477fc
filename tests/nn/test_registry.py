"""The registry: every entry tells the truth about its module."""

import functools
import json
import pathlib
import re

import pytest
import torch
from torch import nn

from colu.geometry import Symmetry
from colu.nn import (
    ActivationEntry,
    activation_layer,
    create,
    get_entry,
    has_symmetry,
    list_activations,
    register,
    register_symmetry,
    registry,
    symmetry_of,
)
from colu.nn._facts import CHANNELS
from colu.nn.gain import gain
from colu.testing import assert_homogeneous, lipschitz_lower_bound

C = 16
ENTRIES = {entry.name: entry for entry in list_activations()}
NAMES = list(ENTRIES)
BOOK = pathlib.Path(__file__).parents[2] / "book"
GOLDEN = json.loads(pathlib.Path(__file__).with_name("golden.json").read_text(encoding="utf8"))
# One tensor of channels goes in; a graph unit wants a graph too, a penalty a weight.
MAPS = [name for name in NAMES if name not in ("grelu", "orthogonal-convolution")]
IMAGES = {"dy-relu-c", "frelu", "lslu-as-published", "series"}


@pytest.fixture
def scratch(monkeypatch):
    for table in ("_ENTRIES", "_ALIASES", "_SYMMETRIES"):
        monkeypatch.setattr(registry, table, dict(getattr(registry, table)))


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def made(name, channels=C):
    torch.manual_seed(0)
    # A hyper-network of one hidden unit may be dead.
    return create(name, channels, **(dict(reduction=1) if name.startswith("dy-relu") else {})).double().eval()


def channels_in(module):
    return getattr(module, "in_channels", C)


def sample(name, module, n=3, **options):
    if name == "hopfield":
        return normal(n, 5, C, **options)
    channels = channels_in(module)
    return normal(n, channels, 6, 5, **options) if name in IMAGES else normal(n, channels, **options)


@pytest.mark.parametrize("name", [n for n in MAPS if ENTRIES[n].unfit != CHANNELS and n != "threshold"
                                  and ENTRIES[n].kind == "activation"])  # fmt: skip
def test_pointwise_flag_is_true_of_the_module(name):
    module = made(name, 8)
    x = normal(8, 3, 3)
    jacobian = torch.func.jacrev(lambda v: module(v[None])[0])(x).reshape(x.numel(), x.numel())
    across = (jacobian - jacobian.diagonal().diag()).abs().max()
    # EvoNorm-B0 in evaluation mixes positions by the variance of the instance.
    assert (across == 0) == ENTRIES[name].pointwise


@pytest.mark.parametrize("name", MAPS)
def test_homogeneity_is_true_of_the_module(name):
    module = made(name)
    x = sample(name, module)
    kind = ENTRIES[name].homogeneity
    degree = {"positive": 1, "linear": 1, "of degree 2": 2, "of degree 0": 0}.get(kind)
    if degree is not None:
        assert_homogeneous(module, x, degree=degree)
    else:
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(0.1)
        with pytest.raises(AssertionError):
            assert_homogeneous(module, x)


def assert_bounded(module, bound):
    x = torch.cat([3 * normal(4000, channels_in(module)), torch.zeros(1, channels_in(module))])
    step = normal(*x.shape, seed=1)
    for size, rounding in ((1e-5, 1e-6), (1e-3, 1e-9), (1.0, 1e-9)):
        ratio = (module(x + size * step) - module(x)).norm(dim=1) / (size * step).norm(dim=1)
        assert ratio.max() <= bound + rounding


@pytest.mark.parametrize("name", [name for name in MAPS if ENTRIES[name].lipschitz])
def test_lipschitz_bound_holds_between_points(name):
    assert_bounded(made(name), ENTRIES[name].lipschitz)


def steepest(module, seeds=4):
    """The steepest slope found for parameters far from the start, in any direction that a few steps reach."""
    x, largest = 3 * normal(500, channels_in(module)), 0.0
    for seed in range(seeds):
        for at, parameter in enumerate(module.parameters()):
            nn.init.normal_(parameter, std=3.0, generator=torch.Generator().manual_seed(10 * seed + at))
        for size in (1e-5, 1e-2):
            step = size * normal(*x.shape, seed=seed)
            largest = max(largest, ((module(x + step) - module(x)).norm(dim=1) / step.norm(dim=1)).max().item())
    return largest


LEARNT = [name for name in MAPS if ENTRIES[name].parameters(C) and ENTRIES[name].lipschitz]


@pytest.mark.parametrize("name", LEARNT)
def test_bound_for_all_parameters_is_one_and_where_there_is_none_the_first_does_not_hold(name):
    entry, module = ENTRIES[name], made(name)
    found = steepest(module)
    if entry.lipschitz_all is None:
        assert found > 1.5 * entry.lipschitz
    else:
        assert entry.lipschitz <= entry.lipschitz_all and found <= entry.lipschitz_all + 1e-6


@pytest.mark.parametrize("name", [name for name in NAMES if not ENTRIES[name].parameters(C)])
def test_bounds_are_the_same_where_nothing_is_learnt(name):
    assert ENTRIES[name].lipschitz_all == ENTRIES[name].lipschitz


# At the edge of a cone the steepest direction is too rare among random ones.
@pytest.mark.parametrize("name", [n for n in MAPS if ENTRIES[n].lipschitz and ENTRIES[n].family != "conic"])
def test_lipschitz_bound_is_near(name):
    entry, module = ENTRIES[name], made(name)
    if entry.pointwise:
        x, step = torch.linspace(-10, 10, 20001, dtype=torch.float64)[:, None].repeat(1, C), torch.tensor(1e-4)
        slope = (module(x + step) - module(x)).abs().max() / step
        assert 0.99 * entry.lipschitz <= slope <= entry.lipschitz + 1e-6
        return
    # The steepest direction, at points of which the last has two large channels.
    x = 3 * normal(8, channels_in(module))
    x[-1] = -9
    x[-1, :2] = 9
    assert 0.9 * entry.lipschitz <= lipschitz_lower_bound(module, x)


@pytest.mark.parametrize("name", MAPS)
def test_a_position_changes_others_only_where_the_entry_says_so(name):
    module = made(name)
    x = normal(2, 9, channels_in(module))
    other = x.clone()
    other[0, 4] += normal(channels_in(module), seed=1)
    # Layers act on the last dimension; all others get pictures of nine pixels.
    last = ENTRIES[name].kind == "layer"
    before, after = (v if last else v.mT.unflatten(2, (3, 3)) for v in (x, other))
    gap = (module(after) - module(before)).abs()
    gap = gap.amax(-1) if last else gap.amax(1).flatten(1)
    assert gap[0, 4] > 0 and (gap[1] == 0).all()
    assert (gap[0].sum() > gap[0, 4]) == ENTRIES[name].mixes_positions


@pytest.mark.parametrize("name", NAMES)
def test_parameter_count_is_true_of_the_module(name):
    for channels in (8, 12, 320):
        count = sum(p.numel() for p in create(name, channels).parameters())
        assert ENTRIES[name].parameters(channels) == count


@pytest.mark.parametrize("name", NAMES)
def test_entry_is_complete(name):
    entry = ENTRIES[name]
    assert isinstance(entry, ActivationEntry) and entry.formula and entry.family
    assert "$" not in entry.formula
    assert entry.lipschitz is None or entry.lipschitz > 0
    assert isinstance(entry.parameters(C), int) and entry.parameter_formula
    keys = re.findall(r"^@\w+\{([^,]+),", (BOOK / "references.bib").read_text(encoding="utf-8"), re.MULTILINE)
    assert not entry.citation or entry.citation in keys


@pytest.mark.parametrize("name", [name for name in NAMES if ENTRIES[name].kind == "activation"])
def test_symmetry_says_what_the_other_facts_say(name):
    entry, module = ENTRIES[name], made(name)
    symmetry = entry.symmetry(module, channels_in(module))
    assert symmetry == symmetry_of(module, channels_in(module)) and "$" not in symmetry.latex
    if symmetry.kind != "linear":
        assert symmetry.scales == (entry.homogeneity == "positive")
        x = normal(200, channels_in(module))
        odd = entry.pointwise and torch.allclose(module(-x), -module(x), atol=1e-12)
        assert symmetry.signs == odd
    assert not entry.pointwise or symmetry.channelwise or symmetry.kind == "linear"


# Where parameters differ from channel to channel at the start they would have to move: tests/fusion has these.
ALIKE = [name for name in MAPS if ENTRIES[name].kind == "activation" and name not in IMAGES
         and not name.startswith(("dy-relu", "meta-acon", "acon-c"))]  # fmt: skip


def best_map(before, after):
    """How far the best of all linear maps misses that takes rows to others."""
    found = torch.linalg.lstsq(before, after, driver="gelsd").solution
    return ((before @ found - after).norm() / after.norm()).item()


@pytest.mark.parametrize("name", ALIKE)
def test_elements_of_the_symmetry_commute_with_the_module(name):
    module = made(name)
    symmetry = symmetry_of(module, channels_in(module))
    x = normal(400, symmetry.channels)
    for seed in range(3):
        move = symmetry.random(torch.Generator().manual_seed(seed))
        moved, still = module(x @ move.T), module(x)
        if symmetry.output == "channels":
            assert torch.allclose(moved, still @ move.T, atol=1e-9)
        elif symmetry.output == "twice":
            assert torch.allclose(moved, still @ torch.block_diag(move, move).T, atol=1e-9)
        else:
            assert best_map(still, moved) < 1e-9


@pytest.mark.parametrize("name", [name for name in ALIKE if name not in ("identity", "group-rational")])
def test_elements_of_a_larger_group_cannot_be_moved_through(name):
    module = made(name)
    larger = symmetry_of(module, channels_in(module)).enlarged()
    move = larger.random(torch.Generator().manual_seed(0))
    x = normal(2000, larger.channels)
    assert best_map(module(x), module(x @ move.T)) > 1e-3


@pytest.mark.parametrize("name", [name for name in MAPS if ENTRIES[name].kind == "activation" and name not in IMAGES])
def test_every_activation_has_a_gain(name):
    module = made(name)
    found = gain(module, C)
    x = normal(20000, channels_in(module))
    with torch.no_grad():
        assert (found**2 * module(x).square().sum() / x.square().sum()).item() == pytest.approx(1, abs=0.1)


#: What timm's create_act knows, as of 2025; its swish is SiLU, which is silu here.
TIMM = """silu swish mish relu relu6 leaky_relu elu prelu celu selu gelu gelu_tanh quick_gelu sigmoid tanh hard_sigmoid
hard_swish hard_mish identity hardsigmoid hardswish""".split()


@pytest.mark.parametrize("name", TIMM)
def test_names_of_timm_are_known_here(name):
    x = torch.linspace(-4, 4, 9)[:, None]
    y = create(name, 1)(x)
    assert y.shape == x.shape
    assert name != "swish" or torch.allclose(y, nn.functional.silu(x))


def test_symmetries_are_known_by_class(scratch):
    class Mine(nn.ReLU):
        pass

    class Other(nn.Module):
        pass

    assert symmetry_of(Mine(), 4).scales and not has_symmetry(Other()) and symmetry_of(Other(), 4) is None
    register_symmetry(Other, lambda module, channels: Symmetry("fixed", channels))
    assert symmetry_of(Other(), 4).latex == r"\{1\}"
    assert create("colu", dim=8) is not None and symmetry_of(create("colu", dim=8), 18).width() == 16


def test_names_are_found_in_any_spelling():
    assert type(create("CoLU")) is type(create("colu"))
    assert get_entry("leaky_relu") is get_entry("leaky-relu")
    assert get_entry("gemu") is get_entry("mpu")
    assert get_entry("maxmin") is get_entry("group-sort")


@pytest.mark.parametrize("wrong, near", [("collu", "colu"), ("RELUU", "relu"), ("mpu-leeky", "mpu-leaky")])
def test_unknown_names_get_the_nearest_known_ones(wrong, near):
    with pytest.raises(ValueError, match=f"{wrong}.*{near}"):
        create(wrong)


def test_name_unlike_any_other_points_to_the_list():
    with pytest.raises(ValueError, match="list_activations"):
        create("qqqqqqqq")


def test_unknown_options_are_refused():
    with pytest.raises(ValueError, match="'colu'.*size"):
        create("colu", size=3)


def test_options_reach_the_module_and_channels_are_ignored_where_not_needed():
    assert create("colu", 64, dim=8).dim == 8
    assert isinstance(create("relu", 64), nn.ReLU)


def test_channels_are_asked_for_where_needed(scratch):
    register("per-channel", nn.PReLU, "x", needs_channels=True, parameters=lambda channels: channels)
    with pytest.raises(ValueError, match="num_channels"):
        create("per-channel")
    assert create("per-channel", 5).weight.shape == (5,)


def test_filters():
    assert [entry.name for entry in list_activations("mpu")] == ["mpu", "mpu-leaky", "mpu-learnable"]
    assert all(entry.pointwise for entry in list_activations(lambda entry: entry.pointwise))
    assert sorted(NAMES) == NAMES and {"relu", "colu"} < set(NAMES)


def test_taken_and_malformed_names_are_refused(scratch):
    register("colu", get_entry("colu").factory, "same factory again")
    for name in ("colu", "gemu"):
        with pytest.raises(ValueError, match="taken"):
            register(name, nn.Hardtanh, "x")
    with pytest.raises(ValueError, match="lower-case"):
        register("My Act", nn.Hardtanh, "x")


def test_family_comes_from_the_file_also_of_partials(scratch):
    assert register("some-partial", functools.partial(get_entry("colu").factory, dim=2), "x").family == "conic"


def test_activation_layer_drops_inplace():
    assert activation_layer("colu", dim=8)(inplace=True).dim == 8
    with pytest.raises(ValueError, match="collu"):
        activation_layer("collu")


def golden_input(case):
    return torch.tensor(GOLDEN["inputs"][case["input"]], dtype=getattr(torch, case["dtype"]))


def as_theirs(module, case, x):
    """The map of our module in the order of channels that the case says theirs has."""
    if case.get("order") == "rising":
        return -module(-x)
    y = module(x)
    return y.unflatten(1, (-1, 2)).transpose(1, 2).flatten(1, 2) if case.get("order") == "maxima first" else y


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: f"{case['unit']} {case['oracle']} {case['made']}")
def test_values_and_gradients_are_those_of_other_peoples_code(case):
    x = golden_input(case).requires_grad_()
    module = create(case["unit"], **case.get("options", {})).to(x.dtype).train(case.get("training", False))
    state = {name: torch.tensor(value, dtype=x.dtype) for name, value in case.get("state", {}).items()}
    module.load_state_dict(module.state_dict() | state)
    tol = 1e-13 if x.dtype == torch.float64 else 5e-6
    y = as_theirs(module, case, x)
    pairs = [(y, "output")]
    if "gradient" in case:
        pairs.append((torch.autograd.grad(y.square().sum() / 2, x)[0], "gradient"))
    for found, key in pairs:
        wanted = torch.tensor(case[key], dtype=x.dtype)
        torch.testing.assert_close(found, wanted, rtol=tol, atol=tol * wanted.abs().max().item())
    if "after" in case:
        # Timm's running variance is the unbiased one: the rest of this step is ours.
        n, share, old = x.numel() / x.shape[1], module.momentum, state["running_var"]
        new = (module.running_var - (1 - share) * old) * n / (n - 1) + (1 - share) * old
        torch.testing.assert_close(new, torch.tensor(case["after"]["running_var"]))


def test_golden_values_are_of_every_peer_and_say_how_they_were_made():
    wanted = {"jax-colu", "di-f-fu-sion", "ACON", "PAU A", "PAU B", "PAU C", "KAT mixed", "KAT Triton", "norm-ReLU"}
    wanted |= {"GroupSort", "Householder", "EvoNorm", "timm", "torch_activation"}
    assert wanted == {case["oracle"] for case in GOLDEN["cases"]}
    for case in [*GOLDEN["cases"], GOLDEN["namesake"]]:
        assert case["made"] and re.search(r"\d", case["version"]) and case["input"] in GOLDEN["inputs"]
    # Values that could be of any unit would prove nothing.
    for case in GOLDEN["cases"]:
        assert case["output"] != GOLDEN["inputs"][case["input"]]


def test_colu_of_torch_activation_is_another_function():
    x, theirs = golden_input(GOLDEN["namesake"]), GOLDEN["namesake"]["output"]
    theirs = torch.tensor(theirs, dtype=x.dtype)
    torch.testing.assert_close(x / (1 - x * torch.exp(-(x + x.exp()))), theirs)
    assert (create("colu")(x) - theirs).abs().max() > 1
