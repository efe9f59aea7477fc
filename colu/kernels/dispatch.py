"""One rule decides which path computes a conic map, and one autograd function serves them all."""

import functools
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd import forward_ad

from colu.checks import check_choice, check_floating

from . import blocked, fused, memory, reference, saving
from .call import ConicCall, conic_call

# Bound once: each call asks them all.
_transforming, _tracing = torch._C._are_functorch_transforms_active, torch._C._is_tracing
_recorders, _compiling = torch._C._len_torch_dispatch_stack, torch.compiler.is_compiling
_graphs = torch.is_grad_enabled
_is_batched, _is_wrapped = torch._C._functorch.is_legacy_batchedtensor, torch._C._functorch.is_functorch_wrapped_tensor
_PLAIN = (Tensor, torch.nn.Parameter)

# In the order of the rule.
PATHS = ("triton", "fused", "blocked")
BACKENDS = ("reference", "fused", "blocked", "triton")


@dataclass(frozen=True)
class Explanation:
    """Which path computes a call, and why.

    Attributes
    ----------
    path : str
        ``"triton"``, ``"fused"``, ``"blocked"``, ``"reference"`` or ``"identity"``.
    why : str
        The reason in one sentence.
    rejected : dict
        The paths that come before it in the rule, with what excludes each.
    """

    path: str
    why: str
    rejected: dict

    def __str__(self) -> str:
        lines = [f"{self.path}: {self.why}"]
        return "\n".join(lines + [f"  not {path}: {reason}" for path, reason in self.rejected.items()])


_WHY = {
    "triton": "one fused kernel on the GPU",
    "fused": "one pass of compiled C over memory on the CPU",
    "blocked": "torch operations on pieces that stay in cache",
}


def obstacle(x: Tensor) -> str | None:
    """What in the state of torch or in the kind of tensor asks for plain torch operations."""
    if _transforming():
        return "a torch.func transform is active, which needs plain torch operations"
    if forward_ad._current_level >= 0:
        return "forward-mode differentiation is active, which needs plain torch operations"
    if type(x) not in _PLAIN:
        return f"{type(x).__name__} is a tensor subclass"
    if _recorders() or _tracing():
        return "operations are being recorded or traced"
    if x.layout is not torch.strided or x.is_neg():
        return "the tensor is not plain strided memory"
    return None


def _path(name: str):
    """The module of a path: ``missing(x, call)`` says why it cannot, ``run(x, call, grad=None)`` computes."""
    if name == "triton":
        # At first use, since few have it.
        from . import triton

        return triton
    return {"reference": reference, "fused": fused, "blocked": blocked}[name]


def decide(x: Tensor, call: ConicCall, backend: str | None = None) -> Explanation:
    """Apply the rule; a forced backend that is not available is an error."""
    if backend == "reference":
        return Explanation("reference", "it was asked for", {})
    common = f"only the reference has {call.lacking}" if call.lacking else obstacle(x) or memory.lacking(x)
    if backend is not None:
        reason = common or _path(backend).missing(x, call)
        if reason:
            raise ValueError(f"backend={backend!r} is not available: {reason}; use backend=None or 'reference'")
        return Explanation(backend, "it was asked for", {})
    if common:
        return Explanation("reference", common, dict.fromkeys(PATHS, common))
    rejected = {}
    for path in PATHS:
        reason = _path(path).missing(x, call)
        if reason is None:
            return Explanation(path, _WHY[path], rejected)
        rejected[path] = reason
    return Explanation("reference", "no faster path is available", rejected)


def dispatch(x: Tensor, call: ConicCall, backend: str | None = None) -> Tensor:
    """The value of ``call`` on ``x``, differentiable, by the path that the rule gives."""
    # The usual case first, without the prose.
    if backend is None and call.usual and not _compiling() and not obstacle(x) and not fused.missing(x, call):
        return _apply(x, call, fused) if x.requires_grad and _graphs() else fused.run(x, call)
    if call.special == "identity":
        return x
    if call.special == "pointwise":
        return reference.run(x, call)
    if x.layout is not torch.strided:
        raise ValueError(f"x has the layout {x.layout}, wanted a dense tensor; convert with x.to_dense()")
    if backend is not None:
        check_choice("backend", backend, BACKENDS)
    if call.save == "output" and not saving.plain(x):
        return saving.from_output(x, call, functools.partial(_computed, call=call, backend=backend))
    return _computed(x, call, backend)


def _computed(x: Tensor, call: ConicCall, backend: str | None) -> Tensor:
    if _compiling():
        return _compiled(x, call, backend)
    return _differentiable(_path(decide(x, call, backend).path), x, call)


def _differentiable(path, x: Tensor, call: ConicCall) -> Tensor:
    """Without a gradient no graph is made; the reference makes its own."""
    return _apply(x, call, path) if path is not reference and x.requires_grad and _graphs() else path.run(x, call)


