"""Whether training sees the coordinates: a turned network that is trained, against the trained network, turned."""

from collections.abc import Callable, Iterable
from copy import deepcopy

import torch
from torch import Tensor, nn

from .properties import violation

#: From the parameters of a model, by name, to those of the turned one.
Turn = Callable[[dict[str, Tensor]], dict[str, Tensor]]


@torch.enable_grad()
def _moved(model: nn.Module, loss, optimiser, steps: int) -> dict[str, Tensor]:
    """How far each parameter went."""
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    made = optimiser(model.parameters())
    for step in range(steps):
        made.zero_grad()
        loss(model, step).backward()
        made.step()
    return {name: p.detach() - before[name] for name, p in model.named_parameters()}


@torch.no_grad()
def _set(model: nn.Module, values: dict[str, Tensor]) -> None:
    for name, p in model.named_parameters():
        p.copy_(values[name])


def training_violations(
    model: nn.Module,
    turned: nn.Module,
    turn: Turn,
    loss: Callable[[nn.Module, int], Tensor],
    optimiser: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer],
    *,
    steps: int = 10,
) -> dict[str, float]:
    r"""By how much training in a turned frame is not the turned training, for each parameter.

    With the weights :math:`\theta_t` of ``model`` after :math:`t` steps, a linear map :math:`\rho` of weights, and the
    weights :math:`\theta'_t` of ``turned``, which starts from :math:`\theta'_0 = \rho\,\theta_0`, it is

    .. math:: \frac{\max_i \lvert (\theta'_T - \theta'_0) - \rho(\theta_T - \theta_0) \rvert_i}
              {\max_i \lvert \theta'_T - \theta'_0 \rvert_i} ,

    relative to how far the weights went, so that small steps hide nothing.

    Parameters
    ----------
    model, turned : torch.nn.Module
        Of one architecture; where ``turn`` acts on a hidden layer, the activation of ``turned`` is that of ``model`` in
        the other frame, :math:`Q f(Q^\top h)`.  Both are copied; the weights of ``turned`` do not matter.
    turn : callable
        The map :math:`\rho`, from parameters by name to parameters by name.
    loss : callable
        Of a model and the number of the step, to a scalar; the same for both.
    optimiser : callable
        From parameters to an optimiser.
    steps : int
        T >= 1.

    Returns
    -------
    dict of str to float

    Notes
    -----
    SGD with momentum and L2 decay commutes with every orthogonal :math:`\rho`, Muon with those that act on the rows and
    the columns of each matrix, Adam with signed permutations alone.

    Examples
    --------
    >>> model = nn.Linear(2, 2, bias=False).double()
    >>> turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=torch.float64)
    >>> def loss(m, step):
    ...     x = torch.eye(2, dtype=torch.float64) @ (turn.T if m.seen else torch.eye(2, dtype=torch.float64))
    ...     return (m(x) - 1).square().sum()
    >>> model.seen, other = False, deepcopy(model)
    >>> other.seen = True
    >>> def found(cls):
    ...     return training_violations(model, other, lambda p: {"weight": p["weight"] @ turn.T}, loss,
    ...                                lambda p: cls(p, lr=0.1))["weight"]
    >>> found(torch.optim.SGD) < 1e-12, found(torch.optim.Adam) > 0.1
    (True, True)
    """
    model, turned = deepcopy(model), deepcopy(turned)
    _set(turned, turn({name: p.detach() for name, p in model.named_parameters()}))
    wanted, found = turn(_moved(model, loss, optimiser, steps)), _moved(turned, loss, optimiser, steps)
    return {name: violation(wanted[name], found[name]) for name in found}


def assert_training_commutes(
    model: nn.Module,
    turned: nn.Module,
    turn: Turn,
    loss: Callable[[nn.Module, int], Tensor],
    optimiser: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer],
    *,
    steps: int = 10,
    tol: float | None = None,
) -> None:
    r"""Assert that training the turned network gives the trained network, turned.

    Parameters
    ----------
    model, turned, turn, loss, optimiser, steps
        As of :func:`training_violations`.
    tol : float, optional
        Of each parameter's way; by default the square root of the rounding unit of its dtype.

    Raises
    ------
    AssertionError
        Names the parameter that is furthest off, and by how much.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1)).double()
    >>> x = torch.randn(20, 3, dtype=torch.float64)
    >>> order = [2, 0, 3, 1]
    >>> def turn(p):
    ...     return {"0.weight": p["0.weight"][order], "0.bias": p["0.bias"][order],
    ...             "2.weight": p["2.weight"][:, order], "2.bias": p["2.bias"]}
    >>> assert_training_commutes(model, model, turn, lambda m, step: m(x).square().mean(), torch.optim.Adam)
    """
    found = training_violations(model, turned, turn, loss, optimiser, steps=steps)
    dtypes = {name: p.dtype for name, p in model.named_parameters()}
    name = max(found, key=found.get)
    limit = torch.finfo(dtypes[name]).eps ** 0.5 if tol is None else tol
    assert found[name] <= limit, (
        f"training does not commute with the turn: after {steps} steps {name} is off by {found[name]:.3g} of its way, "
        f"wanted {limit:.3g}"
    )
