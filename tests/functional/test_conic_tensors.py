"""The conic functions as tensor programs: derivatives, dtypes, memory formats, transforms, compilation."""

import math

import pytest
import torch
from torch.func import jacfwd, jacrev, vmap

from colu.functional import colu, rcolu, soc_projection

MAPS = {
    "colu": colu,
    "soft": lambda x, **o: colu(x, scaling="soft", **o),
    "firm-rectified": lambda x, **o: colu(x, scaling="firm", axis_mode="rectify", **o),
    "log-double": lambda x, **o: colu(x, scaling="log", double=True, **o),
    "axes-first-p3": lambda x, **o: colu(x, layout="axes_first", p=3, **o),
    "angle": lambda x, **o: colu(x, angle=0.5, **o),
    "rcolu": rcolu,
    "rcolu-soft": lambda x, **o: rcolu(x, scaling="soft", **o),
    "rcolu-axes-first": lambda x, **o: rcolu(x, layout="axes_first", p=1, **o),
    "soc": lambda x, **o: soc_projection(x, dim=4, **o),
    "soc-leaky": lambda x, **o: soc_projection(x, dim=4, axis="coordinate", angle=0.5, leak=0.1, **o),
}
SHARED = {
    "colu-shared": lambda x, **o: colu(x, share_axis=True, **o),
    "rcolu-shared": lambda x, **o: rcolu(x, share_axis=True, **o),
}
ALL = list((MAPS | SHARED).items())


def normal(*shape, dtype=torch.float64, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).to(dtype)


def channels_of(name):
    return 10 if name in SHARED else 12


@pytest.mark.parametrize("name, f", ALL)
def test_first_and_second_derivatives(name, f):
    x = normal(4, channels_of(name)).requires_grad_()
    assert torch.autograd.gradcheck(f, x)
    assert torch.autograd.gradgradcheck(f, x)


@pytest.mark.parametrize("f", [lambda x, a: colu(x, angle=a), lambda x, a: soc_projection(x, dim=4, angle=a)])
def test_derivatives_of_a_learnable_angle(f):
    x = normal(4, 12).requires_grad_()
    for angle in (torch.tensor(0.6), torch.tensor([0.4, 0.7, 1.1])):
        angle = angle.double().requires_grad_()
        assert torch.autograd.gradcheck(f, (x, angle))
        assert torch.autograd.gradgradcheck(f, (x, angle))


@pytest.mark.parametrize("name, f", ALL)
def test_channel_dim_anywhere_is_the_same_map(name, f):
    x = normal(3, channels_of(name), 5, 2)
    want = f(x)
    for dim in (0, 2, 3, -1, -4):
        moved = x.movedim(1, dim)
        y = f(moved, channel_dim=dim)
        torch.testing.assert_close(y.movedim(dim, 1), want)
        torch.testing.assert_close(f(moved.contiguous(), channel_dim=dim).movedim(dim, 1), want)
    torch.testing.assert_close(f(x[0], channel_dim=0), want[0])
    torch.testing.assert_close(f(x[0, :, 0, 0], channel_dim=-1), want[0, :, 0, 0])


@pytest.mark.parametrize("name, f", ALL)
def test_channels_last_is_kept_forwards_and_backwards(name, f):
    x = normal(2, channels_of(name), 5, 3)
    last = x.to(memory_format=torch.channels_last).requires_grad_()
    y = f(last)
    assert y.is_contiguous(memory_format=torch.channels_last) and f(x).is_contiguous()
    torch.testing.assert_close(y, f(x))
    y.square().sum().backward()
    assert last.grad.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name, f", ALL)
def test_non_contiguous_input_and_untouched_input(name, f):
    c = channels_of(name)
    wide = normal(6, 2 * c)
    strided = wide[::2, ::2]
    before = strided.clone()
    torch.testing.assert_close(f(strided), f(strided.contiguous()))
    assert torch.equal(strided, before)
    torch.testing.assert_close(f(before[:1].expand(4, c)), f(before[:1].repeat(4, 1)))


@pytest.mark.parametrize("name, f", ALL)
def test_empty_batch(name, f):
    x = torch.zeros(0, channels_of(name), 3, requires_grad=True)
    y = f(x)
    assert y.shape == x.shape
    y.sum().backward()
    assert x.grad.shape == x.shape


