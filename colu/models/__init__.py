"""Small reference models; each takes ``activation=`` and nothing else differs between arms."""

from colu.models.mlp import MLP
from colu.models.threshold_network import ThresholdNetwork, fit_threshold_lasso, hyperplane_arrangements

__all__ = ["MLP", "ThresholdNetwork", "fit_threshold_lasso", "hyperplane_arrangements"]
