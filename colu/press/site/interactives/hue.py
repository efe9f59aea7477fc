"""Hue machine: a photograph whose hues are turned before an activation, and after it."""

from __future__ import annotations

import base64

import torch

__all__ = ["data", "orders", "photograph", "twin"]

BIAS, DEGREES, FACTOR = 0.45, 60, 8
COLUMNS = "turn, then activate", "activate, then turn", f"{FACTOR} × difference"


def photograph() -> torch.Tensor:
    """The pagoda of scikit-learn, small, in whole numbers from 0 to 255, shape (height, width, 3)."""
    from colu.lab.data import sample_image

    return (sample_image("china", stride=5) * 255).round().to(torch.uint8)


def data() -> dict:
    """Width and bytes of the photograph, red, green and blue of one pixel after the other."""
    picture = photograph()
    return {"width": picture.shape[1], "rgb": base64.b64encode(picture.numpy().tobytes()).decode()}


def orders(f, picture: torch.Tensor, degrees: float, bias: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The picture turned and then activated, and activated and then turned.

    Parameters
    ----------
    f : callable
        Takes red, green and blue on the last dimension.
    picture : Tensor, shape (..., 3)
        White is 1.
    degrees : float
        By which all hues are turned.
    bias : float
        Grey that is taken away before ``f``, and given back after it.
    """
    angle = torch.deg2rad(torch.tensor(degrees, dtype=picture.dtype))
    grey = torch.ones(3, dtype=picture.dtype) / 3**0.5
    # Rodrigues' formula: what stands at a right angle to the greys is turned.
    across = torch.linalg.cross(grey.expand(3, 3), torch.eye(3, dtype=picture.dtype))
    along = torch.outer(grey, grey)
    turn = along + angle.cos() * (torch.eye(3, dtype=picture.dtype) - along) + angle.sin() * across
    # Rows of `turn` are the images of red, green and blue.
    shifted = picture - bias
    return f(shifted @ turn) + bias, f(shifted) @ turn + bias


def twin() -> str:
    """Both orders and their difference, for CoLU about the greys and for ReLU on red, green and blue."""
    from colu.functional import rcolu

    from ..svg import drawn

    picture = photograph().double() / 255
    maps = {"CoLU": lambda x: rcolu(x, dim=3, channel_dim=-1), "ReLU": torch.relu}

    def draw(figure, axes) -> None:
        for row, (name, f) in zip(axes, maps.items(), strict=True):
            one, two = orders(f, picture, DEGREES, BIAS)
            for ax, shown, words in zip(row, (one, two, FACTOR * (one - two).abs()), COLUMNS, strict=True):
                ax.imshow(shown.clamp(0, 1).numpy(), interpolation="none")
                ax.set(xticks=[], yticks=[], xlabel=words)
                ax.spines[:].set_visible(True)
            row[0].set_ylabel(name)

    return drawn(draw, (2, 3))
