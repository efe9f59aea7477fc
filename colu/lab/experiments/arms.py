"""Arms of a comparison: one activation each, everything else equal."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from colu.geometry import sample_orthogonal
from colu.nn import MPU, AconC, CoLU, MetaAcon, create, glu_width, list_activations, symmetry_of

__all__ = ["ARMS", "STANDARD_ARMS", "Arm", "InFrame", "PartlyLinear", "choose_arms", "get_arm"]


class PartlyLinear(nn.Module):
    r"""ReLU on most channels, the identity on the rest: the control for the axis channels of CoLU.

    .. math:: y_c = \begin{cases} x_c & c < \lfloor C/S \rfloor \\ \max(x_c, 0) & \text{otherwise} \end{cases}

    Parameters
    ----------
    dim : int
        One channel in ``dim`` passes.

    Examples
    --------
    >>> PartlyLinear(4)(-torch.ones(1, 4))
    tensor([[-1.,  0.,  0.,  0.]])
    """

    def __init__(self, dim: int = 4) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        """Activate ``x`` of shape (batch, C, ...)."""
        passed, rest = x.tensor_split([x.shape[1] // self.dim], dim=1)
        return torch.cat([passed, rest.relu()], dim=1)


class InFrame(nn.Module):
    r"""An activation seen from another frame: turned, activated, turned back.

    .. math:: y = Q^\top f(Q x) \quad \text{on each } S \text{ channels}

    Dense layers before and behind absorb :math:`Q`, so networks with :math:`f` and with this are the same functions.

    Parameters
    ----------
    act : torch.nn.Module
        For channels on dimension 1.
    dim : int
        Channels :math:`S` of a group.
    seed : int
        Of :math:`Q`, uniform among the orthogonal matrices, and never trained.

    Examples
    --------
    >>> x = torch.randn(3, 8)
    >>> torch.allclose(InFrame(nn.Identity(), 4)(x), x, atol=1e-6)
    True
    """

    def __init__(self, act: nn.Module, dim: int, seed: int = 0) -> None:
        super().__init__()
        self.act = act
        frame = sample_orthogonal(dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float32)
        self.register_buffer("frame", frame, persistent=False)

    def _turned(self, x: Tensor, frame: Tensor) -> Tensor:
        groups = x.unflatten(1, (-1, len(frame))).movedim(2, -1)
        return (groups @ frame.T.to(x.dtype)).movedim(-1, 2).flatten(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Activate ``x`` of shape (batch, C, ...).

        Raises
        ------
        ValueError
            If C is no multiple of ``dim``.
        """
        if x.shape[1] % len(self.frame):
            raise ValueError(f"{x.shape[1]} channels for a frame of {len(self.frame)}; wanted a multiple of it")
        return self._turned(self.act(self._turned(x, self.frame)), self.frame.T)


# Divided by every dimension of a cone that an entry of the registry has.
_FITS_ALL = 240


@dataclass(frozen=True)
class Arm:
    """One activation under a name.

    Attributes
    ----------
    name, label : str
        For records, and for tables and figures.
    make : callable
        From the number of channels to a module.
    dim : int
        Channels of a cone, of a module that the registry does not know.
    behind : int or None
        Side of the filters behind which it stands, with ReLU behind all others; None for everywhere.

    Examples
    --------
    >>> get_arm("colu").for_channels(64)
    CoLU(dim=4)
    >>> get_arm("colu-soft-shared").width(512)
    511
    """

    name: str
    label: str
    make: Callable[[int], nn.Module]
    dim: int = 1
    behind: int | None = None

    def for_channels(self, num_channels: int) -> nn.Module:
        """A new module for a layer of ``num_channels``."""
        return self.make(num_channels)

    def for_layer(self, num_channels: int, kernel: int) -> nn.Module:
        """A new module behind a convolution with filters of ``kernel`` times ``kernel``.

        Examples
        --------
        >>> get_arm("meta-acon-3").for_layer(8, kernel=1)
        ReLU()
        """
        return self.make(num_channels) if self.behind in (None, kernel) else nn.ReLU()

    def width(self, channels: int) -> int:
        """Largest width, at most the one wanted, that the activation's cones fill."""
        # Some constructors refuse channels that do not fit, so one is asked that fits all; none may draw from the
        # randomness of a run.
        with torch.random.fork_rng(devices=[]):
            symmetry = symmetry_of(self.make(_FITS_ALL), _FITS_ALL)
        # What changes the number of channels is no layer of a network of ours.
        if symmetry is None:
            return channels - channels % self.dim
        return symmetry.width(channels) if symmetry.output == "channels" else channels

    def hidden(self, channels: int) -> tuple[int, int]:
        """Widths before and behind it in a perceptron, with the weights of a plain one of that many ``channels``.

        Examples
        --------
        >>> get_arm("swiglu").hidden(512), get_arm("colu").hidden(512)
        ((682, 341), (512, 512))
        """
        if self.name in GATED:
            return 2 * glu_width(channels), glu_width(channels)
        return (self.width(channels),) * 2


