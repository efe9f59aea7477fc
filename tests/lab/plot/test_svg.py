import base64
import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from colu.lab.plot import as_svg, use_style
from colu.lab.plot.svg import POINTS

PICTURE = re.compile(r"data:image/(png|jpeg);base64,([\s\w+/=]+)")


@pytest.fixture
def figure():
    with plt.rc_context():
        use_style()
        yield plt.figure
        plt.close("all")


def drawn(figure, draw):
    made = figure(figsize=(3, 2))
    draw(made.subplots())
    return as_svg(made)


def test_the_same_figure_is_the_same_text_in_another_run(figure):
    def draw(ax):
        ax.plot([0, 1], "o-", label="a")
        ax.fill_between([0, 1], 0, 1, hatch="//")
        ax.legend()

    first, second = drawn(figure, draw), drawn(figure, draw)
    assert first == second and "<metadata>" not in first and "DOCTYPE" not in first
    assert ">a</text>" in first


def test_the_figure_is_left_as_it_was(figure):
    made = figure(figsize=(3, 2))
    image = made.subplots().imshow(np.eye(3), interpolation="bilinear")
    as_svg(made)
    assert image.get_interpolation() == "bilinear" and image.get_gid() is None
    assert made.patch.get_gid() is None


def test_small_pictures_keep_their_pixels_and_photographs_are_stored_as_such(figure):
    def small(ax):
        ax.imshow(np.eye(28))

    kind, data = PICTURE.search(drawn(figure, small)).groups()
    assert kind == "png" and Image.open(io.BytesIO(base64.b64decode(data))).size == (28, 28)

    side = np.linspace(0, 20, 500)
    noise = np.random.default_rng(0).random((500, 500, 3)) * 0.1

    def photograph(ax):
        ax.imshow(np.clip(np.sin(side)[:, None, None] * 0.4 + 0.5 + noise, 0, 1))

    kind, data = PICTURE.search(drawn(figure, photograph)).groups()
    assert kind == "jpeg" and max(Image.open(io.BytesIO(base64.b64decode(data))).size) <= 3 * 220


@pytest.mark.parametrize(("points", "pictures"), [(POINTS - 1, 0), (POINTS + 1, 1)])
def test_a_large_cloud_is_a_picture_inside(figure, points, pictures):
    cloud = np.random.default_rng(0).normal(size=(2, points))
    assert len(PICTURE.findall(drawn(figure, lambda ax: ax.scatter(*cloud)))) == pictures
