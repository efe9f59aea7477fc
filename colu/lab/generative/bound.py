"""The variational bound of a diffusion model, term by term, in nats."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from colu.lab.training import generator_for

from .diffusion import make_scheduler

__all__ = ["DiffusionBound", "variational_bound"]

VARIANCES = ("posterior", "beta")


class DiffusionBound(NamedTuple):
    """Upper bound on the negative log-likelihood of each image in nats, and its terms.

    Attributes
    ----------
    total : torch.Tensor, shape (n,)
        The sum of the other three.
    prior : torch.Tensor, shape (n,)
        What the last noisy image still tells of the first.
    denoising : torch.Tensor, shape (n, T - 1)
        Divergences of the steps; column ``t - 1`` is the step from time index ``t`` to ``t - 1``.
    decoder : torch.Tensor, shape (n,)
        Minus the log-probability of the image after the last step, time index 0.
    """

    total: Tensor
    prior: Tensor
    denoising: Tensor
    decoder: Tensor


def _check(images: Tensor, levels: int | None, variance: str) -> None:
    if variance not in VARIANCES:
        raise ValueError(f"variance is {variance!r}, choose one of {VARIANCES}")
    if images.ndim != 4 or not len(images):
        raise ValueError(f"images are {tuple(images.shape)}, wanted (n, channels, height, width) with n of at least 1")
    if not torch.isfinite(images).all():
        raise ValueError("images hold NaN or infinity; a bound of them has no meaning")
    if levels is None:
        return
    if levels < 2:
        raise ValueError(f"levels is {levels}, wanted at least 2 grey levels, or None for a density")
    place = (images.double() + 1) / 2 * (levels - 1)
    if place.min() < -1e-3 or place.max() > levels - 1 + 1e-3:
        low, high = (float(v) for v in images.aminmax())
        raise ValueError(f"pixels lie between {low:g} and {high:g}, wanted [-1, 1]; scale grey levels by 2 x - 1")
    off = float((place - place.round()).abs().max())
    if off > 1e-3:
        raise ValueError(
            f"a pixel lies {off:.2g} of a step off the {levels} grey levels of [-1, 1]; "
            "give the levels of the data, or None for a density"
        )


def _decoder_nats(x: Tensor, mean: Tensor, deviation: float, levels: int | None) -> Tensor:
    """Minus the log-probability of the grey levels of ``x``, or minus the log-density."""
    if levels is None:
        return ((x - mean) / deviation).square() / 2 + math.log(deviation * math.sqrt(2 * math.pi))
    half = 1 / (levels - 1)
    # By symmetry take the tail where both numbers are small, so that their difference keeps its digits.
    gap = (x - mean).abs()
    sign = torch.where(x >= mean, 1.0, -1.0).to(x.dtype)
    near, far = (gap - half) / deviation, (gap + half) / deviation
    # The two end levels own everything beyond them.
    beyond = torch.where(sign > 0, x > 1 - half, x < half - 1)
    inner = torch.where(sign > 0, x < half - 1, x > 1 - half)
    log_near = torch.where(inner, torch.zeros_like(near), torch.special.log_ndtr(-near))
    log_far = torch.where(beyond, torch.full_like(far, -math.inf), torch.special.log_ndtr(-far))
    return -(log_near + torch.log1p(-torch.exp(log_far - log_near)))


@torch.no_grad()
def variational_bound(
    model,
    images: Tensor,
    *,
    levels: int | None = 256,
    prediction: str = "epsilon",
    train_steps: int = 1000,
    variance: str = "posterior",
    clip: bool = True,
    seed: int = 0,
    batch_size: int = 500,
) -> DiffusionBound:
    r"""Bound on the negative log-likelihood of images under the ancestral sampler with fixed variances.

    .. math::

        & -\log p(x_0) \\
        & \le \underbrace{\mathrm{KL}\bigl(q(x_T \mid x_0)\,\Vert\,N(0, I)\bigr)}_{\text{prior}} \\
        & + \sum_{t=2}^{T} \mathbb E\,\mathrm{KL}\bigl(q_t\,\Vert\,p(x_{t-1} \mid x_t)\bigr) \\
        & - \mathbb E \log p(x_0 \mid x_1), \\
        & q_t = q(x_{t-1} \mid x_t, x_0)

    The reverse step :math:`p` is the Gaussian posterior :math:`q` with the predicted image in place of :math:`x_0`
    and variance :math:`\tilde\beta_t` or :math:`\beta_t`.
    Every term is taken, with one noise for each image and time, so the estimate is unbiased;
    the noise depends on the seed, the time and the images' shape alone, so two models are paired.

    Parameters
    ----------
    model : callable
        From images and times to a prediction; a module in evaluation mode.
    images : torch.Tensor, shape (n, channels, height, width)
        In [-1, 1], on the grid of the grey levels.
    levels : int or None
        Grey levels of the data: 256 for bytes, 17 for scikit-learn's digits.
        The last term is then the probability of each pixel's level, whose ends own the tails.
        With None it is a density and pixels may be any numbers: a bound on differential entropy.
    prediction : {"epsilon", "v_prediction"}
    train_steps : int
        ``T``, at least 2.
    variance : {"posterior", "beta"}
        Of the steps; the last one has :math:`\tilde\beta_2` in both cases, as :math:`\tilde\beta_1 = 0`.
    clip : bool
        Whether the predicted image is clipped to [-1, 1], as the sampler may do.
    seed : int
    batch_size : int
        Noisy images in one call of the model.

    Returns
    -------
    DiffusionBound
        float64, on the CPU; :func:`colu.lab.generative.bits_per_dimension` makes bits a dimension of a mean.

    Raises
    ------
    ValueError
        For an unknown variance, images of the wrong rank, not finite, or off the grid of ``levels``.

    Notes
    -----
    ``T`` calls of the model for each image.

    References
    ----------
    Ho et al., NeurIPS 2020, arXiv 2006.11239, equations 5 to 7 (the bound and the posterior) and 13 (the decoder);
    Nichol and Dhariwal, ICML 2021, arXiv 2102.09672.

    Examples
    --------
    >>> bound = variational_bound(lambda x, t: 0 * x, torch.zeros(2, 1, 2, 2), levels=3, train_steps=20)
    >>> bound.denoising.shape, torch.allclose(bound.total, bound.prior + bound.denoising.sum(1) + bound.decoder)
    (torch.Size([2, 19]), True)
    """
    _check(images, levels, variance)
    if train_steps < 2:
        raise ValueError(f"train_steps is {train_steps}, wanted at least 2")
    scheduler = make_scheduler("ddpm", prediction=prediction, steps=train_steps)
    betas, kept = scheduler.betas.double(), scheduler.alphas_cumprod.double()
    before = torch.cat([torch.ones(1, dtype=torch.float64), kept[:-1]])
    posterior = betas * (1 - before) / (1 - kept)
    used = betas.clone() if variance == "beta" else posterior.clone()
    used[0] = posterior[1]
    of_image = betas * before.sqrt() / (1 - kept)

    n, x0 = len(images), images.double().cpu()
    terms = torch.empty(n, train_steps, dtype=torch.float64)
    chunk = max(batch_size // n, 1)
    for start in range(0, train_steps, chunk):
        times = torch.arange(start, min(start + chunk, train_steps))
        noise = torch.stack(
            [torch.randn(images.shape, generator=generator_for(seed, "bound", int(t))) for t in times]
        ).double()
        a = kept[times].view(-1, 1, 1, 1, 1)
        noisy = (a.sqrt() * x0 + (1 - a).sqrt() * noise).to(images.dtype).to(images.device)
        flat, at = noisy.flatten(0, 1), times.repeat_interleave(n).to(images.device)
        parts = zip(flat.split(batch_size), at.split(batch_size), strict=True)
        said = torch.cat([model(*part).detach() for part in parts]).double().cpu().view_as(noise)
        noisy = noisy.double().cpu()
        if prediction == "epsilon":
            clean = (noisy - (1 - a).sqrt() * said) / a.sqrt()
        else:
            clean = a.sqrt() * noisy - (1 - a).sqrt() * said
        clean = clean.clamp(-1, 1) if clip else clean
        for k, t in enumerate(times.tolist()):
            if t == 0:
                # At the first time the posterior is the image itself.
                nats = _decoder_nats(x0, clean[k], float(used[0]) ** 0.5, levels)
            else:
                ratio = float(posterior[t] / used[t])
                gap = float(of_image[t]) * (x0 - clean[k])
                nats = (gap.square() / float(used[t]) + ratio - 1 - math.log(ratio)) / 2
            terms[:, t] = nats.flatten(1).sum(1)
    last = float(kept[-1])
    prior = ((last * x0.square() - last - math.log1p(-last)) / 2).flatten(1).sum(1)
    return DiffusionBound(prior + terms.sum(1), prior, terms[:, 1:], terms[:, 0])
