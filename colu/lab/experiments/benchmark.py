"""Two small benchmarks for every registered activation that fits a perceptron: on digits, and on photographs."""

from __future__ import annotations

from colu.lab.training import Plan
from colu.nn import list_activations

from .classification import MNIST_MLP, strided
from .experiment import Experiment, Preset, register
from .options import ConvolutionalOptions, PerceptronOptions

__all__ = ["BENCHMARK_ARMS", "LEFT_OUT", "REGISTRY_BENCHMARK", "REGISTRY_IMAGES"]

# The order of the tables; what is registered later follows by name.
_ORDER = (
    *("relu", "identity", "leaky-relu", "elu", "gelu", "silu", "softplus", "sigmoid", "tanh"),
    *("squared-relu", "sqish", "swish", "talu", "threshold", "prelu", "apalu", "pwlu"),
    *("acon-a", "acon-b", "acon-c", "lslu", "linear-combination", "fourier"),
    *("rational-a", "rational-b", "rational-c", "group-rational", "dy-relu-a", "dy-relu-b", "evonorm-s0"),
    *("group-sort", "householder", "norm-relu", "mpu", "mpu-leaky", "mpu-learnable"),
    *("colu", "colu-soft", "colu-firm", "colu-sqrt", "colu-log", "colu-rectified", "rcolu", "rcolu-soft"),
)
_REASONS = {
    "layer": "holds a linear map, so a hidden layer would have two",
    "penalty": "is a penalty on a weight",
}

#: Registered entries that do not take a layer of shape (batch, C) to (batch, C) one example at a time, and why.
LEFT_OUT = {e.name: _REASONS.get(e.kind, e.unfit) for e in list_activations() if e.unfit or e.kind in _REASONS}

#: All others.
BENCHMARK_ARMS = tuple(
    sorted(
        (entry.name for entry in list_activations() if entry.name not in LEFT_OUT),
        key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER),
    )
)

# Controls of every comparison that are not in the registry under their own name.
_ARMS = (*BENCHMARK_ARMS, "relu-linear", "colu-soft-shared")

_PLAN = {"learning_rate": 3e-3}

#: Every usable activation in the same perceptron, under the same budget.
REGISTRY_BENCHMARK = register(
    Experiment(
        "registry-benchmark",
        "Which activation of the registry classifies digits best in one small perceptron?",
        MNIST_MLP.build,
        {
            "smoke": Preset(
                Plan(**_PLAN, batch_size=64, steps=12),
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
        options=PerceptronOptions,
    )
)

_IMAGES = {"learning_rate": 4e-3, "optimiser": "adamw", "weight_decay": 0.05, "schedule": "linear", "batch_size": 128}
_PHOTOGRAPHS = {"dataset": "cifar10", "train_size": 0, "test_size": 0, "holdout": 0, "crop": 0, "flip": True}

#: The same on photographs, where a network without a nonlinearity is far behind.
REGISTRY_IMAGES = register(
    Experiment(
        "registry-images",
        "Which activation of the registry classifies photographs best in one small convolutional network?",
        strided,
        {
            "smoke": Preset(
                Plan(**_IMAGES | {"batch_size": 64}, steps=12),
                {**_PHOTOGRAPHS, "dataset": "digits", "flip": False, "widths": [16, 16, 16]},
                _ARMS,
                cost="about a tenth of a second a run on one CPU thread",
                device="cpu",
            ),
            "laptop": Preset(
                Plan(**_IMAGES, steps=1560, log_every=1560),
                {**_PHOTOGRAPHS, "widths": [16, 32, 64]},
                _ARMS,
                cost="36 seconds a run of ReLU on one CPU thread",
                device="cpu",
            ),
            "full": Preset(
                Plan(**_IMAGES, steps=7800, log_every=390),
                {**_PHOTOGRAPHS, "widths": [32, 64, 128]},
                _ARMS,
                seeds=10,
                cost="not measured: twenty epochs of CIFAR-10 a run",
            ),
        },
        metric="test_accuracy",
        options=ConvolutionalOptions,
    )
)
