"""Latent diffusion: denoising the codes of one frozen autoencoder, which all arms share."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor, nn

from colu.lab.generative import (
    Denoising,
    FeatureClassifier,
    LatentSpace,
    denoising_profile,
    feature_frechet,
    precision_recall,
    sample,
    sampling_noise,
    train_classifiers,
)
from colu.lab.models import UNet
from colu.lab.results import Pictures
from colu.lab.training import ImageBatches, fit, make_fabric, seed_for

from .arms import STANDARD_ARMS, get_arm
from .classification import _images
from .diffusion import _plan
from .experiment import Config, Experiment, Preset, register
from .generative import AUTOENCODER, COLUMNS
from .options import LatentOptions

__all__ = ["LATENT_DIFFUSION", "LatentDenoising", "latent_space"]


def latent_space(config: Config) -> LatentSpace:
    """The frozen autoencoder of a run of ``latent-diffusion``; the same whatever arm and seed of the run.

    It is trained as the experiment ``autoencoder``, by the options ``dataset``, ``autoencoder`` (its own arm) and
    the others that begin so, in float32, and kept in memory: the next run of this process finds it.

    Parameters
    ----------
    config : Config
        Of ``latent-diffusion``.

    Examples
    --------
    >>> experiment = LATENT_DIFFUSION
    >>> one, two = (
    ...     latent_space(experiment.config("smoke", arm, seed, autoencoder_steps=3))
    ...     for arm, seed in (("relu", 0), ("colu", 1))
    ... )
    >>> one is two
    True
    """
    return _trained(_settings(config))[0]


def _settings(config: Config) -> Config:
    """What the autoencoder depends on, as a configuration of its own experiment."""
    if config.processes > 1:
        raise ValueError(f"{config.processes} processes; latent-diffusion runs in one, give each run a process instead")
    options = config.options
    changes = {name.removeprefix("autoencoder_"): v for name, v in options.items() if name.startswith("autoencoder_")}
    arm, seed = options["autoencoder"], changes.pop("seed")
    found = AUTOENCODER.config(
        config.preset,
        arm,
        seed,
        dataset=options["dataset"],
        device=config.device,
        threads=config.threads,
        evaluate_every=0,
        train_size=0,
        test_size=0,
        **changes,
    )
    # Not an option of that experiment's sizes, whose recorded runs have none.
    return replace(found, options={**found.options, "pad": options["pad"]})


@lru_cache(maxsize=4)
def _trained_from(key: str) -> tuple[LatentSpace, Tensor, Tensor, dict[str, float]]:
    config = Config(**json.loads(key))
    train, test = (_images(config.options["dataset"], split, config.device) for split in ("train", "test"))
    task = AUTOENCODER.build(config)
    # Deterministic kernels, since every arm must get the same codes in whatever process it runs.
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, benchmark=False, allow_tf32=False):
        result = fit(task, config.plan, seed=config.seed, fabric=make_fabric(config.device))
        space = LatentSpace(result.model, train.scaled()[:10_000], pad=config.options["pad"])
        codes = space.encode(train.scaled()), space.encode(test.scaled())
    error = float((space.decode(codes[1]) - test.scaled()).square().mean())
    # 48 bits fit a float64 exactly.
    facts = {"autoencoder_test_mse": error, "autoencoder_fingerprint": float(space.fingerprint)}
    return space, *codes, facts


def _trained(config: Config) -> tuple[LatentSpace, Tensor, Tensor, dict[str, float]]:
    """Latent space, codes of the training and of the test images, and what a record says of it."""
    return _trained_from(json.dumps(config.to_dict(), sort_keys=True))


@lru_cache(maxsize=2)
def _classifiers(dataset: str, device: str) -> list[FeatureClassifier]:
    """Trained once in a process: they know nothing of the latent space that they judge."""
    train = _images(dataset, "train", device)
    # On 8 x 8 pixels a third of the steps is enough.
    return train_classifiers(train.scaled(), train.labels, steps=200 if dataset == "digits" else 600)


class _Judge:
    """Scores of sampled images against held-out ones, in the features of two classifiers."""

    def __init__(self, space: LatentSpace, dataset: str, n: int, device: str) -> None:
        train, test = (_images(dataset, split, device) for split in ("train", "test"))
        if not 65 <= n <= min(len(train), len(test)):
            raise ValueError(
                f"samples is {n}, wanted 0 for none, or 65 (more than the classifiers have features) "
                f"to {min(len(train), len(test))} (test images)"
            )
        self.classifiers = _classifiers(dataset, device)
        self.reference, self.real = test.scaled()[:n], train.scaled()[:n]
        floor = feature_frechet(self.real, self.reference, self.real, self.classifiers)
        decoded = feature_frechet(space.decode(space.encode(self.real)), self.reference, self.real, self.classifiers)
        self.anchors = {
            "rfd_cnn_real": floor.mean,
            "rfd_cnn_blur": sum(floor.blur) / len(floor.blur),
            "rfd_cnn_decoded": decoded.mean,
        }

    @torch.no_grad()
    def scores(self, images: Tensor) -> dict[str, float]:
        found = feature_frechet(images, self.reference, self.real, self.classifiers)
        pairs = [precision_recall(c.features(images), c.features(self.reference)) for c in self.classifiers]
        precision, recall = (sum(values) / len(values) for values in zip(*pairs, strict=True))
        return {"rfd_cnn": found.mean, "precision": precision, "recall": recall, **self.anchors}


@lru_cache(maxsize=4)
def _judge(space: LatentSpace, dataset: str, n: int, device: str) -> _Judge:
    return _Judge(space, dataset, n, device)


class LatentDenoising:
    """Predict the noise in a code; autoencoder and codes are those of :func:`colu.lab.experiments.latent_space`.

    Parameters
    ----------
    config : Config
        Options: ``dataset``; ``pad`` (black pixels on each side); of the autoencoder ``autoencoder`` (its arm) and
        ``autoencoder_`` with ``seed``, ``steps``, ``batch_size``, ``learning_rate``, ``widths``, ``code_channels``
        and ``loss``; of the U-Net ``widths``, ``blocks``, ``prediction``; ``test_size`` (images, 0 for all);
        ``samples`` (images drawn at each evaluation, 0 for none) and ``sampling_steps``.

    Raises
    ------
    ValueError
        For widths that the arm's cones do not fill, or more than one process.
    """

    def __init__(self, config: Config) -> None:
        arm, options = get_arm(config.arm), config.options
        if wrong := {width: arm.width(width) for width in options["widths"] if arm.width(width) != width}:
            raise ValueError(f"cones of arm {arm.name!r} do not fill widths {list(wrong)}; nearest {wrong}")
        self.config, self.seed, self.objective = config, config.seed, Denoising(options["prediction"])
        self.space, codes, test_codes, self.facts = _trained(_settings(config))
        self.test_codes = test_codes[: options["test_size"] or None]
        torch.manual_seed(config.seed)
        self.model = UNet(codes.shape[1], options["widths"], arm, blocks=options["blocks"]).to(config.device)
        labels = torch.zeros(len(codes), dtype=torch.int64, device=codes.device)
        self.batches = ImageBatches(codes, labels, config.plan.batch_size, seed=config.seed, top=1)

    def batch(self, step: int, rank: int = 0, world_size: int = 1) -> tuple[Tensor, Tensor, Tensor]:
        """Codes, times and noise of one update: the same in every arm."""
        codes = self.batches.at(step, rank, world_size)[0]
        generator = torch.Generator(codes.device).manual_seed(seed_for(self.seed, "noise", step, rank))
        t = torch.randint(self.objective.steps, (len(codes),), generator=generator, device=codes.device)
        return codes, t, torch.randn(codes.shape, generator=generator, device=codes.device)

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """Mean squared error of the prediction."""
        return self.objective.errors(model, *batch).mean()

    def sampled(self, model: nn.Module, n: int) -> Tensor:
        """Images in [0, 1] drawn by DDIM; equal noise in every arm, and nothing is clipped on the way."""
        noise = sampling_noise(n, self.test_codes.shape[1:], self.seed)
        options = self.config.options
        codes = sample(model, noise, steps=options["sampling_steps"], prediction=self.objective.prediction, clip=False)
        with torch.autocast(codes.device.type, enabled=False):
            return self.space.decode(codes.float())

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Loss on held-out codes at fixed times and noise, in all and by tenths of the times; scores of samples."""
        profile = denoising_profile(model, self.test_codes, self.objective)
        tenth, options = self.objective.steps // 10, self.config.options
        found = {"test_loss": float(profile.mean()), **self.facts}
        found |= {f"test_loss_t{tenth * i:03d}": float(value) for i, value in enumerate(profile)}
        if n := options["samples"]:
            images = self.sampled(model, n)
            with torch.enable_grad(), torch.autocast(images.device.type, enabled=False):
                judge = _judge(self.space, options["dataset"], n, str(self.config.device))
                found |= judge.scores(images)
        return found

    def pictures(self, model: nn.Module) -> Pictures:
        """Test images; the same, encoded and decoded; samples; decoded Gaussian codes; three ways between two images.

        The Gaussian has the mean and the covariance of the training codes, and the noise of the samples.
        """
        shape, way = self.test_codes.shape[1:], torch.linspace(0, 1, COLUMNS).view(-1, 1, 1, 1)
        noise = sampling_noise(2 * COLUMNS, shape, self.seed)
        codes = self.batches.images.flatten(1).double().cpu()
        values, axes = torch.linalg.eigh(codes.T.cov())
        root = axes * values.clamp(min=0).sqrt()
        gaussian = (codes.mean(0) + noise[:COLUMNS].flatten(1).double() @ root.T).float().view(-1, *shape)
        shown, angle = _images(self.config.options["dataset"], "test", "cpu").scaled()[:COLUMNS], way * torch.pi / 2
        ends = self.space.encode(shown.to(self.config.device)).cpu()
        options = {"steps": 50, "prediction": self.objective.prediction, "clip": False}
        decoded = {
            "decoded": ends,
            "sampled": sample(model, noise[:COLUMNS], **options),
            "sampled too": sample(model, noise[COLUMNS:], **options),
            "Gaussian": gaussian,
            "codes": (1 - way) * ends[:1] + way * ends[1:2],
            "noises": sample(model, angle.cos() * noise[0] + angle.sin() * noise[1], **options),
        }
        rows = {"data": shown, "pixels": (1 - way) * shown[:1] + way * shown[1:2]}
        rows |= {k: self.space.decode(x.to(self.config.device)).cpu().clamp(0, 1) for k, x in decoded.items()}
        return Pictures(rows=rows)


