"""Checkers of properties of maps; each raises ``AssertionError`` with the measured violation.

Tolerances come from the dtype, relative to the size of what is compared.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn


def default_tolerance(dtype: torch.dtype) -> float:
    """Relative tolerance of a dtype: 64 units of rounding.

    Examples
    --------
    >>> default_tolerance(torch.float32) < 1e-5
    True
    """
    return 64 * torch.finfo(dtype).eps


def violation(a: Tensor, b: Tensor) -> float:
    """Largest ``|a - b|`` over the largest entry of both; ``inf`` where one is not finite.

    Equal infinities and NaN in the same places count as equal.
    """
    if a.shape != b.shape:
        raise AssertionError(f"shapes differ: {tuple(a.shape)} and {tuple(b.shape)}")
    if a.numel() == 0:
        return 0.0
    a, b = a.detach().double(), b.detach().double()
    same = (a == b) | (a.isnan() & b.isnan())
    if same.all():
        return 0.0
    if not (a[~same].isfinite().all() and b[~same].isfinite().all()):
        return float("inf")
    finite = torch.cat([a[a.isfinite()], b[b.isfinite()]])
    return ((a - b)[~same].abs().max() / finite.abs().max()).item()


def _pairs(action, x) -> Iterable[tuple[Callable, Callable]]:
    """Normalise a group element, matrix, pair or sequence of them to (on input, on output) callables."""
    if isinstance(action, list):
        for one in action:
            yield from _pairs(one, x)
    elif isinstance(action, tuple):
        before, after = action
        yield _action(before), _action(after)
    else:
        yield _action(action), _action(action)


def _action(g) -> Callable[[Tensor], Tensor]:
    if hasattr(g, "apply") and not isinstance(g, nn.Module):
        return g.apply
    if isinstance(g, Tensor):
        return lambda x: torch.movedim(torch.movedim(x.double(), 1, -1) @ g.double().T.to(x.device), -1, 1).to(x.dtype)
    if callable(g):
        return g
    raise ValueError(f"{g!r} does not act; use an element with .apply, a (C, C) matrix, a callable, or a pair of them")


def equivariance_violation(f: Callable, action, x: Tensor) -> float:
    """Largest relative violation of ``f(g x) = g f(x)`` over the given actions."""
    return max(violation(f(before(x)), after(f(x))) for before, after in _pairs(action, x))


def assert_equivariant(f: Callable, action, x: Tensor, *, tol: float | None = None) -> None:
    """Assert ``f(g x) = g f(x)``.

    Parameters
    ----------
    f : callable
        Tensor to tensor.
    action : element, matrix, callable, pair or list of these
        What has ``.apply(x)``, a ``(C, C)`` matrix acting on dimension 1, or a callable;
        a pair ``(on input, on output)`` where the two actions differ; a list to check several.
    x : Tensor
        Where to check.
    tol : float, optional
        Relative tolerance; default from the dtype of ``x``.

    Examples
    --------
    >>> assert_equivariant(torch.relu, torch.eye(3)[[2, 0, 1]], torch.randn(5, 3))
    """
    tol = default_tolerance(x.dtype) if tol is None else tol
    found = equivariance_violation(f, action, x)
    assert found <= tol, f"not equivariant: violation {found:.3g} > {tol:.3g}"


def assert_not_equivariant(f: Callable, action, x: Tensor, *, at_least: float = 1e-2) -> None:
    """Assert that ``f(g x)`` and ``g f(x)`` differ by more than ``at_least`` (relative) for every action.

    Examples
    --------
    >>> assert_not_equivariant(torch.relu, -torch.eye(3), torch.ones(1, 3))
    """
    for before, after in _pairs(action, x):
        found = violation(f(before(x)), after(f(x)))
        assert found > at_least, f"equivariant: violation only {found:.3g} <= {at_least:.3g}"


def assert_invariant(f: Callable, action, x: Tensor, *, tol: float | None = None) -> None:
    """Assert ``f(g x) = f(x)``.

    Examples
    --------
    >>> assert_invariant(lambda x: x.norm(dim=1), -torch.eye(3), torch.ones(1, 3))
    """
    assert_equivariant(f, [(before, lambda y: y) for before, _ in _pairs(action, x)], x, tol=tol)


def assert_preserves(f: Callable, norm: Callable[[Tensor], Tensor], x: Tensor, *, tol: float | None = None) -> None:
    """Assert ``norm(f(x)) = norm(x)`` for any quantity ``norm`` of a tensor.

    Examples
    --------
    >>> assert_preserves(lambda x: x.sort(dim=1).values, lambda x: x.norm(dim=1), torch.randn(5, 3))
    """
    tol = default_tolerance(x.dtype) if tol is None else tol
    found = violation(norm(f(x)), norm(x))
    assert found <= tol, f"not preserved: violation {found:.3g} > {tol:.3g}"


def assert_idempotent(f: Callable, x: Tensor, *, tol: float | None = None) -> None:
    """Assert ``f(f(x)) = f(x)``.

    Examples
    --------
    >>> assert_idempotent(torch.relu, torch.randn(5, 3))
    """
    tol = default_tolerance(x.dtype) if tol is None else tol
    y = f(x)
    found = violation(f(y), y)
    assert found <= tol, f"not idempotent: violation {found:.3g} > {tol:.3g}"


def assert_homogeneous(
    f: Callable,
    x: Tensor,
    *,
    degree: float = 1.0,
    scales: Iterable[float] = (1e-3, 0.5, 3.0, 1e3),
    tol: float | None = None,
) -> None:
    """Assert ``f(k x) = k**degree f(x)`` for positive ``k``, relative to the size of ``f(k x)``.

    Examples
    --------
    >>> assert_homogeneous(torch.relu, torch.randn(5, 3))
    """
    tol = default_tolerance(x.dtype) if tol is None else tol
    y = f(x)
    for k in scales:
        found = violation(f(k * x) / k**degree, y)
        assert found <= tol, f"not homogeneous of degree {degree}: violation {found:.3g} > {tol:.3g} at scale {k}"


@torch.enable_grad()
def assert_gradients_finite(f: Callable, inputs: Tensor | Iterable[Tensor]) -> None:
    """Assert that ``f`` and its gradient are finite at every input, parameters of a module included.

    Examples
    --------
    >>> assert_gradients_finite(torch.relu, torch.zeros(3))
    """
    for x in [inputs] if isinstance(inputs, Tensor) else inputs:
        x = x.detach().clone().requires_grad_()
        parameters = [p for p in f.parameters() if p.requires_grad] if isinstance(f, nn.Module) else []
        y = f(x)
        assert y.isfinite().all(), f"value not finite at {x.detach().flatten()[:8].tolist()}"
        grads = torch.autograd.grad(y.sum(), [x, *parameters], allow_unused=True)
        for grad in grads:
            ok = grad is None or bool(grad.isfinite().all())
            assert ok, f"gradient not finite at {x.detach().flatten()[:8].tolist()}"


def assert_same_function(f: Callable, g: Callable, x: Tensor, *, tol: float | None = None) -> None:
    """Assert ``f(x) = g(x)``.

    Examples
    --------
    >>> assert_same_function(torch.relu, lambda x: x.clamp(min=0), torch.randn(5, 3))
    """
    tol = default_tolerance(x.dtype) if tol is None else tol
    found = violation(f(x), g(x))
    assert found <= tol, f"different functions: violation {found:.3g} > {tol:.3g}"


def assert_different_function(f: Callable, g: Callable, x: Tensor, *, at_least: float = 1e-2) -> None:
    """Assert that ``f(x)`` and ``g(x)`` differ by more than ``at_least`` (relative) somewhere.

    Examples
    --------
    >>> assert_different_function(torch.relu, torch.tanh, torch.ones(3))
    """
    found = violation(f(x), g(x))
    assert found > at_least, f"same function: violation only {found:.3g} <= {at_least:.3g}"


def lipschitz_lower_bound(f: Callable, x: Tensor) -> float:
    """Largest spectral norm of the Jacobian over the rows of ``x``: a lower bound of the Lipschitz constant.

    Parameters
    ----------
    f : callable
        Maps ``(n, C)`` to ``(n, D)``, row by row.
    x : Tensor
        Shape ``(n, C)``; compute in float64 for a sharp value.

    Examples
    --------
    >>> lipschitz_lower_bound(lambda x: 3 * x, torch.ones(2, 4))
    3.0
    """
    jacobian = torch.func.vmap(torch.func.jacrev(lambda row: f(row[None])[0]))(x)
    return torch.linalg.matrix_norm(jacobian, 2).max().item()


def assert_lipschitz(f: Callable, x: Tensor, bound: float, *, reached: bool = False, tol: float | None = None) -> None:
    """Assert that no Jacobian at the rows of ``x`` exceeds ``bound``.

    With ``reached``, also that one comes within 1 % of it.

    Examples
    --------
    >>> assert_lipschitz(torch.relu, torch.randn(10, 3), 1.0, reached=True)
    """
    tol = default_tolerance(x.dtype) if tol is None else tol
    found = lipschitz_lower_bound(f, x)
    assert found <= bound * (1 + tol), f"Lipschitz constant at least {found:.6g} > {bound:.6g}"
    assert not reached or found >= 0.99 * bound, f"bound {bound:.6g} not reached: only {found:.6g}"
