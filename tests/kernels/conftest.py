"""Requests to compare the paths on, the comparisons, and a skip of these tests where there is no C compiler."""

import itertools
import math
import pathlib
import types

import pytest
import torch

from colu.functional import colu, rcolu, soc_projection
from colu.kernels import _build

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
RELATIVE = {torch.float32: 2e-5, torch.float64: 1e-12, torch.bfloat16: 1.6e-2, torch.float16: 2e-3}
FUNCTIONS = {"colu": colu, "rcolu": rcolu, "mpu": soc_projection}
# Vector trees, entry by entry, rows, turned pieces, more than a vector, and a cone that is not a divisor of one.
SIZES = (2, 3, 4, 5, 8, 15, 16, 17, 40)
#: Of an input with 8 channels.
MAPS = {
    "colu": lambda x, **options: colu(x, dim=4, **options),
    "colu-soft": lambda x, **options: colu(x, dim=4, scaling="soft", **options),
    "colu-shared": lambda x, **options: colu(x[:, :7], dim=4, share_axis=True, **options),
    "rcolu": lambda x, **options: rcolu(x, dim=4, **options),
    "rcolu-soft": lambda x, **options: rcolu(x, dim=4, scaling="soft", **options),
    "mpu": lambda x, **options: soc_projection(x, dim=2, angle=0.5, **options),
}


def pytest_collection_modifyitems(items):
    """Where there is no C compiler the fused path cannot be had, and these tests say so instead of failing."""
    try:
        _build.compiler()
    except _build.Unavailable as error:
        here = pathlib.Path(__file__).parent
        for item in items:
            if item.path.parent == here and "triton" not in item.path.name:
                item.add_marker(pytest.mark.skip(reason=str(error)))


def requests():
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


REQUESTS = list(requests())
BLOCKED = [
    (name, options)
    for name, options in REQUESTS
    if name == "colu" or (name == "rcolu" and options.get("layout") != "axes_first")
]


def label(request):
    name, options = request
    return f"{name}-" + " ".join(f"{key}={value}" for key, value in options.items())


@pytest.fixture(params=REQUESTS, ids=label)
def request_of_fused(request):
    """Name and options of a call that the C kernels compute."""
    return request.param


@pytest.fixture(params=BLOCKED, ids=label)
def request_of_blocked(request):
    """Name and options of a call that the blocked path computes."""
    return request.param


@pytest.fixture(params=DTYPES, ids=str)
def dtype(request):
    return request.param


@pytest.fixture(params=MAPS)
def conic_map(request):
    """Each of the maps of an input with 8 channels."""
    return MAPS[request.param]


@pytest.fixture(scope="session")
def maps():
    """All of them by name."""
    return MAPS


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


def operations(x, f):
    """Names of the torch operations that ``f`` performs."""
    with torch.profiler.profile() as profile:
        f(x)
    return {event.key for event in profile.key_averages()}


@pytest.fixture(scope="session")
def paths():
    """The comparisons of this file."""
    return types.SimpleNamespace(
        requests=REQUESTS, dtypes=DTYPES, inputs=inputs, channels_of=channels_of, assert_agrees=assert_agrees,
        special_cones=special_cones, assert_same_specials=assert_same_specials, operations=operations,
        not_finite=[0.0, 1.0, -2.0, math.nan, math.inf, -math.inf],
        # Ratios below the smallest float32 vanish in the reference, so tiny and huge ones do not meet.
        tiny_and_huge=([0.0, 1.0, 1e-12, -1e-25, 1e-30, 1e6], [0.0, 1.0, -1e-6, 1e12, 1e18, -1e25]),
        # On the cone, on its opposite, and in the plane a = 0: exact in every dtype.
        ties=torch.tensor([[5.0, 3, 4, 0], [-5, 3, 4, 0], [10, 6, 8, 0], [0, 3, 4, 0], [2, 0, 0, 2], [3, 1, 2, 2]]),
    )  # fmt: skip
