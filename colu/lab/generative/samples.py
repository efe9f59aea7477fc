"""Measures of samples: each with its size of sample, its floor and an anchor, and none called what it is not."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from .features import FeatureClassifier, check_finite, check_images

__all__ = [
    "FrechetScore",
    "blurred",
    "feature_frechet",
    "frechet_distance",
    "inception_fid",
    "precision_recall",
    "sliced_wasserstein",
]


def frechet_distance(a: Tensor, b: Tensor) -> float:
    r"""Squared Frechet (2-Wasserstein) distance between Gaussians with the moments of two sets of features.

    .. math:: & \lVert \mu_a - \mu_b \rVert^2 \\
              & \quad + \operatorname{tr}(\Sigma_a + \Sigma_b - 2(\Sigma_a\Sigma_b)^{1/2})

    In float64; the trace of the root is the sum of the roots of the eigenvalues of the product.

    Parameters
    ----------
    a, b : torch.Tensor, shapes (n, d) and (m, d)
        ``n`` and ``m`` at least 2.

    Examples
    --------
    >>> x = torch.randn(100, 3, generator=torch.Generator().manual_seed(0))
    >>> round(frechet_distance(x, x + torch.tensor([3.0, 4.0, 0.0])), 3)
    25.0
    """
    if a.dim() != 2 or b.dim() != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(f"features have shapes {tuple(a.shape)} and {tuple(b.shape)}, wanted (n, d) and (m, d)")
    check_finite(a, "first features")
    check_finite(b, "second features")
    (mean_a, cov_a), (mean_b, cov_b) = (_moments(x.detach().double().cpu()) for x in (a, b))
    root = torch.linalg.eigvals(cov_a @ cov_b).sqrt().real.sum()
    return float((mean_a - mean_b).square().sum() + (cov_a.trace() + cov_b.trace()) - 2 * root)


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    # In the order in which torchmetrics takes the sums, whose values these are to the bit; importing it takes longer
    # than importing PyTorch.
    mean = x.sum(0) / len(x)
    return mean, (x.T.mm(x) - len(x) * torch.outer(mean, mean)) / (len(x) - 1)


def blurred(images: Tensor) -> Tensor:
    """Each pixel the mean of its 3 x 3 neighbours: samples that are plainly worse than real ones."""
    check_images(images, "images")
    return F.avg_pool2d(images, 3, 1, 1, count_include_pad=False)


@dataclass(frozen=True)
class FrechetScore:
    """Relative Frechet distances and what they must be read against.

    Attributes
    ----------
    name : str
    samples, floor, blur : tuple of float
        By classifier: of the samples, of other real images of the same number, and of those blurred.
    n : int
        Images on either side.
    """

    name: str
    samples: tuple[float, ...]
    floor: tuple[float, ...]
    blur: tuple[float, ...]
    n: int

    @property
    def mean(self) -> float:
        """Over classifiers."""
        return sum(self.samples) / len(self.samples)

    def __str__(self) -> str:
        mean = {k: sum(v) / len(v) for k, v in (("floor", self.floor), ("blur", self.blur))}
        spread = max(self.samples) - min(self.samples)
        return (
            f"{self.name} {self.mean:.4f} (spread {spread:.4f} over {len(self.samples)} classifiers, n = {self.n}, "
            f"real {mean['floor']:.4f}, blur {mean['blur']:.4f}; not FID)"
        )


@torch.no_grad()
def feature_frechet(
    samples: Tensor,
    reference: Tensor,
    real: Tensor,
    classifiers: Sequence[FeatureClassifier],
    *,
    name: str = "rFD-cnn",
) -> FrechetScore:
    r"""Relative Frechet distance in the features of classifiers trained here.

    .. math:: \text{rFD} = \frac{d^2(\text{samples}, \text{reference})}{\operatorname{tr}\Sigma_{\text{reference}}}

    It is not FID: the features are others, so the number compares with none that was published.

    Parameters
    ----------
    samples, reference, real : torch.Tensor, shape (n, channels, height, width)
        In [0, 1], of the same number, because the distance falls with it.
        ``reference`` are held-out images; ``real`` are other real images, for the floor and, blurred, the anchor.
    classifiers : sequence of FeatureClassifier
        At least two, of different seeds: see :func:`colu.lab.generative.train_classifiers`.
    name : str
        For tables; nothing that calls itself FID.

    Returns
    -------
    FrechetScore

    Raises
    ------
    ValueError
        For fewer than two classifiers, unequal numbers, too few images for the covariance, images outside [0, 1],
        or a name with "fid" in it.

    Examples
    --------
    >>> from colu.lab.generative import train_classifiers
    >>> images = torch.rand(300, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> made = train_classifiers(images, torch.arange(300) % 10, steps=1)
    >>> score = feature_frechet(images[:100], images[100:200], images[200:], made)
    >>> score.n, len(score.samples)
    (100, 2)
    """
    if "fid" in name.lower():
        raise ValueError(f"name is {name!r}: these are not Inception features, so it cannot be called FID")
    if len(classifiers) < 2:
        raise ValueError(f"{len(classifiers)} classifier(s), wanted at least two of different seeds")
    for images, label in ((samples, "samples"), (reference, "reference"), (real, "real")):
        check_images(images, label)
    n = len(samples)
    if not len(reference) == len(real) == n:
        raise ValueError(
            f"{n} samples, {len(reference)} reference and {len(real)} real images: wanted equal numbers, "
            "because the distance falls with the number"
        )
    least = max(c.num_features for c in classifiers) + 1
    if n < least:
        raise ValueError(f"{n} images, wanted at least {least}: more than features")
    found: dict[str, list[float]] = {"samples": [], "floor": [], "blur": []}
    for classifier in classifiers:
        wanted = classifier.features(reference).double()
        scale = float(wanted.var(0).sum())
        for key, images in (("samples", samples), ("floor", real), ("blur", blurred(real))):
            found[key].append(frechet_distance(wanted, classifier.features(images)) / scale)
    return FrechetScore(name, *(tuple(found[key]) for key in ("samples", "floor", "blur")), n)


def _check_pair(samples: Tensor, reference: Tensor, what: str) -> None:
    if samples.dim() < 2 or samples.shape[1:] != reference.shape[1:]:
        shapes = f"{tuple(samples.shape)} and {tuple(reference.shape)}"
        raise ValueError(f"{what} have shapes {shapes}, wanted (n, ...) and (m, ...) that agree but in the first axis")
    check_finite(samples, f"{what} of the samples")
    check_finite(reference, f"{what} of the reference")


def precision_recall(samples: Tensor, reference: Tensor, k: int = 3) -> tuple[float, float]:
    r"""Share of samples inside the reference's manifold, and of the reference inside the samples'.

    A set's manifold is the union of balls about its points that reach their ``k``-th nearest neighbour in the set.

    Parameters
    ----------
    samples, reference : torch.Tensor, shapes (n, d) and (m, d)
        Features.
    k : int

    Returns
    -------
    precision, recall : float

    Raises
    ------
    ValueError
        If a set has at most ``k`` points, for features of different size, or features that are not finite.

    References
    ----------
    Kynkaanniemi et al., Improved precision and recall metric for assessing generative models, NeurIPS 2019,
    arXiv 1904.06991, section 2.

    Examples
    --------
    >>> x = torch.arange(10.0)[:, None]
    >>> precision_recall(x[:5], x, k=1)
    (1.0, 0.6)
    """
    _check_pair(samples, reference, "features")
    if not 1 <= k < min(len(samples), len(reference)):
        raise ValueError(f"k is {k} for {len(samples)} and {len(reference)} points, wanted 1 to one less than these")

    def share(points: Tensor, manifold: Tensor) -> float:
        radii = torch.cdist(manifold, manifold).kthvalue(k + 1, dim=1).values
        return float((torch.cdist(points, manifold) <= radii).any(1).double().mean())

    samples, reference = samples.double(), reference.double()
    return share(samples, reference), share(reference, samples)


def sliced_wasserstein(samples: Tensor, reference: Tensor, *, projections: int = 256, seed: int = 0) -> float:
    r"""Sliced 2-Wasserstein distance between two sets of images, on pixels.

    .. math:: \Bigl(\mathbb E_\theta\, W_2^2(\theta^\top X, \theta^\top Y)\Bigr)^{1/2}

    Computed by POT with directions drawn from ``seed``.

    Parameters
    ----------
    samples, reference : torch.Tensor, shapes (n, ...) and (m, ...)
    projections : int
    seed : int

    Raises
    ------
    ValueError
        For fewer than one projection, images of different size, or images that are not finite.

    References
    ----------
    Bonneel, Rabin, Peyre and Pfister, Sliced and Radon Wasserstein barycenters of measures, 2015.

    Examples
    --------
    >>> x = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    >>> sliced_wasserstein(x, x)
    0.0
    """
    import ot

    if projections < 1:
        raise ValueError(f"projections is {projections}, wanted at least 1")
    _check_pair(samples, reference, "images")
    a, b = (part.detach().flatten(1).double().cpu().numpy() for part in (samples, reference))
    return float(ot.sliced_wasserstein_distance(a, b, n_projections=projections, seed=seed))


_WEIGHTS = "weights-inception-2015-12-05-6726825d.pth"
_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
_HOW = (
    f"download https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{_WEIGHTS} (95,628,359 bytes, "
    f"sha256 {_SHA256}), install torch-fidelity (pip install torch-fidelity), "
    f"and pass weights='path/to/{_WEIGHTS}'; without it use feature_frechet, whose values are not FID"
)


def inception_fid(samples: Tensor, reference: Tensor, weights: str | Path | None = None) -> float:
    """The Frechet inception distance proper, where the official weights are given.

    Parameters
    ----------
    samples, reference : torch.Tensor, shape (n, 3 or 1, height, width)
        In [0, 1]; grey images are repeated over the three channels.
    weights : path, optional
        The file of the official network in torch-fidelity's form; nothing is ever downloaded.

    Raises
    ------
    FileNotFoundError
        Without the file: says where it is and what its checksum is.
    ValueError
        If the file has another checksum, or for images outside [0, 1].

    References
    ----------
    Heusel et al., GANs trained by a two time-scale update rule, NeurIPS 2017, arXiv 1706.08500.
    """
    for images, label in ((samples, "samples"), (reference, "reference")):
        check_images(images, label)
    if weights is None or not Path(weights).is_file():
        missing = "no weights are given" if weights is None else f"there is no file {weights}"
        raise FileNotFoundError(f"{missing}: {_HOW}")
    found = hashlib.sha256(Path(weights).read_bytes()).hexdigest()
    if found != _SHA256:
        raise ValueError(f"{weights} has sha256 {found}, wanted {_SHA256}: it is another network or damaged; {_HOW}")
    from torchmetrics.image.fid import FrechetInceptionDistance

    metric = FrechetInceptionDistance(feature=2048, normalize=True, feature_extractor_weights_path=str(weights))
    for images, real in ((reference, True), (samples, False)):
        for part in images.float().cpu().split(64):
            metric.update(part.expand(-1, 3, -1, -1), real=real)
    return float(metric.compute())
