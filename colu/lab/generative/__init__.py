"""Generative models: likelihoods, diffusion on the schedulers of diffusers, measures that say what they are."""

from .bound import DiffusionBound, variational_bound
from .diffusion import (
    Denoising,
    denoising_profile,
    make_scheduler,
    sample,
    sampling_noise,
    slerp,
    strata,
)
from .features import FeatureClassifier, train_classifiers
from .jacobian import asymmetry, dimension, noise_jacobian
from .latent import LatentSpace
from .likelihood import (
    Bound,
    binarise,
    bits_per_dimension,
    importance_weighted_bound,
    negative_elbo,
)
from .samples import (
    FrechetScore,
    blurred,
    feature_frechet,
    frechet_distance,
    inception_fid,
    precision_recall,
    sliced_wasserstein,
)
from .turning import decode_turned, strongest_cones

__all__ = [
    "Bound",
    "Denoising",
    "DiffusionBound",
    "FeatureClassifier",
    "FrechetScore",
    "LatentSpace",
    "asymmetry",
    "binarise",
    "bits_per_dimension",
    "blurred",
    "decode_turned",
    "denoising_profile",
    "dimension",
    "feature_frechet",
    "frechet_distance",
    "importance_weighted_bound",
    "inception_fid",
    "make_scheduler",
    "negative_elbo",
    "noise_jacobian",
    "precision_recall",
    "sample",
    "sampling_noise",
    "slerp",
    "sliced_wasserstein",
    "strata",
    "strongest_cones",
    "train_classifiers",
    "variational_bound",
]
