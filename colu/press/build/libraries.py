"""What many chapters import, some of it by way of a library at the first step of an optimiser."""

# ruff: noqa: F401
import ipykernel.kernelapp
import matplotlib.pyplot
import papermill
import scipy.optimize
import scipy.stats
import torch._dynamo
import torch.func
import torchvision

import colu.claims
import colu.fusion
import colu.lab.data
import colu.lab.experiments
import colu.lab.generative
import colu.lab.models
import colu.lab.plot
import colu.press.notebook
import colu.testing
