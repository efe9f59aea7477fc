"""Features to compare samples in: a small classifier that is trained here, from a stated seed."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["FeatureClassifier", "train_classifiers"]


class FeatureClassifier(nn.Module):
    """Two convolutions with pooling, 64 features, and a linear classifier.

    Parameters
    ----------
    channels, num_classes : int
    num_features : int

    Examples
    --------
    >>> model = FeatureClassifier(1, 10)
    >>> model.features(torch.zeros(3, 1, 28, 28)).shape, model(torch.zeros(3, 1, 8, 8)).shape
    (torch.Size([3, 64]), torch.Size([3, 10]))
    """

    def __init__(self, channels: int = 1, num_classes: int = 10, num_features: int = 64) -> None:
        super().__init__()
        self.num_features = num_features
        self.conv1 = nn.Conv2d(channels, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.project = nn.Linear(32 * 4, num_features)
        self.classify = nn.Linear(num_features, num_classes)

    def features(self, images: Tensor) -> Tensor:
        """The layer before the last, before its activation: (n, num_features) for images (n, channels, H, W)."""
        x = F.max_pool2d(self.conv1(images).relu(), 2)
        x = F.adaptive_max_pool2d(self.conv2(x).relu(), 2)
        return self.project(x.flatten(1))

    def forward(self, images: Tensor) -> Tensor:
        """Logits."""
        return self.classify(self.features(images).relu())


@torch.enable_grad()
def train_classifiers(
    images: Tensor, labels: Tensor, *, seeds: tuple[int, ...] = (0, 1), steps: int = 600, batch_size: int = 64
) -> list[FeatureClassifier]:
    """One classifier a seed; scores in their features differ by seed, so that two are the least.

    Parameters
    ----------
    images : torch.Tensor, shape (n, channels, height, width)
        In [0, 1]; training images, never those that samples are compared with.
    labels : torch.Tensor, shape (n,), int64
    seeds : tuple of int
        At least two.
    steps, batch_size : int
        Of Adam with learning rate 0.002.

    Returns
    -------
    list of FeatureClassifier
        In evaluation mode, without gradients.

    Raises
    ------
    ValueError
        For fewer than two seeds, images outside [0, 1], or another number of labels than of images.

    Examples
    --------
    >>> made = train_classifiers(torch.rand(50, 1, 8, 8), torch.arange(50) % 10, steps=2, batch_size=8)
    >>> len(made)
    2
    """
    if len(set(seeds)) < 2:
        raise ValueError(f"seeds are {seeds}, wanted at least two: a score in one classifier's features is an accident")
    check_images(images, "images")
    if labels.shape != (len(images),):
        raise ValueError(f"labels are {tuple(labels.shape)} for {len(images)} images, wanted one an image")
    models = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = FeatureClassifier(images.shape[1], int(labels.max()) + 1).to(images.device)
        optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
        for _ in range(steps):
            index = torch.randint(len(images), (batch_size,), generator=generator).to(images.device)
            optimiser.zero_grad()
            F.cross_entropy(model(images[index]), labels[index]).backward()
            optimiser.step()
        models.append(model.eval().requires_grad_(False))
    return models


def check_finite(values: Tensor, name: str) -> None:
    """Refuse NaN and infinity."""
    if bad := int((~torch.isfinite(values)).sum()):
        raise ValueError(
            f"{bad} of {values.numel()} numbers of the {name} are NaN or infinite; "
            "look at the model's weights and what it was given"
        )


def check_images(images: Tensor, name: str) -> None:
    """Refuse what is not a batch of images in [0, 1]."""
    if images.dim() != 4 or not len(images):
        raise ValueError(f"{name} have shape {tuple(images.shape)}, wanted (n, channels, height, width) with n >= 1")
    low, high = (float(v) for v in images.aminmax())
    if not (low >= 0 and high <= 1):  # also false for NaN
        raise ValueError(f"{name} lie between {low:g} and {high:g}, wanted [0, 1]; clamp or rescale them")
