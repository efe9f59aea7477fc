"""Classifying images: a perceptron on digits, a residual network on CIFAR-10."""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colu.lab.models import MLP, CIFARResNet, StridedConvNet
from colu.lab.training import ImageBatches, Plan
from colu.nn import LSLU, AconC

from .arms import STANDARD_ARMS, get_arm
from .experiment import Config, Experiment, Preset, register
from .options import PerceptronOptions, ResidualOptions

__all__ = ["CIFAR_RESNET", "MNIST_MLP", "ImageClassification", "strided"]


@lru_cache(maxsize=4)
def _images(name: str, split: str, device: str):
    from colu.lab import data

    return data.load(name, split).to(device)


def learned_shapes(model: nn.Module) -> dict[str, float]:
    """Mean and spread, over channels and layers, of what the activations of a model learn.

    Examples
    --------
    >>> learned_shapes(nn.Sequential(nn.ReLU(), AconC(4)))["beta_mean"]
    1.0
    >>> learned_shapes(nn.Sequential(nn.ReLU()))
    {}
    """
    values: dict[str, list[Tensor]] = {}
    for module in model.modules():
        if isinstance(module, AconC | LSLU):
            for name, parameter in module.named_parameters(recurse=False):
                values.setdefault(name, []).append(parameter.detach().float().flatten())
    joined = {name: torch.cat(parts) for name, parts in values.items()}
    means = {f"{name}_mean": float(value.mean()) for name, value in joined.items()}
    return means | {f"{name}_sd": float(value.std(correction=0)) for name, value in joined.items()}


class ImageClassification:
    """Cross-entropy on an image set that lies whole on the device.

    Parameters
    ----------
    model : torch.nn.Module
    config : Config
        Options: ``dataset``, ``train_size`` (images, 0 for all), ``holdout`` (training images set aside and
        evaluated in place of the test set, for tuning), ``test_size``, ``crop``, ``flip``; where they are there,
        ``smoothing`` (of labels, in training) and ``mirror`` (logits are the mean over an image and its mirror image).
    """

    def __init__(self, model: nn.Module, config: Config) -> None:
        options = config.options
        train = _images(options["dataset"], "train", config.device)
        test = _images(options["dataset"], "test", config.device)
        self.model = model.to(config.device)
        self.top, self.split = train.top, "test"
        self.smoothing, self.mirror = options.get("smoothing", 0.0), options.get("mirror", False)
        images, labels = train.images, train.labels
        if options["train_size"]:
            images, labels = images[: options["train_size"]], labels[: options["train_size"]]
        self.test_images, self.test_labels = test.images, test.labels
        if options["test_size"]:
            self.test_images, self.test_labels = (
                test.images[: options["test_size"]],
                test.labels[: options["test_size"]],
            )
        if held := options["holdout"]:
            if held >= len(images):
                raise ValueError(f"holdout is {held} of {len(images)} training images; leave some to train on")
            self.split = "validation"
            self.test_images, self.test_labels = images[-held:], labels[-held:]
            images, labels = images[:-held], labels[:-held]
        # In two passes and in float64, so that the moments do not depend on how sums are taken.
        pixels = images[:10_000].double() / self.top
        mean, std = pixels.mean((0, 2, 3)).float(), pixels.std((0, 2, 3)).float()
        self.batches = ImageBatches(
            images,
            labels,
            config.plan.batch_size,
            seed=config.seed,
            mean=mean,
            std=std,
            top=self.top,
            crop=options["crop"],
            flip=options["flip"],
        )

    def batch(self, step: int, rank: int = 0, world_size: int = 1) -> tuple[Tensor, Tensor]:
        """Images and labels of one update."""
        return self.batches.at(step, rank, world_size)

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Cross-entropy in nats."""
        return F.cross_entropy(model(batch[0]), batch[1], label_smoothing=self.smoothing)

    def _measure(self, model: nn.Module, images: Tensor, labels: Tensor) -> tuple[float, float]:
        loss = hits = 0.0
        for part, wanted in zip(images.split(2000), labels.split(2000), strict=True):
            pictures = self.batches.normalise(part)
            logits = model(pictures).float()
            if self.mirror:
                logits = (logits + model(pictures.flip(3)).float()) / 2
            loss += float(F.cross_entropy(logits, wanted, reduction="sum"))
            hits += float((logits.argmax(1) == wanted).sum())
        return loss / len(labels), 100 * hits / len(labels)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Loss in nats and accuracy in per cent, on up to 5,000 training images, not augmented, and on the test set.

        Of an activation that learns a shape, mean and spread of its parameters, too: at every evaluation, so that the
        curve shows how they move.
        """
        train_loss, train_accuracy = self._measure(model, self.batches.images[:5000], self.batches.labels[:5000])
        loss, accuracy = self._measure(model, self.test_images, self.test_labels)
        return {
            "train_loss": train_loss,
            "train_accuracy": train_accuracy,
            f"{self.split}_loss": loss,
            f"{self.split}_accuracy": accuracy,
            **learned_shapes(model),
        }


