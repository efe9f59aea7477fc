"""How high the loss rises between two networks, before and after alignment, with and without repair."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colu.experiments.arms import get_arm
from colu.experiments.classification import _DATA, ImageClassification, _images
from colu.experiments.experiment import Config, Experiment, Preset, register
from colu.fusion import barrier, compare, invariance_error, match_weights, repair_statistics, trace_spec
from colu.fusion.matching import Alignment
from colu.models import MLP, CIFARResNet
from colu.training import Plan

__all__ = ["FUSION_MLP", "FUSION_RESNET", "PairTask"]


def _perceptron(config: Config) -> nn.Module:
    arm, options = get_arm(config.arm), config.options
    images = _images(options["dataset"], "train", config.device).images
    hidden = [arm.width(width) for width in options["hidden"]]
    return MLP(images[0].numel(), hidden, 10, activation=arm)


def _residual(config: Config) -> nn.Module:
    """A residual network whose convolutions have biases in place of norms, which would leave no rotations."""
    arm, options = get_arm(config.arm), config.options
    channels = _images(options["dataset"], "train", config.device).images.shape[1]
    widths = [arm.width(width) for width in options["widths"]]
    model = CIFARResNet(options["depth"], 10, arm, widths, in_channels=channels, norm="none")
    for module in model.modules():
        if type(module) is nn.Conv2d:
            module.bias = nn.Parameter(torch.zeros(module.out_channels))
    return model


class _Pair(nn.ModuleList):
    """Two networks on two batches."""

    def forward(self, inputs: list[Tensor]) -> list[Tensor]:
        return [one(x) for one, x in zip(self, inputs, strict=True)]


class PairTask:
    r"""Train two networks that share nothing but their data, then measure the path between them.

    The seed s of a run stands for the networks of seeds 2s and 2s + 1, so that no network is in two pairs.
    Their losses are added: neither has a gradient from the other.

    Parameters
    ----------
    config : Config
        Options of :class:`ImageClassification` and ``lambdas``, ``repair_lambdas`` (points of the curves) and
        ``repair_size`` (training images of the repair).
    build : callable
        From a configuration to a network.
    """

    def __init__(self, config: Config, build) -> None:
        self.options, self.tasks = config.options, []
        for seed in (2 * config.seed, 2 * config.seed + 1):
            torch.manual_seed(seed)
            single = Config(**{**vars(config), "seed": seed})
            self.tasks.append(ImageClassification(build(config), single))
        self.model = _Pair([task.model for task in self.tasks])

    def batch(self, step: int, rank: int = 0, world_size: int = 1) -> list[tuple[Tensor, Tensor]]:
        """Images and labels for each of the two."""
        return [task.batch(step, rank, world_size) for task in self.tasks]

    def loss(self, model: nn.Module, batch: list[tuple[Tensor, Tensor]]) -> Tensor:
        """Sum of the two cross-entropies, in nats."""
        inputs, labels = zip(*batch, strict=True)
        return sum(F.cross_entropy(out, y) for out, y in zip(model(list(inputs)), labels, strict=True))

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Barriers in nats on the test set: naive, by permutation, by the whole symmetry (``conic``), and repaired.

        Without cones ``conic`` is the permutation.
        Accuracies are in per cent; ``alone`` is the second network after alignment.
        """
        model = getattr(model, "module", model)
        one, spec = model[0], trace_spec(model[0])
        a, b = ({n: t.detach().clone() for n, t in part.state_dict().items()} for part in model)
        first = self.tasks[0]
        normalise = first.batches.normalise
        test = normalise(first.test_images), first.test_labels
        images = normalise(first.batches.images[: self.options["repair_size"]])
        found: dict[str, float] = {}
        for mode in ("naive", "permutation", "conic"):
            alignment = match_weights(spec, a, b, mode=mode)
            found |= self._measure(spec, one, a, b, alignment, test, images)
        error = invariance_error(one, spec, test[0][:50], alignment.elements)
        return found | {"invariance_error": error, "sweeps": float(alignment.sweeps)}

    def _measure(self, spec, model, a, b, alignment: Alignment, test, images) -> dict[str, float]:
        mode, moved = alignment.mode, alignment.apply(spec, b)

        def repaired(state, t):
            return repair_statistics(spec, model, state, (a, moved), images, t=t)

        plain = barrier(model, a, moved, test, split="test", lambdas=self.options["lambdas"])
        mended = barrier(model, a, moved, test, split="test", lambdas=self.options["repair_lambdas"], adjust=repaired)
        metrics = compare(model, spec, a, b, alignment, test, split="test")
        shared = {
            "parent_accuracy": 50 * (metrics.parent_a.accuracy + metrics.parent_b.accuracy),
            "ensemble_accuracy": 100 * metrics.ensemble.accuracy,
        }
        return shared | {
            f"barrier_{mode}": plain.loss_barrier,
            f"barrier_{mode}_repaired": mended.loss_barrier,
            f"accuracy_barrier_{mode}": 100 * plain.accuracy_barrier,
            f"fused_accuracy_{mode}": 100 * metrics.fused.accuracy,
            f"alone_accuracy_{mode}": 100 * metrics.aligned_alone.accuracy,
        }


