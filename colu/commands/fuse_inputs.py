"""What ``colu fuse`` is given: a model by name, weights in files, and data from a function."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from colu.fusion import StoredState
from colu.fusion.samples import is_pair, outputs_of

__all__ = ["Data", "bound", "load_data", "load_model", "said_accuracy", "try_model"]

FORMS = "package.module:callable, timm:NAME or hf:FOLDER, each with arguments in parentheses where it takes any"
#: What an accuracy is called in the metadata of a file.
ACCURACIES = ("accuracy", "test_accuracy", "val_accuracy", "top1")


def _called(text: str) -> tuple[str, list, dict]:
    """A name and its arguments, which are literals."""
    if not text.endswith(")"):
        return text, [], {}
    name, _, inside = text.partition("(")
    try:
        call = ast.parse(f"f({inside}", mode="eval").body
        return name, [ast.literal_eval(one) for one in call.args], {
            one.arg: ast.literal_eval(one.value) for one in call.keywords
        }
    except (ValueError, SyntaxError) as error:
        raise ValueError(f"the arguments of {text!r} are no literals ({error}); numbers and strings are") from None


def _imported(text: str, option: str):
    module, _, name = text.partition(":")
    if not name:
        raise ValueError(f"{option} {text!r} is of no known form; wanted {FORMS}")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise ValueError(
            f"{option} {text!r}: {module} cannot be imported ({error}); "
            "run from the folder that holds it, or install it"
        ) from error
    for part in name.split("."):
        if not hasattr(found, part):
            near = [one for one in vars(found) if not one.startswith("_") and callable(getattr(found, one))]
            raise ValueError(f"{option} {text!r}: {module} has no {part!r}; it has {', '.join(near[:8]) or 'nothing'}")
        found = getattr(found, part)
    return found


def _result(made, arguments: list, options: dict, option: str, text: str):
    """What a callable gives; arguments that it does not take are told before its code is run."""
    if not callable(made):
        raise ValueError(f"{option} {text!r} is a {type(made).__name__}, which cannot be called")
    try:
        inspect.signature(made).bind(*arguments, **options)
    except TypeError as error:
        raise ValueError(f"{option} {text!r}: {error}; arguments go in parentheses behind the name") from None
    except ValueError:
        # Some that are written in C do not say what they take.
        pass
    return made(*arguments, **options)


def load_model(text: str) -> nn.Module:
    """The model that ``--model`` names, with whatever weights it starts with; its code is run.

    Raises
    ------
    ValueError
        A form that is not known, an export file, a package that is absent, what is no model.

    Examples
    --------
    >>> load_model("torch.nn:Linear(2, 3)")
    Linear(in_features=2, out_features=3, bias=True)
    """
    name, arguments, options = _called(text)
    if Path(name).suffix in (".pt", ".pth", ".pt2", ".onnx", ".bin", ".ckpt", ".pkl"):
        raise ValueError(f"--model {text!r} is a file; pickles and exports are not loaded. Wanted {FORMS}")
    if name.startswith("timm:"):
        timm = _optional("timm", text)
        try:
            return timm.create_model(name[5:], *arguments, pretrained=False, **options)
        except RuntimeError as error:
            raise ValueError(f"--model {text!r}: {error}") from error
    if name.startswith("hf:"):
        return _from_folder(name[3:], text)
    made = _imported(name, "--model")
    model = made if isinstance(made, nn.Module) else _result(made, arguments, options, "--model", text)
    if not isinstance(model, nn.Module):
        raise ValueError(f"--model {text!r} gives a {type(model).__name__}; wanted a torch.nn.Module")
    return model


def _optional(package: str, text: str):
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ValueError(f"--model {text!r} needs {package}, which is not installed: pip install {package}") from error


def _from_folder(folder: str, text: str) -> nn.Module:
    transformers = _optional("transformers", text)
    if not (Path(folder) / "config.json").is_file():
        raise ValueError(f"--model {text!r}: {folder} holds no config.json; name the folder of a saved model")
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    names = getattr(config, "architectures", None) or []
    kind = next((getattr(transformers, one) for one in names if hasattr(transformers, one)), None)
    return kind(config) if kind else transformers.AutoModel.from_config(config)


def bound(path: Path, model: nn.Module) -> StoredState:
    """The weights of a file by the names of the model; of a checkpoint of ``colu run`` the averaged ones.

    Raises
    ------
    ValueError
        A pickle, a damaged file, or weights of another architecture: what differs first.
    """
    if path.is_dir():
        inside = [path / name for name in ("model.safetensors", "model.safetensors.index.json")]
        path = next((one for one in inside if one.is_file()), path)
    state, wanted = StoredState(path), model.state_dict()
    names = {name: name for name in wanted if name in state}
    for prefix in ("average.", "model.", "module.", "_orig_mod."):
        if len(names) < len(wanted) and all(f"{prefix}{name}" in state for name in wanted):
            names = {name: f"{prefix}{name}" for name in wanted}
    spare = {} if any(other != name for name, other in names.items()) else set(state) - set(names)
    storage = {name: (tensor.data_ptr(), tensor.shape) for name, tensor in wanted.items() if tensor.numel()}
    for name in wanted:
        # Tied weights are in the file once.
        twin = next((one for one in names if storage.get(name) and storage[one] == storage[name]), None)
        if name not in names and twin:
            names[name] = names[twin]
    differ = [f"it lacks {name} {tuple(wanted[name].shape)}" for name in wanted if name not in names]
    differ += [f"it has {name} {tuple(state.shapes[name])} beyond the model" for name in spare]
    differ += [
        f"its {name} is {state.shapes[names[name]]}, the model's {tuple(wanted[name].shape)}"
        for name in wanted
        if name in names and state.shapes[names[name]] != tuple(wanted[name].shape)
    ]
    if differ:
        more = f" ({len(differ) - 1} more differences)" if len(differ) > 1 else ""
        raise ValueError(f"{path} is of another architecture than --model: {differ[0]}{more}")
    return state.renamed({name: names[name] for name in wanted})


def said_accuracy(state: StoredState) -> float | None:
    """The accuracy that a file states in its metadata, as a share."""
    for key in ACCURACIES:
        try:
            value = float(state.metadata[key].strip().rstrip("%"))
        except (KeyError, ValueError):
            continue
        return value / 100 if value > 1 else value
    return None


@dataclass(frozen=True)
class Data:
    """What the function of ``--data`` gave.

    Attributes
    ----------
    fit, test : pair of Tensor or iterable of batches
        To take outputs and statistics from, and to measure on.
    split, scaling : str
        What the function says of them.
    loss : callable or None
    seen : dict
        Shape, range, mean and deviation of the first inputs of each.
    """

    fit: object
    test: object
    split: str = "second part, which the data function does not name"
    scaling: str = "not said by the data function"
    loss: object = None
    seen: dict = field(default_factory=dict)


def load_data(text: str) -> Data:
    """Call the function that ``--data`` names.

    It gives ``(fit, test)``, or a dict with these and ``split``, ``scaling``, ``loss``. Nothing is normalised here.

    Raises
    ------
    ValueError
        What is of another form, or holds NaN.
    """
    name, arguments, options = _called(text)
    given = _result(_imported(name, "--data"), arguments, options, "--data", text)
    if isinstance(given, Mapping):
        unknown = set(given) - {"fit", "test", "split", "scaling", "loss"}
        if unknown or not {"fit", "test"} <= set(given):
            raise ValueError(
                f"--data {text!r} gives {sorted(given)}; wanted fit and test, and besides split, scaling and loss"
            )
        found = Data(**given)
    elif isinstance(given, tuple) and len(given) == 2 and not isinstance(given[0], Tensor):
        found = Data(*given)
    else:
        raise ValueError(
            f"--data {text!r} gives {type(given).__name__}; wanted ((inputs, labels), (inputs, labels)): "
            "samples to fit on, and samples to measure on"
        )
    for part in ("fit", "test"):
        found.seen[part] = _seen(getattr(found, part), f"the {part} samples of --data {text!r}")
    return found


def _checked(batch, place: int, whole: bool, label: str) -> tuple:
    """Inputs and labels of a batch: tensors, finite, and one label for each sample."""
    where = label if whole else f"batch {place} of {label}"
    x, y = batch[0], batch[1]
    named = [(f"[{key!r}]", value) for key, value in x.items()] if isinstance(x, Mapping) else [("", x)]
    for name, one in (*named, (" (labels)", y)):
        if not isinstance(one, Tensor):
            raise ValueError(f"{where}{name} are a {type(one).__name__}, wanted a tensor: torch.as_tensor makes one")
    for name, one in named:
        if one.is_floating_point() and not torch.isfinite(one).all():
            at = (~torch.isfinite(one)).nonzero()[0].tolist()
            raise ValueError(f"{where}{name} hold NaN or infinity, first at {at}; check what reads and scales them")
        if len(one) != len(y):
            raise ValueError(f"{where}{name} hold {len(one)} samples and {len(y)} labels; give one each")
    return x, y


@torch.no_grad()
def try_model(model: nn.Module, x, label: str) -> None:
    """Raise ``ValueError`` where a model does not run on the first of some inputs, in its own words."""
    training = model.training
    try:
        outputs_of(model.eval(), x)
    except Exception as error:
        # What a stranger's model raises is for its author to read.
        shapes = ", ".join(str(tuple(one.shape)) + f" {one.dtype}".replace(" torch.", " ") for one in tree_leaves(x))
        raise ValueError(f"the model does not run on {label}, {shapes}: {type(error).__name__}: {error}") from error
    finally:
        model.train(training)


def _seen(part, label: str) -> dict:
    whole = is_pair(part)
    if not whole and hasattr(part, "__next__"):
        raise ValueError(f"{label} can be read once only; give a list, or a DataLoader")
    try:
        batches = [part] if whole else part
        x = next((_checked(batch, place, whole, label) for place, batch in enumerate(batches)), None)
        # All are read, so that nothing is found out when half of the work is done.
        samples = sum(len(_checked(batch, place, whole, label)[1]) for place, batch in enumerate(batches))
    except (TypeError, IndexError, KeyError):
        x, samples = None, 0
    if x is None or not samples:
        raise ValueError(f"{label} hold nothing; wanted (inputs, labels), or batches of them in a list")
    if isinstance(x := x[0], Mapping):
        return {key: list(value.shape) for key, value in x.items()}
    values = x.double()
    found = {"shape": list(x.shape), "dtype": str(x.dtype).removeprefix("torch.")}
    if not x.numel():
        return found
    return found | {"least": values.min().item(), "largest": values.max().item(), "mean": values.mean().item(),
                    "deviation": values.std().item()}  # fmt: skip
