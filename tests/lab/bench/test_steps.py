"""Training steps of whole networks."""

import csv
import dataclasses
import pytest
import torch
import torch.nn.functional as F
from typer.testing import CliRunner
from colu.commands.bench import grid
from colu.functional import colu
from colu.lab.bench import (
    BenchError,
    Case,
    arms,
    control_problem,
    interleave,
    memory,
    ratio_figure,
    runner,
    spread,
    table,
)


@pytest.mark.parametrize("network", ["mlp", "resnet", "resnet56", "unet"])
def test_networks_of_the_steps_give_logits_for_their_classes(network):
    from colu.lab.bench.models import ACTIVATIONS, NETWORKS

    shape, classes, make = NETWORKS[network]
    torch.manual_seed(0)
    found = {act: make(ACTIVATIONS[act])(torch.zeros(2, *shape[1:])) for act in ("relu", "colu")}
    assert all(logits.shape == (2, classes) for logits in found.values())
