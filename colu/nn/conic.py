"""Conic activations as modules: CoLU, RCoLU and MPU."""

import copy
import functools
import math

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from colu.blocks import LAYOUTS, count_groups
from colu.checks import check_axis, check_choice, check_int
from colu.functional import colu, rcolu, soc_projection
from colu.geometry import Symmetry
from colu.kernels.call import AXES, check_angle, check_leak, check_options, check_save
from colu.kernels.reference import cone_weight, rectified

from .gain import gain, measured_ratio, normal_angle, normal_norm, normal_second_moment
from .registry import register

__all__ = ["MPU", "CoLU", "RCoLU"]

# One node each in a torch.fx graph: their checks of shapes cannot be traced.
for _name in ("colu", "rcolu", "soc_projection"):
    fx.wrap(_name)


def _check_sizes(dim, num_groups, share_axis=False) -> tuple[int | None, int | None]:
    if num_groups is not None:
        num_groups = check_int("num_groups", num_groups, 0)
    if dim is not None:
        dim = check_int("dim", dim, 2 if share_axis else 1)
    if num_groups == 0 and dim is not None:
        raise ValueError(f"num_groups=0 is the identity and dim={dim} says nothing of it; give only one of them")
    return dim, num_groups


class _Conic(nn.Module):
    """Angle handling and printing common to the family."""

    _defaults: dict = {}

    def _values(self) -> dict:
        # "double" is a method of every Module, so the attribute has a longer name.
        return {name: self.double_cone if name == "double" else getattr(self, name) for name in self._options}

    def __setattr__(self, name: str, value) -> None:
        super().__setattr__(name, value)
        # Gathered here and not at every call, where it would cost as much as the map on a small tensor.
        if name == "_angle" or "_given" in self.__dict__:
            given = dict(dim=self.dim, num_groups=self.num_groups, angle=self._angle) | self._values()
            usual = self._defaults | dict(dim=None, num_groups=None, angle=None)
            self.__dict__["_given"] = {name: value for name, value in given.items() if value != usual[name]}

    def __prepare_scriptable__(self):
        raise ValueError(
            f"{type(self).__name__} is not for torch.jit.script, which torch has deprecated; "
            "use torch.compile, torch.export or torch.jit.trace"
        )

    def _set_angle(self, angle, learnable: bool) -> None:
        if isinstance(angle, Tensor):
            raise ValueError("angle wants a number; use learnable_angle=True for a parameter")
        self._angle = angle = check_angle(angle)
        if learnable:
            share = (math.pi / 4 if angle is None else angle) / (math.pi / 2)
            # Unconstrained: a logistic curve keeps the angle inside (0, pi/2) whatever the optimiser does.
            self.angle_logit = nn.Parameter(torch.tensor(math.log(share / (1 - share))))
        else:
            self.register_parameter("angle_logit", None)

    @property
    def angle(self) -> float | Tensor | None:
        """Half-apex angle in radians; None is pi/4."""
        logit = self._parameters["angle_logit"]
        return self._angle if logit is None else math.pi / 2 * logit.sigmoid()

    def _sizes(self, num_channels: int | None, default_dim: int) -> tuple[int, int]:
        """``(G, S)``; any G where the ratio does not depend on it."""
        shared = getattr(self, "share_axis", False)
        if num_channels is not None:
            return count_groups(num_channels, self.dim, self.num_groups, shared, default_dim)
        if self.num_groups == 0:
            return 0, 1
        if self.num_groups is not None or shared:
            raise ValueError(f"the gain of {self} depends on the number of channels; give num_channels=...")
        return 1, self.dim

    def gain(self, num_channels: int | None = None) -> float:
        """Gain for initialisation, :func:`colu.nn.gain`; ``num_channels`` only where it depends on them."""
        return gain(self, num_channels)

    def extra_repr(self) -> str:
        parts = [f"{k}={v!r}" for k, v in self._values().items() if v != self._defaults[k]]
        if self.angle_logit is not None:
            parts.append(f"learnable_angle=True, angle={self.angle.item():.4g}")
        elif self._angle is not None:
            parts.append(f"angle={self._angle:.4g}")
        given = {"dim": self.dim, "num_groups": self.num_groups}
        size = ", ".join(f"{name}={value}" for name, value in given.items() if value is not None)
        return ", ".join([size, *parts])


