"""What is timed in a benchmark, each a function of a tensor, and the check before it is."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from colu.functional import colu
from colu.kernels import explain

from .measure import BenchError, Case

__all__ = ["Contender", "check", "contenders", "tensors"]

BACKENDS = ("fused", "blocked", "reference", "triton")
#: Relative and absolute; a gradient may be worse by a factor of 8, since it holds a quotient of norms.
TOLERANCE = {"float32": 2e-5, "float64": 1e-10, "bfloat16": 2e-2, "float16": 4e-3}


@dataclass(frozen=True)
class Contender:
    """One activation by one way of computing it.

    Attributes
    ----------
    name : str
    forward : callable
        Of the input.
    exact : callable or None
        The same function by torch operations, for the check in float64;
        None for a pointwise activation of torch itself.
    both : callable or None
        Value and gradient, from the input and the gradient of the output; by autograd where None.
    data : callable
        Turns a tensor into what ``forward`` takes.
    """

    name: str
    forward: Callable
    exact: Callable | None = None
    both: Callable | None = None
    data: Callable = staticmethod(lambda x: x)


def contenders(case: Case, *, compiled: bool = False) -> tuple[list[Contender], dict[str, str]]:
    """The contenders that can run on ``case``, and why the others cannot.

    Returns
    -------
    list of Contender
        ReLU first, and once more as ``control``.
    dict of str to str
        Names and reasons of those left out.
    """
    options = {"dim": case.dim, "channel_dim": case.channel_dim}
    exact = partial(colu, **options, backend="reference")
    plain = {"relu": F.relu, "control": F.relu, "silu": F.silu, "gelu": F.gelu}
    found = [Contender(name, function) for name, function in plain.items()]
    left_out = {}
    probe = torch.empty((1,) * len(case.shape), dtype=getattr(torch, case.dtype), device=case.device)
    probe = probe.expand(*(case.channels if d == case.channel_dim else 1 for d in range(len(case.shape))))
    for backend in BACKENDS:
        try:
            explain(probe.contiguous(), backend=backend, **options)
        except ValueError as error:
            left_out[backend] = str(error)
        else:
            found.append(Contender(backend, partial(colu, **options, backend=backend), exact))
    if compiled:
        found.append(Contender("compiled", torch.compile(exact), exact))
    else:
        left_out["compiled"] = "not asked for"
    if importlib.util.find_spec("jax") is None:
        left_out["jax-colu"] = "JAX is not installed"
    elif case.device != "cpu" or case.dtype == "float64":
        left_out["jax-colu"] = "only on the CPU and below float64"
    else:
        found += _jax(case)
    return found, left_out


def _jax(case: Case) -> list[Contender]:
    """JAX's ReLU, and jax-colu 0.3.0's formula: axis through ReLU, axes first, epsilon 1e-7; both jitted."""
    import jax
    import jax.numpy as jnp

    channel, groups = case.channel_dim, case.channels // case.dim

    def formula(x):
        x = jnp.moveaxis(x, channel, -1)
        axis, section = x[..., :groups], x[..., groups:]
        axis = jax.nn.relu(axis)
        section = section.reshape(*section.shape[:-1], groups, case.dim - 1)
        ratio = axis / (jnp.linalg.norm(section, axis=-1) + 1e-7)
        section = jnp.clip(ratio, 0, 1)[..., None] * section
        out = jnp.concatenate([axis, section.reshape(*section.shape[:-2], -1)], axis=-1)
        return jnp.moveaxis(out, -1, channel)

    def contender(name, function, exact):
        forward = jax.jit(function)
        pulled = jax.jit(lambda x, g: (lambda y, back: (y, back(g)[0]))(*jax.vjp(function, x)))
        return Contender(
            name,
            lambda x: forward(x).block_until_ready(),
            exact,
            lambda x, g: jax.block_until_ready(pulled(x, g)),
            lambda x: jax.dlpack.from_dlpack(x.detach().contiguous()),
        )

    exact = partial(
        colu,
        dim=case.dim,
        channel_dim=channel,
        layout="axes_first",
        axis_mode="rectify",
        eps=1e-7,
        backend="reference",
    )
    return [contender("jax-colu", formula, exact), contender("jax-relu", jax.nn.relu, F.relu)]


def tensors(case: Case, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Normal input that requires its gradient, and the gradient of the output."""
    generator = torch.Generator().manual_seed(seed)
    x, g = (torch.randn(case.shape, generator=generator).to(getattr(torch, case.dtype)) for _ in range(2))
    return x.to(case.device).requires_grad_(), g.to(case.device)


def value_and_gradient(contender: Contender, x: Tensor, g: Tensor) -> tuple:
    """What a training step asks of an activation."""
    if contender.both is not None:
        return contender.both(x, g)
    y = contender.forward(x)
    return y, torch.autograd.grad(y, x, g)[0]


def check(contender: Contender, x: Tensor, g: Tensor, dtype: str) -> None:
    """Compare value and gradient with float64.

    Raises
    ------
    BenchError
        A wrong contender is not timed.
    """
    if contender.exact is None:
        return
    inner = x.detach().double().requires_grad_()
    value = contender.exact(inner)
    wanted = (value.detach(), torch.autograd.grad(value, inner, g.double())[0])
    found = value_and_gradient(contender, contender.data(x), contender.data(g))
    for what, got, want, factor in zip(("value", "gradient"), found, wanted, (1, 8), strict=True):
        got = got.detach() if isinstance(got, Tensor) else torch.from_dlpack(got)
        tolerance = factor * TOLERANCE[dtype]
        # Entries within rounding of a kink may take either side: a thousandth of them may differ.
        wrong = ~torch.isclose(got.double(), want, rtol=tolerance, atol=tolerance)
        if wrong.double().mean() > (0 if what == "value" else 1e-3):
            worst = (got.double() - want).abs().max()
            raise BenchError(
                f"{contender.name}: its {what} differs from float64 by {worst:.2g}, so it is not timed; repair it"
            )
