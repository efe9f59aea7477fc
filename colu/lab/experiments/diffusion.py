"""Denoising images: a diffusion model on digits or on CIFAR-10."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from colu.lab.generative import Denoising, denoising_profile, sample, sampling_noise, slerp
from colu.lab.models import UNet
from colu.lab.results import Pictures
from colu.lab.training import ImageBatches, Plan, seed_for

from .arms import STANDARD_ARMS, get_arm
from .classification import _images
from .experiment import Config, Experiment, Preset, register
from .generative import COLUMNS
from .options import DenoisingOptions

__all__ = ["DDPM", "ImageDenoising"]


class ImageDenoising:
    """Predict the noise in an image; the set lies whole on the device.

    Parameters
    ----------
    config : Config
        Options: ``dataset``, ``train_size`` and ``test_size`` (images, 0 for all), ``widths``, ``blocks``, ``patch``,
        ``prediction`` (``epsilon`` or ``v_prediction``), ``flip``, ``channels_last``.

    Raises
    ------
    ValueError
        For widths that the arm's cones do not fill.
    """

    def __init__(self, config: Config) -> None:
        arm, options = get_arm(config.arm), config.options
        if wrong := {width: arm.width(width) for width in options["widths"] if arm.width(width) != width}:
            raise ValueError(f"cones of arm {arm.name!r} do not fill widths {list(wrong)}; nearest {wrong}")
        train = _images(options["dataset"], "train", config.device)
        test = _images(options["dataset"], "test", config.device)
        images = train.images[: options["train_size"] or None]
        torch.manual_seed(config.seed)
        model = UNet(images.shape[1], options["widths"], arm, blocks=options["blocks"], patch=options["patch"])
        layout = torch.channels_last if options["channels_last"] else torch.contiguous_format
        self.layout = layout
        self.model = model.to(config.device, memory_format=layout)
        self.seed, self.objective = config.seed, Denoising(options["prediction"])
        half = torch.full((images.shape[1],), 0.5)
        # Mean and deviation of one half take pixels to [-1, 1].
        self.batches = ImageBatches(
            images,
            train.labels[: len(images)],
            config.plan.batch_size,
            seed=config.seed,
            mean=half,
            std=half,
            top=train.top,
            flip=options["flip"],
        )
        self.test_images = self.batches.normalise(test.images[: options["test_size"] or None])

    def batch(self, step: int, rank: int = 0, world_size: int = 1) -> tuple[Tensor, Tensor, Tensor]:
        """Images, times and noise of one update: the same in every arm."""
        images = self.batches.at(step, rank, world_size)[0].contiguous(memory_format=self.layout)
        # On the device, because drawing this much on the CPU would take longer than a GPU's update.
        generator = torch.Generator(images.device).manual_seed(seed_for(self.seed, "noise", step, rank))
        t = torch.randint(self.objective.steps, (len(images),), generator=generator, device=images.device)
        noise = torch.randn(images.shape, generator=generator, device=images.device)
        return images, t, noise.contiguous(memory_format=self.layout)

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """Mean squared error of the prediction."""
        return self.objective.errors(model, *batch).mean()

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Loss on the test images at fixed times and noise, in all and for each tenth of the times."""
        profile = denoising_profile(model, self.test_images, self.objective)
        tenth = self.objective.steps // 10
        return {"test_loss": float(profile.mean())} | {
            f"test_loss_t{tenth * i:03d}": float(value) for i, value in enumerate(profile)
        }

    def pictures(self, model: nn.Module) -> Pictures:
        """Test images; samples from noise that is equal in every arm; paths between the first two noises."""
        noise = sampling_noise(2 * COLUMNS, self.test_images.shape[1:], self.seed)
        way = torch.linspace(0, 1, COLUMNS)
        first, second = noise[0], noise[1] * noise[0].norm() / noise[1].norm()
        starts = {
            "sampled": noise[:COLUMNS],
            "sampled too": noise[COLUMNS:],
            "great circle": slerp(first, second, way),
            "straight line": torch.stack([(1 - w) * first + w * second for w in way]),
        }
        rows = {"data": self.test_images[:COLUMNS]}
        rows |= {k: sample(model, x, steps=50, prediction=self.objective.prediction) for k, x in starts.items()}
        return Pictures(rows={k: ((row.cpu() + 1) / 2).clamp(0, 1) for k, row in rows.items()})


def _plan(steps: int, batch_size: int, learning_rate: float, ema_decay: float, **rest) -> Plan:
    return Plan(
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        optimiser="adamw",
        schedule="cosine",
        warmup=min(steps // 10, 500),
        clip_norm=1.0,
        ema_decay=ema_decay,
        **{"log_every": max(steps // 40, 1), "evaluate_every": max(steps // 8, 1), **rest},
    )


# Each width holds whole cones for every standard arm, a shared axis included: 1 modulo 3, 0 modulo 4.
_SMALL = {"widths": [40, 64], "blocks": 1, "prediction": "epsilon", "flip": False, "channels_last": False}

#: Denoising with everything equal but the activations on feature maps.
DDPM = register(
    Experiment(
        "ddpm",
        "Does a diffusion model denoise better, or sooner, with CoLU in its U-Net?",
        ImageDenoising,
        {
            "smoke": Preset(
                _plan(120, 64, 2e-3, 0.99),
                {"dataset": "digits", "train_size": 0, "test_size": 400, "patch": 1, **_SMALL, "widths": [16, 64]},
                ("relu", "silu", "colu", "relu-linear"),
                cost="seconds a run on one CPU thread",
                device="cpu",
            ),
            "laptop": Preset(
                _plan(1000, 64, 2e-3, 0.99, checkpoint_every=250),
                {"dataset": "mnist", "train_size": 0, "test_size": 1000, "patch": 2, **_SMALL},
                STANDARD_ARMS,
                seeds=3,
                cost="some minutes a run on one CPU thread",
            ),
            "full": Preset(
                _plan(20_000, 128, 1e-3, 0.999, log_every=200, evaluate_every=1000, checkpoint_every=1000),
                {
                    "dataset": "cifar10",
                    "train_size": 0,
                    "test_size": 2000,
                    "patch": 1,
                    **_SMALL,
                    "widths": [64, 128, 128],
                    "flip": True,
                    "channels_last": True,
                },
                ("relu", "silu", "colu", "relu-linear"),
                seeds=3,
                cost="not measured: some minutes a run on one GPU",
                precision="bf16-mixed",
            ),
        },
        metric="test_loss",
        options=DenoisingOptions,
        higher_is_better=False,
    )
)