class _Skew(_Conic):
    """Second moments common to CoLU and RCoLU: the reflection between them is an isometry."""

    s2 = "cone"

    @torch.no_grad()
    def second_moment_ratio(self, num_channels: int | None = None) -> float:
        r"""The ratio of second moments on N(0, I), :func:`colu.nn.second_moment_ratio`.

        For p=2 an integral over the angle to the axis, whose density is proportional to
        :math:`\sin^{S-2}\theta`, and over the radius where the map is not homogeneous.
        """
        groups, size = self._sizes(num_channels, 4)
        if self.s2 == "pointwise" and size == 2:
            return normal_second_moment(functional.silu if self.scaling == "soft" else functional.relu)
        if self.p != 2 and size > 2:
            # No closed form for the norm of the section: Sobol points through the map itself.
            plain = copy.copy(self)
            plain.channel_dim = 1
            return measured_ratio(plain, num_channels or size)
        if groups == 0:
            return 1.0
        axis, section = self._second_moments(size)
        if self.share_axis:
            return (axis + groups * section) / (1 + groups * (size - 1))
        return (axis + section) / size

    def _second_moments(self, size: int) -> tuple[float, float]:
        """Second moments of the axis and of the whole section of one cone."""
        mode = "soft" if self.scaling in ("soft", "firm") else "hard"
        if size == 1:
            return normal_second_moment(lambda a: rectified(a, self.scaling) if self.axis_mode == "rectify" else a), 0.0
        alpha = math.pi / 4 if self.angle is None else float(self.angle)
        theta, weight = normal_angle(size, sorted({0.0, alpha / 2, alpha, math.pi / 2, math.pi - alpha, math.pi}))
        homogeneous = not self.eps and (self.axis_mode == "pass" or mode == "hard")
        radius, mass = normal_norm(size) if not homogeneous else (torch.ones(1).double(), torch.ones(1).double() * size)
        axis, section = theta.cos()[:, None, None] * radius[:, None], theta.sin()[:, None, None] * radius[:, None]
        if self.axis_mode == "rectify":
            axis = rectified(axis, self.scaling)
        section = section * cone_weight(axis, section, 2, self.scaling, 2, math.tan(alpha), self.double_cone, self.eps)
        return tuple((weight[:, None] * mass * v[..., 0].square()).sum().item() for v in (axis, section))


