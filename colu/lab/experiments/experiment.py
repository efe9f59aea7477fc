"""A named experiment: settings by preset, and how to build its task."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import AfterValidator, TypeAdapter, ValidationError, ValidationInfo
from pydantic.dataclasses import dataclass as checked_dataclass

from colu.lab.fields import CLOSED, Count, Name, Seed, said
from colu.lab.results import config_hash
from colu.lab.training import DEVICES, Plan, Task, check_here, started_processes
from colu.presets import PRESETS

__all__ = ["Config", "EXPERIMENTS", "Experiment", "Preset", "get_experiment", "register"]


#: Of Lightning Fabric.
PRECISIONS = ("32-true", "64-true", "bf16-true", "16-true", "bf16-mixed", "16-mixed")


@cache
def _adapter(options: type) -> TypeAdapter:
    return TypeAdapter(options)


def _checked_options(options: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    """The options as they were given, if they fit those of the experiment."""
    if "experiment" in info.data:
        try:
            _adapter(get_experiment(info.data["experiment"]).options).validate_python(options)
        except ValidationError as error:
            raise ValueError(said(error)) from None
    return options


@checked_dataclass(frozen=True, kw_only=True, config=CLOSED)
class Config:
    """Everything that decides a run's numbers.

    Attributes
    ----------
    experiment, preset, arm : str
    seed : int
    plan : colu.lab.training.Plan
        Or a dictionary of its fields.
    options : dict
        Of the experiment, by its own type: data set, sizes.
    device, precision : str
    processes, threads : int
        Sums are taken in another order with other numbers of these, so they belong to the run's identity.

    Raises
    ------
    ValueError
        For a value outside its range, of pydantic; it names field, value and what was wanted.

    Examples
    --------
    >>> config = get_experiment("mnist-mlp").config("smoke", "relu", seed=0)
    >>> Config(**config.to_dict()) == config
    True
    """

    experiment: Name
    preset: Literal[PRESETS]
    arm: Name
    seed: Seed
    plan: Plan
    options: Annotated[dict[str, Any], AfterValidator(_checked_options)]
    device: Literal[DEVICES] = "cpu"
    precision: Literal[PRECISIONS] = "32-true"
    processes: Count = 1
    threads: Count = 1

    def to_dict(self) -> dict:
        """As JSON; ``Config(**value)`` undoes it."""
        value = asdict(self)
        value["plan"] = {k: list(v) if isinstance(v, tuple) else v for k, v in value["plan"].items()}
        return value

    @property
    def hash(self) -> str:
        """Identity of the run."""
        return config_hash(self.to_dict())

    def check_here(self) -> Config:
        """The configuration, if this machine can run it; what a record says was run may be another's.

        Raises
        ------
        ValueError
            Names the value and what there is.
        """
        check_here(self.device, self.processes, self.threads)
        return self

    @property
    def label(self) -> str:
        """The run among those of its experiment, for people."""
        return f"{self.arm}, seed {self.seed}"

    @property
    def stem(self) -> str:
        """Name of its record's file, without the ending."""
        return f"{self.arm}-seed{self.seed}-{self.hash[:10]}"


#: Settings that are neither of the plan nor of the options.
_OWN = ("device", "precision", "processes", "threads")


@dataclass(frozen=True)
class Preset:
    """Settings for one size of an experiment.

    Attributes
    ----------
    plan : colu.lab.training.Plan
    options : dict
    arms : tuple of str
    seeds : int
        How many.
    cost : str
        What a person should expect, and on what it was measured.
    device : str
        ``cpu``, or ``auto`` for a GPU where there is one.
    """

    plan: Plan
    options: dict
    arms: tuple[str, ...]
    seeds: int = 5
    cost: str = ""
    device: str = "auto"
    precision: str = "32-true"


