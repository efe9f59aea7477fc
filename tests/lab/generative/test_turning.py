"""Turning sections of a decoder: undone behind it is nothing for CoLU, and something for ReLU."""

import copy
import math

import pytest
import torch
from torch import nn

from colu.lab.generative import decode_turned, strongest_cones
from colu.lab.models import VAE
from colu.nn import CoLU


@pytest.fixture(params=[12, 13])
def model(request):
    torch.manual_seed(0)
    make = (lambda: CoLU(dim=4)) if request.param == 12 else nn.ReLU
    return VAE(30, request.param, 3, make).double()


CODES = torch.randn(5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_turned_back_conic_pictures_stay_and_others_move(model):
    conic = isinstance(model.act_decoder, CoLU)
    change = float((decode_turned(model, CODES, 50.0, back=True) - model.decode(CODES)).abs().max())
    assert change < 1e-12 if conic else change > 1e-3


def test_turning_is_turning_the_rows_of_the_first_layer(model):
    c, s = math.cos(0.7), math.sin(0.7)
    other = copy.deepcopy(model)
    for part in (other.from_code.weight.data, other.from_code.bias.data):
        part[[5, 6]] = torch.stack([c * part[5] - s * part[6], s * part[5] + c * part[6]])
    found = decode_turned(model, CODES, math.degrees(0.7), cones=[1])
    torch.testing.assert_close(found, other.decode(CODES))


def test_the_strongest_cone_moves_pictures_most(model):
    images = torch.rand(20, 30, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    order = strongest_cones(model, images)
    assert sorted(order) == [0, 1, 2]
    with torch.no_grad():
        codes = model.encode(images)[0]
        # What is turned behind the activation by half a circle: twice the effect that the order is by.
        hidden = model.act_decoder(model.from_code(codes))
        moves = []
        for cone in order:
            turned = hidden.clone()
            turned[:, [4 * cone + 1, 4 * cone + 2]] *= -1
            moves.append(float((model.decoder(turned) - model.decoder(hidden)).square().sum(1).mean()))
    assert moves == sorted(moves, reverse=True)