class CoLU(_Skew):
    r"""Conic Linear Unit: slide each block of channels towards its axis until it is in the cone.

    .. math:: y_a &= a, \\
              y_s &= \min(\max(a \tan\alpha / \lVert s\rVert, 0), 1)\, s

    for the default ``hard`` scaling; see :func:`colu.functional.colu` for the others, and for other people's code.
    ``CoLU`` of the package torch_activation is the *Collapsing* Linear Unit, another function.

    .. warning::

       The default ``channel_dim=1`` is right for ``(N, C)`` and ``(N, C, H, W)``.
       On ``(N, T, C)``, as in transformers, it takes the *tokens* for channels wherever their number fits: no error,
       and each token sees others, those that follow it too.
       Give ``channel_dim=-1`` there.

    Parameters
    ----------
    dim : int
        Channels of a cone, one axis and ``dim - 1`` section channels.
    channel_dim : int
        Position of the channels; -1 for ``(N, T, C)``.
    num_groups : int, optional
        Number of cones, instead of ``dim``, or both where they agree with the channels; 0 is the identity.
    scaling, axis_mode, share_axis, layout, p, angle, double, s2, eps, save
        As for :func:`colu.functional.colu`; ``angle`` in radians, None is pi/4.
    learnable_angle : bool
        Make the angle one scalar parameter, kept inside (0, pi/2).
    inplace : bool
        Accepted because torchvision and timm pass it; never in place.

    Raises
    ------
    ValueError
        An option out of range or without a joint meaning; in ``forward``, channels that do not fit
        (with the dimension that was taken for them).

    Notes
    -----
    Which ``dim``: it has to divide the channels, and 4 is the default, with three section channels that turn together.
    A larger one has a larger group of rotations and keeps less of the signal (0.34 of its second moment for 4, some
    1.5/S for large S), which a normalisation, :func:`colu.nn.gain` or :func:`colu.nn.critical_init_` has to put back.

    References
    ----------
    Fu and Cohen, "Conic Activation Functions", UniReps 2024, PMLR 285, equations 1 to 3.

    Examples
    --------
    >>> import torch
    >>> CoLU(dim=3)(torch.tensor([[1.0, 3.0, 4.0]]))
    tensor([[1.0000, 0.6000, 0.8000]])
    >>> CoLU(dim=8, scaling="soft")
    CoLU(dim=8, scaling='soft')
    """

    _options = ("channel_dim", "scaling", "axis_mode", "share_axis", "layout", "p", "double", "s2", "eps", "save")
    _defaults = dict(channel_dim=1, scaling="hard", axis_mode="pass", share_axis=False, layout="blocks", p=2,
                     double=False, s2="cone", eps=0.0, save="input")  # fmt: skip

    def __init__(
        self,
        dim: int | None = None,
        channel_dim: int = 1,
        *,
        num_groups: int | None = None,
        scaling: str = "hard",
        axis_mode: str = "pass",
        share_axis: bool = False,
        layout: str = "blocks",
        p: float = 2,
        angle: float | None = None,
        learnable_angle: bool = False,
        double: bool = False,
        s2: str = "cone",
        eps: float = 0.0,
        save: str = "input",
        inplace: bool = False,
    ):
        super().__init__()
        p, angle, eps = check_options(scaling, axis_mode, layout, p, angle, double, s2, eps)
        check_save(save, scaling, axis_mode, p, angle, double)
        if save == "output" and learnable_angle:
            raise ValueError("save='output' is not possible with learnable_angle=True; use save='input'")
        self.save = save
        dim, num_groups = _check_sizes(dim, num_groups, share_axis)
        self.dim = 4 if dim is None and num_groups is None else dim
        self.num_groups, self.channel_dim = num_groups, check_axis(channel_dim)
        self.scaling, self.axis_mode = scaling, axis_mode
        self.share_axis, self.layout, self.p, self.double_cone = share_axis, layout, p, double
        self.s2, self.eps = s2, eps
        self._set_angle(angle, learnable_angle)

    def forward(self, x: Tensor) -> Tensor:
        if self._parameters["angle_logit"] is not None:
            return colu(x, dim=self.dim, num_groups=self.num_groups, angle=self.angle, **self._values())
        return colu(x, **self._given)


class RCoLU(_Skew):
    r"""Rotated Conic Linear Unit: the axis is the homogeneous direction of each block.

    Parameters
    ----------
    dim, channel_dim, num_groups, scaling, axis_mode, share_axis, layout, p, angle, double, eps
        As for :class:`CoLU`.
    learnable_angle : bool
        Make the angle one scalar parameter, kept inside (0, pi/2).
    inplace : bool
        Accepted because torchvision and timm pass it; never in place.

    References
    ----------
    Fu and Cohen, "Conic Activation Functions", UniReps 2024, PMLR 285, equation 5 (as intended).

    Examples
    --------
    >>> import torch
    >>> RCoLU(dim=2)(torch.tensor([[2.0, -1.0]])).round(decimals=6) + 0.0
    tensor([[1., 0.]])
    """

    _options = ("channel_dim", "scaling", "axis_mode", "share_axis", "layout", "p", "double", "eps")
    _defaults = CoLU._defaults

    def __init__(
        self,
        dim: int | None = None,
        channel_dim: int = 1,
        *,
        num_groups: int | None = None,
        scaling: str = "hard",
        axis_mode: str = "pass",
        share_axis: bool = False,
        layout: str = "blocks",
        p: float = 2,
        angle: float | None = None,
        learnable_angle: bool = False,
        double: bool = False,
        eps: float = 0.0,
        inplace: bool = False,
    ):
        super().__init__()
        p, angle, eps = check_options(scaling, axis_mode, layout, p, angle, double, "cone", eps)
        dim, num_groups = _check_sizes(dim, num_groups, share_axis)
        self.dim = 4 if dim is None and num_groups is None else dim
        self.num_groups, self.channel_dim = num_groups, check_axis(channel_dim)
        self.scaling, self.axis_mode = scaling, axis_mode
        self.share_axis, self.layout, self.p, self.double_cone, self.eps = share_axis, layout, p, double, eps
        self._set_angle(angle, learnable_angle)

    def forward(self, x: Tensor) -> Tensor:
        return rcolu(x, dim=self.dim, num_groups=self.num_groups, angle=self.angle, **self._values())


