"""The latent space of a trained autoencoder: standardised codes, and the way back to images."""

from __future__ import annotations

import hashlib

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .features import check_finite, check_images

__all__ = ["LatentSpace"]


class LatentSpace:
    r"""Codes of a frozen autoencoder, shifted and scaled to mean 0 and deviation 1 in each channel.

    .. math:: z = \frac{E(x) - m}{s}, \ \ \hat x = \sigma\bigl(D(s\,z + m)\bigr)

    The autoencoder is set to evaluation mode and its gradients are switched off, for good.

    Parameters
    ----------
    autoencoder : torch.nn.Module
        With ``encode`` from images to codes (n, channels, height, width), and ``decode`` from codes to logits.
    images : torch.Tensor, shape (n, channels, height, width)
        In [0, 1]; training images, from whose codes mean :math:`m` and deviation :math:`s` are taken.
    pad : int
        Black pixels added on each side before encoding, and cut off again after decoding.

    Attributes
    ----------
    mean, std : torch.Tensor, shape (1, code channels, 1, 1)

    Raises
    ------
    ValueError
        For images outside [0, 1], a negative ``pad``, or a channel of the codes that does not vary.

    References
    ----------
    Rombach et al., High-resolution image synthesis with latent diffusion models, CVPR 2022, arXiv 2112.10752.

    Examples
    --------
    >>> from colu.lab.models import ConvAutoencoder
    >>> images = torch.rand(50, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    >>> space = LatentSpace(ConvAutoencoder(1, (8, 8), 2), images, pad=1)
    >>> codes = space.encode(images)
    >>> codes.shape, space.decode(codes).shape
    (torch.Size([50, 2, 2, 2]), torch.Size([50, 1, 6, 6]))
    >>> bool((codes.std((0, 2, 3)) - 1).abs().max() < 1e-4)
    True
    """

    def __init__(self, autoencoder: nn.Module, images: Tensor, *, pad: int = 0) -> None:
        if pad < 0:
            raise ValueError(f"pad is {pad}, wanted a number of pixels of at least 0")
        self.autoencoder, self.pad = autoencoder.eval().requires_grad_(False), pad
        self.mean, self.std = torch.zeros(()), torch.ones(())
        codes = self.encode(images)
        # In float64, so that the moments do not depend on how sums are taken; devices without it use the CPU.
        channels = codes.cpu().double().transpose(0, 1).flatten(1)
        mean, std = channels.mean(1), channels.std(1)
        if not bool((std > 0).all()):
            still = (~(std > 0)).nonzero().flatten().tolist()
            raise ValueError(f"channels {still} of the codes do not vary (deviation {std.tolist()}); train longer")
        self.mean, self.std = (v.float().view(1, -1, 1, 1).to(codes.device) for v in (mean, std))

    @torch.no_grad()
    def encode(self, images: Tensor, batch_size: int = 1000) -> Tensor:
        """Standardised codes for images (n, channels, height, width) in [0, 1]."""
        check_images(images, "images")
        parts = [self.autoencoder.encode(F.pad(part, (self.pad,) * 4)) for part in images.split(batch_size)]
        return (torch.cat(parts) - self.mean) / self.std

    @torch.no_grad()
    def decode(self, codes: Tensor, batch_size: int = 1000) -> Tensor:
        """Images in [0, 1] for standardised codes (n, code channels, height, width)."""
        if codes.dim() != 4 or codes.shape[1] != self.std.shape[1]:
            wanted = f"(n, {self.std.shape[1]}, height, width)"
            raise ValueError(f"codes have shape {tuple(codes.shape)}, wanted {wanted} as encode gives them")
        check_finite(codes, "codes")
        raw = codes * self.std + self.mean
        images = torch.cat([self.autoencoder.decode(part).sigmoid() for part in raw.split(batch_size)])
        return F.pad(images, (-self.pad,) * 4)

    @property
    def fingerprint(self) -> int:
        """48 bits of a hash of all weights, mean and deviation: equal numbers mean the same latent space."""
        digest = hashlib.sha256()
        for tensor in (*self.autoencoder.state_dict().values(), self.mean, self.std):
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return int.from_bytes(digest.digest()[:6], "big")
