"""Networks by a short description, and their weights out of safetensors."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from colu.fusion.states import check_tensors, plain_state, read_state, unwrapped
from colu.lab.fields import said
from colu.lab.models import MLP, CIFARResNet

from .arms import get_arm

__all__ = ["Architecture", "load_state", "parse_architecture"]

FORMS = (
    "mlp:784-128-128-10:colu, resnet:8:16-32-64:colu with :NORM:CHANNELS behind where they are not none:3, "
    "or the JSON of a record or a configuration of colu run"
)


@dataclass(frozen=True, eq=False)
class Architecture:
    """A model without its weights, and what its inputs look like.

    Attributes
    ----------
    text : str
        What was asked for.
    model : torch.nn.Module
        Freshly initialised.
    input_shape : tuple of int
        Of one image: channels, height, width; or one number where images are flattened.
    dataset : str or None
        The set that a record was trained on.
    """

    text: str
    model: nn.Module
    input_shape: tuple[int, ...]
    dataset: str | None = None

    def inputs(self, num: int = 32, seed: int = 0) -> Tensor:
        """Normal inputs in float64, to compare functions on."""
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(num, *self.input_shape, generator=generator, dtype=torch.float64)


def _numbers(text: str, what: str) -> list[int]:
    parts = text.split("-")
    if not all(part.isdigit() and int(part) for part in parts):
        raise ValueError(f"{what} {text!r}: wanted whole numbers of at least 1 with hyphens, such as 784-128-10")
    return [int(part) for part in parts]


def parse_architecture(text: str) -> Architecture:
    """Build the model that a description means.

    Parameters
    ----------
    text : str
        ``mlp:784-128-128-10:colu`` is a perceptron with the widths of its layers and the arm of
        ``colu.lab.experiments.ARMS``; ``resnet:8:16-32-64:colu:none:3`` is a
        :class:`colu.lab.models.CIFARResNet` with depth, widths, arm, norm (``none`` where left out) and channels of
        the images (3 where left out); a path that ends in ``.json`` is a record or a configuration of ``colu run``.

    Returns
    -------
    Architecture

    Raises
    ------
    ValueError
        A description of another form, an unknown arm, widths that its cones do not fill.

    Examples
    --------
    >>> parse_architecture("mlp:64-32-10:colu").model[2]
    CoLU(dim=4)
    >>> parse_architecture("resnet:8:8-16-16:relu").input_shape
    (3, 32, 32)
    """
    if text.endswith(".json"):
        return _from_json(Path(text))
    kind, *rest = text.split(":")
    if kind == "mlp" and len(rest) == 2:
        widths, arm = _numbers(rest[0], "widths"), get_arm(rest[1])
        if len(widths) < 3:
            raise ValueError(f"{text!r} has no hidden layer to align; give at least three widths, such as 784-128-10")
        _check_widths(arm, widths[1:-1])
        return Architecture(text, MLP(widths[0], widths[1:-1], widths[-1], activation=arm), (widths[0],))
    if kind == "resnet" and 3 <= len(rest) <= 5:
        depth, widths, arm = _numbers(rest[0], "depth")[0], _numbers(rest[1], "widths"), get_arm(rest[2])
        norm = rest[3] if len(rest) > 3 else "none"
        channels = _numbers(rest[4], "channels")[0] if len(rest) > 4 else 3
        _check_widths(arm, widths)
        model = CIFARResNet(depth, 10, arm, widths, in_channels=channels, norm=norm)
        return Architecture(text, model, (channels, 32, 32))
    raise ValueError(f"architecture {text!r} is of no known form; wanted {FORMS}")


def _check_widths(arm, widths: list[int]) -> None:
    for width in widths:
        if arm.width(width) != width:
            raise ValueError(
                f"width {width} is not filled by the cones of {arm.name!r}; use {arm.width(width)} "
                "or another multiple of the cone's dimension"
            )


def _from_json(path: Path) -> Architecture:
    from .experiment import Config, get_experiment

    try:
        value = json.loads(path.read_text(encoding="utf8"))
        config = Config(**value.get("config", value))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no record or configuration of colu run ({said(error)}); wanted {FORMS}") from error
    task = get_experiment(config.experiment).build(config)
    images = getattr(task, "test_images", None)
    if images is None:
        raise ValueError(f"experiment {config.experiment!r} of {path} does not classify images; wanted one that does")
    return Architecture(str(path), task.model.cpu(), tuple(images.shape[1:]), config.options["dataset"])


def load_state(path: str | Path, model: nn.Module) -> dict[str, Tensor]:
    """The weights of a model from safetensors: a state dict, or a checkpoint of ``colu run``.

    Of a checkpoint the averaged weights are taken where it has them, as the run's own evaluation does.

    Raises
    ------
    ValueError
        A file that cannot be read, a pickle (the message has the command that converts it), weights that are no real
        floating numbers, or those of another architecture; the message says what differs.

    Examples
    --------
    >>> import tempfile
    >>> from safetensors.torch import save_file
    >>> model = nn.Linear(2, 1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_file(model.state_dict(), Path(folder) / "a.safetensors")
    ...     sorted(load_state(Path(folder) / "a.safetensors", model))
    ['bias', 'weight']
    """
    tensors = read_state(path)
    model = unwrapped(model)
    wanted = model.state_dict()
    for prefix in ("average.", "model."):
        if set(wanted) - set(tensors):
            part = {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
            tensors = part or tensors
    tensors = plain_state(tensors, wanted, str(path))
    check_tensors(
        {name: t for name, t in tensors.items() if name in wanted}, str(path), [n for n, _ in model.named_parameters()]
    )
    _check_architecture(tensors, wanted, path)
    return {name: tensors[name] for name in wanted}


def _check_architecture(tensors: dict, wanted: dict, path) -> None:
    differ = [f"lacks {name} {tuple(wanted[name].shape)}" for name in wanted if name not in tensors]
    differ += [f"has {name} {tuple(tensors[name].shape)} beyond it" for name in tensors if name not in wanted]
    differ += [
        f"{name} is {tuple(tensors[name].shape)}, wanted {tuple(wanted[name].shape)}"
        for name in wanted
        if name in tensors and tensors[name].shape != wanted[name].shape
    ]
    if differ:
        more = f" and {len(differ) - 4} more differences" if len(differ) > 4 else ""
        raise ValueError(f"{path} does not fit the architecture: {'; '.join(differ[:4])}{more}; correct --arch")
    bad = [name for name, t in tensors.items() if t.is_floating_point() and not torch.isfinite(t).all()]
    if bad:
        raise ValueError(f"{path} holds NaN or infinity in {bad}; take a checkpoint from before it diverged")
