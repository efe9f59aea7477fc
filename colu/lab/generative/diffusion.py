"""Training and sampling with diffusion, on the schedulers of diffusers."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from colu.lab.training import generator_for

from .features import check_finite

__all__ = ["Denoising", "denoising_profile", "make_scheduler", "sample", "sampling_noise", "slerp", "strata"]

PREDICTIONS = ("epsilon", "v_prediction")


def make_scheduler(kind: str = "ddpm", *, prediction: str = "epsilon", steps: int = 1000, clip: bool = True):
    r"""A scheduler of diffusers with the cosine schedule.

    .. math:: x_t &= \sqrt{\bar\alpha_t}\,x_0 + \sqrt{1-\bar\alpha_t}\,\epsilon, \\
              \epsilon &\sim N(0, I)

    Parameters
    ----------
    kind : {"ddpm", "ddim"}
    prediction : {"epsilon", "v_prediction"}
        What the model gives: :math:`\epsilon`, or
        :math:`v = \sqrt{\bar\alpha_t}\,\epsilon - \sqrt{1-\bar\alpha_t}\,x_0`.
    steps : int
        Times of training, ``T``.
    clip : bool
        Whether sampling clips the predicted image to [-1, 1]; not for latents.

    Returns
    -------
    diffusers.DDPMScheduler or diffusers.DDIMScheduler

    Raises
    ------
    ValueError
        For an unknown kind or prediction.

    References
    ----------
    Ho et al., NeurIPS 2020, arXiv 2006.11239; Song et al., ICLR 2021, arXiv 2010.02502;
    Nichol and Dhariwal, ICML 2021, arXiv 2102.09672 (the cosine schedule).

    Examples
    --------
    >>> kept = make_scheduler().alphas_cumprod
    >>> len(kept), bool((kept.diff() < 0).all())
    (1000, True)
    """
    if kind not in ("ddpm", "ddim"):
        raise ValueError(f"kind is {kind!r}, choose 'ddpm' or 'ddim'")
    if prediction not in PREDICTIONS:
        raise ValueError(f"prediction is {prediction!r}, choose one of {PREDICTIONS}")
    # Here and not above, because this import takes seconds.
    with warnings.catch_warnings():
        # tqdm asks for notebook widgets, and nothing here draws a bar.
        warnings.filterwarnings("ignore", message="IProgress not found")
        from diffusers import DDIMScheduler, DDPMScheduler

    options = {
        "num_train_timesteps": steps,
        "beta_schedule": "squaredcos_cap_v2",
        "prediction_type": prediction,
        "clip_sample": clip,
    }
    if kind == "ddim":
        return DDIMScheduler(**options, set_alpha_to_one=True, timestep_spacing="trailing")
    return DDPMScheduler(**options)


class Denoising:
    """The training objective: from an image in [-1, 1] to the mean squared error of the prediction.

    Parameters
    ----------
    prediction : {"epsilon", "v_prediction"}
    steps : int
        ``T``.

    Examples
    --------
    >>> objective = Denoising()
    >>> x, noise = torch.zeros(2, 1, 4, 4), torch.ones(2, 1, 4, 4)
    >>> float(objective.errors(lambda noisy, t: 0 * noisy, x, torch.tensor([0, 999]), noise).mean())
    1.0
    """

    def __init__(self, prediction: str = "epsilon", steps: int = 1000) -> None:
        self.scheduler = make_scheduler("ddpm", prediction=prediction, steps=steps)
        self.prediction, self.steps = prediction, steps

    def errors(self, model, images: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Mean squared error of each image, shape (batch,), float32; ``t`` are integers from 0 to ``T - 1``."""
        if noise.shape != images.shape:
            raise ValueError(f"noise is {tuple(noise.shape)} for images {tuple(images.shape)}, wanted one shape")
        if t.shape != (len(images),) or t.is_floating_point():
            raise ValueError(f"times are {t.dtype}, {tuple(t.shape)}, wanted {len(images)} integers, one an image")
        # Looking at values would make a GPU wait at every step; there the index fails by itself.
        if t.device.type == "cpu" and len(t) and not 0 <= int(t.min()) <= int(t.max()) < self.steps:
            raise ValueError(f"times run from {int(t.min())} to {int(t.max())}, wanted 0 to {self.steps - 1}")
        noisy = self.scheduler.add_noise(images, noise, t)
        target = noise if self.prediction == "epsilon" else self.scheduler.get_velocity(images, noise, t)
        return (model(noisy, t).float() - target).square().flatten(1).mean(1)


