"""What every activation of the smooth, ACON, LSLU, piecewise and dynamic families holds."""

import copy
import pathlib
import re

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import colu.nn as ours
from colu.nn import create, get_entry, list_activations
from colu.testing import assert_gradients_finite, assert_homogeneous, assert_same_function

FAMILIES = ("smooth", "acon", "lslu", "piecewise", "dynamic")
NAMES = [entry.name for entry in list_activations(lambda entry: entry.family in FAMILIES)]
IMAGES = {"dy-relu-c", "frelu", "lslu-as-published", "series"}
PER_CHANNEL = [name for name in NAMES if get_entry(name).needs_channels and name != "prelu"]
C = 4

EXTRA = {
    "swish-channel": lambda: ours.Swish(C, 0.7),
    "sqish-channel": lambda: ours.Sqish(C, 0.1, 2.0, 0.5),
    "linear-combination-channel": lambda: ours.LinearCombination(C),
    "apalu-channel": lambda: ours.APALU(C),
    "meta-acon-layer": lambda: ours.MetaAcon(C, "layer"),
    "meta-acon-pixel": lambda: ours.MetaAcon(C, "pixel"),
    "lslu-spatial": lambda: ours.LSLU(C, radius=1),
    "pwlu-observing": lambda: ours.PWLU(C, observe=True),
}
CASES = NAMES + list(EXTRA)


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).to(dtype)


def made(name, seed=0):
    torch.manual_seed(seed)
    # A hyper-network of one hidden unit may be dead.
    options = dict(reduction=1) if name.startswith("dy-relu") else {}
    return EXTRA[name]() if name in EXTRA else create(name, C, **options)


def image_only(name):
    return name in IMAGES or name == "lslu-spatial"


def sample(name, n=3, **options):
    return normal(n, C, 6, 5, **options) if image_only(name) else normal(n, C, **options)


def test_all_five_families_are_registered():
    assert {get_entry(name).family for name in NAMES} == set(FAMILIES)
    assert len(NAMES) == 21


@pytest.mark.parametrize("name", NAMES)
def test_parameter_count_is_true_of_the_module(name):
    for channels in (4, 12, 320):
        count = sum(p.numel() for p in create(name, channels).parameters())
        assert get_entry(name).parameters(channels) == count


