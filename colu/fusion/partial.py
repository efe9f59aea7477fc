"""Networks merged up to a layer: one trunk for all, and behind it what each had."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from colu.checks import check_choice

from .samples import call, like, outputs_of
from .spec import State
from .states import copied, loaded, unwrapped

__all__ = ["ENDS", "PartialNetwork", "split_states", "trunk_of"]

#: Trunks that are nothing, which is the ensemble, and everything, which is the plain merge.
ENDS = ("start", "end")
TAIL = "tails.{}."


class _Uses(TorchFunctionMode):
    """Notes which tensors operations read while a flag is up."""

    def __init__(self, names: Mapping[int, str]):
        super().__init__()
        self.names, self.early, self.late, self.done = names, set(), set(), False

    def __torch_function__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        # Asking a weight for its dtype or device reads nothing of it.
        if any(isinstance(one, Tensor) for one in tree_leaves(made)):
            read = (self.names.get(id(one)) for one in tree_leaves((args, kwargs or {})))
            (self.late if self.done else self.early).update(name for name in read if name is not None)
        return made


@torch.no_grad()
def trunk_of(model: nn.Module, until: str, example=None) -> list[str]:
    """The entries of a state that a network reads until a layer has run, in the order of the state.

    Parameters
    ----------
    model : Module
        Copied; not changed.
    until : str
        Name of a module that runs, or ``"start"`` for none of the entries and ``"end"`` for all.
    example : Tensor, tuple or dict
        Inputs; not needed for ``"start"`` and ``"end"``.

    Returns
    -------
    list of str
        With what is read before and again later, such as a table that is tied to the output, and with what is never
        read, unless something else of its module is read behind the layer.

    Raises
    ------
    ValueError
        A name of no module, or of one that does not run; no inputs.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> trunk_of(model, "1", torch.ones(1, 2)), trunk_of(model, "start")
    (['0.weight', '0.bias'], [])
    """
    model = copied(unwrapped(model)).eval()
    state = model.state_dict(keep_vars=True)
    if until in ENDS:
        return list(state) if until == "end" else []
    modules = dict(model.named_modules())
    names = [name for name in modules if name]
    check_choice("until", until, (*ENDS, *names) if len(names) < 12 else (*ENDS, *names[:11], until * (until in names)))
    if example is None:
        raise ValueError(f"until={until!r} is found by running the network; give an example_input or data")
    watch = _Uses({id(tensor): name for name, tensor in state.items()})

    def finished(*_) -> None:
        watch.done = True

    modules[until].register_forward_hook(finished)
    with watch:
        call(model, like(model, example))
    if not watch.done:
        raise ValueError(f"until={until!r} does not run on the example; name a layer that does")
    late = {name.rpartition(".")[0] for name in watch.late - watch.early}
    unread = {name for name in state if name.rpartition(".")[0] not in late} - watch.late
    return [name for name in state if name in watch.early | unread]


def split_states(merged: State, states: Sequence[State], trunk: Sequence[str]) -> list[dict[str, Tensor]]:
    """For each network its state with the trunk of the merge."""
    inside = set(trunk)
    return [{name: (merged if name in inside else state)[name] for name in state} for state in states]


class PartialNetwork(nn.Module):
    r"""Networks that share their first layers: the mean of what all put out.

    .. math:: f(x) = \frac1K \sum_k t_k(h(x))

    Parameters
    ----------
    model : Module
        The architecture; copied.
    state : dict of str to Tensor
        Of ``fuse(..., merge="partial")``: entries of the trunk by their names, those of tail k behind ``tails.k.``.
    probabilities : bool
        Whether the mean is that of class probabilities, given as their logarithm, as the report measures it without a
        loss of one's own; else that of the outputs.

    Notes
    -----
    Weights of the trunk are held once. Each tail runs the trunk anew: memory is saved, time is not.

    References
    ----------
    Stoica et al., "ZipIt! Merging Models from Different Tasks without Training", ICLR 2024, arXiv 2305.03053
    (``stoica2024zipit``), which merges up to a given layer and keeps a head for each network. Here the heads are
    averaged, as networks of one task allow, and units pair one with one across networks by the alignment; ZipIt! also
    pairs units within a network, and takes back the merge in front of each head.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> head = {f"tails.{k}.2.{name}": tensor for k in (0, 1) for name, tensor in model[2].state_dict().items()}
    >>> both = PartialNetwork(model, {"0.weight": model[0].weight, "0.bias": model[0].bias} | head)
    >>> torch.allclose(both(torch.ones(1, 2)), model(torch.ones(1, 2)))
    True
    """

    def __init__(self, model: nn.Module, state: State, *, probabilities: bool = False):
        super().__init__()
        plain = copied(unwrapped(model))
        names = plain.state_dict()
        count = 0
        while any(name.startswith(TAIL.format(count)) for name in state):
            count += 1
        count = max(count, 1)
        trunk = {name for name in names if name in state}
        lacking = [n for n in names if n not in trunk and any(TAIL.format(k) + n not in state for k in range(count))]
        if lacking:
            raise ValueError(f"the state has {lacking[0]} neither in the trunk nor in each of {count} tails")
        self.networks = nn.ModuleList(
            loaded(plain, {n: state[n if n in trunk else TAIL.format(k) + n] for n in names}) for k in range(count)
        )
        # One tensor for all.
        for network in self.networks[1:]:
            for module, first in zip(network.modules(), self.networks[0].modules(), strict=True):
                prefix = next(name for name, one in network.named_modules() if one is module)
                for name in list(module._parameters):
                    if f"{prefix}.{name}".lstrip(".") in trunk:
                        module._parameters[name] = first._parameters[name]
        self.probabilities = probabilities

    def forward(self, *args, **named) -> Tensor:
        """The mean of all networks' outputs, or the logarithm of the mean of their probabilities."""
        given = named or (args if len(args) > 1 else args[0])
        found = torch.stack([outputs_of(network, given) for network in self.networks])
        if not self.probabilities:
            return found.mean(0)
        return found.log_softmax(-1).logsumexp(0) - math.log(len(found))


def joined(heads: Sequence[State], trunk: Sequence[str]) -> dict[str, Tensor]:
    """The state of a :class:`PartialNetwork`: the trunk once, and each tail behind its number."""
    inside = set(trunk)
    whole = {name: tensor for name, tensor in heads[0].items() if name in inside}
    tails = {TAIL.format(k) + name: t for k, head in enumerate(heads) for name, t in head.items() if name not in inside}
    return whole | tails
