"""Small reference models; each takes ``activation=`` and nothing else differs between arms."""

from colu.models.mlp import MLP

__all__ = ["MLP"]