_ARMS = ("relu", "colu", "colu-16")
_CURVES = {"lambdas": 11, "repair_lambdas": 5, "repair_size": 1000}


def _plan(steps: int, batch: int, learning_rate: float = 1e-3, **rest) -> Plan:
    return Plan(
        steps=steps,
        batch_size=batch,
        learning_rate=learning_rate,
        schedule="cosine",
        log_every=max(steps // 10, 1),
        evaluate_every=0,
        **rest,
    )


#: Perceptrons with two hidden layers.
FUSION_MLP = register(
    Experiment(
        "fusion-mlp",
        "How high is the loss between two perceptrons once the symmetry of their activation is used?",
        partial(PairTask, build=_perceptron),
        {
            "smoke": Preset(
                _plan(150, 100),
                {"dataset": "digits", "hidden": [64, 64], **_DATA, **_CURVES, "repair_size": 500},
                _ARMS,
                cost="a few seconds a pair on one CPU thread",
                device="cpu",
            ),
            "laptop": Preset(
                _plan(960, 250),
                {"dataset": "mnist", "hidden": [256, 256], **_DATA, **_CURVES, "test_size": 5000},
                _ARMS,
                cost="under a minute a pair on one CPU thread",
                device="cpu",
            ),
            "full": Preset(
                _plan(960, 250),
                {"dataset": "mnist", "hidden": [512, 512], **_DATA, **_CURVES, "lambdas": 25, "repair_size": 2000},
                _ARMS,
                seeds=10,
                cost="not measured",
                device="cpu",
            ),
        },
        metric="barrier_conic",
        higher_is_better=False,
    )
)

_SMALL = {"depth": 8, "widths": [16, 16, 32], **_DATA}

#: Residual networks without norms.
FUSION_RESNET = register(
    Experiment(
        "fusion-resnet",
        "How high is the loss between two residual networks once the symmetry of their activation is used?",
        partial(PairTask, build=_residual),
        {
            "smoke": Preset(
                _plan(60, 64, 2e-3),
                {"dataset": "digits", **_SMALL, **_CURVES, "lambdas": 5, "repair_size": 200, "test_size": 200},
                _ARMS,
                cost="some seconds a pair on one CPU thread",
                device="cpu",
            ),
            "laptop": Preset(
                _plan(250, 32, 2e-3),
                {
                    "dataset": "fashion_mnist",
                    **_SMALL,
                    "widths": [16, 16, 16],
                    "lambdas": 7,
                    "repair_lambdas": 3,
                    "repair_size": 100,
                    "test_size": 500,
                },
                _ARMS,
                cost="half a minute a pair on one CPU thread",
                device="cpu",
            ),
            "full": Preset(
                _plan(2000, 128, warmup=100),
                {
                    "dataset": "cifar10",
                    "depth": 8,
                    "widths": [16, 32, 64],
                    **_DATA,
                    **_CURVES,
                    "crop": 4,
                    "flip": True,
                },
                _ARMS,
                seeds=5,
                cost="not measured",
            ),
        },
        metric="barrier_conic",
        higher_is_better=False,
    )
)
