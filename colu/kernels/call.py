"""One call: what a conic map is and the cones that it acts on, with its options checked once."""

import functools
import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from colu.blocks import LAYOUTS, groups_of
from colu.checks import channel_index, check_choice, check_number

SCALINGS = ("hard", "soft", "firm", "sqrt", "log")
AXIS_MODES = ("pass", "rectify")
AXES = ("homogeneous", "coordinate")
SAVES = ("input", "output")


# Compared by identity: equal requests get the same call, and a key of a cache has to be cheap.
@dataclass(frozen=True, eq=False)
class ConicCall:
    """A conic map with all that a path needs besides the tensor.

    :func:`conic_call` makes it from the options of the functions, and checks them.

    Attributes
    ----------
    kind : {"colu", "rcolu", "mpu"}
    channel : int
        Dimension of the channels, counted from the front.
    groups, size : int
        Number of cones and entries of each, its axis included.
    scaling, share_axis, layout, angle, eps, axis, leak, axis_mode, p, double, s2, save
        As for the functions of :mod:`colu.functional`.
    special : str or None
        ``"identity"`` or ``"pointwise"`` where there are no cones to compute.
    lacking : str or None
        The option that only the reference has, for the message; None if all are common.
    usual : bool
        Nothing in the call asks for a second look: there are cones, and all paths know the options.
    """

    kind: str
    channel: int
    groups: int
    size: int
    scaling: str = "hard"
    share_axis: bool = False
    layout: str = "blocks"
    angle: float | Tensor | None = None
    eps: float = 0.0
    axis: str = "homogeneous"
    leak: float = 0.0
    axis_mode: str = "pass"
    p: float = 2
    double: bool = False
    s2: str = "cone"
    save: str = "input"
    special: str | None = field(init=False)
    lacking: str | None = field(init=False)
    usual: bool = field(init=False)

    def __post_init__(self):
        special = lacking = None
        if self.groups == 0 or (self.size == 1 and self.axis_mode == "pass" and self.kind != "mpu"):
            special = "identity"
        elif self.size == 2 and self.s2 == "pointwise":
            special = "pointwise"
        else:
            lacking = _lacking(self)
        object.__setattr__(self, "special", special)
        object.__setattr__(self, "lacking", lacking)
        object.__setattr__(self, "usual", special is None and lacking is None and self.save == "input")

    @property
    def of_the_operator(self) -> tuple:
        """The arguments of the compiled operator after its tensors: the fields that the C kernel knows, in order."""
        return (
            self.kind, self.channel, self.groups, self.size, self.scaling, self.share_axis, self.layout, self.angle,
            self.eps, self.axis, self.leak,
        )  # fmt: skip


def _lacking(call: ConicCall) -> str | None:
    if call.kind == "mpu" and call.size != 2:
        return f"the projection with dim={call.size}"
    if call.kind != "mpu" and call.size == 1:
        return "cones without a section"
    if call.scaling not in ("hard", "soft"):
        return f"scaling={call.scaling!r}"
    if call.axis_mode != "pass":
        return f"axis_mode={call.axis_mode!r}"
    if call.p != 2:
        return f"p={call.p!r}"
    if isinstance(call.angle, Tensor):
        return "an angle that is a tensor"
    return "double=True" if call.double else None


def conic_call(
    shape: torch.Size,
    kind: str,
    dim: int | None = None,
    num_groups: int | None = None,
    channel_dim: int = 1,
    scaling: str = "hard",
    axis_mode: str = "pass",
    share_axis: bool = False,
    layout: str = "blocks",
    p: float = 2,
    angle: float | Tensor | None = None,
    double: bool = False,
    s2: str = "cone",
    eps: float = 0.0,
    save: str = "input",
    axis: str = "homogeneous",
    leak: float = 0.0,
) -> ConicCall:
    """Check the options of a conic map on a tensor of ``shape``, once; the next equal request is only looked up.

    Raises
    ------
    ValueError
        Channels that do not fit (with the nearest sizes that do), options out of range or without a joint meaning.
    """
    # A compiler looks through the cache and would warn of it.
    if not torch.compiler.is_compiling():
        try:
            return _kept(
                shape, kind, dim, num_groups, channel_dim, scaling, axis_mode, share_axis, layout, p, angle, double, s2,
                eps, save, axis, leak,
            )  # fmt: skip
        except TypeError:
            pass  # not to be kept, or no key: a tensor, a symbolic length
    return _made(
        shape, kind, dim, num_groups, channel_dim, scaling, axis_mode, share_axis, layout, p, angle, double, s2, eps,
        save, axis, leak,
    )  # fmt: skip


