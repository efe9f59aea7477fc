"""What is left of a network once softer and softer plans have carried it into the places of another."""

from __future__ import annotations

import warnings
from functools import partial

from torch import nn

from colu.fusion import (
    DiffusePlanWarning,
    Spec,
    carry,
    evaluate,
    lerp,
    norm_kept,
    repair_statistics,
    transport_plans,
)

from .alignment import PairTask, _perceptron, _plan
from .classification import _DATA
from .experiment import Experiment, Preset, register
from .options import SoftOptions

__all__ = ["FUSION_SOFT", "SoftPairTask", "numbers_of_partners"]


def numbers_of_partners(units: int) -> list[int]:
    """Powers of two up to half of the units of a layer.

    Examples
    --------
    >>> numbers_of_partners(16)
    [1, 2, 4, 8]
    """
    return [2**k for k in range(units.bit_length()) if 2 ** (k + 1) <= units]


class SoftPairTask(PairTask):
    r"""Carry the first network of a pair by plans in which each unit, or cone, has k partners of equal mass.

    With k partners of G units a place holds the mean of the share :math:`k/G` of the layer.
    ``alone`` is the carried network, ``fused`` its mean with the second one, ``reset`` that mean with the statistics
    of the second, and ``kept`` the share of the norm of the middle matrix.
    ``permutation`` moves units, or cones, as they stand; ``conic`` turns the cones of each pair as well.
    """

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Accuracies in per cent, by mode and number of partners."""
        model = getattr(model, "module", model)
        one, spec, test, _, samples = self._prepare(model[0])
        (group, *_) = spec.groups.values()
        found = {
            "parent_accuracy": 100 * evaluate(one, one.state_dict(), test).accuracy,
            "other_accuracy": 100 * evaluate(one, model[1].state_dict(), test).accuracy,
        }
        for mode in ("permutation", "conic") if group.dim > 1 else ("permutation",):
            for partners in numbers_of_partners(group.groups):
                made = self._carried(spec, model, samples, test, mode=mode, partners=partners)
                found |= {f"{name}_{mode}_{partners}": value for name, value in made.items()}
        return found

    @staticmethod
    def _carried(spec: Spec, model: nn.Module, samples, test, **how) -> dict[str, float]:
        one, other = model
        a, b = (part.state_dict() for part in model)
        with warnings.catch_warnings():
            # That soft plans are diffuse is what is measured.
            warnings.simplefilter("ignore", DiffusePlanWarning)
            plans = transport_plans(spec, spec, one, other, samples, solver="partners", **how)
            carried = carry(spec, plans, a)
        fused = lerp(carried, b, 0.5)
        states = {
            "alone": carried,
            "fused": fused,
            "reset": repair_statistics(spec, other, fused, (carried, b), samples, t=1.0),
        }
        middle = list(norm_kept(spec, a, carried).values())[1:-1]
        found = {f"{name}_accuracy": 100 * evaluate(other, state, test).accuracy for name, state in states.items()}
        return found | {"kept": sum(middle) / len(middle)}


_ARMS = ("relu", "colu", "colu-16")
_REST = {"repair_size": 1000, **_DATA}

#: Perceptrons with two hidden layers of 128 units, as many as 32 cones of four.
FUSION_SOFT = register(
    Experiment(
        "fusion-soft",
        "How much of a network does a soft plan leave, at one share of the units, or of the norm?",
        partial(SoftPairTask, build=_perceptron),
        {
            "smoke": Preset(
                _plan(60, 64, 3e-3),
                {"dataset": "digits", "hidden": [64, 64], **_REST},
                _ARMS,
                cost="a second or two a pair on one CPU thread",
                device="cpu",
            ),
            "laptop": Preset(
                _plan(960, 250),
                {"dataset": "mnist", "hidden": [128, 128], **_REST},
                _ARMS,
                seeds=10,
                cost="half a minute a pair on one CPU thread",
                device="cpu",
            ),
            "full": Preset(
                _plan(960, 250),
                {"dataset": "mnist", "hidden": [512, 512], **_REST},
                _ARMS,
                seeds=10,
                cost="not measured",
                device="cpu",
            ),
        },
        metric="alone_accuracy_permutation_2",
        options=SoftOptions,
    )
)
