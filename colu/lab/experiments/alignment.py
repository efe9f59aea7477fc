"""How high the loss rises between two networks, before and after alignment, with and without repair."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colu.fusion import (
    barrier,
    compare,
    invariance_error,
    match_weights,
    norm_folding,
    repair_statistics,
    trace_spec,
)
from colu.fusion.matching import Alignment
from colu.lab.models import MLP, CIFARResNet
from colu.lab.training import Plan

from .arms import get_arm
from .classification import _DATA, ImageClassification, _images
from .experiment import Config, Experiment, Preset, register
from .language import NextCharacter
from .language import _plan as _text_plan
from .options import PerceptronCurveOptions, ResidualCurveOptions, TextCurveOptions

__all__ = ["FUSION_GPT", "FUSION_MLP", "FUSION_RESNET", "PairTask", "TextPairTask"]


def _perceptron(config: Config) -> ImageClassification:
    arm, options = get_arm(config.arm), config.options
    images = _images(options["dataset"], "train", config.device).images
    hidden = [arm.width(width) for width in options["hidden"]]
    return ImageClassification(MLP(images[0].numel(), hidden, 10, activation=arm), config)


def _residual(config: Config) -> ImageClassification:
    """A residual network whose convolutions have biases in place of norms, which would leave no rotations."""
    arm, options = get_arm(config.arm), config.options
    channels = _images(options["dataset"], "train", config.device).images.shape[1]
    widths = [arm.width(width) for width in options["widths"]]
    model = CIFARResNet(options["depth"], 10, arm, widths, in_channels=channels, norm="none")
    for module in model.modules():
        if type(module) is nn.Conv2d:
            module.bias = nn.Parameter(torch.zeros(module.out_channels))
    return ImageClassification(model, config)


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
        From a configuration to a task for one network.
    """

    def __init__(self, config: Config, build) -> None:
        self.options, self.tasks = config.options, []
        for seed in (2 * config.seed, 2 * config.seed + 1):
            torch.manual_seed(seed)
            self.tasks.append(build(Config(**{**vars(config), "seed": seed})))
        self.model = _Pair([task.model for task in self.tasks])

    def batch(self, step: int, rank: int = 0, world_size: int = 1) -> list[tuple[Tensor, Tensor]]:
        """Inputs and labels for each of the two."""
        return [task.batch(step, rank, world_size) for task in self.tasks]

    def loss(self, model: nn.Module, batch: list[tuple[Tensor, Tensor]]) -> Tensor:
        """Sum of the two cross-entropies, in nats."""
        inputs, labels = zip(*batch, strict=True)
        outputs = model(list(inputs))
        return sum(F.cross_entropy(out.flatten(0, -2), y.flatten()) for out, y in zip(outputs, labels, strict=True))

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Barriers in nats on the test set: naive, by permutation, by the whole symmetry (``conic``), and repaired.

        Without cones ``conic`` is the permutation.
        Accuracies are in per cent; ``alone`` is the second network after alignment.
        """
        model = getattr(model, "module", model)
        one, spec, test, probe, repair = self._prepare(model[0])
        a, b = ({n: t.detach().clone() for n, t in part.state_dict().items()} for part in model)
        found: dict[str, float] = {}
        for mode in ("naive", "permutation", "conic"):
            alignment = match_weights(spec, a, b, mode=mode)
            found |= self._measure(spec, one, a, b, alignment, test, repair)
        error = invariance_error(one, spec, probe, alignment.elements)
        return found | {"invariance_error": error, "sweeps": float(alignment.sweeps)}

    def _prepare(self, model: nn.Module) -> tuple:
        """The model as it is measured, its symmetry, test data, some inputs, and training inputs for the repair."""
        first = self.tasks[0]
        normalise = first.batches.normalise
        images = normalise(first.test_images)
        repair = normalise(first.batches.images[: self.options["repair_size"]])
        return model, trace_spec(model), (images, first.test_labels), images[:50], repair

    def _measure(self, spec, model, a, b, alignment: Alignment, test, images) -> dict[str, float]:
        mode, moved = alignment.mode, alignment.apply(spec, b)
        plain = barrier(model, a, moved, test, split="test", lambdas=self.options["lambdas"])
        metrics = compare(model, spec, a, b, alignment, test, split="test")
        found = {
            "parent_accuracy": 50 * (metrics.parent_a.accuracy + metrics.parent_b.accuracy),
            "ensemble_accuracy": 100 * metrics.ensemble.accuracy,
            "parent_loss": (metrics.parent_a.loss + metrics.parent_b.loss) / 2,
            f"barrier_{mode}": plain.loss_barrier,
            f"accuracy_barrier_{mode}": 100 * plain.accuracy_barrier,
            f"fused_accuracy_{mode}": 100 * metrics.fused.accuracy,
            f"alone_accuracy_{mode}": 100 * metrics.aligned_alone.accuracy,
        }
        if images is not None:
            points = self.options["repair_lambdas"]
            adjust = partial(self._repaired, spec, model, (a, moved), images)
            mended = barrier(model, a, moved, test, split="test", lambdas=points, adjust=adjust)
            found[f"barrier_{mode}_repaired"] = mended.loss_barrier
        return found

    @staticmethod
    def _repaired(spec, model, ends, images, state, t):
        return repair_statistics(spec, model, state, ends, images, t=t)


def _rows(module: nn.Module, inputs, output: Tensor) -> Tensor:
    return output.flatten(0, 1)


class TextPairTask(PairTask):
    """Two transformers on one text: barriers in nats a character, no repair.

    Their whole symmetry, ``conic``, is the permutation of the stream, heads that move and turn,
    and what the perceptrons' activation has, see :func:`colu.fusion.trace_spec`;
    ``permutation`` exchanges units, heads among them, and turns nothing.
    ``barrier_perceptrons`` aligns the perceptrons alone, in a stream left as it is.
    With the option ``folded`` the gains of the norms are folded into the layers behind them: ``barrier_folded_naive``
    is that of the networks so rewritten, ``barrier_folded_permuted`` of those in the same groups as before, and
    ``barrier_folded`` of those whose stream was turned.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config, NextCharacter)

    def _prepare(self, model: nn.Module) -> tuple:
        first, rows = self.tasks[0], copy.deepcopy(model)
        # Each place of a window is a sample.
        rows.register_forward_hook(_rows)
        windows = zip(first.test_inputs.split(64), first.test_targets.split(64), strict=True)
        test = [(x, y.flatten()) for x, y in windows]
        return rows, trace_spec(model, first.test_inputs[:2]), test, first.test_inputs[:2], None

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """As of :class:`PairTask`."""
        found = super().evaluate(model)
        model = getattr(model, "module", model)
        one, whole, test, *_ = self._prepare(model[0])
        spec = whole.only(name for name in whole.groups if name.endswith(".up"))
        a, b = (part.state_dict() for part in model)
        moved = match_weights(spec, a, b).apply(spec, b)
        curve = barrier(one, a, moved, test, split="test", lambdas=self.options["lambdas"])
        found |= {"barrier_perceptrons": curve.loss_barrier}
        return found | self._folded(model, one, test) if self.options.get("folded") else found

    def _folded(self, model: nn.ModuleList, one: nn.Module, test) -> dict[str, float]:
        """Of both networks with gains of one: barriers, and how accurate the second is alone."""
        tokens, net = self.tasks[0].test_inputs[:2], copy.deepcopy(model[0])
        folding = norm_folding(net, tokens)
        a, b = (folding.apply(part.state_dict()) for part in model)
        net.load_state_dict(a)
        turning, permuting = trace_spec(net, tokens, folding=folding), trace_spec(net, tokens)
        alignment = match_weights(turning, a, b, max_sweeps=50)
        ends = {
            "folded_naive": b,
            "folded_permuted": match_weights(permuting, a, b, max_sweeps=50).apply(permuting, b),
            "folded": alignment.apply(turning, b),
        }
        points = self.options["lambdas"]
        curves = {name: barrier(one, a, end, test, split="test", lambdas=points) for name, end in ends.items()}
        alone = compare(one, turning, a, b, alignment, test, split="test").aligned_alone
        found = {f"barrier_{name}": curve.loss_barrier for name, curve in curves.items()}
        return found | {"alone_accuracy_folded": 100 * alone.accuracy}


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