@torch.no_grad()
def gaussian_weights(model: nn.Module) -> None:
    r"""Draw the weights of all linear layers anew, normal with variance :math:`1/n` for :math:`n` inputs; biases are 0.

    The law of such a layer is that of any orthogonal turn of it, before or behind.

    Examples
    --------
    >>> model = nn.Linear(1000, 1000)
    >>> gaussian_weights(model)
    >>> round(model.weight.var().item(), 4), model.bias.abs().max().item()
    (0.001, 0.0)
    """
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            layer.weight.normal_(std=layer.in_features**-0.5)
            layer.bias.zero_()


def _mlp(config: Config) -> ImageClassification:
    arm, options = get_arm(config.arm), config.options
    images = _images(options["dataset"], "train", config.device).images
    torch.manual_seed(config.seed)
    hidden = [arm.width(width) for width in options["hidden"]]
    model = MLP(images[0].numel(), hidden, 10, activation=arm)
    if options.get("init") == "gaussian":
        gaussian_weights(model)
    return ImageClassification(model, config)


def _resnet(config: Config) -> ImageClassification:
    arm, options = get_arm(config.arm), config.options
    images = _images(options["dataset"], "train", config.device).images
    torch.manual_seed(config.seed)
    widths = [arm.width(width) for width in options["widths"]]
    model = CIFARResNet(options["depth"], 10, arm, widths, in_channels=images.shape[1])
    return ImageClassification(model, config)


def strided(config: Config) -> ImageClassification:
    """The task of ``registry-images``."""
    arm, options = get_arm(config.arm), config.options
    images = _images(options["dataset"], "train", config.device).images
    torch.manual_seed(config.seed)
    widths = [arm.width(width) for width in options["widths"]]
    return ImageClassification(StridedConvNet(10, arm, widths, in_channels=images.shape[1]), config)


_DATA = {"train_size": 0, "test_size": 0, "holdout": 0, "crop": 0, "flip": False}

#: A perceptron with one hidden layer, as in the first table of the paper.
MNIST_MLP = register(
    Experiment(
        "mnist-mlp",
        "Does a two-layer network classify digits better with CoLU than with ReLU?",
        _mlp,
        {
            "smoke": Preset(
                Plan(steps=300, batch_size=128, learning_rate=1e-3, evaluate_every=10, log_every=10),
                {"dataset": "digits", "hidden": [512], **_DATA},
                ("relu", "colu", "relu-linear"),
                cost="seconds a run on one CPU thread",
                device="cpu",
            ),
            "laptop": Preset(
                Plan(
                    steps=2350,
                    batch_size=256,
                    learning_rate=1e-3,
                    evaluate_every=235,
                    log_every=47,
                    checkpoint_every=470,
                ),
                {"dataset": "mnist", "hidden": [512], **_DATA},
                STANDARD_ARMS,
                cost="about 15 seconds a run on one CPU thread",
                device="cpu",
            ),
            "full": Preset(
                Plan(
                    steps=9400,
                    batch_size=256,
                    learning_rate=1e-3,
                    evaluate_every=235,
                    log_every=47,
                    checkpoint_every=2350,
                ),
                {"dataset": "mnist", "hidden": [512], **_DATA},
                (*STANDARD_ARMS, "colu-2", "colu-8", "colu-16", "colu-soft", "identity"),
                seeds=10,
                cost="about a minute a run",
            ),
        },
        metric="test_accuracy",
        options=PerceptronOptions,
    )
)

_SGD = {"optimiser": "sgd", "learning_rate": 0.1, "weight_decay": 1e-4, "batch_size": 128}

#: Residual networks for small images.
CIFAR_RESNET = register(
    Experiment(
        "cifar-resnet",
        "Does a residual network classify small images better with CoLU than with ReLU?",
        _resnet,
        {
            "smoke": Preset(
                Plan(
                    steps=60,
                    batch_size=64,
                    learning_rate=0.05,
                    optimiser="sgd",
                    schedule="cosine",
                    warmup=5,
                    log_every=10,
                ),
                {"dataset": "digits", "depth": 8, "widths": [16, 32, 64], **_DATA},
                ("relu", "colu", "relu-linear"),
                cost="a few seconds a run on one CPU thread",
                device="cpu",
            ),
            "laptop": Preset(
                Plan(
                    **_SGD,
                    steps=500,
                    schedule="cosine",
                    warmup=50,
                    log_every=25,
                    evaluate_every=125,
                    checkpoint_every=125,
                ),
                {
                    "dataset": "cifar10",
                    "depth": 8,
                    "widths": [16, 32, 64],
                    **_DATA,
                    "train_size": 20_000,
                    "crop": 4,
                    "flip": True,
                },
                STANDARD_ARMS,
                cost="about a minute and a half a run on one CPU thread",
                device="cpu",
            ),
            "full": Preset(
                Plan(
                    **_SGD,
                    steps=78_000,
                    schedule="cosine",
                    warmup=390,
                    log_every=390,
                    evaluate_every=7800,
                    checkpoint_every=3900,
                ),
                {"dataset": "cifar10", "depth": 20, "widths": [16, 32, 64], **_DATA, "crop": 4, "flip": True},
                (*STANDARD_ARMS, "acon-c", "lslu"),
                cost="not measured: 200 epochs of ResNet-20 on one GPU",
                precision="bf16-mixed",
            ),
        },
        metric="test_accuracy",
        options=ResidualOptions,
    )
)