@pytest.mark.parametrize("name", NAMES)
def test_citation_is_in_the_bibliography(name):
    path = pathlib.Path(__file__).parents[2] / "book" / "references.bib"
    keys = re.findall(r"^@\w+\{([^,]+),", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert get_entry(name).citation in keys


@pytest.mark.parametrize("name", CASES)
def test_gradients_by_finite_differences(name):
    module = made(name).double().eval()
    if name == "lslu-as-published":
        # Offsets of 0 put the kinks of the later steps on a whole half-line.
        nn.init.constant_(module.biases, 0.05)
    x = sample(name, 2, seed=3)
    x = x + 0.05 * x.sign()
    parameters = [p for p in module.parameters() if p.requires_grad]
    names = [n for n, p in module.named_parameters() if p.requires_grad]

    def f(x, *values):
        return torch.func.functional_call(module, dict(zip(names, values, strict=True)), x)

    small = [p.detach().clone().requires_grad_() for p in parameters]
    assert torch.autograd.gradcheck(f, (x.requires_grad_(), *small), fast_mode=True)


SMOOTH = ["swish", "sqish", "fourier", "acon-a", "acon-b", "acon-c", "meta-acon-layer", "meta-acon-pixel"]


@pytest.mark.parametrize("name", SMOOTH)
def test_second_derivatives_of_the_smooth_ones(name):
    module = made(name).double()
    assert torch.autograd.gradgradcheck(module, (normal(2, C).requires_grad_(),))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_are_finite_from_zero_to_the_huge(name, dtype):
    module = made(name).to(dtype).eval()
    # The square itself overflows in float32 beyond 1.8e19.
    huge = 1e18 if name == "squared-relu" and dtype == torch.float32 else 1e20
    base = sample(name, dtype=dtype)
    assert_gradients_finite(module, [base * 0, base * 0 + 1e-20, base * 0 - 1e-20, base * 0 + huge, base * 0 - huge])


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_at_ten_thousand_has_no_nan(name, dtype):
    x = (1e4 * sample(name).sign()).to(dtype)
    y = made(name).to(dtype).eval()(x)
    assert y.dtype == dtype and not y.isnan().any()
    if name != "squared-relu" or dtype == torch.bfloat16:
        assert y.isfinite().all()


@pytest.mark.parametrize("name", CASES)
def test_half_precision_is_close_to_double(name):
    x = sample(name).to(torch.bfloat16)
    module = made(name).eval()
    rough = copy.deepcopy(module).to(torch.bfloat16)
    exact = copy.deepcopy(rough).double()
    # Fourier slopes are steep at the ends of the period.
    assert_same_function(lambda v: rough(v).double(), lambda v: exact(v.double()), x, tol=0.1)


@pytest.mark.parametrize("name", CASES)
def test_memory_layout_does_not_matter(name):
    module = made(name).double().eval()
    x = normal(3, C, 6, 5)
    expected = module(x)
    assert_same_function(lambda v: module(v.to(memory_format=torch.channels_last)), lambda v: expected, x)
    strided = torch.stack([x, -x], -1)[..., 0]
    assert not strided.is_contiguous()
    assert_same_function(lambda v: module(strided), lambda v: expected, x)


@pytest.mark.parametrize("name", CASES)
def test_empty_batch(name):
    x = sample(name, 0, dtype=torch.float32).requires_grad_()
    y = made(name).eval()(x)
    assert len(y) == 0
    y.sum().backward()
    assert x.grad.shape == x.shape


@pytest.mark.parametrize("name", [name for name in CASES if not image_only(name)])
def test_positions_are_channels_at_each_position(name):
    module = made(name).double().eval()
    x = normal(3, C, 2, 2)
    if name.startswith(("meta-acon", "dy-relu")) and name != "meta-acon-pixel":
        # These pool over positions: the same vector at every position is that vector.
        x = normal(3, C)[..., None, None].expand(3, C, 2, 2)
    flat = module(x.permute(0, 2, 3, 1).reshape(-1, C)) if name != "meta-acon-c" else None
    if flat is None:
        flat = module(x[..., 0, 0]).repeat_interleave(4, 0)
    assert torch.allclose(module(x).permute(0, 2, 3, 1).reshape(12, -1), flat, atol=1e-12)


CHANNELS = PER_CHANNEL + [name for name in EXTRA]


@pytest.mark.parametrize("name", CHANNELS)
def test_other_channels_are_refused(name):
    module = made(name).eval()
    with pytest.raises(ValueError, match=f"{C} channels|do not match"):
        module(normal(3, C + 1, 6, 5).float())
    with pytest.raises(ValueError, match=f"{C} channels|do not match"):
        module(torch.zeros(C))


@pytest.mark.parametrize("name", sorted(IMAGES) + ["lslu-spatial"])
def test_spatial_modules_want_images(name):
    with pytest.raises(ValueError, match="N, C, H, W"):
        made(name).eval()(torch.zeros(2, C))


@pytest.mark.parametrize("name", PER_CHANNEL)
def test_bad_numbers_of_channels_are_refused(name):
    for wrong in (0, -3, 2.5):
        with pytest.raises(ValueError, match="num_channels"):
            create(name, wrong)


@pytest.mark.parametrize("name", CASES)
def test_safetensors_round_trip(name, tmp_path):
    source, target = made(name, 1).eval(), made(name, 2).eval()
    with torch.no_grad():
        for parameter in source.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    save_file({k: v.contiguous() for k, v in source.state_dict().items()}, tmp_path / "a.safetensors")
    target.load_state_dict(load_file(tmp_path / "a.safetensors"))
    assert_same_function(source, target, sample(name).float(), tol=0.0)


@pytest.mark.parametrize("name", [name for name in CASES if name not in ("prelu", "meta-acon-c")])
def test_vmap_and_jacrev_agree_with_the_batch(name):
    module = made(name).double().eval()
    x = sample(name)[..., :3] if image_only(name) else sample(name)

    def one(row):
        return module(row[None])[0]

    assert_same_function(torch.func.vmap(one), module, x)
    jacobian = torch.func.jacrev(one)(x[0])
    row = x[:1].clone().requires_grad_()
    (expected,) = torch.autograd.grad(module(row).sum(), row)
    assert torch.allclose(jacobian.flatten(module(x)[0].dim()).flatten(0, -2).sum(0), expected.flatten())


@pytest.mark.parametrize("name", ["sqish", "acon-c", "lslu", "pwlu", "dy-relu-b"])
@pytest.mark.slow
def test_compiles_to_one_graph(name):
    module = made(name).eval()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    x = normal(3, C, 6, 5).float()
    assert_same_function(compiled, module, x)
    x.requires_grad_()
    (expected,) = torch.autograd.grad(module(x).sum(), x)
    (found,) = torch.autograd.grad(compiled(x).sum(), x)
    assert torch.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in CASES if name != "pwlu-observing"])
