"""Small reference models; each takes ``activation=`` and nothing else differs between arms."""

from .activation import make_activation
from .autoencoder import ConvAutoencoder
from .convnet import StridedConvNet
from .gpt import GPT
from .mlp import MLP
from .pieces import plane_pieces
from .resnet import CIFARResNet
from .side_by_side import Layers, Perceptrons, ResidualPerceptrons, SideBySide
from .tangent import tangent_kernel
from .threshold_network import ThresholdNetwork, fit_threshold_lasso, hyperplane_arrangements
from .unet import UNet, time_embedding
from .vae import VAE
from .whitened import WhitenedResNet, whitening_filters

__all__ = [
    "CIFARResNet",
    "ConvAutoencoder",
    "GPT",
    "Layers",
    "MLP",
    "Perceptrons",
    "ResidualPerceptrons",
    "SideBySide",
    "StridedConvNet",
    "ThresholdNetwork",
    "UNet",
    "VAE",
    "WhitenedResNet",
    "fit_threshold_lasso",
    "hyperplane_arrangements",
    "make_activation",
    "plane_pieces",
    "tangent_kernel",
    "time_embedding",
    "whitening_filters",
]
