"""Networks trained for chapters that look at weights."""

import pytest
import torch

from colu.lab.experiments import get_experiment, train_networks
from colu.lab.training import fit

SMALL = {"steps": 5, "hidden": [8]}


def test_a_network_is_that_of_a_run_of_its_seed():
    found = train_networks("colu", [0, 3], **SMALL)
    experiment = get_experiment("mnist-mlp")
    config = experiment.config("smoke", "colu", 3, evaluate_every=0, **SMALL)
    model = fit(experiment.build(config), config.plan, seed=3).model
    for one, other in zip(found.models[1].parameters(), model.parameters(), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(found.models[0][1].weight, found.models[1][1].weight)


def test_pairs_share_no_network_and_a_single_one_is_left_out():
    found = train_networks("relu", range(5), steps=1, hidden=[4])
    assert found.pairs() == [(found.models[0], found.models[1]), (found.models[2], found.models[3])]


def test_the_data_are_normalised_and_apart():
    found = train_networks("relu", [0], **SMALL)
    images, labels = found.train
    assert len(images) == len(labels) > len(found.test[0]) > 0
    assert abs(float(images.mean())) < 0.05 and abs(float(images.std()) - 1) < 0.05
    assert not found.models[0].training


@pytest.mark.parametrize("wrong", [{"preset": "huge"}, {"colour": 1}, {"arm": "relo"}])
def test_unknown_settings_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match="huge|colour|relo"):
        train_networks(wrong.pop("arm", "relu"), [0], **wrong)


def test_no_seeds_are_refused():
    with pytest.raises(ValueError, match="no seeds"):
        train_networks("relu", [])
