"""What else torch does with a function: second derivatives, transforms, autocast, compilation, saved memory."""

import pytest
import torch
from torch.autograd import forward_ad, gradcheck, gradgradcheck

from colu.functional import colu, rcolu, soc_projection
from colu.kernels import explain

FUNCTIONS = {
    "colu": lambda x, **options: colu(x, dim=4, **options),
    "colu-soft": lambda x, **options: colu(x, dim=4, scaling="soft", **options),
    "colu-shared": lambda x, **options: colu(x[:, :7], dim=4, share_axis=True, **options),
    "rcolu": lambda x, **options: rcolu(x, dim=4, **options),
    "rcolu-soft": lambda x, **options: rcolu(x, dim=4, scaling="soft", **options),
    "mpu": lambda x, **options: soc_projection(x, dim=2, angle=0.5, **options),
}
BLOCKED = [name for name in FUNCTIONS if name != "mpu"]


def normal(*shape, dtype=torch.float64, seed=0):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def operations(x, f):
    """Names of the torch operations that ``f`` performs."""
    with torch.profiler.profile() as profile:
        f(x)
    return {event.key for event in profile.key_averages()}


@pytest.mark.parametrize("backend", ["fused", "blocked"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradcheck_and_gradgradcheck(name, backend):
    if backend == "blocked" and name not in BLOCKED:
        pytest.skip("the projection has no blocked form")
    for x in (normal(3, 8), normal(2, 8, 3)):
        x.requires_grad_()
        assert gradcheck(lambda v: FUNCTIONS[name](v, backend=backend), x)
        assert gradgradcheck(lambda v: FUNCTIONS[name](v, backend=backend), x)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_create_graph_gives_the_gradient_of_the_fused_backward(name):
    x = normal(5, 8).requires_grad_()
    first = [
        torch.autograd.grad(FUNCTIONS[name](x).square().sum(), x, create_graph=graph)[0] for graph in (False, True)
    ]
    torch.testing.assert_close(first[0], first[1].detach())
    assert first[1].requires_grad and not first[0].requires_grad


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_transforms(name):
    f = FUNCTIONS[name]

    def reference(v):
        return f(v, backend="reference")

    x, t = normal(3, 8), normal(3, 8, seed=1)
    torch.testing.assert_close(torch.func.vmap(lambda v: f(v[None])[0])(x), reference(x))
    torch.testing.assert_close(torch.func.jacrev(f)(x), torch.func.jacrev(reference)(x))
    torch.testing.assert_close(torch.func.jacfwd(f)(x), torch.func.jacfwd(reference)(x))
    for got, want in zip(torch.func.jvp(f, (x,), (t,)), torch.func.jvp(reference, (x,), (t,)), strict=True):
        torch.testing.assert_close(got, want)
    torch.testing.assert_close(torch.func.grad(lambda v: f(v).square().sum())(x), grad_of(reference, x))
    torch.testing.assert_close(torch.func.hessian(lambda v: f(v).square().sum())(x[:1]).sum(0), hessian(reference, x))


def grad_of(f, x):
    x = x.detach().requires_grad_()
    return torch.autograd.grad(f(x).square().sum(), x)[0]


def hessian(f, x):
    return torch.autograd.functional.hessian(lambda v: f(v).square().sum(), x[:1]).sum(0)


def test_forward_mode_outside_torch_func():
    x, t = normal(3, 8), normal(3, 8, seed=1)
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(colu(forward_ad.make_dual(x, t))).tangent
    torch.testing.assert_close(tangent, torch.func.jvp(colu, (x,), (t,))[1])


@pytest.mark.parametrize("backend", ["fused", "blocked"])
def test_batched_gradients(backend):
    x = normal(3, 8).requires_grad_()
    y = colu(x, backend=backend)
    g = normal(4, 3, 8, seed=1)
    batched = torch.autograd.grad(y, x, g, is_grads_batched=True, retain_graph=True)[0]
    one_by_one = torch.stack([torch.autograd.grad(y, x, v, retain_graph=True)[0] for v in g])
    torch.testing.assert_close(batched, one_by_one)


@pytest.mark.parametrize("backend", ["reference", "fused", "blocked"])
def test_autocast_keeps_the_dtype(backend):
    x = normal(3, 8, dtype=torch.float32).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        y = colu(x, backend=backend)
        z = colu(torch.nn.functional.linear(x, torch.eye(8)), backend=backend)
    assert y.dtype == torch.float32 and z.dtype == torch.bfloat16
    (y.sum() + z.sum()).backward()
    assert x.grad.dtype == torch.float32


@pytest.mark.parametrize("backend", ["fused", "blocked"])
@pytest.mark.parametrize("f", [colu, rcolu])
def test_only_the_input_is_saved(f, backend):
    saved = []
    x = normal(6, 8, 5, dtype=torch.float32).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        y = f(x, dim=4, backend=backend)
    assert sum(t.numel() * t.element_size() for t in saved) == x.numel() * 4
    assert saved[0].data_ptr() == x.data_ptr()
    y.sum().backward()


def test_the_reference_saves_more():
    saved = []
    x = normal(6, 8, 5, dtype=torch.float32).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        colu(x, dim=4, backend="reference")
    assert sum(t.numel() * t.element_size() for t in saved) > x.numel() * 4


@pytest.mark.parametrize("backend", ["fused", "blocked"])
def test_one_allocation_forward(backend):
    x = normal(4096, 8, dtype=torch.float32)
    assert "aten::cat" in operations(x, lambda v: colu(v, backend="reference"))
    assert "aten::cat" not in operations(x, lambda v: colu(v, backend=backend))


@pytest.mark.parametrize("backend", ["fused", "blocked"])
def test_changing_the_input_before_backward_is_noticed(backend):
    x = normal(3, 8).requires_grad_()
    z = x * 1
    y = colu(z, backend=backend)
    z.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


@pytest.mark.parametrize("backend", [None, "fused", "blocked"])
def test_memory_order_is_kept(backend):
    x = normal(2, 8, 3, 5, dtype=torch.float32)
    assert colu(x, backend=backend).is_contiguous()
    x = x.to(memory_format=torch.channels_last).requires_grad_()
    y = colu(x, backend=backend)
    assert y.is_contiguous(memory_format=torch.channels_last)
    # A gradient in another order than the input.
    y.backward(torch.ones(2, 8, 3, 5))
    want = torch.autograd.grad(colu(x, backend="reference").sum(), x)[0]
    torch.testing.assert_close(x.grad, want)


def nodes(f, x):
    """The targets in the graph that the compiler gets."""
    found = []

    def backend(graph, _):
        found.extend(str(node.target) for node in graph.graph.nodes)
        return graph.forward

    torch._dynamo.reset()
    torch.compile(f, fullgraph=True, backend=backend)(x)
    return found


def test_compiled_graph_calls_the_kernel_where_channels_are_innermost():
    assert "colu.conic" in nodes(lambda v: colu(v, dim=4), normal(4, 8))
    assert "colu.conic" in nodes(lambda v: colu(v, dim=4), normal(2, 8, 3, 3).to(memory_format=torch.channels_last))
    assert "colu.conic" in nodes(lambda v: colu(v, dim=4, backend="fused"), normal(2, 8, 3, 3))
    assert "colu.conic" not in nodes(lambda v: colu(v, dim=4), normal(2, 8, 3, 3))
    assert "colu.conic" not in nodes(lambda v: colu(v, dim=64), normal(4, 64))
    assert "colu.conic" not in nodes(lambda v: colu(v, dim=4, backend="reference"), normal(4, 8))
    assert "colu.conic" not in nodes(lambda v: colu(v, dim=4, p=3), normal(4, 8))


def test_compiled_graph_refuses_what_it_cannot_force():
    with pytest.raises(Exception, match="not available under torch.compile"):
        nodes(lambda v: colu(v, backend="blocked"), normal(4, 8))


@pytest.mark.parametrize("shape", [(4, 8), (2, 8, 3, 3)])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_compiled_values_and_gradients(name, shape):
    torch._dynamo.reset()
    x = normal(*shape).requires_grad_()
    compiled = torch.compile(FUNCTIONS[name], fullgraph=True, backend="aot_eager")
    got, want = compiled(x), FUNCTIONS[name](x, backend="reference")
    torch.testing.assert_close(got, want)
    g = normal(*want.shape, seed=1)
    torch.testing.assert_close(torch.autograd.grad(got, x, g), torch.autograd.grad(want, x, g))


@pytest.mark.slow
def test_compiles_to_machine_code():
    torch._dynamo.reset()
    x = normal(16, 8, dtype=torch.float32).requires_grad_()
    y = torch.compile(lambda v: torch.relu(colu(v * 2, dim=4)), fullgraph=True)(x)
    torch.testing.assert_close(y, torch.relu(colu(x * 2, dim=4)))
    torch.testing.assert_close(torch.autograd.grad(y.sum(), x), torch.autograd.grad(torch.relu(colu(x * 2)).sum(), x))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_exports_without_our_operator(name):
    class Map(torch.nn.Module):
        def forward(self, x):
            return FUNCTIONS[name](x)

    x = normal(4, 8)
    program = torch.export.export(Map(), (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    assert not any("colu" in str(node.target) for node in program.graph.nodes)
    x = normal(7, 8, seed=2)
    torch.testing.assert_close(program.module()(x), FUNCTIONS[name](x, backend="reference"))


def test_operator_obeys_the_rules_of_operators():
    from colu.kernels import compiled

    options = ("colu", 1, 2, 4, "soft", False, "blocks", None, 0.0, "homogeneous", 0.0)
    for x in (normal(3, 8), normal(2, 8, 3, 3).to(memory_format=torch.channels_last), normal(8, 3).t()):
        torch.library.opcheck(compiled.conic, (x.requires_grad_(), *options))
        torch.library.opcheck(compiled.conic_backward, (torch.ones_like(x), x, *options))


def test_checkpointing_recomputes():
    x = normal(3, 8).requires_grad_()
    y = torch.utils.checkpoint.checkpoint(colu, x, use_reentrant=False)
    got = torch.autograd.grad(y.square().sum(), x)
    torch.testing.assert_close(got, torch.autograd.grad(colu(x).square().sum(), x))


def test_transforms_are_explained():
    answers = []
    torch.func.vmap(lambda v: answers.append(explain(v)) or v)(normal(2, 3, 8).transpose(1, 2)[:, None])
    assert answers[0].path == "reference" and "torch.func" in answers[0].why