@pytest.mark.parametrize("name, f", ALL)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_dtypes_round_the_float64_value_once(name, f, dtype):
    x = normal(200, channels_of(name), dtype=dtype)
    y = f(x)
    assert y.dtype == dtype
    torch.testing.assert_close(y.double(), f(x.double()), rtol=4 * torch.finfo(dtype).eps, atol=1e-5)


@pytest.mark.parametrize("name, f", [item for item in ALL if "rectified" not in item[0]])
@pytest.mark.parametrize("size", [1e4, 1e-4])
def test_half_precision_squares_do_not_overflow_or_vanish(name, f, size):
    # 1e4 squared is infinite in float16, 1e-4 squared is zero; the maps are homogeneous.
    x = normal(50, channels_of(name)).clamp(-3, 3)
    y = f((size * x).half()).double() / size
    torch.testing.assert_close(y, f(x), rtol=1e-2, atol=1e-2)


def test_nan_and_inf_go_through():
    x = torch.tensor([[math.nan, 1.0, 1.0, 1.0], [1.0, math.nan, 1.0, 1.0], [math.inf, 1.0, 2.0, 3.0]])
    y = colu(x)
    assert y[0].isnan().all() and y[1, 1:].isnan().all() and y[1, 0] == 1
    assert torch.equal(y[2], x[2])
    assert soc_projection(x[:2], dim=4).isnan().all()


def test_large_common_mean_keeps_the_digits_of_the_section():
    x = normal(100, 12) + 1e4
    torch.testing.assert_close(rcolu(x.float(), scaling="soft").double(), rcolu(x.float().double(), scaling="soft"))


@pytest.mark.parametrize("name, f", ALL)
def test_functional_transforms(name, f):
    x = normal(5, channels_of(name))
    torch.testing.assert_close(vmap(lambda row: f(row, channel_dim=0))(x), f(x))
    torch.testing.assert_close(vmap(lambda col: f(col, channel_dim=-1), in_dims=1)(x.T), f(x))
    jacobian = vmap(jacrev(lambda row: f(row, channel_dim=0)))(x)
    torch.testing.assert_close(vmap(jacfwd(lambda row: f(row, channel_dim=0)))(x), jacobian)
    loop = torch.autograd.functional.jacobian(lambda row: f(row, channel_dim=0), x[0])
    torch.testing.assert_close(jacobian[0], loop)


def test_transforms_over_channels_last_images():
    x = normal(3, 2, 12, 4, 4).movedim(2, -1).contiguous().movedim(-1, 2)
    torch.testing.assert_close(vmap(colu)(x), torch.stack([colu(image) for image in x]))


@pytest.mark.slow
def test_compiles_without_graph_breaks():
    def all_maps(x, shared):
        return [f(x) for f in MAPS.values()] + [f(shared) for f in SHARED.values()]

    x, shared = normal(4, 12).float().requires_grad_(), normal(4, 10).float()
    compiled = torch.compile(all_maps, fullgraph=True, backend="aot_eager")
    got, want = compiled(x, shared), all_maps(x, shared)
    for a, b in zip(got, want, strict=True):
        torch.testing.assert_close(a, b)
    grad = torch.autograd.grad(sum(y.square().sum() for y in got), x)[0]
    torch.testing.assert_close(grad, torch.autograd.grad(sum(y.square().sum() for y in want), x)[0])


def test_exports_with_a_dynamic_batch():
    class Maps(torch.nn.Module):
        def forward(self, x):
            return colu(x) + rcolu(x, scaling="soft") + soc_projection(x, dim=3)

    batch = torch.export.Dim("batch")
    program = torch.export.export(Maps(), (normal(4, 12).float(),), dynamic_shapes=({0: batch},))
    x = normal(7, 12).float()
    torch.testing.assert_close(program.module()(x), Maps()(x))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name, f", ALL)
def test_cuda_agrees_with_the_cpu(name, f):
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        x = normal(64, channels_of(name), 3, 3, dtype=dtype)
        y = f(x.cuda().to(memory_format=torch.channels_last))
        tolerance = 8 * torch.finfo(dtype).eps
        torch.testing.assert_close(y.cpu(), f(x), rtol=tolerance, atol=tolerance)
