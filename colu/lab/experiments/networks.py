"""Networks trained only to be looked at: several seeds of one arm, with their data beside them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor, nn

from colu.lab.training import fit, make_fabric

from .experiment import Experiment, get_experiment

__all__ = ["Networks", "train_networks"]


@dataclass(frozen=True, eq=False)
class Networks:
    """Trained networks that differ in their seed alone, and the data they know and do not know.

    Attributes
    ----------
    arm : str
    seeds : tuple of int
    models : tuple of torch.nn.Module
        In evaluation mode, on the device of their training.
    train, test : pair of Tensor
        Normalised images of shape (N, channels, height, width), and labels of shape (N,).
    """

    arm: str
    seeds: tuple[int, ...]
    models: tuple[nn.Module, ...]
    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]

    def pairs(self) -> list[tuple[nn.Module, nn.Module]]:
        """The networks two by two; no network is in two pairs, so that pairs are independent."""
        return list(zip(self.models[::2], self.models[1::2], strict=False))


def train_networks(
    arm: str,
    seeds: Iterable[int],
    *,
    experiment: str | Experiment = "mnist-mlp",
    preset: str = "smoke",
    **changes,
) -> Networks:
    """Train one network for each seed with the settings of an experiment.

    Parameters
    ----------
    arm : str
        Name of an arm, see ``colu.lab.experiments.ARMS``.
    seeds : iterable of int
        Of initial weights and of the order of the examples.
    experiment : str or Experiment
        One that classifies images.
    preset : {"smoke", "laptop", "full"}
    **changes
        Settings of the plan or options of the experiment, such as ``steps=100`` or ``hidden=[64, 64]``.

    Returns
    -------
    Networks

    Raises
    ------
    ValueError
        For unknown names, settings or options, or no seeds.

    Examples
    --------
    >>> found = train_networks("relu", [0, 1], steps=2, hidden=[8])
    >>> len(found.pairs()), found.test[0].shape[1:]
    (1, torch.Size([1, 8, 8]))
    """
    seeds = tuple(seeds)
    if not seeds:
        raise ValueError("no seeds; give at least one, such as [0, 1]")
    chosen = get_experiment(experiment) if isinstance(experiment, str) else experiment
    models, fabric = [], None
    for config in chosen.configs(preset, [arm], seeds, **{"evaluate_every": 0, **changes}):
        task = chosen.build(config)
        fabric = fabric or make_fabric(config.device)  # made once: it takes as long as ten small steps
        models.append(fit(task, config.plan, seed=config.seed, fabric=fabric).model.eval())
    batches = task.batches
    return Networks(
        arm,
        seeds,
        tuple(models),
        (batches.normalise(batches.images), batches.labels),
        (batches.normalise(task.test_images), task.test_labels),
    )
