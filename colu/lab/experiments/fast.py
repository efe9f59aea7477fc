"""Photographs at 90 per cent and more in minutes of one processor."""

from __future__ import annotations

import torch

from colu.lab.models import WhitenedResNet, whitening_filters
from colu.lab.training import Plan

from .arms import STANDARD_ARMS, get_arm
from .classification import ImageClassification
from .experiment import Config, Experiment, Preset, register
from .options import WhitenedOptions

__all__ = ["CIFAR_FAST", "WhitenedClassification"]

#: Training images whose patches are whitened.
_WHITENED = 5000


class WhitenedClassification(ImageClassification):
    """An image set for a network whose first layer whitens patches of its training images, in channels last."""

    def __init__(self, config: Config) -> None:
        super().__init__(torch.nn.Identity(), config)
        arm, options, batches = get_arm(config.arm), config.options, self.batches
        filters = whitening_filters(batches.normalise(batches.images[:_WHITENED]).cpu())
        torch.manual_seed(config.seed)
        model = WhitenedResNet(
            filters[: arm.width(len(filters))],
            int(batches.labels.max()) + 1,
            arm,
            [arm.width(width) for width in options["widths"]],
            options["block"],
            options["depth"],
        )
        self.model = model.to(config.device, memory_format=torch.channels_last)


_ARMS = (*STANDARD_ARMS, "rcolu", "identity", "acon-c", "meta-acon", "lslu")
_DATA = {"train_size": 0, "test_size": 0, "holdout": 0}
_TASK = {**_DATA, "block": "single", "depth": 1, "smoothing": 0.2, "mirror": True}
_PLAN = {"optimiser": "muon", "learning_rate": 0.1, "momentum": 0.9, "schedule": "linear"}

#: A residual network behind whitening filters.
CIFAR_FAST = register(
    Experiment(
        "cifar-fast",
        "Which activation classifies photographs best in a network that reaches 90 per cent?",
        WhitenedClassification,
        {
            "smoke": Preset(
                Plan(**_PLAN, batch_size=64, steps=40, warmup=8, log_every=10),
                {**_TASK, "dataset": "digits", "mirror": False, "crop": 0, "flip": False, "widths": [16, 16, 16]},
                ("relu", "colu", "relu-linear"),
                cost="about a second a run on one CPU thread",
                device="cpu",
            ),
            "laptop": Preset(
                Plan(
                    **_PLAN | {"learning_rate": 0.2},
                    batch_size=500,
                    steps=1200,
                    warmup=240,
                    log_every=100,
                    checkpoint_every=100,
                ),
                {**_TASK, "dataset": "cifar10", "crop": 2, "flip": True, "widths": [32, 128, 128]},
                _ARMS,
                cost="about ten minutes a run of ReLU on one CPU thread of a loaded machine: .43 s an update",
                device="cpu",
                precision="bf16-mixed",
            ),
            "full": Preset(
                Plan(**_PLAN, batch_size=1000, steps=2000, warmup=400, log_every=50, checkpoint_every=200),
                {**_TASK, "dataset": "cifar10", "crop": 2, "flip": True, "widths": [64, 256, 256]},
                _ARMS,
                seeds=10,
                cost="not measured: forty epochs at twice the width, on a GPU",
                precision="bf16-mixed",
            ),
        },
        metric="test_accuracy",
        options=WhitenedOptions,
    )
)
