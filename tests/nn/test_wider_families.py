"""What the rational, isometric, gated, Hopfield, EvoNorm, threshold, hypercomplex and graph families hold."""

import copy
import math
import pathlib
import re

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import colu.nn as ours
from colu.nn import create, get_entry, list_activations
from colu.testing import assert_gradients_finite, assert_homogeneous, assert_same_function

FAMILIES = ("rational", "isometric", "gated", "evonorm", "threshold", "hopfield", "kan", "hypercomplex", "orthogonal")
NAMES = [entry.name for entry in list_activations(lambda entry: entry.family in FAMILIES and entry.kind != "penalty")]
PATTERNS, FLAT = ["hopfield"], ["gr-kan", "af-kan", "phm-linear", "householder-linear", "rotation-linear"]
CHANNELWISE = [name for name in NAMES if name not in PATTERNS + FLAT]
C = 8


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).to(dtype)


def made(name, seed=0):
    torch.manual_seed(seed)
    return create(name, C)


def channels_in(name):
    return C + C // 4 if name == "gated" else C


def sample(name, n=3, **options):
    if name in PATTERNS:
        return normal(n, 5, C, **options)
    return normal(n, C, **options) if name in FLAT else normal(n, channels_in(name), 4, 3, **options)


def test_all_families_are_registered():
    assert {get_entry(name).family for name in NAMES} == set(FAMILIES)
    assert len(NAMES) == 18
    assert get_entry("grelu").family == "graph" and get_entry("orthogonal-convolution").kind == "penalty"


@pytest.mark.parametrize("name", [*NAMES, "grelu"])
def test_parameter_count_is_true_of_the_module(name):
    for channels in (8, 12, 320):
        count = sum(p.numel() for p in create(name, channels).parameters())
        assert get_entry(name).parameters(channels) == count


@pytest.mark.parametrize("name", [name for name in [*NAMES, "grelu"] if get_entry(name).citation])
def test_citation_is_in_the_bibliography(name):
    path = pathlib.Path(__file__).parents[2] / "book" / "references.bib"
    keys = re.findall(r"^@\w+\{([^,]+),", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert get_entry(name).citation in keys


@pytest.mark.parametrize("name", [name for name in NAMES if name != "threshold"])
def test_gradients_by_finite_differences(name):
    module = made(name).double().eval()
    names = [n for n, _ in module.named_parameters()]
    if name.startswith(("rational", "group-rational", "gr-kan")):
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(0.02)
    x = sample(name, 2, seed=3)

    def f(x, *values):
        return torch.func.functional_call(module, dict(zip(names, values, strict=True)), x)

    values = [p.detach().clone().requires_grad_() for p in module.parameters()]
    assert torch.autograd.gradcheck(f, (x.requires_grad_(), *values), fast_mode=True)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("threshold", "householder-linear")])
def test_second_derivatives(name):
    module = made(name).double().eval()
    assert torch.autograd.gradgradcheck(module, (sample(name, 1, seed=5).requires_grad_(),), fast_mode=True)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_are_finite_from_zero_to_the_huge(name, dtype):
    module = made(name).to(dtype).eval()
    base = sample(name, dtype=dtype)
    # Products of features overflow where the squares of the input do.
    huge = 1e15 if name in ("hopfield", "evonorm-b0", "evonorm-s0", "af-kan") else 1e20
    huge = 1e5 if name == "af-kan" and dtype == torch.float32 else huge
    assert_gradients_finite(module, [base * 0, base * 0 + 1e-20, base * 0 - 1e-20, base * 0 + huge, base * 0 - huge])
    assert_gradients_finite(module, [huge * base, 1e-20 * base])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_has_no_nan(name, dtype):
    if name in ("householder-linear", "rotation-linear"):
        pytest.skip("LAPACK has no half precision")
    size = 30 if name in ("evonorm-b0", "evonorm-s0", "af-kan") else 1e4
    x = (size * sample(name).sign()).to(dtype)
    y = made(name).to(dtype).eval()(x)
    assert y.dtype == dtype and y.isfinite().all()


