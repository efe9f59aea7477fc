"""Which path is taken, who says so, what cannot be forced, and what else torch does with the one function."""

import subprocess
import sys

import pytest
import torch
from torch.autograd import forward_ad, gradcheck, gradgradcheck

from colu import kernels
from colu.functional import colu, rcolu, soc_projection
from colu.kernels import _build, blocked, dispatch, explain, fused
from colu.kernels.call import ConicCall, conic_call

FUNCTIONS = {"colu": colu, "rcolu": rcolu, "soc_projection": soc_projection}


@pytest.fixture
def taken(monkeypatch):
    """The paths that ran, in order."""
    calls = []
    for name, module in (("fused", fused), ("blocked", blocked)):
        run = module.run

        def recorded(*args, name=name, run=run):
            calls.append(name)
            return run(*args)

        monkeypatch.setattr(module, "run", recorded)
    return calls


@pytest.fixture
def no_library(monkeypatch):
    monkeypatch.setattr(_build, "outcome", lambda dtype: (None, "no C compiler here"))


CASES = [
    ("colu", {}, "fused"),
    ("colu", {"scaling": "soft", "angle": 0.3, "eps": 1e-7}, "fused"),
    ("colu", {"layout": "axes_first"}, "fused"),
    ("colu", {"backend": "blocked"}, "blocked"),
    ("colu", {"backend": "fused"}, "fused"),
    ("colu", {"backend": "reference"}, "reference"),
    ("colu", {"scaling": "sqrt"}, "reference"),
    ("colu", {"p": 3}, "reference"),
    ("colu", {"axis_mode": "rectify"}, "reference"),
    ("colu", {"double": True}, "reference"),
    ("colu", {"angle": torch.tensor(0.5)}, "reference"),
    ("rcolu", {}, "fused"),
    ("rcolu", {"dim": 4, "share_axis": True, "num_groups": 5}, "reference"),
    ("soc_projection", {}, "fused"),
    ("soc_projection", {"dim": 4}, "reference"),
    ("soc_projection", {"angle": torch.tensor(0.5)}, "reference"),
]


@pytest.mark.parametrize(("name", "options", "path"), CASES)
def test_path_taken_is_the_one_explained(name, options, path, taken):
    x = torch.randn(3, 16, requires_grad=True)
    y = FUNCTIONS[name](x, **options)
    assert taken == ([] if path == "reference" else [path])
    y.sum().backward()
    assert set(taken) == (set() if path == "reference" else {path})
    explanation = explain(x, name, **options)
    assert explanation.path == path
    assert explanation.why


def test_shared_axis_of_rcolu_is_refused_not_computed_wrongly():
    x = torch.randn(3, 16)
    for backend in ("fused", "blocked"):
        with pytest.raises(ValueError, match="shared axis"):
            rcolu(x, dim=4, share_axis=True, backend=backend)
    call = ConicCall("rcolu", 1, 5, 4, share_axis=True)
    with pytest.raises(ValueError, match="share_axis=True with 'rcolu' is not defined in the C library"):
        fused.run(x, call)


@pytest.mark.parametrize("f", [colu, rcolu])
def test_without_a_library_pieces_are_computed_by_torch(f, no_library, taken):
    x = torch.randn(3, 8)
    torch.testing.assert_close(f(x), f(x, backend="reference"))
    assert taken == ["blocked"]
    explanation = explain(x, f.__name__)
    assert explanation.path == "blocked"
    assert explanation.rejected["fused"] == "no C compiler here"
    assert "not fused: no C compiler here" in str(explanation)


def test_without_a_library_the_projection_is_the_reference(no_library, taken):
    soc_projection(torch.randn(3, 8))
    assert taken == []
    assert explain(torch.randn(3, 8), "soc_projection").path == "reference"


@pytest.mark.parametrize("backend", ["fused", "blocked", "triton"])
def test_forced_backend_that_lacks_the_option_is_an_error(backend):
    x = torch.randn(3, 8)
    for call in (lambda: colu(x, p=3, backend=backend), lambda: explain(x, p=3, backend=backend)):
        with pytest.raises(ValueError, match=f"backend='{backend}' is not available: only the reference has p=3"):
            call()


