"""Run a network whose weights are in memory layer by layer: each only while its layer runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from .spec import State
from .stored import give_back

__all__ = ["emptied", "run_paged"]

#: Modules that read the weights of others inside them without calling them.
_WHOLE = (nn.MultiheadAttention, nn.TransformerEncoderLayer)


def emptied(model: nn.Module) -> nn.Module:
    """The same module, without the memory of its weights."""
    _release(model.state_dict(keep_vars=True))
    give_back()
    return model


@torch.no_grad()
def run_paged(model: nn.Module, state: State, run: Callable[[], Tensor], dtype: torch.dtype) -> Tensor:
    """What ``run`` makes of the model with a state, of which one layer at a time is in memory.

    Parameters
    ----------
    model : Module
        Overwritten: it has no weights afterwards.
    state : dict of str to Tensor
        Each entry is read when its layer runs.
    run : callable
        Calls the model.
    dtype : torch.dtype
        Of the weights while they are there.

    Notes
    -----
    Where a layer reads weights of another one, which are not there then, all are loaded at once.

    Examples
    --------
    >>> model, x = nn.Sequential(nn.Linear(2, 3), nn.ReLU()), torch.ones(1, 2)
    >>> state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    >>> wanted = model(x)
    >>> torch.allclose(run_paged(model, state, lambda: model(x), torch.float32), wanted), model[0].weight.numel()
    (True, 0)
    """
    model.eval()
    slots = model.state_dict(keep_vars=True)
    for name, buffer in model.named_buffers():
        if name not in slots and buffer.is_floating_point():
            buffer.data = buffer.data.to(dtype)
    handles = []
    for owner, module in model.named_modules():
        own = _own(owner, module, slots)
        if own:
            handles.append(module.register_forward_pre_hook(lambda *_, own=own: _load(own, state, dtype)))
            handles.append(module.register_forward_hook(lambda *_, own=own: _release(own)))
    _release(slots, dtype)
    try:
        return run()
    except (RuntimeError, IndexError):
        for handle in handles:
            handle.remove()
        _load(slots, state, dtype)
        return run()
    finally:
        for handle in handles:
            handle.remove()
        _release(slots)


def _own(owner: str, module: nn.Module, slots: Mapping[str, Tensor]) -> dict[str, Tensor]:
    prefix = f"{owner}." if owner else ""
    if isinstance(module, _WHOLE):
        return {name: slot for name, slot in slots.items() if name.startswith(prefix)}
    return {name: slot for name, slot in slots.items() if name.rpartition(".")[0] == owner}


def _load(own: Mapping[str, Tensor], state: State, dtype: torch.dtype) -> None:
    for name, slot in own.items():
        value = state[name].detach().to(slot.device)
        slot.data = value.to(dtype) if value.is_floating_point() else value


def _release(own: Mapping[str, Tensor], dtype: torch.dtype | None = None) -> None:
    for slot in own.values():
        kind = dtype if dtype is not None and slot.is_floating_point() else slot.dtype
        slot.data = torch.empty(0, dtype=kind, device=slot.device)
