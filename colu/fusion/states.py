"""Networks and weights as people have them: in wrappers, with the wrappers' names, in files, of any dtype."""

from __future__ import annotations

import copy
import shlex
import warnings
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

__all__ = ["check_tensors", "copied", "inner", "loaded", "plain_state", "unwrapped"]

State = Mapping[str, Tensor]

_COMPILED = "_orig_mod."
_PARALLEL = "module."
_REAL = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
#: Endings of files that torch.save writes, and how such files begin.
_PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl")
_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def inner(module: nn.Module) -> nn.Module | None:
    """The network in a wrapper of torch; None where there is no wrapper."""
    # By name, since asking torch._dynamo for its class imports a second's worth.
    if type(module).__name__ == "OptimizedModule":
        return module._orig_mod
    parallel = (nn.DataParallel, nn.parallel.DistributedDataParallel, AveragedModel)
    return module.module if isinstance(module, parallel) else None


def unwrapped(model: nn.Module) -> nn.Module:
    """The network in torch.compile, DataParallel, DistributedDataParallel and AveragedModel, in any order.

    Examples
    --------
    >>> unwrapped(nn.DataParallel(nn.ReLU()))
    ReLU()
    """
    while (found := inner(model)) is not None:
        model = found
    return model


def copied(model: nn.Module) -> nn.Module:
    """A copy, of modules too that hold weights which they compute, as pruning and the older weight_norm have it.

    Examples
    --------
    >>> from torch.nn.utils import prune
    >>> copied(prune.random_unstructured(nn.Linear(2, 3), "weight", 0.5)).weight.is_leaf
    True
    """
    held = [one for module in model.modules() for one in vars(module).values() if isinstance(one, Tensor)]
    # They are made anew when the copy runs.
    return copy.deepcopy(model, {id(one): one.detach().clone() for one in held if not one.is_leaf})


def plain_state(state: State, names: Iterable[str], label: str = "the state") -> State:
    """A state by the names of the network itself: what wrappers put before them is dropped, with a warning.

    Parameters
    ----------
    state : dict of str to Tensor
    names : iterable of str
        Those of the network; a state that has them all is left as it is.

    Examples
    --------
    >>> with warnings.catch_warnings(record=True) as said:
    ...     list(plain_state({"module._orig_mod.0.weight": torch.ones(1)}, ["0.weight"])), len(said)
    (['0.weight'], 1)
    """
    wanted = set(names)
    if wanted <= set(state):
        return state
    short = {key: key.replace(_COMPILED, "") for key in state}
    depth = 0
    while not wanted & set(short.values()):
        if not any(key.startswith(_PARALLEL) for key in short.values()):
            return state
        # A wrapper's own counters have no prefix, and are no part of the network.
        short = {key: one.removeprefix(_PARALLEL) for key, one in short.items() if one.startswith(_PARALLEL)}
        depth += 1
    if all(key == one for key, one in short.items()):
        return state
    dropped = [_COMPILED] * any(_COMPILED in key for key in state) + [_PARALLEL] * (depth > 0)
    left = sorted(set(state) - set(short))
    warnings.warn(
        f"the names of {label} begin with {' and '.join(map(repr, dropped))}, as torch.compile and DataParallel write "
        f"them: that was dropped{f', {left} left out' if left else ''}; results have the names of the model inside",
        stacklevel=3,
    )
    return {one: state[key] for key, one in short.items()}


def loaded(model: nn.Module, state: State) -> nn.Module:
    """A copy of the network with a state."""
    model = copied(unwrapped(model))
    model.load_state_dict(dict(plain_state(state, model.state_dict())))
    return model


def check_tensors(state: State, label: str = "the state", weights: Collection[str] = ()) -> None:
    """Raise ``ValueError`` for entries that have no mean: no real floating weights, or not dense.

    Integers and booleans may be buffers, such as counters: they are refused where they are called ``weight`` or
    ``bias``, or are among ``weights``.

    Examples
    --------
    >>> check_tensors({"weight": torch.ones(2), "num_batches_tracked": torch.tensor(3)})
    """
    for name, tensor in state.items():
        if not isinstance(tensor, Tensor):
            kind, fix = f"a {type(tensor).__name__}", "give a state dict of tensors, such as model.state_dict()"
        elif tensor.is_quantized:
            kind, fix = f"quantised, {tensor.dtype}", "take the network before quantisation, or tensor.dequantize()"
        elif tensor.layout is not torch.strided:
            kind, fix = f"sparse, {tensor.layout}", "make it dense with tensor.to_dense()"
        elif tensor.is_complex():
            kind, fix = f"{tensor.dtype}", "the symmetries are real: make it real with torch.view_as_real(tensor)"
        elif tensor.is_floating_point():
            kind = "" if tensor.dtype in _REAL else f"{tensor.dtype}"
            fix = "a mean of so few bits is none: convert it with tensor.float()"
        else:
            weight = name in weights or name.rpartition(".")[2] in ("weight", "bias")
            kind = f"{tensor.dtype}" if weight else ""
            fix = "a weight has to be floating: convert it with tensor.float()"
        if kind:
            raise ValueError(f"{name} of {label} is {kind}; {fix}")


def conversion(path: Path) -> str:
    """The command that makes safetensors of a pickled state dict, or of the one in a training checkpoint."""
    code = (
        "import torch; from safetensors.torch import save_file; "
        f"s = torch.load({str(path)!r}, map_location='cpu', weights_only=True); "
        "s = next((s[k] for k in ('state_dict', 'model_state_dict', 'model') if isinstance(s.get(k), dict)), s); "
        "save_file({k: v.detach().clone().contiguous() for k, v in s.items() if torch.is_tensor(v)}, "
        f"{str(path.with_suffix('.safetensors'))!r})"
    )
    return f"python -c {shlex.quote(code)}"
