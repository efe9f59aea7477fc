"""Rows of pictures: each pixel at its place, each column under its label."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from colu.lab.plot import picture_rows


def test_pictures_stand_side_by_side_with_a_pixel_between():
    row = torch.rand(3, 1, 4, 5, generator=torch.Generator().manual_seed(0))
    figure = picture_rows({"a": row, "b": 1 - row})
    drawn = [np.asarray(axis.images[0].get_array()) for axis in figure.axes]
    assert drawn[0].shape == (4, 3 * 7)
    for k in range(3):
        assert np.allclose(drawn[0][:, 7 * k + 1 : 7 * k + 6], row[k, 0])
        assert np.allclose(drawn[1][:, 7 * k + 1 : 7 * k + 6], 1 - row[k, 0])
    plt.close(figure)


def test_labels_stand_under_the_middle_of_their_columns_and_must_be_as_many():
    figure = picture_rows({"a": torch.zeros(2, 1, 4, 4)}, ["0°", "180°"])
    assert list(figure.axes[-1].get_xticks()) == [3, 9]
    plt.close(figure)
    with pytest.raises(ValueError, match="1 labels for 2 columns"):
        picture_rows({"a": torch.zeros(2, 1, 4, 4)}, ["0°"])
