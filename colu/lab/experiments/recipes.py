"""What each way to align and each recipe of merging makes of two networks, beside their parents and their ensemble."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from colu.fusion import evaluate, evaluate_ensemble, fuse
from colu.lab.models import MLP
from colu.lab.training import Plan

from .alignment import PairTask, _perceptron, _plan
from .arms import get_arm
from .classification import _DATA, ImageClassification, _images
from .experiment import Config, Experiment, Preset, register
from .options import PublishedOptions, RecipeOptions

__all__ = ["FUSION_PUBLISHED", "FUSION_RECIPES", "PublishedPairTask", "RecipePairTask"]

#: Exact transport of weights by their distance, not its square, is the published protocol.
WAYS = {
    "naive": {"method": "naive"},
    "weights": {"method": "weights"},
    "activations": {"method": "activations"},
    "transport": {"method": "transport", "cost": "weights", "squared": False},
    "transport_squared": {"method": "transport", "cost": "weights"},
    "transport_activations": {"method": "transport", "squared": False},
}


def _bare(config: Config) -> ImageClassification:
    """A perceptron without biases."""
    arm, options = get_arm(config.arm), config.options
    images = _images(options["dataset"], "train", config.device).images
    model = MLP(images[0].numel(), [arm.width(width) for width in options["hidden"]], 10, activation=arm)
    for layer in model:
        if isinstance(layer, nn.Linear):
            layer.bias = None
    return ImageClassification(model, config)


#: Of networks that need no common start; a mean where nothing else is said.
RECIPES = {
    "naive": {"method": "naive"},
    "weights": {},
    "repaired": {"repair": "auto"},
    "activations": {"method": "activations"},
    "transport": {"method": "transport"},
    "universe": {"merge": "universe"},
}
#: Of networks that were one: differences from the base, all of both, three quarters, and trimmed.
FROM_A_BASE = {"task": {"merge": "task"}, "task_less": {"merge": "task", "scale": 0.75}, "ties": {"merge": "ties"}}


class _MergedPairTask(PairTask):
    """Scores of states, and of what both networks answer together."""

    def _data(self, samples: Tensor, test) -> tuple:
        """Samples with labels, and a few of the test set, since the states are scored here."""
        images, labels = test
        return (samples, self.tasks[0].batches.labels[: len(samples)]), (images[:100], labels[:100])

    def _scores(self, model: nn.Module, test, **states) -> dict[str, float]:
        return {f"{name}_accuracy": 100 * evaluate(model, state, test).accuracy for name, state in states.items()}

    def _parents(self, one: nn.Module, a, b, test) -> dict[str, float]:
        found = self._scores(one, test, first=a, second=b)
        found["better_accuracy"] = max(found.values())
        return found | {"ensemble_accuracy": 100 * evaluate_ensemble(one, [a, b], test).accuracy}


class PublishedPairTask(_MergedPairTask):
    """Fuse a pair by each way to align: the fused network, and the one that was moved alone.

    The first network is brought into the places of the second, and with ``_back`` the second into those of the first.
    """

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Accuracies in per cent, by way to align."""
        model = getattr(model, "module", model)
        one, _, test, _, samples = self._prepare(model[0])
        a, b = (part.state_dict() for part in model)
        data = self._data(samples, test)
        found = self._parents(one, a, b, test)
        for name, way in WAYS.items():
            for end, (still, moving) in {"": (b, a), "_back": (a, b)}.items():
                made = fuse(one, still, moving, data=data, repair="none", lambdas=3, **way)
                scores = self._scores(one, test, fused=made.state, alone=made.aligned[1])
                found |= {f"{score}_{name}{end}": value for score, value in scores.items()}
        return found