def _autoencoder(arm: str, steps: int, batch_size: int, widths: list[int], code_channels: int, loss: str) -> dict:
    return {
        "autoencoder": arm,
        "autoencoder_seed": 0,
        "autoencoder_steps": steps,
        "autoencoder_batch_size": batch_size,
        "autoencoder_learning_rate": 2e-3,
        "autoencoder_widths": widths,
        "autoencoder_code_channels": code_channels,
        "autoencoder_loss": loss,
    }


# The velocity, because a predicted code is not clipped: see the chapter on latent diffusion.
_COMMON = {"blocks": 1, "prediction": "v_prediction"}
_ARMS = (*STANDARD_ARMS, "colu-soft")

#: Denoising codes, with one frozen autoencoder for all arms.
LATENT_DIFFUSION = register(
    Experiment(
        "latent-diffusion",
        "Does a latent diffusion model denoise better with CoLU in its U-Net, the autoencoder being the same?",
        LatentDenoising,
        {
            "smoke": Preset(
                _plan(200, 64, 2e-3, 0.99, evaluate_every=100),
                {"dataset": "digits", "pad": 0, "test_size": 0, "widths": [64], "samples": 0, "sampling_steps": 25}
                | _COMMON
                | _autoencoder("relu", 200, 64, [16, 32], 4, "bce"),
                ("relu", "silu", "colu", "relu-linear"),
                cost="seconds a run on one CPU thread",
                device="cpu",
            ),
            "laptop": Preset(
                _plan(1000, 64, 2e-3, 0.99, evaluate_every=500, checkpoint_every=250),
                {"dataset": "mnist", "pad": 2, "test_size": 2000, "widths": [64, 64], "samples": 500}
                | {"sampling_steps": 25}
                | _COMMON
                | _autoencoder("relu", 500, 64, [16, 32], 4, "bce"),
                _ARMS,
                cost="about two minutes a run on one CPU thread",
            ),
            "full": Preset(
                _plan(10_000, 128, 1e-3, 0.999, log_every=200, evaluate_every=5000, checkpoint_every=1000),
                {"dataset": "cifar10", "pad": 0, "test_size": 0, "widths": [64, 160], "samples": 2000}
                | {"sampling_steps": 50}
                | _COMMON
                | _autoencoder("relu", 5000, 128, [64, 128], 4, "mse"),
                _ARMS,
                seeds=3,
                cost="not measured: some minutes a run on one GPU",
                precision="bf16-mixed",
            ),
        },
        metric="test_loss",
        options=LatentOptions,
        higher_is_better=False,
    )
)
