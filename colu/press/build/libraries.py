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
from colu.lab.generative import make_scheduler
from colu.lab.training import make_fabric

# The two import Lightning and diffusers, which are not imported before they are needed: a second or two.
make_fabric()
make_scheduler()