@pytest.mark.parametrize("name", CHANNELWISE)
def test_memory_layout_does_not_matter(name):
    module = made(name).double().eval()
    x = sample(name)
    expected = module(x)
    assert_same_function(lambda v: module(v.to(memory_format=torch.channels_last)), lambda v: expected, x)
    strided = torch.stack([x, -x], -1)[..., 0]
    assert_same_function(lambda v: module(strided), lambda v: expected, x)


@pytest.mark.parametrize("name", NAMES)
def test_empty_batch(name):
    x = sample(name, 0, dtype=torch.float32).requires_grad_()
    y = made(name).eval()(x)
    assert len(y) == 0
    y.sum().backward()
    assert x.grad.shape == x.shape


@pytest.mark.parametrize("name", NAMES)
def test_vmap_and_jacrev_agree_with_the_batch(name):
    module = made(name).double().eval()
    x = sample(name)

    def one(row):
        return module(row[None])[0]

    assert_same_function(torch.func.vmap(one), module, x)
    jacobian = torch.func.jacrev(one)(x[0])
    row = x[:1].clone().requires_grad_()
    (expected,) = torch.autograd.grad(module(row).sum(), row)
    found = jacobian.flatten(module(x)[0].dim()).flatten(0, -2).sum(0)
    assert torch.allclose(found, expected.flatten(), atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_safetensors_round_trip(name, tmp_path):
    source, target = made(name, 1).eval(), made(name, 2).eval()
    with torch.no_grad():
        for parameter in source.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    save_file({k: v.contiguous() for k, v in source.state_dict().items()}, tmp_path / "a.safetensors")
    target.load_state_dict(load_file(tmp_path / "a.safetensors"))
    assert_same_function(source, target, sample(name).float(), tol=0.0)


NEEDS = [name for name in NAMES if get_entry(name).needs_channels and name not in ("rotation-linear", "hopfield")]


@pytest.mark.parametrize("name", NEEDS)
def test_bad_numbers_of_channels_are_refused(name):
    for wrong in (0, -3, 2.5):
        with pytest.raises(ValueError, match="num_channels|in_features|num_features"):
            create(name, wrong)


@pytest.mark.parametrize("name", [name for name in NAMES if get_entry(name).needs_channels])
def test_other_channels_are_refused(name):
    module = made(name).eval()
    with pytest.raises((ValueError, RuntimeError)):
        module(torch.zeros(3, C + 3) if name not in PATTERNS else torch.zeros(3, 5, C + 3))


@pytest.mark.parametrize("name, options", [
    ("householder", {}), ("norm-relu", {}), ("gated", {}), ("phm-linear", {}), ("group-rational", {"num_groups": 2}),
])  # fmt: skip
def test_odd_channel_counts_are_refused(name, options):
    with pytest.raises(ValueError, match="7"):
        create(name, 7, **options)


@pytest.mark.parametrize("name", ["rational-a", "group-sort", "householder", "norm-relu", "evonorm-s0", "phm-linear"])
@pytest.mark.slow
def test_compiles_to_one_graph(name):
    module = made(name).eval()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    x = sample(name).float().requires_grad_()
    assert_same_function(compiled, module, x.detach())
    (expected,) = torch.autograd.grad(module(x).sum(), x)
    (found,) = torch.autograd.grad(compiled(x).sum(), x)
    assert torch.allclose(found, expected, atol=1e-5)


BOUNDED = [name for name in NAMES if get_entry(name).lipschitz]


@pytest.mark.parametrize("name", BOUNDED)
def test_lipschitz_bound_holds_and_is_near(name):
    module = made(name).double().eval()
    x, step = 3 * normal(2000, channels_in(name)), 1e-5 * normal(2000, channels_in(name), seed=1)
    ratio = (module(x + step) - module(x)).norm(dim=1) / step.norm(dim=1)
    bound = get_entry(name).lipschitz
    assert 0.9 * bound <= ratio.max() <= bound + 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_homogeneity_is_true_of_the_module(name):
    module, x = made(name).double().eval(), sample(name)
    kind = get_entry(name).homogeneity
    if kind in ("positive", "linear"):
        assert_homogeneous(module, x)
    elif kind == "of degree 0":
        assert_homogeneous(module, x, degree=0)
    else:
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(0.1)
        with pytest.raises(AssertionError):
            assert_homogeneous(module, x)


@pytest.mark.parametrize("name", [name for name in CHANNELWISE if name not in ("crelu", "gated", "threshold")])
def test_pointwise_flag_is_true_of_the_module(name):
    module = made(name).double().eval()
    x = normal(C, 2, 2)
    jacobian = torch.func.jacrev(lambda v: module(v[None])[0])(x).reshape(x.numel(), x.numel())
    across = (jacobian - jacobian.diagonal().diag()).abs().max()
    # EvoNorm-B0 in evaluation mixes positions by the variance of the instance.
    assert (across == 0) == get_entry(name).pointwise


@pytest.mark.parametrize("name", NAMES)
def test_small_network_trains(name):
    torch.manual_seed(0)
    x = torch.randn(256, 4)
    target = (x[:, :1] * x[:, 1:2]).tanh()
    first = nn.Linear(4, channels_in(name))
    module = made(name)
    out = 2 * C if name == "crelu" else C
    if name in ("phm-linear", "householder-linear", "rotation-linear"):
        module = nn.Sequential(module, nn.SiLU())
    if name == "hopfield":
        module = nn.Sequential(nn.Unflatten(0, (16, 16)), module, nn.Flatten(0, 1), nn.SiLU())
    net = nn.Sequential(first, module, nn.Linear(out, 16), nn.Tanh(), nn.Linear(16, 1))
    before = [p.detach().clone() for p in module.parameters()]
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    losses = []
    for _ in range(150):
        optimiser.zero_grad()
        loss = (net(x) - target).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    moved = [not torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True)]
    assert all(moved), "a parameter never moved"


