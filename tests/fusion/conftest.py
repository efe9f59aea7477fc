"""Small networks with non-zero biases and statistics, in float64."""

import types

import pytest
import torch
from torch import nn

from colu.fusion import FIXED, Inner, Part, Spec, Wreath
from colu.nn import MPU, CoLU, RCoLU


def randomised(model, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in model.state_dict().items():
        if not tensor.is_floating_point():
            continue
        values = torch.randn(tensor.shape, generator=generator)
        if tensor.dim() > 1:
            values = values / tensor[0].numel() ** 0.5
        tensor.copy_(values.abs() + 0.5 if "running_var" in name else values)
    return model.double().eval()


def mlp(activation=lambda: CoLU(dim=4), widths=(6, 16, 24, 5), seed=0):
    layers = []
    for a, b in zip(widths[:-1], widths[1:], strict=True):
        layers += [nn.Linear(a, b), activation()]
    return randomised(nn.Sequential(*layers[:-1]), seed)


def conv(activation=nn.ReLU, norm=lambda channels: nn.Identity(), pool=lambda: nn.AvgPool2d(2), seed=0):
    return randomised(
        nn.Sequential(
            nn.Sequential(nn.Conv2d(2, 8, 3, padding=1), norm(8), activation()),
            pool(),
            nn.Conv2d(8, 12, 3, padding=1),
            norm(12),
            activation(),
            nn.Flatten(),
            nn.Linear(12 * 9, 8),
            activation(),
            nn.Linear(8, 3),
        ),
        seed,
    )


def batch_normed(seed=0):
    return randomised(
        nn.Sequential(nn.Linear(12, 16), nn.BatchNorm1d(16), CoLU(dim=4), nn.Linear(16, 16), nn.BatchNorm1d(16),
                      CoLU(dim=4), nn.Linear(16, 5)),
        seed,
    )  # fmt: skip


def batch_normed_spec(inner=("fixed", "signed"), even=True):
    """What BatchNorm leaves of cones of four: permutations of cones, and with signs inside their sections."""
    group = Wreath(4, (Inner(inner[0]), Inner(inner[1], 3)))
    axes, statistics, before = {}, [], FIXED
    for linear, norm, name in ((0, 1, "first"), (3, 4, "second")):
        scale = FIXED if even is None else Part(name, even=even)
        axes |= {f"{linear}.weight": (name, before), f"{linear}.bias": (name,), f"{norm}.weight": (scale,),
                 f"{norm}.bias": (name,), f"{norm}.running_mean": (name,), f"{norm}.running_var": (scale,)}  # fmt: skip
        statistics += [f"{norm}.running_mean", f"{norm}.running_var"]
        before = name
    axes |= {"6.weight": (FIXED, before), "6.bias": (FIXED,)}
    return Spec({"first": group, "second": group}, axes, tuple(statistics))


def distance(a, b):
    """The largest difference of two states."""
    return max((a[name] - b[name]).abs().max().item() for name in a if a[name].is_floating_point())


def vectors(num=40, width=6, seed=5):
    return torch.randn(num, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def images(num=6, seed=5):
    return torch.randn(num, 2, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


MLPS = {
    "relu": nn.ReLU,
    "prelu": lambda: nn.PReLU(),
    "hard": lambda: CoLU(dim=4),
    "soft": lambda: CoLU(dim=4, scaling="soft"),
    "rectified axis": lambda: CoLU(dim=4, axis_mode="rectify"),
    "axes first": lambda: CoLU(dim=4, layout="axes_first"),
    "one cone": lambda: CoLU(num_groups=1),
    "S=2": lambda: CoLU(dim=2),
    "S=2 by fiat": lambda: CoLU(dim=2, s2="pointwise"),
    "S=1": lambda: CoLU(dim=1, axis_mode="rectify"),
    "identity": lambda: CoLU(num_groups=0),
    "learnable angle": lambda: CoLU(dim=8, learnable_angle=True, double=True),
    "rotated": lambda: RCoLU(dim=4),
    "rotated, axes first": lambda: RCoLU(dim=4, layout="axes_first"),
    "projection": lambda: MPU(dim=4, leak=0.1),
    "projection, coordinate axis": lambda: MPU(dim=4, axis="coordinate"),
}
SHARED = {
    "shared": lambda: CoLU(dim=4, share_axis=True),
    "shared and soft": lambda: CoLU(num_groups=2, share_axis=True, scaling="soft"),
    "rotated and shared": lambda: RCoLU(dim=4, share_axis=True),
}


@pytest.fixture(scope="session")
def nets():
    """The builders of this file."""
    return types.SimpleNamespace(
        randomised=randomised, mlp=mlp, conv=conv, vectors=vectors, images=images, mlps=MLPS, shared=SHARED,
        batch_normed=batch_normed, distance=distance, batch_normed_spec=batch_normed_spec,
    )  # fmt: skip
