"""The protocol of small trainings: three parts, none of which overlap, on one scale."""

import pytest
import torch

from colu.lab import data


def test_three_parts_are_the_whole_set_and_share_no_image():
    parts = data.rows()
    assert [len(labels) for _, labels in parts] == [1000, 347, 450]
    whole, test = data.load("digits", "train"), data.load("digits", "test")
    assert torch.equal(torch.cat([parts.train[1], parts.held_out[1]]), whole.labels)
    assert torch.equal(parts.test[1], test.labels)
    # One line from grey values to rows, the same for all parts.
    grey = torch.cat([whole.images, test.images]).flatten(1).double()
    found = torch.cat([pixels for pixels, _ in parts]).double()
    slope = (found[0].max() - found[0].min()) / (grey[0].max() - grey[0].min())
    assert torch.allclose(found, (grey - grey[:1000].mean()) * slope, atol=1e-5)


def test_the_scale_is_that_of_the_images_trained_on_alone():
    train, held_out, _ = data.rows(train_size=200)
    assert len(train[1]) == 200 and len(held_out[1]) == 1147
    assert abs(train[0].mean()) < 1e-5 and abs(train[0].square().mean() - 1) < 1e-5
    assert abs(held_out[0].mean()) > 1e-4
    assert train[0].dtype == torch.float32 and train[1].dtype == torch.int64


def test_a_size_that_holds_nothing_out_is_refused():
    with pytest.raises(ValueError, match="train_size=1347 leaves none of the 1347 images of 'digits'"):
        data.rows(train_size=1347)
    with pytest.raises(ValueError, match="train_size"):
        data.rows(train_size=0)
