"""Small reference models; each takes ``activation=`` and nothing else differs between arms."""

from colu.models.activation import make_activation
from colu.models.autoencoder import ConvAutoencoder
from colu.models.gpt import GPT
from colu.models.mlp import MLP
from colu.models.resnet import CIFARResNet
from colu.models.threshold_network import ThresholdNetwork, fit_threshold_lasso, hyperplane_arrangements
from colu.models.unet import UNet, time_embedding
from colu.models.vae import VAE

__all__ = [
    "CIFARResNet",
    "ConvAutoencoder",
    "GPT",
    "MLP",
    "ThresholdNetwork",
    "UNet",
    "VAE",
    "fit_threshold_lasso",
    "hyperplane_arrangements",
    "make_activation",
    "time_embedding",
]
