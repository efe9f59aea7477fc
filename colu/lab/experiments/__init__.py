"""Named experiments: the same function from a notebook, the command line and a cluster, and the same record."""

from .alignment import FUSION_GPT, FUSION_MLP, FUSION_RESNET, PairTask, TextPairTask
from .arms import ARMS, STANDARD_ARMS, Arm, InFrame, PartlyLinear, choose_arms, get_arm
from .benchmark import BENCHMARK_ARMS, LEFT_OUT, REGISTRY_BENCHMARK, REGISTRY_IMAGES
from .classification import CIFAR_RESNET, MNIST_MLP, ImageClassification
from .costs import recorded_costs
from .diffusion import DDPM, ImageDenoising
from .estimates import estimate, keep_estimate, read_estimates
from .experiment import EXPERIMENTS, Config, Experiment, Preset, get_experiment, register
from .fast import CIFAR_FAST
from .generative import AUTOENCODER, VAE_MNIST, AutoencoderTask, VAETask
from .language import GPT_TEXT, NextCharacter
from .latent import LATENT_DIFFUSION, LatentDenoising, latent_space
from .networks import Networks, train_networks
from .pairs import Tuned, blocks_of, pairs_of_digits, same_or_not, tuned_blocks
from .pictures import run_with_pictures
from .plans import left_of, missing_runs
from .recipes import FUSION_PUBLISHED, FUSION_RECIPES, PublishedPairTask, RecipePairTask
from .rerun import is_current, rerun_commands
from .rotation import ROTATION, RotationTask, cap_points, rotation_matrix
from .run import RunningElsewhere, record_path, run, run_arms
from .softness import FUSION_SOFT, SoftPairTask

__all__ = [
    "ARMS",
    "BENCHMARK_ARMS",
    "AUTOENCODER",
    "CIFAR_FAST",
    "CIFAR_RESNET",
    "DDPM",
    "EXPERIMENTS",
    "FUSION_GPT",
    "FUSION_MLP",
    "FUSION_PUBLISHED",
    "FUSION_RECIPES",
    "FUSION_RESNET",
    "FUSION_SOFT",
    "GPT_TEXT",
    "LATENT_DIFFUSION",
    "LEFT_OUT",
    "MNIST_MLP",
    "Networks",
    "REGISTRY_BENCHMARK",
    "REGISTRY_IMAGES",
    "ROTATION",
    "STANDARD_ARMS",
    "VAE_MNIST",
    "Arm",
    "AutoencoderTask",
    "Config",
    "Experiment",
    "ImageClassification",
    "ImageDenoising",
    "InFrame",
    "LatentDenoising",
    "NextCharacter",
    "PairTask",
    "TextPairTask",
    "PartlyLinear",
    "Preset",
    "PublishedPairTask",
    "RecipePairTask",
    "RotationTask",
    "RunningElsewhere",
    "SoftPairTask",
    "Tuned",
    "VAETask",
    "blocks_of",
    "cap_points",
    "choose_arms",
    "estimate",
    "get_arm",
    "get_experiment",
    "is_current",
    "keep_estimate",
    "latent_space",
    "left_of",
    "missing_runs",
    "pairs_of_digits",
    "read_estimates",
    "record_path",
    "recorded_costs",
    "register",
    "rerun_commands",
    "rotation_matrix",
    "run",
    "run_arms",
    "run_with_pictures",
    "same_or_not",
    "train_networks",
    "tuned_blocks",
]