def strata(n: int, steps: int = 1000) -> Tensor:
    """Times spread evenly over ``range(steps)``, one an image, in an order that goes round the range; shape (n,).

    Examples
    --------
    >>> strata(4, 1000).sort().values
    tensor([125, 375, 625, 875])
    """
    if n < 1:
        raise ValueError(f"n is {n}, wanted at least 1 image")
    even = ((torch.arange(n) + 0.5) * steps / n).long()
    return even[torch.randperm(n, generator=generator_for(0, "strata", n, steps))]


@torch.no_grad()
def denoising_profile(
    model: nn.Module, images: Tensor, objective: Denoising, *, bins: int = 10, seed: int = 0, batch_size: int = 500
) -> Tensor:
    """Held-out loss in bins of the time, on fixed noise.

    Times and noise depend on ``seed`` and the images' shape alone, so that the losses of two models are paired.

    Parameters
    ----------
    model : torch.nn.Module
    images : torch.Tensor, shape (n, channels, height, width)
        In [-1, 1], not seen in training.
    objective : Denoising
    bins : int
        Of equal width over ``range(objective.steps)``.
    seed : int
        Of the noise; the same for all models that are to be compared.
    batch_size : int

    Returns
    -------
    torch.Tensor, shape (bins,), float64
        Mean loss for each bin; the mean over bins is the held-out loss where ``n`` divides by ``bins``.

    Raises
    ------
    ValueError
        For fewer images than bins, or images that are not finite.
    """
    if len(images) < bins:
        raise ValueError(f"{len(images)} images for {bins} bins of the time; wanted at least one a bin")
    check_finite(images, "images")
    t = strata(len(images), objective.steps)
    noise = torch.randn(images.shape, generator=generator_for(seed, "held out")).to(images.device)
    where = (t * bins // objective.steps).to(images.device)
    t = t.to(images.device)
    parts = zip(images.split(batch_size), t.split(batch_size), noise.split(batch_size), strict=True)
    errors = torch.cat([objective.errors(model, *part) for part in parts]).double()
    # Devices without float64 add up on the CPU.
    errors, where = errors.cpu(), where.cpu()
    return torch.zeros(bins, dtype=torch.float64).index_add_(0, where, errors) / torch.bincount(where, minlength=bins)


def sampling_noise(n: int, shape: Sequence[int], seed: int = 0) -> Tensor:
    """Noise to start sampling from; equal for every arm, and the first images do not depend on ``n``.

    Examples
    --------
    >>> torch.equal(sampling_noise(2, (1, 4, 4)), sampling_noise(5, (1, 4, 4))[:2])
    True
    """
    if n < 1:
        raise ValueError(f"n is {n}, wanted at least 1 image")
    return torch.stack([torch.randn(tuple(shape), generator=generator_for(seed, "sample", i)) for i in range(n)])


def slerp(first: Tensor, second: Tensor, weights: Tensor | Sequence[float]) -> Tensor:
    r"""Noises on the great circle from one noise to another.

    .. math:: & x_w = \frac{\sin((1-w)\,\omega)\,a + \sin(w\,\omega)\,b}{\sin\omega}, \\
              & \cos\omega = \frac{\langle a, b\rangle}{\lVert a\rVert\,\lVert b\rVert}

    Two noises of many pixels are nearly orthogonal, and then every point on the way has the variance of noise;
    the chord :math:`(1-w)a + wb` has half of it in the middle, where no sampler was trained.

    Parameters
    ----------
    first, second : torch.Tensor, of one shape
        Two single noises, not two batches.
    weights : torch.Tensor or sequence of float, shape (k,)
        In [0, 1]; 0 gives the first noise, 1 the second.

    Returns
    -------
    torch.Tensor, shape (k, *shape), dtype and device of ``first``

    Raises
    ------
    ValueError
        For shapes that differ, a noise that is 0, noises that point in opposite directions, or weights outside [0, 1].

    Notes
    -----
    Parallel noises are joined by the chord, the limit of the formula.

    References
    ----------
    Shoemake, Animating rotation with quaternion curves, SIGGRAPH 1985;
    for noises Song et al., ICLR 2021, arXiv 2010.02502.

    Examples
    --------
    >>> slerp(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), [0.0, 0.5, 1.0])
    tensor([[1.0000, 0.0000],
            [0.7071, 0.7071],
            [0.0000, 1.0000]])
    """
    if first.shape != second.shape:
        raise ValueError(f"noises are {tuple(first.shape)} and {tuple(second.shape)}, wanted one shape")
    w = torch.as_tensor(weights, dtype=torch.float64, device="cpu").reshape(-1, *(1,) * first.ndim)
    if not ((w >= 0) & (w <= 1)).all():
        raise ValueError(f"weights are {w.flatten().tolist()}, wanted numbers in [0, 1]")
    a, b = first.double().cpu(), second.double().cpu()
    if not (a.any() and b.any()):
        raise ValueError("a noise is 0 and has no direction; draw both with sampling_noise")
    u, v = a / a.norm(), b / b.norm()
    # Not the arc cosine, which loses digits near 0 and pi.
    omega = 2 * torch.atan2((u - v).norm(), (u + v).norm())
    if torch.pi - omega < 1e-6:
        raise ValueError("the noises point in opposite directions and no great circle is shortest; draw another one")
    if omega < 1e-6:
        mixed = (1 - w) * a + w * b
    else:
        mixed = (((1 - w) * omega).sin() * a + (w * omega).sin() * b) / omega.sin()
    return mixed.to(first.dtype).to(first.device)


@torch.no_grad()
def sample(
    model: nn.Module,
    noise: Tensor,
    *,
    steps: int = 50,
    kind: str = "ddim",
    prediction: str = "epsilon",
    train_steps: int = 1000,
    clip: bool = True,
    seed: int = 0,
) -> Tensor:
    """Images from noise.

    ``ddim`` is deterministic: the same noise in every arm gives pictures that can be compared one by one.

    Parameters
    ----------
    model : torch.nn.Module
        In evaluation mode.
    noise : torch.Tensor, shape (n, channels, height, width)
        See :func:`sampling_noise`; moved to the model's device.
    steps : int
        Calls of the model.
    kind : {"ddim", "ddpm"}
    prediction : {"epsilon", "v_prediction"}
    train_steps : int
        ``T``.
    clip : bool
        Whether predicted images are clipped to [-1, 1].
    seed : int
        Of the noise that ``ddpm`` adds on the way.

    Returns
    -------
    torch.Tensor, shape (n, channels, height, width)

    Raises
    ------
    ValueError
        For a number of steps that training does not have, noise that is not finite,
        or a model whose predictions are not.

    Examples
    --------
    >>> sample(lambda x, t: x, sampling_noise(2, (1, 4, 4)), steps=5).shape
    torch.Size([2, 1, 4, 4])
    """
    if not 1 <= steps <= train_steps:
        raise ValueError(f"steps is {steps}, wanted 1 to {train_steps}, the times of training")
    check_finite(noise, "noise")
    scheduler = make_scheduler(kind, prediction=prediction, steps=train_steps, clip=clip)
    scheduler.set_timesteps(steps)
    device = (
        next((p.device for p in model.parameters()), noise.device) if isinstance(model, nn.Module) else noise.device
    )
    x, generator = noise.to(device), generator_for(seed, "ancestral")
    for t in scheduler.timesteps:
        predicted = model(x, t.expand(len(x)).to(device))
        options = {"generator": generator} if kind == "ddpm" else {}
        x = scheduler.step(predicted.float(), t, x, **options).prev_sample
    check_finite(x, "samples")
    return x