def _quiet(plan: Plan) -> Plan:
    """Without evaluations on the way: each of them would align."""
    return replace(plan, evaluate_every=0)


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
        options=PerceptronCurveOptions,
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
        options=ResidualCurveOptions,
        higher_is_better=False,
    )
)

_GPT = {"length": 32, "width": 32, "depth": 2, "heads": 4, "lambdas": 7}

#: Small transformers.
FUSION_GPT = register(
    Experiment(
        "fusion-gpt",
        "How high is the loss between two transformers once the symmetry of stream, heads and perceptrons is used?",
        TextPairTask,
        {
            "smoke": Preset(
                _quiet(_text_plan(100, 16)),
                {"text": "descriptions", **_GPT, "test_size": 1000},
                ("relu", "colu"),
                cost="some seconds a pair on one CPU thread",
                device="cpu",
            ),
            "laptop": Preset(
                _quiet(_text_plan(500, 32)),
                {"text": "shakespeare", **_GPT, "lambdas": 11, "test_size": 10_000},
                _ARMS,
                cost="a quarter of a minute a pair on one CPU thread",
                device="cpu",
            ),
            "full": Preset(
                _quiet(_text_plan(2000, 64)),
                {"text": "shakespeare", **_GPT, "length": 128, "width": 128, "depth": 4, "lambdas": 11, "test_size": 0},
                _ARMS,
                cost="not measured: a GPU is wanted",
            ),
        },
        metric="barrier_conic",
        options=TextCurveOptions,
        higher_is_better=False,
    )
)
