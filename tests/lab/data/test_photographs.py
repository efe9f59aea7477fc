"""Photographs: colour, and no name that is not there."""

import pytest
import torch

from colu.lab import data


def test_the_photographs_are_colour_in_the_unit_range():
    image = data.sample_image("flower", stride=2)
    assert image.shape == (213, 320, 3) and image.dtype == torch.float64
    assert 0 <= float(image.min()) < float(image.max()) <= 1
    with pytest.raises(ValueError, match="'rose'"):
        data.sample_image("rose")
    with pytest.raises(ValueError, match="stride is 0"):
        data.sample_image("china", stride=0)


def test_the_photographs_are_those_of_scikit_learn():
    from sklearn.datasets import load_sample_image

    for name in ("china", "flower"):
        wanted = torch.tensor(load_sample_image(f"{name}.jpg"), dtype=torch.float64) / 255
        assert torch.equal(data.sample_image(name), wanted)