@dataclass(frozen=True)
class Experiment:
    """A question, and how to ask it at three sizes.

    Attributes
    ----------
    name, question : str
    build : callable
        From a :class:`colu.lab.experiments.Config` to a task on the configuration's device.
    presets : dict of str to Preset
    options : type
        Of the options of a configuration: a closed ``TypedDict``, see ``colu/lab/experiments/options.py``.
    metric : str
        The one that tables show first.
    higher_is_better : bool
    """

    name: str
    question: str
    build: Callable[[Config], Task]
    presets: dict[str, Preset]
    metric: str
    options: type
    higher_is_better: bool = True

    @property
    def _option_names(self) -> set[str]:
        """Of all options, those too that no preset has."""
        return set(get_type_hints(self.options))

    def preset(self, name: str) -> Preset:
        """One of the presets.

        Raises
        ------
        ValueError
            For a name that it has not.
        """
        if name not in self.presets:
            raise ValueError(f"experiment {self.name!r} has no preset {name!r}; choose one of {tuple(self.presets)}")
        return self.presets[name]

    def check_settings(self, names: Iterable[str]) -> None:
        """Refuse settings that neither the plan nor the options have.

        Raises
        ------
        ValueError
            Names them, and those that there are.
        """
        known = {f.name for f in fields(Plan)} | set(_OWN) | self._option_names
        if unknown := set(names) - known:
            raise ValueError(f"unknown options {sorted(unknown)} of {self.name!r}; it has {sorted(known)}")

    def config(self, preset: str, arm: str, seed: int, **changes) -> Config:
        """One run's configuration; ``changes`` go to the plan where it has that name, else to the options.

        Raises
        ------
        ValueError
            For an unknown preset, arm or option.
        """
        from .arms import get_arm

        settings = self.preset(preset)
        self.check_settings(changes)
        in_plan = {f.name for f in fields(Plan)}
        plan = Plan(**{**asdict(settings.plan), **{k: v for k, v in changes.items() if k in in_plan}})
        options = {**settings.options, **{k: v for k, v in changes.items() if k in self._option_names}}
        rest = {"precision": settings.precision, **{k: v for k, v in changes.items() if k in _OWN}}
        rest.setdefault("device", default_device() if settings.device == "auto" else settings.device)
        rest.setdefault("processes", started_processes())
        run = {"experiment": self.name, "preset": preset, "arm": get_arm(arm).name, "seed": seed}
        return Config(**run, plan=plan, options=options, **rest)

    def configs(
        self,
        preset: str,
        arms: str | Iterable[str] | None = None,
        seeds: Iterable[int] | None = None,
        **changes,
    ) -> list[Config]:
        """Configurations of all arms on all seeds, those of one seed together: what is stopped has whole comparisons.

        Parameters
        ----------
        preset : str
        arms : str or iterable of str, optional
            Names, or one string with commas; by default those of the preset.
        seeds : iterable of int, optional
            By default as many as the preset has.
        **changes
            Of the plan or the options.

        Raises
        ------
        ValueError
            For an unknown preset, arm or option, or an arm that is named twice.

        Examples
        --------
        >>> [(c.arm, c.seed) for c in get_experiment("mnist-mlp").configs("smoke", "relu,colu", [0, 1])]
        [('relu', 0), ('colu', 0), ('relu', 1), ('colu', 1)]
        """
        from .arms import choose_arms

        chosen = self.preset(preset)
        names = [arm.name for arm in choose_arms(chosen.arms if arms is None else arms)]
        seeds = range(chosen.seeds) if seeds is None else seeds
        return [self.config(preset, name, seed, **changes) for seed in seeds for name in names]


def default_device() -> str:
    """``cuda`` where there is a GPU, else ``cpu``."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


#: Experiments by name.
EXPERIMENTS: dict[str, Experiment] = {}


def register(experiment: Experiment) -> Experiment:
    """Make an experiment known by its name."""
    if experiment.name in EXPERIMENTS:
        raise ValueError(f"an experiment {experiment.name!r} is registered already; choose another name")
    EXPERIMENTS[experiment.name] = experiment
    return experiment


def get_experiment(name: str) -> Experiment:
    """An experiment by name.

    Raises
    ------
    ValueError
        For an unknown name; the nearest are given.

    Examples
    --------
    >>> get_experiment("mnist-mlp").metric
    'test_accuracy'
    """
    import colu.lab.experiments  # noqa: F401  registers what the package brings

    if name not in EXPERIMENTS:
        near = difflib.get_close_matches(name, EXPERIMENTS, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
        raise ValueError(f"unknown experiment {name!r}: {hint}choose among {', '.join(sorted(EXPERIMENTS))}")
    return EXPERIMENTS[name]
