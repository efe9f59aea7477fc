"""Hard CoLU from its output: same values and gradients, memory of ReLU before a next layer."""

import pytest
import torch

from colu.functional import colu
from colu.nn import CoLU
from colu.testing import saved_bytes

OPTIONS = [
    dict(dim=2), dict(dim=3), dict(dim=4), dict(dim=12), dict(num_groups=2),
    dict(dim=4, layout="axes_first"), dict(dim=4, angle=0.4), dict(dim=3, eps=0.1),
]  # fmt: skip
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 1.6e-2, torch.float16: 2e-3}


def both(f, g, x, grad):
    results = []
    for function in (f, g):
        z = x.detach().clone().requires_grad_()
        y = function(z)
        results.append((y.detach(), torch.autograd.grad(y, z, grad)[0]))
    return results


def assert_same(x, grad=None, **options):
    grad = torch.randn(x.shape, dtype=torch.float64).to(x.dtype) if grad is None else grad
    (y, g), (want, want_g) = both(
        lambda z: colu(z, **options, save="output"), lambda z: colu(z, **options, backend="reference"), x, grad
    )
    tolerance = TOLERANCE[x.dtype]
    torch.testing.assert_close(y, want, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(g, want_g, rtol=4 * tolerance, atol=4 * tolerance)
    assert y.stride() == want.stride()
    return g


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_gradient_is_that_of_the_reference(options, dtype):
    torch.manual_seed(0)
    assert_same((3 * torch.randn(64, 12)).to(dtype), **options)
    assert_same(torch.randn(5, 12, 3, 2).to(dtype), **options)


def test_gradient_with_a_shared_axis():
    torch.manual_seed(0)
    assert_same(torch.randn(50, 13, dtype=torch.float64), dim=4, share_axis=True)
    assert_same(torch.randn(5, 13, 4, dtype=torch.float64), dim=5, share_axis=True)


def test_gradient_in_pieces_and_orders_of_memory():
    torch.manual_seed(0)
    assert_same(torch.randn(3000, 256, dtype=torch.float64), dim=4)
    assert_same(torch.randn(12, 8, 9, 7, dtype=torch.float64).to(memory_format=torch.channels_last), dim=4)
    assert_same(torch.randn(8, 40, dtype=torch.float64), dim=4, channel_dim=0)
    assert_same(torch.randn(5, 3, 8, dtype=torch.float64), dim=4, channel_dim=-1)
    assert_same(torch.zeros(0, 8), dim=4)


def test_ties_zeros_and_extremes_are_those_of_the_reference():
    big, small = 1e30, 1e-30
    x = torch.tensor(
        [[5.0, 3, 4], [-5, 3, 4], [0, 3, 4], [10, 3, 4], [1, 0, 0], [0, 0, 0], [-1, 0, 0], [2, 3, 4],
         [2 * big, 3 * big, 4 * big], [2 * small, 3 * small, 4 * small]]
    )  # fmt: skip
    g = assert_same(x, grad=torch.ones_like(x), dim=3)
    assert torch.isfinite(g).all()


def test_gradcheck_with_everything_that_decides():
    x = torch.randn(6, 8, dtype=torch.float64, requires_grad=True)
    for options in (dict(dim=4), dict(dim=4, angle=0.5, eps=0.2), dict(dim=8, layout="axes_first")):
        assert torch.autograd.gradcheck(lambda z, options=options: colu(z, **options, save="output"), x)


def chain(activation, width=64):
    """Normalisation, activation, linear: the place where saving the output pays."""
    return torch.nn.Sequential(torch.nn.BatchNorm1d(width), activation, torch.nn.Linear(width, 8))


@pytest.mark.parametrize("dim", [2, 4, 16])
def test_memory_before_a_layer_is_that_of_relu_and_one_norm_a_cone(dim):
    x = torch.randn(512, 64)
    unit = x.nbytes
    relu = saved_bytes(chain(torch.nn.ReLU()), x)
    assert saved_bytes(chain(CoLU(dim=dim)), x) == relu + unit
    assert saved_bytes(chain(CoLU(dim=dim, save="output")), x) == relu + unit // dim


def test_half_types_keep_norms_in_float32():
    x = torch.randn(128, 64).bfloat16().requires_grad_()
    assert saved_bytes(lambda z: colu(z, dim=4, save="output"), x) == x.nbytes + 128 * 16 * 4


def test_what_cannot_be_saved_so_is_refused():
    x = torch.randn(2, 4)
    for wrong in (dict(scaling="soft"), dict(axis_mode="rectify"), dict(p=3), dict(double=True),
                  dict(angle=torch.tensor(0.5))):  # fmt: skip
        with pytest.raises(ValueError, match="save='output' is not possible with"):
            colu(x, **wrong, save="output")
    with pytest.raises(ValueError, match="save"):
        colu(x, save="nothing")
    with pytest.raises(ValueError, match="learnable_angle"):
        CoLU(save="output", learnable_angle=True)


def test_a_second_derivative_is_refused_with_the_way_out():
    x = torch.randn(2, 4, requires_grad=True)
    with pytest.raises(ValueError, match="create_graph=True"):
        torch.autograd.grad(colu(x, save="output").sum(), x, create_graph=True)


def test_a_batch_of_gradients_is_refused_with_the_way_out():
    x = torch.randn(2, 4, requires_grad=True)
    with pytest.raises(ValueError, match="save='input' for is_grads_batched=True"):
        torch.autograd.grad(colu(x, save="output"), x, torch.randn(3, 2, 4), is_grads_batched=True)


def test_transforms_and_compilers_get_plain_operations():
    x = torch.randn(5, 8)
    f = lambda z: colu(z, dim=4, save="output")  # noqa: E731
    torch.testing.assert_close(torch.func.jacrev(f)(x), torch.func.jacrev(lambda z: colu(z, dim=4))(x))
    torch.testing.assert_close(torch.func.vmap(lambda r: f(r[None])[0])(x), f(x))
    z = x.clone().requires_grad_()
    made = torch.compile(f, fullgraph=True, backend="eager")(z)
    torch.testing.assert_close(made, f(x))


def test_module_says_so_and_can_be_stored(tmp_path):
    module = CoLU(dim=4, save="output")
    assert repr(module) == "CoLU(dim=4, save='output')"
    torch.save(module, tmp_path / "module.pt")
    again = torch.load(tmp_path / "module.pt", weights_only=False)
    x = torch.randn(3, 8)
    torch.testing.assert_close(again(x), module(x))