# Typed, since 4.0 and True are refused where 4 and 1 are not.
@functools.lru_cache(maxsize=1024, typed=True)
def _kept(shape, *options) -> ConicCall:
    # Tensors are keys by identity, and would be kept alive. Lengths are tensors while torch.jit traces.
    if any(isinstance(value, Tensor) for value in (*shape, *options)):
        raise TypeError("a tensor is no key")
    return _made(shape, *options)


def _made(
    shape, kind, dim, num_groups, channel_dim, scaling, axis_mode, share_axis, layout, p, angle, double, s2, eps, save,
    axis, leak,
) -> ConicCall:  # fmt: skip
    if kind == "mpu":
        check_choice("axis", axis, AXES)
        check_choice("layout", layout, LAYOUTS)
        angle, leak = check_angle(angle), check_leak(leak)
    else:
        p, angle, eps = check_options(scaling, axis_mode, layout, p, angle, double, s2, eps)
        check_save(save, scaling, axis_mode, p, angle, double)
    channel = channel_index(shape, channel_dim)
    default = 2 if kind == "mpu" else 4
    groups, size = groups_of(shape, channel, dim, num_groups, share_axis, default)
    call = ConicCall(
        kind, channel, groups, size, scaling, share_axis, layout, angle, eps, axis, float(leak), axis_mode, p, double,
        s2, save,
    )  # fmt: skip
    if call.special == "pointwise":
        _check_pointwise(scaling, angle, double)
    return call


def check_options(scaling, axis_mode, layout, p, angle, double, s2, eps) -> tuple:
    """``p``, ``angle`` and ``eps`` as plain numbers; refuse options out of range or without a joint meaning.

    Shared with :mod:`colu.nn`.
    """
    check_choice("scaling", scaling, SCALINGS)
    check_choice("axis_mode", axis_mode, AXIS_MODES)
    check_choice("layout", layout, LAYOUTS)
    check_choice("s2", s2, ("cone", "pointwise"))
    angle = check_angle(angle)
    p = check_number("p", p, "use a number >= 1 or math.inf", ge=1)
    eps = check_number("eps", eps, "use a number >= 0", ge=0, lt=math.inf)
    if double and axis_mode == "rectify":
        raise ValueError(
            "double=True with axis_mode='rectify' has no meaning: "
            "the rectified axis never points into the past cone; use axis_mode='pass'"
        )
    return p, angle, eps


def check_angle(angle):
    """The angle; refuse a fixed one outside (0, pi/2), tensors are the caller's."""
    if angle is None or isinstance(angle, Tensor):
        return angle
    wanted = "use a half-apex angle in radians between 0 and pi/2"
    return check_number("angle", angle, wanted, gt=0, lt=math.pi / 2)


def check_leak(leak) -> int | float:
    """The leak; refuse one outside [0, 1]."""
    return check_number("leak", leak, "use a number from 0 to 1, such as 0.01", ge=0, le=1)


def check_save(save, scaling, axis_mode, p, angle, double) -> None:
    """Refuse an unknown choice, and options whose gradient needs the input."""
    check_choice("save", save, SAVES)
    if save == "input":
        return
    wrong = [
        text
        for text, bad in (
            (f"scaling={scaling!r}", scaling != "hard"),
            (f"axis_mode={axis_mode!r}", axis_mode != "pass"),
            (f"p={p!r}", p != 2),
            ("an angle that is a tensor", isinstance(angle, Tensor)),
            ("double=True", double),
        )
        if bad
    ]
    if wrong:
        raise ValueError(f"save='output' is not possible with {' and '.join(wrong)}; use save='input'")


def _check_pointwise(scaling, angle, double) -> None:
    check_choice("scaling", scaling, ("hard", "soft"))
    if angle is not None or double:
        option = "angle" if angle is not None else "double"
        raise ValueError(f"s2='pointwise' with dim=2 has no cone, so {option} has no meaning; use s2='cone'")
