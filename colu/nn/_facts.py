"""What several families register: symmetries, the parameters that move along, and why a perceptron has no use."""

from collections.abc import Callable, Mapping

from torch import nn

from colu.geometry import Carried, Symmetry

# Reasons of ``unfit``.
PIXELS = "mixes neighbouring pixels, and neither a perceptron nor a sequence of tokens has any"
BATCH = "takes statistics of the batch in training"
CHANNELS = "changes the number of channels"


def shown(channel_dim: int) -> str:
    """What the text of a module adds on its channels: nothing where they stand as usual."""
    return "" if channel_dim == 1 else f", channel_dim={channel_dim}"


#: The place of a weight that reads the channels, as a small network inside an activation has one.
READS = "reads"


def carried(module: nn.Module, axes: Mapping[str, int | tuple[int, int] | str]) -> tuple[Carried, ...]:
    """The entries of a module's state that have one value a channel.

    ``axes`` has the axis of the channels, or that and how often they follow each other on it, or ``READS`` for a
    weight that reads them, by the name of a parameter or of a submodule (for all that it holds).
    Names that the module does not have, or has once for all channels, are left out.
    """
    found = []
    for name, tensor in module.state_dict().items():
        given = axes.get(name, axes.get(name.partition(".")[0]))
        if given is not None:
            reads = given == READS
            axis, tiles = given if isinstance(given, tuple) else (1 if reads else given, 1)
            if tensor.dim() > axis and tensor.shape[axis] > tiles:
                found.append(Carried(name, axis, tiles, reads))
    return tuple(found)


def permutations(
    *,
    scales: bool = False,
    signs: bool = False,
    output: str = "channels",
    carries: Mapping[str, int | tuple[int, int] | str] | None = None,
) -> Callable[[nn.Module, int], Symmetry]:
    """The symmetry of whatever treats all channels alike, its parameters a channel aside."""

    def symmetry(module: nn.Module, channels: int) -> Symmetry:
        along = carried(module, carries or {})
        return Symmetry("units", channels, scales=scales, signs=signs, output=output, carries=along)

    return symmetry
