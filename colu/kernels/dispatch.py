"""One rule decides which path computes a conic activation."""

import inspect
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd import forward_ad

from . import _build, blocked
from . import fused as _fused
from .fused import Spec

PATHS = ("triton", "fused", "blocked")


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
    if torch._C._are_functorch_transforms_active():
        return "a torch.func transform is active, which needs plain torch operations"
    if forward_ad._current_level >= 0:
        return "forward-mode differentiation is active, which needs plain torch operations"
    if type(x) not in (Tensor, torch.nn.Parameter):
        return f"{type(x).__name__} is a tensor subclass"
    if torch._C._len_torch_dispatch_stack() or torch._C._get_tracing_state() is not None:
        return "operations are being recorded or traced"
    if x.layout is not torch.strided or x.is_neg():
        return "the tensor is not plain strided memory"
    return None


def missing(path: str, x: Tensor, spec: Spec) -> str | None:
    """Why ``path`` cannot compute ``spec`` on ``x``, apart from the obstacles to all; None if it can."""
    device = x.device.type
    if path == "triton":
        from . import triton as triton_conic

        return triton_conic.missing(x, spec)
    if device != "cpu":
        return f"the tensor is on {device}, not on the CPU"
    if path == "blocked":
        return blocked.missing(x, spec)
    return unfused(x.dtype, spec.name, spec.size, spec.share_axis)


def unfused(dtype, name: str, size: int, share_axis: bool) -> str | None:
    """Why the C library does not have the function, or cannot be had; None if all is well."""
    if name == "mpu" and size != 2:
        return f"the projection is fused for dim=2 only, not dim={size}"
    if name == "rcolu" and share_axis:
        return "RCoLU with a shared axis is not fused"
    if dtype not in _build.KINDS:
        return f"{dtype} has no kernel"
    run, message = _build.outcome(dtype)
    return None if run else message


def decide(x: Tensor, backend: str | None, spec: Spec, lacking: str | None) -> Explanation:
    """Apply the rule; a forced backend that is not available is an error."""
    common = f"only the reference has {lacking}" if lacking else obstacle(x)
    if backend == "reference":
        return Explanation("reference", "it was asked for", {})
    if backend is not None:
        reason = common or missing(backend, x, spec)
        if reason:
            raise ValueError(f"backend={backend!r} is not available: {reason}; use backend=None or 'reference'")
        return Explanation(backend, "it was asked for", {})
    if common:
        return Explanation("reference", common, dict.fromkeys(PATHS, common))
    rejected = {}
    for path in PATHS:
        reason = missing(path, x, spec)
        if reason is None:
            return Explanation(path, _WHY[path], rejected)
        rejected[path] = reason
    return Explanation("reference", "no faster path is available", rejected)


def dispatch(x: Tensor, backend: str | None, lacking: str | None, *request) -> Tensor | None:
    """The result of the path that the rule gives, or None for the reference."""
    if lacking and backend is None:
        return None
    spec = Spec(*request)
    # The usual case first, without the prose.
    if backend is None and x.device.type == "cpu" and not obstacle(x) and not missing("fused", x, spec):
        return _fused.apply(x, spec)
    path = decide(x, backend, spec, lacking).path
    if path == "fused":
        return _fused.apply(x, spec)
    if path == "blocked":
        return blocked.apply(x, spec)
    if path == "triton":
        from . import triton as triton_conic

        return triton_conic.apply(x, spec)
    return None


def opaque(backend, dtype, name: str, size: int, share_axis: bool, last: bool, lacking: str | None) -> bool:
    """Whether a compiled graph calls the C kernel as an operator instead of compiling the reference.

    That is where channels are innermost and cones have 3 to 31 entries:
    there the code of Inductor measured 10 to 30 times the cost of ReLU.
    """
    if backend is None and not (last and 2 < size < 32):
        return False
    reason = f"only the reference has {lacking}" if lacking else unfused(dtype, name, size, share_axis)
    if backend == "fused" and reason:
        raise ValueError(f"backend='fused' is not available: {reason}; use backend=None or 'reference'")
    if backend not in (None, "fused"):
        raise ValueError(f"backend={backend!r} is not available under torch.compile; use None, 'fused' or 'reference'")
    if reason is None:
        from . import compiled as _op  # noqa: F401  registers the operator
    return reason is None


def explain(x: Tensor, function: str = "colu", *, backend: str | None = None, **options) -> Explanation:
    """Say which path computes ``colu``, ``rcolu`` or ``soc_projection`` for ``x``, and why.

    Parameters
    ----------
    x : Tensor
        The input; only its shape, dtype, device, memory order and kind matter.
    function : {"colu", "rcolu", "soc_projection"}
        The function of :mod:`colu.functional`.
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
    from colu import functional

    functions = {name: getattr(functional, name) for name in ("colu", "rcolu", "soc_projection")}
    if function not in functions:
        raise ValueError(f"function={function!r} is unknown; use one of {', '.join(functions)}")
    if backend == "reference":
        return Explanation("reference", "it was asked for", {})
    if backend is not None and backend not in PATHS:
        raise ValueError(f"backend={backend!r} is unknown; use one of reference, {', '.join(PATHS)}")
    answers = []

    def record(x, lacking, *request):
        answers.append(decide(x, backend, Spec(*request), lacking))
        return x

    inspect.signature(functions[function]).bind(x, **options)
    functions[function](x, **options, backend=record)
    return answers[0] if answers else Explanation("identity", "there is nothing to compute", {})
