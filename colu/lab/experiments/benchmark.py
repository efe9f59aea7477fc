"""One small benchmark for every registered activation that fits a perceptron."""

from __future__ import annotations

from colu.lab.training import Plan

from .classification import MNIST_MLP
from .experiment import Experiment, Preset, register

__all__ = ["BENCHMARK_ARMS", "LEFT_OUT", "REGISTRY_BENCHMARK"]

#: Registered activations that take a layer of shape (batch, C) to (batch, C), one example at a time.
BENCHMARK_ARMS = (
    *("relu", "identity", "leaky-relu", "elu", "gelu", "silu", "softplus", "sigmoid", "tanh"),
    *("squared-relu", "sqish", "swish", "talu", "threshold", "prelu", "apalu", "pwlu"),
    *("acon-a", "acon-b", "acon-c", "lslu", "linear-combination", "fourier"),
    *("rational-a", "rational-b", "rational-c", "group-rational", "dy-relu-a", "dy-relu-b", "evonorm-s0"),
    *("group-sort", "householder", "norm-relu", "mpu", "mpu-leaky", "mpu-learnable"),
    *("colu", "colu-soft", "colu-firm", "colu-sqrt", "colu-log", "colu-rectified", "rcolu", "rcolu-soft"),
)

# Controls of every comparison that are not in the registry under their own name.
_ARMS = (*BENCHMARK_ARMS, "relu-linear", "colu-soft-shared")

_LAYER = "holds a linear map, so a hidden layer would have two"
_PIXELS = "mixes neighbouring pixels, and a perceptron has none"
_BATCH = "takes statistics of the batch in training"
_CHANNELS = "changes the number of channels"

#: The others, and why.
LEFT_OUT = {
    "af-kan": _LAYER,
    "gr-kan": _LAYER,
    "hopfield": _LAYER,
    "householder-linear": _LAYER,
    "phm-linear": _LAYER,
    "rotation-linear": _LAYER,
    "orthogonal-convolution": "is a penalty on a weight",
    "dy-relu-c": _PIXELS,
    "frelu": _PIXELS,
    "lslu-as-published": _PIXELS,
    "series": _PIXELS,
    "evonorm-b0": _BATCH,
    "meta-acon-c": _BATCH,
    "crelu": _CHANNELS,
    "maxout": _CHANNELS,
    "gated": _CHANNELS,
    "grelu": "needs a graph beside its input",
}

_PLAN = {"learning_rate": 3e-3}

#: Every usable activation in the same perceptron, under the same budget.
REGISTRY_BENCHMARK = register(
    Experiment(
        "registry-benchmark",
        "Which activation of the registry classifies digits best in one small perceptron?",
        MNIST_MLP.build,
        {
            "smoke": Preset(
                Plan(**_PLAN, batch_size=64, steps=30),
                {**MNIST_MLP.presets["smoke"].options, "hidden": [64]},
                _ARMS,
                cost="about a tenth of a second a run on one CPU thread",
                device="cpu",
            ),
            "laptop": Preset(
                Plan(**_PLAN, batch_size=128, steps=940),
                {**MNIST_MLP.presets["laptop"].options, "hidden": [256]},
                _ARMS,
                cost="not measured: two epochs of MNIST a run on one CPU thread",
                device="cpu",
            ),
            "full": Preset(
                Plan(**_PLAN, batch_size=128, steps=4690),
                MNIST_MLP.presets["full"].options,
                _ARMS,
                seeds=10,
                cost="not measured: ten epochs of MNIST a run",
            ),
        },
        metric="test_accuracy",
    )
)
