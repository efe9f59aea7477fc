"""Bounds on the likelihood of a variational autoencoder, with their units, and the binarisation that they are of."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from colu.lab.models import VAE

__all__ = ["Bound", "binarise", "bits_per_dimension", "importance_weighted_bound", "negative_elbo"]

BINARISATIONS = ("threshold", "fixed")


def _check_unit(images: Tensor) -> None:
    low, high = (float(v) for v in images.aminmax()) if images.numel() else (0.0, 0.0)
    if not (low >= 0 and high <= 1):  # also false for NaN
        raise ValueError(f"pixels lie between {low:g} and {high:g}, wanted [0, 1]; divide by the largest grey level")


def binarise(images: Tensor, how: str, *, seed: int = 0) -> Tensor:
    r"""Black and white images from grey ones.

    ``threshold`` is :math:`[x > \tfrac12]`.
    ``fixed`` draws each pixel once from a Bernoulli distribution with the grey level as probability.
    The second is noisier: bounds of the two are bounds on different data and cannot be put beside each other.

    Parameters
    ----------
    images : torch.Tensor
        Grey levels in [0, 1], any shape.
    how : {"threshold", "fixed"}
    seed : int
        Of the draw, which is made on the CPU; part of the data set's definition.

    Returns
    -------
    torch.Tensor
        Zeros and ones in float32, of the shape and on the device of ``images``.

    Raises
    ------
    ValueError
        For pixels outside [0, 1] (or NaN), or an unknown ``how``.

    Examples
    --------
    >>> binarise(torch.tensor([0.0, 0.4, 0.6, 1.0]), "threshold")
    tensor([0., 0., 1., 1.])
    """
    if how not in BINARISATIONS:
        raise ValueError(f"how is {how!r}, choose one of {BINARISATIONS}")
    _check_unit(images)
    if how == "threshold":
        return (images > 0.5).to(torch.float32)
    draws = torch.rand(images.shape, generator=torch.Generator().manual_seed(seed))
    return (draws < images.cpu()).to(torch.float32).to(images.device)


def bits_per_dimension(nats: float, dimensions: int) -> float:
    """Nats an image as bits a pixel.

    Examples
    --------
    >>> round(bits_per_dimension(543.427, 784), 4)  # a fair coin for each pixel
    1.0
    """
    if dimensions < 1:
        raise ValueError(f"dimensions is {dimensions}, wanted at least 1")
    return nats / dimensions / math.log(2)


class Bound(NamedTuple):
    """Negative evidence lower bound of each image, shape (batch,), in nats: the sum of its two parts."""

    total: Tensor
    reconstruction: Tensor
    divergence: Tensor


def negative_elbo(model: VAE, images: Tensor, noise: Tensor) -> Bound:
    r"""Upper bound on the negative log-likelihood, with one code an image.

    .. math:: & -\log p(x) \le \underbrace{-\log p(x \mid z)}_{\text{reconstruction}} \\
              & \quad + \underbrace{
              \tfrac12 \textstyle\sum_l (\mu_l^2 + \sigma_l^2 - \log\sigma_l^2 - 1)}_{\text{divergence}}

    Parameters
    ----------
    model : VAE
    images : torch.Tensor, shape (batch, ...)
        In {0, 1}; grey levels in [0, 1] are not refused, but the value is then no likelihood of them.
    noise : torch.Tensor, shape (batch, L)
        Standard normal.

    Returns
    -------
    Bound

    Raises
    ------
    ValueError
        For pixels outside [0, 1] or NaN, or noise of another shape than the codes.

    Examples
    --------
    >>> bound = negative_elbo(VAE(4, 8, 2), torch.ones(3, 4), torch.zeros(3, 2))
    >>> torch.equal(bound.total, bound.reconstruction + bound.divergence)
    True
    """
    _check_unit(images)
    if noise.shape != (len(images), model.latent):
        raise ValueError(f"noise is {tuple(noise.shape)}, wanted one code an image: ({len(images)}, {model.latent})")
    logits, mean, log_variance = model(images, noise)
    logits, mean, log_variance = logits.float(), mean.float(), log_variance.float()
    reconstruction = F.binary_cross_entropy_with_logits(logits, images.flatten(1), reduction="none").sum(1)
    divergence = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(1)
    return Bound(reconstruction + divergence, reconstruction, divergence)


def importance_weighted_bound(
    model: VAE, images: Tensor, samples: int, generator: torch.Generator | None = None
) -> Tensor:
    r"""Tighter upper bound on the negative log-likelihood, with :math:`K` codes an image.

    .. math:: -\log p(x) &\le -\mathbb E \log \frac1K \sum_{k=1}^K r_k, \\
              r_k &= \frac{p(x \mid z_k)\,p(z_k)}{q(z_k \mid x)}, \\
              z_k &\sim q(z \mid x)

    Parameters
    ----------
    model : VAE
    images : torch.Tensor, shape (batch, ...)
    samples : int
        :math:`K`; time grows with it, memory does not.
    generator : torch.Generator, optional
        On the CPU.

    Returns
    -------
    torch.Tensor, shape (batch,)
        In nats.

    Raises
    ------
    ValueError
        If ``samples`` is below 1, or for pixels outside [0, 1] or NaN.

    References
    ----------
    Burda, Grosse and Salakhutdinov, Importance weighted autoencoders, ICLR 2016, arXiv 1509.00519, equation 8.

    Examples
    --------
    >>> importance_weighted_bound(VAE(4, 8, 2), torch.ones(3, 4), 5).shape
    torch.Size([3])
    """
    if samples < 1:
        raise ValueError(f"samples is {samples}, wanted at least 1")
    _check_unit(images)
    target = images.flatten(1)
    mean, log_variance = (part.float() for part in model.encode(images))
    total = torch.full((len(target),), -math.inf, device=target.device)
    for _ in range(samples):
        noise = torch.randn(mean.shape, generator=generator).to(mean.device)
        z = mean + (0.5 * log_variance).exp() * noise
        logits = model.decode(z).float()
        fit = -F.binary_cross_entropy_with_logits(logits, target, reduction="none").sum(1)
        # The constants of the two Gaussian densities cancel.
        ratio = 0.5 * (noise.square() + log_variance - z.square()).sum(1)
        total = torch.logaddexp(total, fit + ratio)
    return math.log(samples) - total