class Conic(torch.autograd.Function):
    """A path that saves only the input."""

    @staticmethod
    def forward(ctx, x, call, path):
        ctx.save_for_backward(x)
        ctx.call, ctx.path = call, path
        return path.run(x, call)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        path = reference if needs_operations(grad) else ctx.path
        return path.run(x, ctx.call, grad), None, None


# What Conic.apply does besides is for torch.func, which never comes here.
_apply = super(torch.autograd.Function, Conic).apply


def needs_operations(grad: Tensor) -> bool:
    """Whether the gradient is differentiated again, or is a batch in disguise or not what its memory says."""
    return (
        _graphs()
        or _transforming()
        or type(grad) is not Tensor
        or grad.is_neg()
        or _is_batched(grad)
        or _is_wrapped(grad)
    )


def _compiled(x: Tensor, call: ConicCall, backend: str | None) -> Tensor:
    """In a compiled graph: the reference, or the C kernel as an operator."""
    exporting = x.device.type != "cpu" or torch.compiler.is_exporting()
    if backend == "reference" or (backend is None and (call.lacking or exporting)):
        return reference.run(x, call)
    last = call.channel == x.dim() - 1 or (x.stride(call.channel) == 1 and not x.is_contiguous())
    if not _opaque(backend, x.dtype, call.kind, call.size, call.share_axis, last, call.lacking):
        return reference.run(x, call)
    return torch.ops.colu.conic(x, *call.of_the_operator)


def _opaque(backend, dtype, kind: str, size: int, share_axis: bool, last: bool, lacking: str | None) -> bool:
    """Whether a compiled graph calls the C kernel as an operator instead of compiling the reference.

    That is where channels are innermost and cones have 3 to 31 entries:
    there the code of Inductor measured 10 to 30 times the cost of ReLU.
    Asked once, while tracing.
    """
    if backend is None and not (last and 2 < size < 32):
        return False
    reason = f"only the reference has {lacking}" if lacking else fused.unfused(dtype, kind, size, share_axis)
    if backend == "fused" and reason:
        raise ValueError(f"backend='fused' is not available: {reason}; use backend=None or 'reference'")
    if backend not in (None, "fused"):
        raise ValueError(f"backend={backend!r} is not available under torch.compile; use None, 'fused' or 'reference'")
    if reason is None:
        from . import compiled  # noqa: F401  registers the operator
    return reason is None


# What torch.compiler.assume_constant_result sets; that function itself would import the compiler here.
_opaque._dynamo_marked_constant = True


# Of the functions: their kind of map, and what they do not share.
_COMMON = ("dim", "num_groups", "channel_dim", "layout", "angle")
_CONIC = (*_COMMON, "scaling", "axis_mode", "share_axis", "p", "double", "eps")
_FUNCTIONS = {
    "colu": ("colu", (*_CONIC, "s2", "save")),
    "rcolu": ("rcolu", _CONIC),
    "soc_projection": ("mpu", (*_COMMON, "axis", "leak")),
}


def explain(x: Tensor, call: ConicCall | str = "colu", *, backend: str | None = None, **options) -> Explanation:
    """Say which path computes a call on ``x``, and why the ones before it cannot; nothing is computed.

    Parameters
    ----------
    x : Tensor
        The input; only its shape, dtype, device, memory order and kind matter.
    call : ConicCall or {"colu", "rcolu", "soc_projection"}
        A call, or the function of :mod:`colu.functional` that makes it.
    backend : str, optional
        As given to the function.
    **options
        The other options of the function.

    Returns
    -------
    Explanation
        ``path``, ``why`` and ``rejected``; printing it shows all three.

    Raises
    ------
    ValueError
        As the function itself, and for a forced backend that is not available.

    Notes
    -----
    Asking builds the library that the call would build.
    Inside ``torch.compile`` another rule holds: see :mod:`colu.kernels`.

    Examples
    --------
    >>> import torch
    >>> print(explain(torch.zeros(2, 8), dim=4, p=3))
    reference: only the reference has p=3
      not triton: only the reference has p=3
      not fused: only the reference has p=3
      not blocked: only the reference has p=3
    """
    if isinstance(call, str):
        check_choice("function", call, tuple(_FUNCTIONS))
        kind, known = _FUNCTIONS[call]
        check_floating(x, call)
    else:
        known = ()
    for name in options:
        if name not in known:
            raise TypeError(f"{name}={options[name]!r} is no option of {call!r}; use one of {', '.join(known)}")
    if isinstance(call, str):
        call = conic_call(x.shape, kind, **options)
    if backend is not None:
        check_choice("backend", backend, BACKENDS)
    if call.special == "identity":
        return Explanation("identity", "there is nothing to compute", {})
    if call.special == "pointwise":
        return Explanation("reference", "it is one operation of torch", {})
    return decide(x, call, backend)