def test_fx_traces_it(name):
    module = made(name).double().eval()
    traced = torch.fx.symbolic_trace(nn.Sequential(module))
    assert_same_function(traced, module, sample(name))


@pytest.mark.parametrize("name", [name for name in NAMES if get_entry(name).lipschitz])
def test_lipschitz_bound_holds_and_is_near(name):
    bound = get_entry(name).lipschitz
    module = made(name).double().eval()
    x = torch.linspace(-10, 10, 20001, dtype=torch.float64)[:, None].repeat(1, C)
    if name == "maxout":
        x = normal(4000, C)
    step = 1e-4
    slope = (module(x + step) - module(x)).abs().max() / step
    assert 0.99 * bound <= slope <= bound + 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_homogeneity_is_true_of_the_module(name):
    module, x = made(name).double().eval(), sample(name)
    kind = get_entry(name).homogeneity
    if kind == "positive":
        assert_homogeneous(module, x)
    elif kind == "of degree 2":
        assert_homogeneous(module, x, degree=2)
    else:
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(0.1)
        with pytest.raises(AssertionError):
            assert_homogeneous(module, x)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "maxout"])
def test_pointwise_flag_is_true_of_the_module(name):
    module = made(name).double().eval()
    x = normal(C, 3, 3)
    jacobian = torch.func.jacrev(lambda v: module(v[None])[0])(x).reshape(x.numel(), x.numel())
    across = (jacobian - jacobian.diagonal().diag()).abs().max()
    assert (across == 0) == get_entry(name).pointwise


@pytest.mark.parametrize("name", CASES)
def test_small_network_trains(name):
    if name == "pwlu-observing":
        pytest.skip("its parameters rest until realigned: see the tests of PWLU")
    torch.manual_seed(0)
    x = torch.randn(32, 1, 6, 6)
    # Correlation of two halves of the picture: out of reach of a linear network.
    target = (x[:, :, :3].mean((1, 2, 3)) * x[:, :, 3:].mean((1, 2, 3)) * 30)[:, None]
    half = C // 2 if name == "maxout" else C
    body = [nn.Conv2d(1, C, 3), made(name), nn.Conv2d(half, C, 3), copy.deepcopy(made(name, 1)), nn.Flatten()]
    net = nn.Sequential(*body, nn.Linear(half * 4, 1))
    before = [p.detach().clone() for p in net[1].parameters()]
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        loss = (net(x) - target).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    moved = [not torch.equal(a, b) for a, b in zip(before, net[1].parameters(), strict=True)]
    assert all(moved), "a parameter never moved"