#: Gated units, which halve the channels.
GATED = ("glu", "reglu", "geglu", "swiglu")

#: Arms by name.
ARMS: dict[str, Arm] = {
    arm.name: arm
    for arm in (
        Arm("identity", "identity", lambda c: nn.Identity()),
        Arm("relu", "ReLU", lambda c: nn.ReLU()),
        Arm("silu", "SiLU", lambda c: nn.SiLU()),
        Arm("gelu", "GELU", lambda c: nn.GELU()),
        Arm("colu", "CoLU S=4", lambda c: CoLU(dim=4)),
        Arm("colu-2", "CoLU S=2", lambda c: CoLU(dim=2)),
        Arm("colu-3", "CoLU S=3", lambda c: CoLU(dim=3)),
        Arm("colu-8", "CoLU S=8", lambda c: CoLU(dim=8)),
        Arm("colu-16", "CoLU S=16", lambda c: CoLU(dim=16)),
        Arm("colu-soft", "CoLU S=4, soft", lambda c: CoLU(dim=4, scaling="soft")),
        Arm(
            "colu-shared",
            "CoLU S=4, shared axis",
            lambda c: CoLU(dim=4, share_axis=True),
        ),
        Arm(
            "colu-soft-shared",
            "CoLU S=4, soft, shared axis",
            lambda c: CoLU(dim=4, scaling="soft", share_axis=True),
        ),
        Arm(
            "colu-shared-13",
            "CoLU S=13, shared axis",
            lambda c: CoLU(dim=13, share_axis=True),
        ),
        Arm(
            "colu-soft-shared-13",
            "CoLU S=13, soft, shared axis",
            lambda c: CoLU(dim=13, scaling="soft", share_axis=True),
        ),
        Arm("rcolu-3", "RCoLU S=3", lambda c: create("rcolu", dim=3)),
        Arm("rcolu", "RCoLU S=4", lambda c: create("rcolu", dim=4)),
        Arm("colu-frame", "CoLU S=4, random frame", lambda c: InFrame(CoLU(dim=4), 4), dim=4),
        Arm("mpu", "MPU m=2", lambda c: MPU(dim=2)),
        Arm("mpu-4", "MPU m=4", lambda c: MPU(dim=4)),
        Arm("relu-linear", "ReLU, 1/4 linear", lambda c: PartlyLinear(4)),
        Arm("relu-linear-3", "ReLU, 1/3 linear", lambda c: PartlyLinear(3)),
        Arm("raf", "RAF", lambda c: create("rational-a", init="gelu")),
        Arm("acon-c", "ACON-C", lambda c: AconC(c)),
        Arm("meta-acon", "Meta-ACON", lambda c: MetaAcon(c)),
        Arm("meta-acon-3", "Meta-ACON behind 3 x 3", lambda c: MetaAcon(c), behind=3),
        Arm("lslu", "LSLU (corrected)", lambda c: create("lslu", num_channels=c)),
    )
}

#: What every comparison holds at least.
STANDARD_ARMS = ("relu", "silu", "gelu", "colu", "colu-soft-shared", "mpu", "relu-linear")


def _registered(name: str) -> bool:
    """Whether the registry has an activation of exactly this name."""
    return any(entry.name == name and entry.kind == "activation" for entry in list_activations())


def get_arm(name: str) -> Arm:
    """An arm by name; beside ``ARMS``, every registered activation under its own name.

    Raises
    ------
    ValueError
        For an unknown name; the nearest are given.
    """
    if name not in ARMS and _registered(name):
        return Arm(name, name, lambda c: create(name, num_channels=c))
    if name not in ARMS:
        near = difflib.get_close_matches(name, ARMS, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise ValueError(f"unknown arm {name!r}: {hint}choose among {', '.join(ARMS)}")
    return ARMS[name]


def choose_arms(names: str | Iterable[str]) -> list[Arm]:
    """Arms from names, or from one string with commas.

    Examples
    --------
    >>> [arm.label for arm in choose_arms("relu,colu")]
    ['ReLU', 'CoLU S=4']
    """
    listed = names.split(",") if isinstance(names, str) else list(names)
    chosen = [get_arm(name.strip()) for name in listed]
    if len({arm.name for arm in chosen}) < len(chosen):
        raise ValueError(f"an arm is named twice in {listed}; name each once")
    return chosen
