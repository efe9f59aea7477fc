"""Values and gradients of the fast paths against the reference."""

import itertools
import math

import pytest
import torch

from colu.functional import colu, rcolu, soc_projection
from colu.kernels import _build, fused

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
RELATIVE = {torch.float32: 2e-5, torch.float64: 1e-12, torch.bfloat16: 1.6e-2, torch.float16: 2e-3}
FUNCTIONS = {"colu": colu, "rcolu": rcolu, "mpu": soc_projection}
# Vector trees, entry by entry, rows, turned pieces, more than a vector, and a cone that is not a divisor of one.
SIZES = (2, 3, 4, 5, 8, 15, 16, 17, 40)


def cases():
    for size, scaling in itertools.product(SIZES, ("hard", "soft")):
        yield "colu", dict(dim=size, scaling=scaling)
        yield "rcolu", dict(dim=size, scaling=scaling)
    for size in SIZES:
        yield "colu", dict(dim=size, layout="axes_first")
        yield "rcolu", dict(dim=size, layout="axes_first")
        yield "colu", dict(dim=size, share_axis=True)
    for name in ("colu", "rcolu"):
        yield name, dict(dim=4, angle=0.4, eps=1e-2)
        yield name, dict(dim=3, angle=1.2, eps=1.0, scaling="soft")
        yield name, dict(dim=20, angle=1.0, eps=1e-7)
    yield "colu", dict(dim=4, share_axis=True, scaling="soft", eps=1e-3)
    for axis, layout in itertools.product(("homogeneous", "coordinate"), ("blocks", "axes_first")):
        yield "mpu", dict(dim=2, axis=axis, layout=layout)
        yield "mpu", dict(dim=2, axis=axis, layout=layout, angle=0.4, leak=0.1)


CASES = list(cases())


