"""Pictures of a variational autoencoder while sections of its decoder turn."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["decode_turned", "strongest_cones"]


def _turned(x: Tensor, degrees: float, cones: Sequence[int]) -> Tensor:
    """The second and the third of four channels of these cones, rotated."""
    angle, moved = math.radians(degrees), x.clone()
    one, two = ([4 * cone + k for cone in cones] for k in (1, 2))
    moved[..., one] = math.cos(angle) * x[..., one] - math.sin(angle) * x[..., two]
    moved[..., two] = math.sin(angle) * x[..., one] + math.cos(angle) * x[..., two]
    return moved


@torch.no_grad()
def decode_turned(
    model: nn.Module, codes: Tensor, degrees: float, *, cones: Sequence[int] | None = None, back: bool = False
) -> Tensor:
    r"""Logits of pictures whose hidden channels were turned before the activation, in fours.

    .. math:: & V\,R_B\,\lambda(R\,(Wz + b)) + c, \\
              & R_B = R^\top \text{ with } \texttt{back}, \text{ else } I

    :math:`R` turns the first two section channels of each cone of four, whatever the activation: for CoLU these are
    its cones, for an activation of single channels they are a control.

    Parameters
    ----------
    model : colu.lab.models.VAE
    codes : torch.Tensor, shape (n, latent)
    degrees : float
    cones : sequence of int, optional
        Which fours of channels turn; all that are whole where left out.
    back : bool
        Whether they are turned back behind the activation.

    Returns
    -------
    torch.Tensor, shape (n, pixels)

    Examples
    --------
    >>> from colu.lab.models import VAE
    >>> from colu.nn import CoLU
    >>> model, codes = VAE(64, 8, 2, lambda: CoLU(dim=4)), torch.ones(1, 2)
    >>> torch.allclose(decode_turned(model, codes, 40.0, back=True), model.decode(codes), atol=1e-5)
    True
    """
    hidden = model.from_code(codes)
    cones = range(hidden.shape[-1] // 4) if cones is None else cones
    hidden = model.act_decoder(_turned(hidden, degrees, cones))
    return model.decoder(_turned(hidden, -degrees, cones) if back else hidden)


@torch.no_grad()
def strongest_cones(model: nn.Module, images: Tensor) -> list[int]:
    """Fours of channels, those first whose turn moves the logits most in the mean square over these images.

    Parameters
    ----------
    model : colu.lab.models.VAE
    images : torch.Tensor, shape (n, ...)

    Examples
    --------
    >>> from colu.lab.models import VAE
    >>> sorted(strongest_cones(VAE(64, 8, 2), torch.rand(5, 64)))
    [0, 1]
    """
    hidden = model.act_decoder(model.from_code(model.encode(images)[0]))
    whole = hidden.shape[-1] // 4 * 4
    sections = hidden[:, :whole].unflatten(1, (-1, 4))[:, :, 1:3]
    filters = model.decoder.weight.T[:whole].unflatten(0, (-1, 4))[:, 1:3]
    reach = torch.einsum("ngi,gid->ngd", sections, filters).square().sum(2).mean(0)
    return reach.argsort(descending=True, stable=True).tolist()
