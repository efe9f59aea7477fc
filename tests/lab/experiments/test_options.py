"""Options: each experiment has a type for its own, which its presets fit and nothing else does."""

import math

import pytest

from colu.lab.experiments import EXPERIMENTS, Config, get_experiment


def config(experiment, **changes):
    return get_experiment(experiment).config("smoke", "relu", 0, device="cpu", **changes)


@pytest.mark.parametrize("name", sorted(EXPERIMENTS))
def test_every_preset_fits_and_each_of_its_options_is_checked(name):
    for preset in EXPERIMENTS[name].presets:
        fits = EXPERIMENTS[name].config(preset, "relu", 0, device="cpu")
        for option in fits.options:
            for wrong in ({}, None, math.nan):
                with pytest.raises(ValueError, match=f"{option}|data set"):
                    EXPERIMENTS[name].config(preset, "relu", 0, device="cpu", **{option: wrong})
            with pytest.raises(ValueError, match=option):
                rest = {key: value for key, value in fits.options.items() if key != option}
                Config(**{**fits.to_dict(), "options": rest})
        with pytest.raises(ValueError, match="speed"):
            Config(**{**fits.to_dict(), "options": {**fits.options, "speed": 1}})


@pytest.mark.parametrize(
    ("experiment", "changes"),
    [
        ("mnist-mlp", {"holdout": 2.0}),
        ("mnist-mlp", {"hidden": -3}),
        ("mnist-mlp", {"hidden": [-3]}),
        ("mnist-mlp", {"hidden": [True]}),
        ("mnist-mlp", {"dataset": "mnits"}),
        ("mnist-mlp", {"init": "uniform"}),
        ("mnist-mlp", {"flip": 1}),
        ("cifar-resnet", {"depth": 9}),
        ("cifar-resnet", {"widths": [32, 16, 64]}),
        ("rotation", {"cap": 0}),
        ("rotation", {"angle": math.inf}),
        ("vae", {"init": "zeros"}),
        ("gpt", {"text": "ulysses"}),
        ("fusion-mlp", {"lambdas": 1}),
        ("mnist-mlp", {"device": "gpu"}),
        ("mnist-mlp", {"precision": "8"}),
        ("mnist-mlp", {"threads": True}),
    ],
)
def test_a_value_that_cannot_be_is_refused_before_anything_is_built(experiment, changes):
    own = config(experiment).to_dict()
    with pytest.raises(ValueError):
        Config(**{**own, **{k: v for k, v in changes.items() if k in own}, "options": own["options"] | {
            k: v for k, v in changes.items() if k not in own
        }})  # fmt: skip


@pytest.mark.parametrize("seed", [True, 1.0, -1, 2**31])
def test_a_seed_that_no_generator_takes_is_refused(seed):
    with pytest.raises(ValueError, match="seed"):
        get_experiment("rotation").config("smoke", "relu", seed)


def test_a_value_is_kept_as_it_was_given():
    assert repr(config("rotation", angle=45).options["angle"]) == "45"
