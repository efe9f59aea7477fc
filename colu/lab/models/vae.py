"""The variational autoencoder of the experiments: one hidden layer on either side."""

from __future__ import annotations

import math

from torch import Tensor, nn

from .activation import Activation, make_activation

__all__ = ["VAE"]

INITS = ("lecun", "torch")


class VAE(nn.Module):
    r"""``D-C-L-C-D`` with a Gaussian code and Bernoulli pixels.

    .. math:: (\mu, \log\sigma^2) &= W_2\,\lambda(W_1 x + b_1) + b_2, \\
              z &= \mu + \sigma\epsilon, \\
              \text{logits} &= W_4\,\lambda(W_3 z + b_3) + b_4

    The linear layers are made before the activations,
    so two models of one width built from one seed start from equal weights whatever their activation.

    Parameters
    ----------
    in_features : int
        Pixels ``D`` of one image.
    hidden : int
        Width ``C`` of both hidden layers.
    latent : int
        Size ``L`` of the code.
    activation : str or callable
        See :func:`colu.lab.models.make_activation`.
    init : {"lecun", "torch"}
        ``lecun``: weights from a normal distribution of variance 1/fan-in cut at two deviations, biases zero,
        the defaults of Flax; ``torch``: the defaults of :class:`torch.nn.Linear`.

    Raises
    ------
    ValueError
        If a size is below 1, or for an unknown ``init``.

    References
    ----------
    Kingma and Welling, Auto-encoding variational Bayes, ICLR 2014, arXiv 1312.6114.

    Examples
    --------
    >>> import torch
    >>> model = VAE(784, 400, 20)
    >>> logits, mean, log_variance = model(torch.zeros(3, 1, 28, 28), torch.zeros(3, 20))
    >>> logits.shape, mean.shape
    (torch.Size([3, 784]), torch.Size([3, 20]))
    """

    def __init__(
        self,
        in_features: int,
        hidden: int,
        latent: int,
        activation: Activation = nn.ReLU,
        init: str = "lecun",
    ) -> None:
        super().__init__()
        if min(in_features, hidden, latent) < 1:
            raise ValueError(f"sizes are {in_features}, {hidden}, {latent}; each must be at least 1")
        if init not in INITS:
            raise ValueError(f"init is {init!r}, choose one of {INITS}")
        self.in_features, self.latent = in_features, latent
        self.encoder = nn.Linear(in_features, hidden)
        self.to_code = nn.Linear(hidden, 2 * latent)
        self.from_code = nn.Linear(latent, hidden)
        self.decoder = nn.Linear(hidden, in_features)
        if init == "lecun":
            for linear in (self.encoder, self.to_code, self.from_code, self.decoder):
                # A normal distribution cut at two deviations has deviation 0.87962566.
                scale = 1 / math.sqrt(linear.in_features) / 0.87962566103423978
                nn.init.trunc_normal_(linear.weight, std=scale, a=-2 * scale, b=2 * scale)
                nn.init.zeros_(linear.bias)
        self.act_encoder = make_activation(activation, hidden)
        self.act_decoder = make_activation(activation, hidden)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the code, each (batch, L), for images ``x`` of shape (batch, ...) in [0, 1]."""
        flat = x.flatten(1)
        if flat.shape[1] != self.in_features:
            raise ValueError(
                f"images have shape {tuple(x.shape)}, that is {flat.shape[1]} pixels; the model has {self.in_features}"
            )
        return tuple(self.to_code(self.act_encoder(self.encoder(flat))).chunk(2, dim=1))

    def decode(self, z: Tensor) -> Tensor:
        """Logits of the pixels, (batch, D), for codes of shape (..., L)."""
        if z.shape[-1:] != (self.latent,):
            raise ValueError(f"codes have shape {tuple(z.shape)}, wanted {self.latent} numbers in the last axis")
        return self.decoder(self.act_decoder(self.from_code(z)))

    def forward(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, mean and log-variance for images and standard normal ``noise`` of shape (batch, L)."""
        mean, log_variance = self.encode(x)
        return self.decode(mean + (0.5 * log_variance).exp() * noise), mean, log_variance