class MPU(_Conic):
    r"""Euclidean projection of each block onto a second-order cone.

    Parameters
    ----------
    dim : int
        Channels of a cone.
    channel_dim : int
        Position of the channels.
    num_groups : int, optional
        Number of cones, instead of ``dim``; 0 is the identity.
    axis : {"homogeneous", "coordinate"}
        Direction ``1/sqrt(dim)`` of each block, or its first channel.
    angle : float, optional
        Half-apex angle in radians; None is pi/4.
    learnable_angle : bool
        Make the angle one scalar parameter, kept inside (0, pi/2); the source learns one a layer.
    leak : float
        Returns ``(1 - leak) P(x) + leak x``.
    layout : {"blocks", "axes_first"}
        Where the channels of a cone are.
    inplace : bool
        Accepted because torchvision and timm pass it; never in place.

    References
    ----------
    Li et al., "From ReLU to GeMU", Neural Networks 190 (2025) 107654; arXiv 2309.17194.

    Examples
    --------
    >>> import torch
    >>> MPU(dim=3, axis="coordinate")(torch.tensor([[0.0, 3.0, 4.0]]))
    tensor([[2.5000, 1.5000, 2.0000]])
    """

    _options = ("channel_dim", "axis", "leak", "layout")
    _defaults = dict(channel_dim=1, axis="homogeneous", leak=0.0, layout="blocks")

    def __init__(
        self,
        dim: int | None = None,
        channel_dim: int = 1,
        *,
        num_groups: int | None = None,
        axis: str = "homogeneous",
        angle: float | None = None,
        learnable_angle: bool = False,
        leak: float = 0.0,
        layout: str = "blocks",
        inplace: bool = False,
    ):
        super().__init__()
        check_choice("axis", axis, AXES)
        check_choice("layout", layout, LAYOUTS)
        leak = check_leak(leak)
        dim, num_groups = _check_sizes(dim, num_groups)
        self.dim = 2 if dim is None and num_groups is None else dim
        self.num_groups, self.channel_dim, self.axis, self.leak, self.layout = (
            num_groups, check_axis(channel_dim), axis, leak, layout)  # fmt: skip
        self._set_angle(angle, learnable_angle)

    def forward(self, x: Tensor) -> Tensor:
        return soc_projection(x, dim=self.dim, num_groups=self.num_groups, angle=self.angle, **self._values())

    @torch.no_grad()
    def second_moment_ratio(self, num_channels: int | None = None) -> float:
        r"""The ratio of second moments on N(0, I), an integral over the angle to the axis.

        For ``leak=0`` and 45 degrees it is 1/2 for every ``dim``: the cone is its own dual.
        """
        groups, size = self._sizes(num_channels, 2)
        if groups == 0:
            return 1.0
        if size == 1:
            # A cone in one dimension is the half-line.
            return (1 + self.leak**2) / 2
        alpha = math.pi / 4 if self.angle is None else float(self.angle)
        theta, weight = normal_angle(size, [0.0, alpha, alpha + math.pi / 2, math.pi])
        plane = torch.stack([theta.cos(), theta.sin()], 1)
        y = soc_projection(plane, dim=2, axis="coordinate", angle=alpha, leak=self.leak)
        return (weight * y.square().sum(1)).sum().item()


