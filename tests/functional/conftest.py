"""What every conic map holds as a tensor program: derivatives, dtypes, memory formats, transforms, devices."""

import functools

import pytest
import torch
from torch.func import jacfwd, jacrev, vmap


def normal(*shape, dtype=torch.float64, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).to(dtype)


def first_and_second_derivatives_are_right(f, channels):
    x = normal(4, channels).requires_grad_()
    assert torch.autograd.gradcheck(f, x)
    assert torch.autograd.gradgradcheck(f, x)


def channel_dim_anywhere_is_the_same_map(f, channels):
    x = normal(3, channels, 5, 2)
    want = f(x)
    for dim in (0, 2, 3, -1, -4):
        moved = x.movedim(1, dim)
        y = f(moved, channel_dim=dim)
        torch.testing.assert_close(y.movedim(dim, 1), want)
        torch.testing.assert_close(f(moved.contiguous(), channel_dim=dim).movedim(dim, 1), want)
    torch.testing.assert_close(f(x[0], channel_dim=0), want[0])
    torch.testing.assert_close(f(x[0, :, 0, 0], channel_dim=-1), want[0, :, 0, 0])


def channels_last_is_kept_forwards_and_backwards(f, channels):
    x = normal(2, channels, 5, 3)
    last = x.to(memory_format=torch.channels_last).requires_grad_()
    y = f(last)
    assert y.is_contiguous(memory_format=torch.channels_last) and f(x).is_contiguous()
    torch.testing.assert_close(y, f(x))
    y.square().sum().backward()
    assert last.grad.is_contiguous(memory_format=torch.channels_last)


def input_may_be_non_contiguous_and_is_untouched(f, channels):
    wide = normal(6, 2 * channels)
    strided = wide[::2, ::2]
    before = strided.clone()
    torch.testing.assert_close(f(strided), f(strided.contiguous()))
    assert torch.equal(strided, before)
    torch.testing.assert_close(f(before[:1].expand(4, channels)), f(before[:1].repeat(4, 1)))


def batch_may_be_empty(f, channels):
    x = torch.zeros(0, channels, 3, requires_grad=True)
    y = f(x)
    assert y.shape == x.shape
    y.sum().backward()
    assert x.grad.shape == x.shape


def float64_value_is_rounded_once(f, channels, dtype):
    x = normal(200, channels, dtype=dtype)
    y = f(x)
    assert y.dtype == dtype
    torch.testing.assert_close(y.double(), f(x.double()), rtol=4 * torch.finfo(dtype).eps, atol=1e-5)


def functional_transforms_agree(f, channels):
    x = normal(5, channels)
    torch.testing.assert_close(vmap(lambda row: f(row, channel_dim=0))(x), f(x))
    torch.testing.assert_close(vmap(lambda col: f(col, channel_dim=-1), in_dims=1)(x.T), f(x))
    jacobian = vmap(jacrev(lambda row: f(row, channel_dim=0)))(x)
    torch.testing.assert_close(vmap(jacfwd(lambda row: f(row, channel_dim=0)))(x), jacobian)
    loop = torch.autograd.functional.jacobian(lambda row: f(row, channel_dim=0), x[0])
    torch.testing.assert_close(jacobian[0], loop)


def cuda_agrees_with_the_cpu(f, channels):
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        x = normal(64, channels, 3, 3, dtype=dtype)
        y = f(x.cuda().to(memory_format=torch.channels_last))
        tolerance = 8 * torch.finfo(dtype).eps
        torch.testing.assert_close(y.cpu(), f(x), rtol=tolerance, atol=tolerance)


on_cuda = (pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"))
PROPERTIES = {
    found.__name__: found
    for found in (
        first_and_second_derivatives_are_right,
        channel_dim_anywhere_is_the_same_map,
        channels_last_is_kept_forwards_and_backwards,
        input_may_be_non_contiguous_and_is_untouched,
        batch_may_be_empty,
        functional_transforms_agree,
        cuda_agrees_with_the_cpu,
    )
} | {
    f"float64_value_is_rounded_once_in_{dtype}".replace("torch.", ""): functools.partial(
        float64_value_is_rounded_once, dtype=dtype
    )
    for dtype in (torch.float32, torch.bfloat16, torch.float16)
}


@pytest.fixture(params=[pytest.param(name, marks=on_cuda if "cuda" in name else ()) for name in PROPERTIES])
def tensor_property(request):
    """A check that takes a map and its number of channels."""
    return PROPERTIES[request.param]


@pytest.fixture(params=[1e4, 1e-4])
def half_precision(request):
    """A check that squares neither overflow nor vanish in float16, of a homogeneous map."""

    def check(f, channels):
        # 1e4 squared is infinite in float16, 1e-4 squared is zero.
        x = normal(50, channels).clamp(-3, 3)
        y = f((request.param * x).half()).double() / request.param
        torch.testing.assert_close(y, f(x), rtol=1e-2, atol=1e-2)

    return check


@pytest.fixture(scope="session")
def assert_compiles():
    """A check that maps of given channels make one graph, with the same values and gradients."""

    def check(maps):
        def all_maps(*inputs):
            return [f(x) for (f, _), x in zip(maps, inputs, strict=True)]

        inputs = [normal(4, channels).float().requires_grad_() for _, channels in maps]
        got, want = torch.compile(all_maps, fullgraph=True, backend="aot_eager")(*inputs), all_maps(*inputs)
        for a, b in zip(got, want, strict=True):
            torch.testing.assert_close(a, b)
        grads = [torch.autograd.grad(sum(y.square().sum() for y in outputs), inputs) for outputs in (got, want)]
        for a, b in zip(*grads, strict=True):
            torch.testing.assert_close(a, b)

    return check
