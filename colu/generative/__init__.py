"""Generative models: likelihoods, and measures of samples that say what they are."""

from colu.generative.likelihood import (
    Bound,
    binarise,
    bits_per_dimension,
    importance_weighted_bound,
    negative_elbo,
)

__all__ = [
    "Bound",
    "binarise",
    "bits_per_dimension",
    "importance_weighted_bound",
    "negative_elbo",
]
