"""A small transformer that predicts the next token."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .activation import Activation, make_activation

__all__ = ["GPT"]


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, hidden: int, activated: int, activation: Activation) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(activated, width)
        self.act = make_activation(activation, hidden)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        hidden = self.up(self.norm2(x))
        # Tokens as rows: activations take channels as dimension 1.
        hidden = self.act(hidden.flatten(0, 1)).view(batch, length, -1)
        return x + self.down(hidden)


class GPT(nn.Module):
    """Decoder-only transformer with norms before the branches and learned positions.

    Parameters
    ----------
    num_tokens : int
        Size of the vocabulary.
    length : int
        Largest context.
    width, depth, heads : int
    hidden : int, optional
        Width of the perceptrons before their activation, four times ``width`` by default.
    activated : int, optional
        Width behind it, of a gated unit half of ``hidden``; the same by default.
    activation : str or callable
        Of the perceptrons; see :func:`colu.lab.models.make_activation`.

    Raises
    ------
    ValueError
        If ``width`` does not divide by ``heads``.

    Examples
    --------
    >>> model = GPT(65, length=16, width=32, depth=2, heads=4)
    >>> model(torch.zeros(3, 16, dtype=torch.long)).shape
    torch.Size([3, 16, 65])
    """

    def __init__(
        self,
        num_tokens: int,
        length: int = 64,
        width: int = 64,
        depth: int = 2,
        heads: int = 4,
        hidden: int | None = None,
        activation: Activation = "gelu",
        activated: int | None = None,
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} does not divide by {heads} heads; choose a multiple of {heads}")
        self.length = length
        self.tokens, self.positions = nn.Embedding(num_tokens, width), nn.Embedding(length, width)
        hidden = hidden or 4 * width
        blocks = (_Block(width, heads, hidden, activated or hidden, activation) for _ in range(depth))
        self.blocks = nn.Sequential(*blocks)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, num_tokens, bias=False)
        self._initialise(depth)

    def _initialise(self, depth: int) -> None:
        # A generator of its own, so that one seed gives the same weights whatever the activation draws.
        generator = torch.Generator().manual_seed(torch.initial_seed() % 2**63)
        for block in self.blocks:
            for linear in (block.qkv, block.out, block.up, block.down):
                # Branches that end on the stream start smaller, so that its variance does not grow with depth.
                scale = (2 * depth) ** -0.5 if linear in (block.out, block.down) else 1.0
                nn.init.normal_(linear.weight, std=0.02 * scale, generator=generator)
                nn.init.zeros_(linear.bias)
        for weight in (self.tokens.weight, self.positions.weight, self.head.weight):
            nn.init.normal_(weight, std=0.02, generator=generator)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits of shape (batch, length, num_tokens) for tokens of shape (batch, length)."""
        if tokens.shape[1] > self.length:
            raise ValueError(f"{tokens.shape[1]} tokens for a context of {self.length}; cut them, or raise length")
        place = torch.arange(tokens.shape[1], device=tokens.device)
        return self.head(self.norm(self.blocks(self.tokens(tokens) + self.positions(place))))