def test_forced_backend_that_is_missing_is_an_error(no_library):
    x = torch.randn(3, 8)
    with pytest.raises(ValueError, match="backend='fused' is not available: no C compiler here; use"):
        colu(x, backend="fused")
    with pytest.raises(ValueError, match="backend='triton' is not available: .*cpu"):
        colu(x, backend="triton")
    with pytest.raises(ValueError, match="backend='blocked' is not available: the projection has no blocked form"):
        soc_projection(x, backend="blocked")
    with pytest.raises(ValueError, match="backend='fused' is not available: a torch.func transform"):
        torch.func.vmap(lambda v: colu(v[None], backend="fused"))(x)


def test_unknown_names_are_refused():
    x = torch.randn(3, 8)
    with pytest.raises(ValueError, match="backend='cuda' is unknown; use one of 'reference', 'fused'"):
        colu(x, backend="cuda")
    with pytest.raises(ValueError, match="backend='cuda' is unknown"):
        explain(x, backend="cuda")
    with pytest.raises(ValueError, match="function='relu' is unknown; use one of 'colu'"):
        explain(x, "relu")
    with pytest.raises(ValueError, match="9 channels do not fit"):
        explain(torch.randn(3, 9))
    with pytest.raises(TypeError, match="no_such_option"):
        explain(x, no_such_option=1)


def test_obstacles_are_named():
    plain = torch.randn(3, 8)
    assert dispatch.obstacle(plain) is None
    assert dispatch.obstacle(torch.nn.Parameter(plain)) is None
    assert "tensor subclass" in dispatch.obstacle(plain.as_subclass(Odd))
    assert "traced" in explain_inside(torch.utils._python_dispatch.TorchDispatchMode, plain).why
    negated = torch.complex(plain, plain).conj().imag
    assert negated.is_neg()
    assert "not plain strided" in dispatch.obstacle(negated)
    torch.testing.assert_close(colu(negated), colu(negated.resolve_neg()))


