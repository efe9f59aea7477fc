"""Predicting the next character with a small transformer."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colu.lab.models import GPT
from colu.lab.training import Plan, TokenBatches

from .arms import STANDARD_ARMS, get_arm
from .experiment import Config, Experiment, Preset, register
from .options import TextOptions

__all__ = ["GPT_TEXT", "NextCharacter"]


@lru_cache(maxsize=4)
def _text(name: str, split: str):
    from colu.lab.data import load_text

    return load_text(name, split)


class NextCharacter:
    """Cross-entropy of the next character; only the perceptrons' activation differs between arms."""

    def __init__(self, config: Config) -> None:
        arm, options = get_arm(config.arm), config.options
        train, test = (_text(options["text"], split) for split in ("train", "test"))
        torch.manual_seed(config.seed)
        self.model = GPT(
            len(train.alphabet),
            options["length"],
            options["width"],
            options["depth"],
            options["heads"],
            hidden=arm.width(4 * options["width"]),
            activation=arm,
        ).to(config.device)
        self.length = options["length"]
        self.batches = TokenBatches(
            train.tokens.to(config.device), config.plan.batch_size, self.length, seed=config.seed
        )
        tokens = test.tokens[: options["test_size"] or None].to(config.device)
        windows = (len(tokens) - 1) // self.length
        self.test_inputs = tokens[: windows * self.length].view(windows, self.length)
        self.test_targets = tokens[1 : windows * self.length + 1].view(windows, self.length)

    def batch(self, step: int, rank: int = 0, world_size: int = 1) -> tuple[Tensor, Tensor]:
        """Windows of characters and their successors."""
        return self.batches.at(step, rank, world_size)

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Cross-entropy in nats a character."""
        return F.cross_entropy(model(batch[0]).flatten(0, 1), batch[1].flatten())

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Test loss in nats and in bits a character, over consecutive windows."""
        total = 0.0
        for x, y in zip(self.test_inputs.split(64), self.test_targets.split(64), strict=True):
            total += float(F.cross_entropy(model(x).flatten(0, 1).float(), y.flatten(), reduction="sum"))
        loss = total / self.test_targets.numel()
        return {"test_loss": loss, "test_bits": loss / math.log(2)}


def _plan(steps: int, batch_size: int, **rest) -> Plan:
    return Plan(
        steps=steps,
        batch_size=batch_size,
        learning_rate=3e-3,
        optimiser="adamw",
        weight_decay=0.1,
        betas=(0.9, 0.95),
        schedule="cosine",
        warmup=min(50, steps // 10),
        clip_norm=1.0,
        log_every=max(steps // 20, 1),
        evaluate_every=max(steps // 10, 1),
        **rest,
    )


#: A small GPT on characters.
GPT_TEXT = register(
    Experiment(
        "gpt",
        "Does a small transformer predict characters better with CoLU in its perceptrons?",
        NextCharacter,
        {
            "smoke": Preset(
                _plan(32, 8),
                {"text": "descriptions", "length": 32, "width": 64, "depth": 2, "heads": 4, "test_size": 1000},
                ("gelu", "relu", "colu"),
                cost="a second a run on one CPU thread",
                device="cpu",
            ),
            "laptop": Preset(
                _plan(1000, 32, checkpoint_every=250),
                {"text": "shakespeare", "length": 64, "width": 64, "depth": 2, "heads": 4, "test_size": 20_000},
                STANDARD_ARMS,
                cost="about a minute a run on one CPU thread",
                device="cpu",
            ),
            "full": Preset(
                _plan(5000, 64, checkpoint_every=500),
                {"text": "shakespeare", "length": 256, "width": 256, "depth": 6, "heads": 8, "test_size": 0},
                STANDARD_ARMS,
                cost="not measured: a GPU is wanted",
                precision="bf16-mixed",
            ),
        },
        metric="test_loss",
        options=TextOptions,
        higher_is_better=False,
    )
)
