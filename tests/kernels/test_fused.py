"""Values and gradients of the C kernels against the reference, on every processor and by any number of threads."""

import itertools
import math

import pytest
import torch

from colu.functional import colu
from colu.kernels import _build, fused


def test_fused_is_the_reference(paths, request_of_fused, dtype):
    name, options = request_of_fused
    for _, x in paths.inputs(paths.channels_of(**options)):
        paths.assert_agrees(name, x, dtype, "fused", **options)


def test_comparison_sees_a_wrong_kernel(paths, monkeypatch):
    run = fused.run
    monkeypatch.setattr(fused, "run", lambda x, call, grad=None: run(x, call, grad) * 1.001)
    with pytest.raises(AssertionError):
        paths.assert_agrees("colu", torch.randn(4, 8, dtype=torch.float64), torch.float32, "fused", dim=4)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_cover_everything_once(paths, threads):
    before = torch.get_num_threads()
    x = torch.randn(700, 257, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.set_num_threads(threads)
    try:
        for options in (dict(dim=4), dict(dim=5), dict(dim=4, layout="axes_first"), dict(dim=64)):
            fitting = x[:, 1:] if 256 % options["dim"] == 0 else x[:, 2:]
            paths.assert_agrees("colu", fitting, torch.float32, "fused", **options)
        paths.assert_agrees("colu", x, torch.float32, "fused", dim=5, share_axis=True)
        paths.assert_agrees("rcolu", x[:, 1:].t().reshape(2, 64, 2, 700), torch.float32, "fused", dim=4)
        paths.assert_agrees("colu", x[:, 1:].t().reshape(64, 4, 700), torch.float32, "fused", dim=4)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("scaling", ["hard", "soft"])
@pytest.mark.parametrize("size", [2, 3, 4])
def test_zeros_infinities_and_nan_are_those_of_the_reference(paths, size, scaling, dtype):
    x = paths.special_cones(size, paths.not_finite)
    paths.assert_same_specials("colu", x, dtype, "fused", dim=size, scaling=scaling)
    paths.assert_same_specials("rcolu", x, dtype, "fused", dim=size, scaling=scaling)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("scaling", ["hard", "soft"])
def test_tiny_and_huge_entries_are_those_of_the_reference(paths, scaling, dtype):
    for values in paths.tiny_and_huge:
        x = paths.special_cones(3, values)
        paths.assert_same_specials("colu", x, dtype, "fused", dim=3, scaling=scaling)


@pytest.mark.parametrize("axis", ["homogeneous", "coordinate"])
def test_projection_treats_zeros_infinities_and_nan_as_the_reference(paths, axis, dtype):
    finite = paths.special_cones(2, [0.0, 1.0, -2.0, 0.3, math.nan])
    paths.assert_same_specials("mpu", finite, dtype, "fused", dim=2, axis=axis, angle=0.5)
    infinite = paths.special_cones(2, paths.not_finite)
    paths.assert_same_specials("mpu", infinite, dtype, "fused", gradient=False, dim=2, axis=axis, angle=0.5)


def test_gradient_at_ties_is_that_of_the_reference(paths, dtype):
    paths.assert_same_specials("colu", paths.ties, dtype, "fused", dim=4)
    wide = torch.cat([torch.cat([paths.ties, torch.zeros(6, 13)], 1), torch.randn(6, 17)], 0)
    paths.assert_same_specials("colu", wide, dtype, "fused", dim=17)


@pytest.mark.parametrize("shape", [(0, 8), (3, 8, 0), (0, 8, 2, 2), (2, 0)])
def test_empty_tensors(shape):
    x = torch.zeros(shape, requires_grad=True)
    y = colu(x, dim=4, backend="fused")
    y.sum().backward()
    assert y.shape == x.shape and x.grad.shape == x.shape


def test_half_types_do_not_overflow_inside():
    x = torch.full((1, 4), 300.0, dtype=torch.float16)
    torch.testing.assert_close(colu(x, backend="fused"), colu(x, backend="reference"))
    assert colu(x, backend="fused")[0, 1] > 100


def test_one_allocation_forward(paths):
    x = torch.randn(4096, 8)
    assert "aten::cat" in paths.operations(x, lambda v: colu(v, backend="reference"))
    assert "aten::cat" not in paths.operations(x, lambda v: colu(v, backend="fused"))


@pytest.mark.parametrize("target, dtypes", [
    ("x86-64", [torch.float32]),  # a library takes seven seconds to compile
    pytest.param("x86-64", [torch.float32, torch.float64, torch.bfloat16, torch.float16], marks=pytest.mark.long),
    pytest.param("x86-64-v3", [torch.float32, torch.float64, torch.bfloat16, torch.float16], marks=pytest.mark.long),
], ids=["oldest", "oldest in all types", "newer"])
@pytest.mark.skipif(not _build.target_flags()[0].startswith("-march"), reason="not an x86-64 machine")
def test_older_processors_get_the_same_values(paths, target, dtypes, monkeypatch, tmp_path):
    monkeypatch.setenv("COLU_CACHE", str(tmp_path))
    monkeypatch.setattr(_build, "target_flags", lambda: (f"-march={target}",))
    monkeypatch.setattr(_build, "outcome", lambda dtype: libraries[dtype])
    libraries = {}
    for dtype in dtypes:
        path = _build.kernels_folder() / _build.library_name(dtype)
        _build.build(dtype, path)
        libraries[dtype] = _build._open(path, dtype), str(path)
    for (name, options), dtype in itertools.product(paths.requests, dtypes):
        for _, x in itertools.islice(paths.inputs(paths.channels_of(**options)), 2):
            paths.assert_agrees(name, x, dtype, "fused", **options)
    x = paths.special_cones(3, paths.not_finite)
    paths.assert_same_specials("colu", x, torch.float32, "fused", dim=3)