class RecipePairTask(_MergedPairTask):
    """Merge a pair by each recipe of :func:`colu.fusion.fuse`.

    With ``common`` above 0 both networks start as one and see the same images for as many steps, at the end of which
    the base of task arithmetic and TIES is taken; then each goes on with its own.
    """

    def __init__(self, config: Config, build) -> None:
        super().__init__(config, build)
        self.common, self.base, self.step = config.options["common"], None, 0
        if self.common >= config.plan.steps:
            raise ValueError(
                f"common is {self.common} of {config.plan.steps} steps; wanted fewer, so that two networks are made"
            )
        if self.common:
            self.model[1].load_state_dict(self.model[0].state_dict())

    def batch(self, step: int, rank: int = 0, world_size: int = 1) -> list[tuple[Tensor, Tensor]]:
        """Inputs and labels for each of the two."""
        self.step = step
        own = super().batch(step, rank, world_size)
        return [own[0], own[0]] if step < self.common else own

    def loss(self, model: nn.Module, batch: list[tuple[Tensor, Tensor]]) -> Tensor:
        """Sum of the two cross-entropies, in nats; at the end of the common steps the base is kept."""
        if self.common and self.step == self.common:
            part = getattr(model, "module", model)[0]
            self.base = {name: tensor.detach().clone() for name, tensor in part.state_dict().items()}
        return super().loss(model, batch)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Accuracies in per cent, by recipe."""
        model = getattr(model, "module", model)
        one, _, test, _, samples = self._prepare(model[0])
        a, b = (part.state_dict() for part in model)
        data = self._data(samples, test)
        found = self._parents(one, a, b, test)
        recipes = dict(RECIPES)
        if self.common:
            if self.base is None:
                raise ValueError("the base was left in a part of the run that is over; run it again from its start")
            found |= self._scores(one, test, base=self.base)
            recipes |= {name: recipe | {"base": self.base} for name, recipe in FROM_A_BASE.items()}
        for name, recipe in recipes.items():
            made = fuse(one, a, b, data=data, lambdas=3, **{"repair": "none", **recipe})
            found |= self._scores(one, test, **{name: made.state})
        return found


_REST = {"repair_size": 1000, **_DATA}
_TEN_EPOCHS = Plan(
    steps=9380, batch_size=64, learning_rate=0.01, optimiser="sgd", momentum=0.5, log_every=938
)

#: The protocol of OTFusion: no biases, widths 400, 200 and 100, ten epochs of stochastic gradient descent.
FUSION_PUBLISHED = register(
    Experiment(
        "fusion-published",
        "What does each way to align make of two networks without biases, trained as OTFusion's were?",
        partial(PublishedPairTask, build=_bare),
        {
            "smoke": Preset(
                _plan(100, 64, 3e-3),
                {"dataset": "digits", "hidden": [64, 32, 16], **_REST},
                ("relu",),
                cost="a second or two a pair on one CPU thread",
                device="cpu",
            ),
            "laptop": Preset(
                _TEN_EPOCHS,
                {"dataset": "mnist", "hidden": [400, 200, 100], **_REST},
                ("relu",),
                seeds=8,
                cost="about a minute a pair on one CPU thread",
                device="cpu",
            ),
            "full": Preset(
                _TEN_EPOCHS,
                {"dataset": "fashion_mnist", "hidden": [400, 200, 100], **_REST},
                ("relu",),
                seeds=20,
                cost="not measured",
                device="cpu",
            ),
        },
        metric="fused_accuracy_transport",
        options=PublishedOptions,
    )
)

#: Perceptrons of independent seeds, or with a common start.
FUSION_RECIPES = register(
    Experiment(
        "fusion-recipes",
        "Is there a merge of two networks that is more accurate than either, and by which recipe?",
        partial(RecipePairTask, build=_perceptron),
        {
            "smoke": Preset(
                _plan(100, 64, 3e-3),
                {"dataset": "digits", "hidden": [64, 64], "common": 0, **_REST},
                ("relu", "colu"),
                cost="a second or two a pair on one CPU thread",
                device="cpu",
            ),
            "laptop": Preset(
                _plan(960, 250),
                {"dataset": "mnist", "hidden": [128, 128], "common": 0, **_REST},
                ("relu", "colu"),
                seeds=10,
                cost="half a minute a pair on one CPU thread",
                device="cpu",
            ),
            "full": Preset(
                _plan(960, 250),
                {"dataset": "mnist", "hidden": [512, 512], "common": 0, **_REST},
                ("relu", "colu", "colu-16"),
                seeds=20,
                cost="not measured",
                device="cpu",
            ),
        },
        metric="weights_accuracy",
        options=RecipeOptions,
    )
)