def inputs(channels, seed=0):
    """Memory orders, with outer and inner sizes that are no multiple of a vector."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return 3 * torch.randn(*shape, dtype=torch.float64, generator=generator)

    yield "last", normal(301, channels)
    yield "second", normal(2, channels, 7, 11)
    yield "second, small planes", normal(3, channels, 2, 2)
    yield "channels-last", normal(2, channels, 5, 3).to(memory_format=torch.channels_last)
    yield "transposed", normal(3, channels, 4, 5).transpose(2, 3)
    yield "sliced", normal(5, 2 * channels)[:, ::2]


def channels_of(dim, share_axis=False, **_):
    groups = 5 if dim < 10 else 2
    return 1 + groups * (dim - 1) if share_axis else groups * dim


def value_and_grad(name, x, g, **options):
    x = x.detach().requires_grad_()
    y = FUNCTIONS[name](x, **options)
    return y.detach(), torch.autograd.grad(y, x, g)[0]


def assert_agrees(name, x, dtype, backend, **options):
    x = x.to(dtype)
    g = torch.randn(x.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).to(dtype)
    want = value_and_grad(name, x.double(), g.double(), **options, backend="reference")
    got = value_and_grad(name, x, g, **options, backend=backend)
    tolerance = RELATIVE[dtype]
    assert got[0].dtype == got[1].dtype == dtype
    torch.testing.assert_close(got[0].double(), want[0], rtol=tolerance, atol=tolerance)
    # A gradient adds numbers of both signs.
    torch.testing.assert_close(got[1].double(), want[1], rtol=8 * tolerance, atol=8 * tolerance)


def label(case):
    return case if isinstance(case, str) else " ".join(f"{key}={value}" for key, value in case.items())


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("name", "options"), CASES, ids=label)
def test_fused_is_the_reference(name, options, dtype):
    for _, x in inputs(channels_of(**options)):
        assert_agrees(name, x, dtype, "fused", **options)


BLOCKED = [
    (name, options)
    for name, options in CASES
    if name == "colu" or (name == "rcolu" and options.get("layout") != "axes_first")
]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("name", "options"), BLOCKED, ids=label)
def test_blocked_is_the_reference(name, options, dtype):
    for _, x in inputs(channels_of(**options)):
        assert_agrees(name, x, dtype, "blocked", **options)


def test_blocked_joins_its_pieces(monkeypatch):
    from colu.kernels import blocked

    monkeypatch.setattr(blocked, "PIECE", 1000)
    for _, x in inputs(12):
        assert_agrees("colu", x, torch.float32, "blocked", dim=3)


def test_comparison_sees_a_wrong_kernel(monkeypatch):
    run = fused.run
    monkeypatch.setattr(fused, "run", lambda x, call, grad=None: run(x, call, grad) * 1.001)
    with pytest.raises(AssertionError):
        assert_agrees("colu", torch.randn(4, 8, dtype=torch.float64), torch.float32, "fused", dim=4)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_cover_everything_once(threads):
    before = torch.get_num_threads()
    x = torch.randn(700, 257, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.set_num_threads(threads)
    try:
        for options in (dict(dim=4), dict(dim=5), dict(dim=4, layout="axes_first"), dict(dim=64)):
            assert_agrees(
                "colu", x[:, 1:] if 256 % options["dim"] == 0 else x[:, 2:], torch.float32, "fused", **options
            )
        assert_agrees("colu", x, torch.float32, "fused", dim=5, share_axis=True)
        assert_agrees("rcolu", x[:, 1:].t().reshape(2, 64, 2, 700), torch.float32, "fused", dim=4)
        assert_agrees("colu", x[:, 1:].t().reshape(64, 4, 700), torch.float32, "fused", dim=4)
    finally:
        torch.set_num_threads(before)


def special_cones(size, values):
    return torch.tensor(list(itertools.product(values, repeat=size)), dtype=torch.float64)


def assert_same_specials(name, x, dtype, backend, gradient=True, **options):
    """The same numbers and the same NaN and infinities as the reference in the same dtype."""
    x = x.to(dtype)
    for shaped in (x, x.t()[None].contiguous()):
        g = torch.linspace(-1, 2, x.numel(), dtype=torch.float64).reshape(shaped.shape).to(dtype)
        want = value_and_grad(name, shaped, g, **options, backend="reference")
        got = value_and_grad(name, shaped, g, **options, backend=backend)
        tolerance = RELATIVE[dtype]
        for a, b in list(zip(got, want, strict=True))[: 1 + gradient]:
            torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("backend", ["fused", "blocked"])
@pytest.mark.parametrize("scaling", ["hard", "soft"])
@pytest.mark.parametrize("size", [2, 3, 4])
def test_zeros_infinities_and_nan_are_those_of_the_reference(size, scaling, backend, dtype):
    x = special_cones(size, [0.0, 1.0, -2.0, math.nan, math.inf, -math.inf])
    assert_same_specials("colu", x, dtype, backend, dim=size, scaling=scaling)
    assert_same_specials("rcolu", x, dtype, backend, dim=size, scaling=scaling)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("backend", ["fused", "blocked"])
@pytest.mark.parametrize("scaling", ["hard", "soft"])
def test_tiny_and_huge_entries_are_those_of_the_reference(scaling, backend, dtype):
    # Ratios below the smallest float32 vanish in the reference, so tiny and huge ones do not meet.
    for values in ([0.0, 1.0, 1e-12, -1e-25, 1e-30, 1e6], [0.0, 1.0, -1e-6, 1e12, 1e18, -1e25]):
        assert_same_specials("colu", special_cones(3, values), dtype, backend, dim=3, scaling=scaling)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("axis", ["homogeneous", "coordinate"])
def test_projection_treats_zeros_infinities_and_nan_as_the_reference(axis, dtype):
    finite = special_cones(2, [0.0, 1.0, -2.0, 0.3, math.nan])
    assert_same_specials("mpu", finite, dtype, "fused", dim=2, axis=axis, angle=0.5)
    infinite = special_cones(2, [0.0, 1.0, -2.0, math.nan, math.inf, -math.inf])
    assert_same_specials("mpu", infinite, dtype, "fused", gradient=False, dim=2, axis=axis, angle=0.5)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("backend", ["fused", "blocked"])
def test_gradient_at_ties_is_that_of_the_reference(backend, dtype):
    # On the cone, on its opposite, and in the plane a = 0: exact in every dtype.
    cones = torch.tensor([[5.0, 3, 4, 0], [-5, 3, 4, 0], [10, 6, 8, 0], [0, 3, 4, 0], [2, 0, 0, 2], [3, 1, 2, 2]])
    assert_same_specials("colu", cones, dtype, backend, dim=4)
    repeated = torch.cat([torch.cat([cones, torch.zeros(6, 13)], 1), torch.randn(6, 17)], 0)
    assert_same_specials("colu", repeated, dtype, backend, dim=17)


@pytest.mark.parametrize("backend", ["fused", "blocked"])
@pytest.mark.parametrize("shape", [(0, 8), (3, 8, 0), (0, 8, 2, 2), (2, 0)])
def test_empty_tensors(shape, backend):
    x = torch.zeros(shape, requires_grad=True)
    y = colu(x, dim=4, backend=backend)
    y.sum().backward()
    assert y.shape == x.shape and x.grad.shape == x.shape


def test_half_types_do_not_overflow_inside():
    x = torch.full((1, 4), 300.0, dtype=torch.float16)
    torch.testing.assert_close(colu(x, backend="fused"), colu(x, backend="reference"))
    assert colu(x, backend="fused")[0, 1] > 100


@pytest.mark.parametrize("target", ["x86-64", "x86-64-v3"])
@pytest.mark.skipif(not _build.target_flags()[0].startswith("-march"), reason="not an x86-64 machine")
def test_older_processors_get_the_same_values(target, monkeypatch, tmp_path):
    monkeypatch.setenv("COLU_CACHE", str(tmp_path))
    monkeypatch.setattr(_build, "target_flags", lambda: (f"-march={target}",))
    monkeypatch.setattr(_build, "outcome", lambda dtype: libraries[dtype])
    libraries = {}
    for dtype in DTYPES:
        path = _build.library_path(dtype)
        _build.build(dtype, path)
        libraries[dtype] = _build._open(path, dtype), str(path)
    for (name, options), dtype in itertools.product(CASES, DTYPES):
        for _, x in itertools.islice(inputs(channels_of(**options)), 2):
            assert_agrees(name, x, dtype, "fused", **options)
    x = special_cones(3, [0.0, 1.0, -2.0, math.nan, math.inf, -math.inf])
    assert_same_specials("colu", x, torch.float32, "fused", dim=3)