def _symmetry(module: _Conic, channels: int) -> Symmetry:
    scaling, mode, shared, p, s2, eps = (
        getattr(module, name, CoLU._defaults[name]) for name in ("scaling", "axis_mode", "share_axis", "p", "s2", "eps")
    )
    counted = module.num_groups is not None
    size = count_groups(channels, module.dim, module.num_groups, shared)[1] if counted else module.dim
    if s2 == "pointwise" and size == 2:
        return Symmetry("units", channels, scales=scaling == "hard")
    scales = not eps and (mode == "pass" or scaling == "hard")
    if size == 1:
        # CoLU is all axis then, which passes; a projection is ReLU.
        passes = module.num_groups == 0 or (mode == "pass" and not isinstance(module, MPU))
        return Symmetry("linear" if passes else "units", channels, scales=scales and not passes)
    # Rotations change other norms of a section; whole cones may still be exchanged.
    kind = "cones" if p == 2 or size == 2 else "units"
    turned = kind == "cones" and (isinstance(module, RCoLU) or getattr(module, "axis", "") == "homogeneous")
    frame = "homogeneous" if turned else "coordinate"
    return Symmetry(kind, channels, size, scales=scales, share_axis=shared, layout=module.layout, frame=frame)


_HARD = r"y_a = a,\ y_s = \min(\max(a / \lVert s\rVert, 0), 1)\, s"
_ROTATED = r"H\,\mathrm{CoLU}(Hx),\ H e_1 = \mathbf 1/\sqrt S"
_CODE_ONLY = "In the author's code only; a section may grow"


def _entry(name, factory, formula, *, citation="fu2024conic", **facts):
    facts = dict(symmetry=_symmetry, homogeneity="positive", family="conic") | facts
    register(name, factory, formula, citation=citation, **facts)


def _with(**options):
    return functools.partial(CoLU, **options)


_entry("colu", CoLU, _HARD, lipschitz=math.sqrt(2))
# A smooth weight is steepest at a ratio of 1/2; the Jacobian there, of the axis and the length of the section, is
# [[1, 0], [w'(1/2), 1/2 - w'(1/2) / 2]].
_SOFT = 1.0353441


def _weighed(scaling, weight, **facts):
    _entry(f"colu-{scaling}", _with(scaling=scaling), rf"y_a = a,\ y_s = {weight}\, s", **facts)


_weighed("soft", r"\sigma(a / \lVert s\rVert - \tfrac12)", lipschitz=_SOFT)
_weighed("firm", r"\sigma(4a / \lVert s\rVert - 2)", lipschitz=math.sqrt(2))
_weighed("sqrt", r"\sqrt{a_+ / \lVert s\rVert}", notes=_CODE_ONLY + " and leave the cone.")
_weighed("log", r"\log(1 + a_+ / \lVert s\rVert)", notes=_CODE_ONLY + ".")
_JAX = dict(lipschitz=math.sqrt(2), notes="The map of jax-colu, not of the papers.")
_entry("colu-rectified", _with(axis_mode="rectify"), _HARD.replace("y_a = a,", "y_a = a_+,"), **_JAX)
_entry("rcolu", RCoLU, _ROTATED, lipschitz=math.sqrt(2))
_SOFT_ROTATED = _ROTATED.replace("CoLU", "soft\\ CoLU")
_entry("rcolu-soft", functools.partial(RCoLU, scaling="soft"), _SOFT_ROTATED, lipschitz=_SOFT)
_MPU = dict(citation="li2025gemu", lipschitz=1.0)
_PROJECTION = r"P_K(x) = \arg\min_{y \in K} \lVert x - y\rVert_2"
_entry("mpu", MPU, _PROJECTION, aliases=("gemu", "soc-projection"), **_MPU)
_entry("mpu-leaky", functools.partial(MPU, leak=0.01), r"0.99\, P_K(x) + 0.01\, x", **_MPU)
_entry(
    "mpu-learnable",
    functools.partial(MPU, learnable_angle=True),
    r"P_{K(\alpha)}(x)",
    parameters=lambda channels: 1,
    parameter_formula="1",
    lipschitz_all=1.0,
    **_MPU,
)