def explain_inside(mode, x):
    class Mode(mode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            return function(*args, **(kwargs or {}))

    with Mode():
        return explain(x)


def test_meta_and_fake_tensors_have_a_shape():
    from torch._subclasses.fake_tensor import FakeTensorMode

    assert colu(torch.empty(3, 8, device="meta")).shape == (3, 8)
    with FakeTensorMode():
        assert colu(torch.empty(3, 8)).shape == (3, 8)


@pytest.mark.parametrize("f", FUNCTIONS.values())
def test_zeros_without_memory_take_the_reference(f):
    zeros = torch._efficientzerotensor((2, 8))
    assert torch.equal(f(zeros), torch.zeros(2, 8))
    explanation = explain(zeros, f.__name__)
    assert explanation.path == "reference" and "no memory" in explanation.why
    with pytest.raises(ValueError, match="backend='fused' is not available: the tensor has no memory"):
        f(zeros, backend="fused")
    leaf = torch._efficientzerotensor((2, 8)).requires_grad_()
    slope = torch.autograd.grad(f(leaf), leaf, torch.ones(2, 8))[0]
    plain = torch.zeros(2, 8, requires_grad=True)
    assert torch.equal(slope, torch.autograd.grad(f(plain), plain, torch.ones(2, 8))[0])


def test_a_storage_that_was_freed_is_refused_not_read():
    x, g = torch.randn(2, 8), torch.randn(2, 8)
    x.untyped_storage().resize_(0)
    for backend in (None, "fused", "blocked"):
        with pytest.raises(ValueError, match=r"storage of a tensor of shape \(2, 8\) was freed"):
            colu(x, backend=backend)
    y = colu(leaf := torch.randn(2, 8, requires_grad=True))
    g.untyped_storage().resize_(0)
    with pytest.raises(ValueError, match="freed"):
        torch.autograd.grad(y, leaf, g)


def test_a_wrapper_for_functionalisation_stays_one():
    x = torch.randn(2, 8)
    wrapped = torch._to_functional_tensor(x)
    y = colu(wrapped)
    assert torch._is_functional_tensor(y)
    torch._sync(y)
    torch.testing.assert_close(torch._from_functional_tensor(y), colu(x))


@pytest.mark.parametrize("make", ["to_sparse", "to_sparse_csr", "to_mkldnn"])
def test_a_tensor_that_is_not_dense_is_refused_by_name(make):
    with pytest.raises(ValueError, match=r"layout torch\.(sparse_coo|sparse_csr|_mkldnn).*x\.to_dense\(\)"):
        colu(getattr(torch.randn(2, 8), make)())


class Odd(torch.Tensor):
    pass


@pytest.mark.parametrize("path", ["fused", "blocked"])
@pytest.mark.parametrize(
    "disguise",
    [
        lambda g: torch._neg_view(g),
        lambda g: torch._efficientzerotensor(g.shape),
        lambda g: g.as_subclass(Odd),
        lambda g: g[:1].expand(4, 8),
    ],
    ids=["negated", "zeros", "subclass", "expanded"],
)
def test_a_gradient_in_disguise_is_what_it_says(path, disguise):
    x, g = torch.randn(4, 8, requires_grad=True), torch.randn(4, 8)
    found, wanted = (
        torch.autograd.grad(colu(x, dim=4, backend=backend), x, disguise(g))[0] for backend in (path, "reference")
    )
    torch.testing.assert_close(found.as_subclass(torch.Tensor), wanted.as_subclass(torch.Tensor))


def test_nothing_to_compute_is_the_identity():
    assert explain(torch.randn(3, 8), num_groups=0).path == "identity"
    assert explain(torch.randn(3, 8), backend="reference").path == "reference"


def test_tracing_sees_operations():
    traced = torch.jit.trace(lambda v: colu(v), torch.randn(3, 8))
    x = torch.randn(3, 8)
    torch.testing.assert_close(traced(x), colu(x))


def test_importing_builds_and_loads_nothing(tmp_path):
    script = """
import subprocess, ctypes, torch
def refuse(*args, **kwargs): raise AssertionError("import ran a program")
subprocess.run = subprocess.Popen.__init__ = refuse
import colu.functional, colu.nn, colu.kernels, colu.kernels.dispatch, colu.kernels.blocked, colu.kernels.fused
assert colu.kernels._build.outcome.cache_info().currsize == 0
assert not any("conic-" in line for line in open("/proc/self/maps"))
"""
    environment = {"COLU_CACHE": str(tmp_path / "cache"), "PATH": "", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert not done.stderr
    assert not (tmp_path / "cache").exists()


def test_public_names():
    assert set(kernels.__all__) == {"Explanation", "explain"}


def test_a_call_is_explained_as_the_function_that_makes_it():
    x = torch.randn(3, 16)
    for name, kind, options in (("colu", "colu", dict(p=3)), ("rcolu", "rcolu", {}), ("soc_projection", "mpu", {})):
        assert explain(x, conic_call(x.shape, kind, **options)) == explain(x, name, **options)
    with pytest.raises(TypeError, match="scaling='soft' is no option of 'soc_projection'"):
        explain(x, "soc_projection", scaling="soft")
    with pytest.raises(TypeError, match="dim=4 is no option"):
        explain(x, conic_call(x.shape, "colu"), dim=4)


def test_explaining_runs_nothing(taken):
    explain(torch.randn(3, 16, requires_grad=True))
    explain(torch.randn(3, 16, requires_grad=True), save="output")
    assert taken == []


def normal(*shape, dtype=torch.float64, seed=0):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("backend", ["fused", "blocked"])
def test_gradcheck_and_gradgradcheck(maps, conic_map, backend):
    if backend == "blocked" and conic_map is maps["mpu"]:
        pytest.skip("the projection has no blocked form")
    for x in (normal(3, 8), normal(2, 8, 3)):
        x.requires_grad_()
        assert gradcheck(lambda v: conic_map(v, backend=backend), x)
        assert gradgradcheck(lambda v: conic_map(v, backend=backend), x)


def test_create_graph_gives_the_gradient_of_the_fused_backward(conic_map):
    x = normal(5, 8).requires_grad_()
    first = [torch.autograd.grad(conic_map(x).square().sum(), x, create_graph=graph)[0] for graph in (False, True)]
    torch.testing.assert_close(first[0], first[1].detach())
    assert first[1].requires_grad and not first[0].requires_grad


def test_function_transforms(conic_map):
    f = conic_map

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


@pytest.mark.parametrize("backend", ["fused", "blocked"])
def test_changing_the_input_before_backward_is_noticed(backend):
    x = normal(3, 8).requires_grad_()
    z = x * 1
    y = colu(z, backend=backend)
    z.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_checkpointing_recomputes():
    x = normal(3, 8).requires_grad_()
    y = torch.utils.checkpoint.checkpoint(colu, x, use_reentrant=False)
    got = torch.autograd.grad(y.square().sum(), x)
    torch.testing.assert_close(got, torch.autograd.grad(colu(x).square().sum(), x))


def test_transforms_are_explained():
    answers = []
    torch.func.vmap(lambda v: answers.append(explain(v)) or v)(normal(2, 3, 8).transpose(1, 2)[:, None])
    assert answers[0].path == "reference" and "torch.func" in answers[0].why