def test_graph_relu_commutes_with_permutations_of_nodes_and_starts_as_relu():
    torch.manual_seed(0)
    module = ours.GReLU(C).double()
    x, links = normal(6, C), (normal(6, 6, seed=2) > 0).double()
    links = ((links + links.T) > 0).double()
    assert torch.equal(module(x, links), torch.relu(x))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter))
    order = torch.randperm(6, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(module(x[order], links[order][:, order]), module(x, links)[order])
    assert not torch.allclose(module(x[order], links), module(x, links)[order])
    assert torch.allclose(module(x, links.to_sparse()), module(x, links))
    with pytest.raises(ValueError, match=r"\(n, 8\)"):
        module(x, links[:3])


def test_graph_relu_trains_in_a_small_network():
    torch.manual_seed(0)
    x, links = torch.randn(40, 4), (torch.rand(40, 40) < 0.1).float()
    target = (links @ x[:, :1]).tanh() * x[:, 1:2]
    first, act, last = nn.Linear(4, C), ours.GReLU(C), nn.Linear(C, 1)
    before = [p.detach().clone() for p in act.parameters()]
    optimiser = torch.optim.Adam([*first.parameters(), *act.parameters(), *last.parameters()], lr=0.02)
    losses = []
    for _ in range(200):
        optimiser.zero_grad()
        loss = (last(act(first(links @ x + x), links)) - target).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert all(not torch.equal(a, b) for a, b in zip(before, act.parameters(), strict=True))


def test_copies_are_equal_and_names_are_found():
    module = made("norm-relu")
    assert_same_function(copy.deepcopy(module), module, sample("norm-relu").float())
    assert get_entry("maxmin").name == "group-sort" and math.isclose(get_entry("crelu").lipschitz, 1.0)
