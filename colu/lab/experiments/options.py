"""Types of the options of each experiment: what ``--set`` may give, checked when a configuration is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, NotRequired

from pydantic import AfterValidator, Field, StrictBool
from typing_extensions import TypedDict

from colu.lab import data
from colu.lab.fields import Count, Name, Seed, Whole, number
from colu.lab.generative.diffusion import PREDICTIONS
from colu.lab.generative.likelihood import BINARISATIONS
from colu.lab.models.vae import INITS
from colu.lab.models.whitened import BLOCKS

__all__ = [
    "AutoencoderOptions",
    "ConvolutionalOptions",
    "DenoisingOptions",
    "LatentOptions",
    "PerceptronCurveOptions",
    "PerceptronOptions",
    "PublishedOptions",
    "RecipeOptions",
    "ResidualCurveOptions",
    "ResidualOptions",
    "RotationOptions",
    "SoftOptions",
    "TextCurveOptions",
    "TextOptions",
    "VAEOptions",
    "WhitenedOptions",
]


def _one_of(names: Callable[[], list[str]]) -> object:
    def check(value: str) -> str:
        if value not in (known := names()):
            raise ValueError(f"{value!r} is no data set here: choose one of {', '.join(known)}")
        return value

    return Annotated[str, AfterValidator(check)]


def _deep(depth: int) -> int:
    if depth < 8 or (depth - 2) % 6:
        raise ValueError(f"depth is {depth}, wanted 6n + 2: 8, 14, 20, 32, 44, 56, ...")
    return depth


def _rising(widths: list[int]) -> list[int]:
    if widths != sorted(widths):
        raise ValueError(f"widths are {widths}, wanted three that do not fall, such as [16, 32, 64]")
    return widths


Dataset = _one_of(data.names)
Widths = Annotated[list[Count], Field(min_length=1)]
ThreeWidths = Annotated[list[Count], Field(min_length=3, max_length=3), AfterValidator(_rising)]
Depth = Annotated[int, Field(strict=True), AfterValidator(_deep)]
TwoWidths = Annotated[list[Count], Field(min_length=2, max_length=2)]
Points = Annotated[int, Field(strict=True, ge=2, le=1001)]
Loss = Literal["bce", "mse"]


class _Classified(TypedDict):
    dataset: Dataset
    train_size: Whole
    test_size: Whole
    holdout: Whole
    crop: Whole
    flip: StrictBool


class _Curves(_Classified):
    lambdas: Points
    repair_lambdas: Points
    repair_size: Count


class PerceptronOptions(_Classified, closed=True):
    """Of ``mnist-mlp`` and ``registry-benchmark``; see :class:`colu.lab.experiments.ImageClassification`.

    With ``init`` weights are normal, whose law no rotation changes; without, they are those that torch draws.
    """

    hidden: list[Count]
    init: NotRequired[Literal["gaussian"]]


class _Carried(_Classified):
    hidden: list[Count]
    repair_size: Count


class SoftOptions(_Carried, closed=True):
    """Of ``fusion-soft``; see :class:`colu.lab.experiments.SoftPairTask`."""


class PublishedOptions(_Carried, closed=True):
    """Of ``fusion-published``; see :class:`colu.lab.experiments.PublishedPairTask`."""


class RecipeOptions(_Carried, closed=True):
    """Of ``fusion-recipes``: ``common`` steps that both networks train as one, 0 for none."""

    common: Whole


class PerceptronCurveOptions(_Curves, closed=True):
    """Of ``fusion-mlp``; see :class:`colu.lab.experiments.PairTask`."""

    hidden: list[Count]


class ResidualOptions(_Classified, closed=True):
    """Of ``cifar-resnet``."""

    depth: Depth
    widths: ThreeWidths


class ConvolutionalOptions(_Classified, closed=True):
    """Of ``registry-images``."""

    widths: ThreeWidths


class WhitenedOptions(_Classified, closed=True):
    """Of ``cifar-fast``: kind and number of the blocks of a stage, label smoothing, and whether logits are the mean
    over an image and its mirror image.
    """

    widths: ThreeWidths
    block: Literal[tuple(BLOCKS)]
    depth: Count
    smoothing: number(ge=0, lt=1)
    mirror: StrictBool


class ResidualCurveOptions(_Curves, closed=True):
    """Of ``fusion-resnet``."""

    depth: Depth
    widths: ThreeWidths


class _Characters(TypedDict):
    text: _one_of(data.text_names)
    length: Count
    width: Count
    depth: Count
    heads: Count
    test_size: Whole


class TextOptions(_Characters, closed=True):
    """Of ``gpt``; ``holdout``, for tuning, and ``details`` are of :class:`colu.lab.experiments.NextCharacter`."""

    holdout: NotRequired[Whole]
    details: NotRequired[StrictBool]


class TextCurveOptions(_Characters, closed=True):
    """Of ``fusion-gpt``; with ``folded`` the gains of the norms are folded, too."""

    lambdas: Points
    folded: NotRequired[StrictBool]


class RotationOptions(TypedDict, closed=True):
    """Of ``rotation``; angles in degrees."""

    width: Count
    angle: number()
    cap: number(gt=0, le=180)
    bias: StrictBool


class VAEOptions(TypedDict, closed=True):
    """Of ``vae``."""

    dataset: Dataset
    hidden: Count
    latent: Count
    init: Literal[INITS]
    binarisation: Literal[BINARISATIONS]
    train_size: Whole
    test_size: Whole
    importance_samples: Whole


class AutoencoderOptions(TypedDict, closed=True):
    """Of ``autoencoder``; ``pad`` is of those that ``latent-diffusion`` trains, ``holdout`` for tuning, and with
    ``components`` the error of as many principal components is measured.
    """

    dataset: Dataset
    widths: TwoWidths
    code_channels: Count
    loss: Loss
    train_size: Whole
    test_size: Whole
    pad: NotRequired[Whole]
    holdout: NotRequired[Whole]
    components: NotRequired[StrictBool]


class _Denoised(TypedDict):
    dataset: Dataset
    test_size: Whole
    widths: Widths
    blocks: Count
    prediction: Literal[PREDICTIONS]


class DenoisingOptions(_Denoised, closed=True):
    """Of ``ddpm``."""

    train_size: Whole
    patch: Count
    flip: StrictBool
    channels_last: StrictBool


class LatentOptions(_Denoised, closed=True):
    """Of ``latent-diffusion``; what begins by ``autoencoder`` is of the autoencoder that all arms share."""

    pad: Whole
    samples: Whole
    sampling_steps: Count
    autoencoder: Name
    autoencoder_seed: Seed
    autoencoder_steps: Count
    autoencoder_batch_size: Count
    autoencoder_learning_rate: number(gt=0)
    autoencoder_widths: TwoWidths
    autoencoder_code_channels: Count
    autoencoder_loss: Loss
