"""Generative models: likelihoods, diffusion on the schedulers of diffusers, measures that say what they are."""

from colu.generative.diffusion import Denoising, denoising_profile, make_scheduler, sample, sampling_noise, strata
from colu.generative.likelihood import (
    Bound,
    binarise,
    bits_per_dimension,
    importance_weighted_bound,
    negative_elbo,
)
from colu.generative.swapping import OnFeatureMaps, replace_feature_activations

__all__ = [
    "Bound",
    "Denoising",
    "OnFeatureMaps",
    "binarise",
    "bits_per_dimension",
    "denoising_profile",
    "importance_weighted_bound",
    "make_scheduler",
    "negative_elbo",
    "replace_feature_activations",
    "sample",
    "sampling_noise",
    "strata",
]
