"""Autoencoders: the variational one of the paper, and a convolutional one."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colu.lab.generative import (
    binarise,
    bits_per_dimension,
    decode_turned,
    importance_weighted_bound,
    negative_elbo,
    sampling_noise,
    strongest_cones,
)
from colu.lab.models import VAE, ConvAutoencoder
from colu.lab.results import Pictures
from colu.lab.training import ImageBatches, Plan, generator_for

from .arms import STANDARD_ARMS, get_arm
from .classification import _images
from .experiment import Config, Experiment, Preset, register
from .options import AutoencoderOptions, VAEOptions

__all__ = ["AUTOENCODER", "COLUMNS", "VAE_MNIST", "AutoencoderTask", "VAETask"]

#: Pictures in a row.
COLUMNS = 12


def _checked(name: str, choice: str, choices: tuple[str, ...]) -> str:
    if choice not in choices:
        raise ValueError(f"{name} is {choice!r}, choose one of {choices}")
    return choice


class VAETask:
    """Negative evidence lower bound on binarised images, in nats an image.

    Parameters
    ----------
    config : Config
        Options: ``dataset``; ``hidden`` (the largest width; an arm takes the largest that its cones fill);
        ``latent``; ``init``; ``binarisation``; ``train_size``, ``test_size`` (images, 0 for all);
        ``importance_samples`` (of the tighter bound at the end, 0 for none).
    """

    def __init__(self, config: Config) -> None:
        arm, options = get_arm(config.arm), config.options
        sets = {}
        for split in ("train", "test"):
            found = _images(options["dataset"], split, "cpu")
            images = found.scaled()[: options[f"{split}_size"] or None]
            # The draw is part of the data: the same in all runs.
            sets[split] = binarise(images, options["binarisation"], seed=0 if split == "train" else 1)
        self.test = sets["test"].to(config.device)
        train = sets["train"].to(torch.uint8).to(config.device)
        torch.manual_seed(config.seed)
        hidden = arm.width(options["hidden"])
        self.model = VAE(self.test[0].numel(), hidden, options["latent"], arm, options["init"]).to(config.device)
        labels = torch.zeros(len(train), dtype=torch.int64, device=config.device)
        self.batches = ImageBatches(train, labels, config.plan.batch_size, seed=config.seed, top=1)
        self.seed, self.steps = config.seed, config.plan.steps
        self.importance_samples = options["importance_samples"]
        self._first_train = train[:5000].to(torch.float32)

    def batch(self, step: int, rank: int = 0, world_size: int = 1) -> tuple[Tensor, Tensor]:
        """Images and the noise of their codes, the same in every arm."""
        images, _ = self.batches.at(step, rank, world_size)
        shape = (len(images) * world_size, self.model.latent)
        noise = torch.randn(shape, generator=generator_for(self.seed, "noise", step))
        return images, noise[rank::world_size].to(images.device)

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Mean bound in nats an image."""
        return negative_elbo(model, *batch).total.mean()

    def _measure(self, model: nn.Module, images: Tensor, label: str) -> list[float]:
        noise = torch.randn((len(images), self.model.latent), generator=generator_for(0, label)).to(images.device)
        sums = torch.zeros(3, dtype=torch.float64)
        for part, eps in zip(images.split(2000), noise.split(2000), strict=True):
            sums += torch.stack([term.double().sum() for term in negative_elbo(model, part, eps)]).cpu()
        return (sums / len(images)).tolist()

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Bounds in nats an image and bits a pixel, with noise that is the same in all runs; active code units."""
        train, _, _ = self._measure(model, self._first_train, "train noise")
        test, reconstruction, divergence = self._measure(model, self.test, "test noise")
        means = torch.cat([model.encode(part)[0].float() for part in self.test.split(2000)])
        metrics = {
            "train_nats": train,
            "test_nats": test,
            "test_reconstruction_nats": reconstruction,
            "test_divergence_nats": divergence,
            "test_bits_per_dimension": bits_per_dimension(test, self.test[0].numel()),
            # Burda et al.: a unit is active if its mean varies over the data by more than 0.01.
            "active_units": float((means.var(0) > 0.01).sum()),
        }
        if self.importance_samples:
            generator = generator_for(0, "importance")
            parts = [
                importance_weighted_bound(model, part, self.importance_samples, generator)
                for part in self.test.split(2000)
            ]
            metrics["test_importance_nats"] = float(torch.cat(parts).double().mean())
        return metrics

    @torch.no_grad()
    def pictures(self, model: nn.Module) -> Pictures:
        """Test images, their reconstructions, samples, and the first image decoded while sections turn."""
        shown, angles = self.test[:COLUMNS], [360 / COLUMNS * k for k in range(COLUMNS)]
        noise = sampling_noise(COLUMNS, (model.latent,), self.seed).to(shown.device)
        code = model.encode(shown)[0]
        strong = strongest_cones(model, self.test[:400])
        turns = {
            "turned back": {"back": True},
            "a fifth turned": {"cones": strong[: len(strong) // 5]},
            "turned": {},
        }
        rows = {"data": shown, "reconstructed": model.decode(code), "sampled": model.decode(noise)}
        rows |= {k: torch.cat([decode_turned(model, code[:1], a, **v) for a in angles]) for k, v in turns.items()}
        grey = {k: row if k == "data" else row.sigmoid().reshape(shown.shape) for k, row in rows.items()}
        return Pictures(rows=grey, facts={"cones": len(strong), "a_fifth": len(strong) // 5})


class AutoencoderTask:
    """Reconstructing images through a code with a quarter of their side.

    Parameters
    ----------
    config : Config
        Options: ``dataset``; ``widths`` (the largest; an arm takes the largest that its cones fill);
        ``code_channels``, ``train_size``, ``test_size`` and ``loss``: ``bce`` is
        the cross-entropy between grey levels in nats an image, ``mse`` the mean squared error of a pixel.
        ``pad`` are black pixels on each side, none where it is left out; ``holdout`` are the last training images, set
        aside and evaluated in place of the test set; with ``components`` the error of as many principal components as
        the code has numbers stands beside that of the network.
    """

    def __init__(self, config: Config) -> None:
        arm, options = get_arm(config.arm), config.options
        self.kind = _checked("loss", options["loss"], ("bce", "mse"))
        train, test = (_images(options["dataset"], split, config.device) for split in ("train", "test"))
        margin = (options.get("pad", 0),) * 4
        self.test = F.pad(test.scaled()[: options["test_size"] or None], margin)
        images, labels = train.images[: options["train_size"] or None], train.labels[: options["train_size"] or None]
        images, self.split = F.pad(images, margin), "test"
        if held := options.get("holdout", 0):
            if held >= len(images):
                raise ValueError(f"holdout is {held} of {len(images)} training images; leave some to train on")
            self.split, self.test = "validation", images[-held:].to(torch.float32) / train.top
            images, labels = images[:-held], labels[:-held]
        torch.manual_seed(config.seed)
        widths = [arm.width(width) for width in options["widths"]]
        self.model = ConvAutoencoder(images.shape[1], widths, options["code_channels"], arm).to(config.device)
        self.batches = ImageBatches(images, labels, config.plan.batch_size, seed=config.seed, top=train.top)
        self.components_mse = None
        if options.get("components", False):
            with torch.no_grad():
                numbers = self.model.encode(self.test[:1]).numel()
            self.components_mse = float((self._kept(numbers) - self.test.flatten(1)).square().mean())

    def _kept(self, numbers: int) -> Tensor:
        """What is left of the test images behind that many principal components of all training images."""
        known = self.batches.normalise(self.batches.images).flatten(1).double()
        mean = known.mean(0)
        first = torch.linalg.eigh(known.T.cov())[1][:, -numbers:]
        return (self.test.flatten(1).double() - mean) @ first @ first.T + mean

    def batch(self, step: int, rank: int = 0, world_size: int = 1) -> tuple[Tensor, Tensor]:
        """Images and labels of one update; the labels are not used."""
        return self.batches.at(step, rank, world_size)

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Mean over images of the error that the options choose."""
        images, logits = batch[0], model(batch[0]).float()
        if self.kind == "bce":
            return F.binary_cross_entropy_with_logits(logits, images, reduction="sum") / len(images)
        return F.mse_loss(logits.sigmoid(), images)

    def _measure(self, model: nn.Module, images: Tensor) -> tuple[float, float]:
        entropy = square = 0.0
        for part in images.split(1000):
            logits = model(part).float()
            entropy += float(F.binary_cross_entropy_with_logits(logits, part, reduction="sum"))
            square += float((logits.sigmoid() - part).square().sum())
        return entropy / len(images), square / images.numel()

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Cross-entropy in nats an image and mean squared error a pixel, on 5,000 training images and the test set."""
        train = self._measure(model, self.batches.normalise(self.batches.images[:5000]))
        test = self._measure(model, self.test)
        found = {"train_bce": train[0], "train_mse": train[1]}
        found |= {f"{self.split}_bce": test[0], f"{self.split}_mse": test[1]}
        return found if self.components_mse is None else {**found, "components_mse": self.components_mse}

    @torch.no_grad()
    def pictures(self, model: nn.Module) -> Pictures:
        """Test images, and what is left of them behind principal components and behind the model's code.

        The components are of all training images, as many as the code has numbers; ``pca_test_mse`` is their error.
        """
        shown = self.test[:COLUMNS]
        numbers = model.encode(shown[:1]).numel()
        kept = self._kept(numbers)
        error = float((kept - self.test.flatten(1)).square().mean())
        linear = kept[:COLUMNS].float().clamp(0, 1).view(shown.shape)
        rows = {"data": shown, "principal components": linear, "reconstructed": model(shown).sigmoid()}
        return Pictures(rows=rows, facts={"numbers": numbers, "pca_test_mse": error})


def _vae(steps: int, batch_size: int, every: int, checkpoint: int = 0) -> Plan:
    return Plan(
        steps=steps,
        batch_size=batch_size,
        learning_rate=1e-3,
        optimiser="adamw",
        weight_decay=1e-2,
        log_every=every // 2,
        evaluate_every=every,
        checkpoint_every=checkpoint,
    )


_DIGITS = {"dataset": "digits", "train_size": 0, "test_size": 0, "importance_samples": 0}
_MNIST = {"dataset": "mnist", "train_size": 50_000, "test_size": 0, "importance_samples": 0}
_VAE_ARMS = ("identity", *STANDARD_ARMS, "colu-soft", "colu-shared", "colu-shared-13", "colu-soft-shared-13")

#: The variational autoencoder of the paper's first two tables.
VAE_MNIST = register(
    Experiment(
        "vae",
        "Does a variational autoencoder describe digits in fewer nats with CoLU than with ReLU or SiLU?",
        VAETask,
        {
            "smoke": Preset(
                _vae(300, 64, 100),
                {"hidden": 121, "latent": 8, "init": "lecun", "binarisation": "threshold", **_DIGITS},
                ("identity", "relu", "silu", "relu-linear", "colu", "colu-soft-shared"),
                cost="a second a run on one CPU thread",
                device="cpu",
            ),
            "laptop": Preset(
                _vae(1950, 128, 390, checkpoint=390),
                {"hidden": 601, "latent": 20, "init": "lecun", "binarisation": "fixed", **_MNIST},
                _VAE_ARMS,
                cost="about 40 seconds a run on one CPU thread",
            ),
            "full": Preset(
                _vae(3900, 128, 390, checkpoint=1950),
                {"hidden": 2401, "latent": 20, "init": "lecun", "binarisation": "fixed", **_MNIST},
                _VAE_ARMS,
                seeds=10,
                cost="not measured: ten epochs on one GPU",
            ),
        },
        metric="test_nats",
        options=VAEOptions,
        higher_is_better=False,
    )
)


def _ae(steps: int, batch_size: int, every: int, **rest) -> Plan:
    return Plan(
        steps=steps,
        batch_size=batch_size,
        learning_rate=2e-3,
        optimiser="adamw",
        schedule="cosine",
        warmup=20,
        clip_norm=1.0,
        log_every=every // 2,
        evaluate_every=every,
        **rest,
    )


#: The convolutional autoencoder whose codes the latent diffusion uses.
AUTOENCODER = register(
    Experiment(
        "autoencoder",
        "Does a convolutional autoencoder reconstruct images better with CoLU than with ReLU or SiLU?",
        AutoencoderTask,
        {
            "smoke": Preset(
                _ae(150, 64, 50),
                {"dataset": "digits", "widths": [16, 32], "code_channels": 2, "loss": "bce"}
                | {"train_size": 0, "test_size": 0},
                ("relu", "silu", "relu-linear", "colu", "colu-soft-shared"),
                cost="seconds a run on one CPU thread",
                device="cpu",
            ),
            "laptop": Preset(
                _ae(2000, 64, 500),
                {"dataset": "mnist", "widths": [16, 32], "code_channels": 4, "loss": "bce"}
                | {"train_size": 0, "test_size": 2000},
                ("identity", *STANDARD_ARMS, "colu-soft"),
                cost="about a minute a run on one CPU thread",
            ),
            "full": Preset(
                _ae(5000, 128, 1000, checkpoint_every=2500),
                {"dataset": "cifar10", "widths": [64, 128], "code_channels": 4, "loss": "mse"}
                | {"train_size": 0, "test_size": 0},
                ("identity", *STANDARD_ARMS, "colu-soft"),
                cost="not measured: thirteen epochs of CIFAR-10 on one GPU",
            ),
        },
        metric="test_mse",
        options=AutoencoderOptions,
        higher_is_better=False,
    )
)
