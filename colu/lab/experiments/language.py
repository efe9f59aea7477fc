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
from .sparsity import counted_zeros, only_large

__all__ = ["DROPPED", "GPT_TEXT", "NextCharacter", "pairs_loss"]


@lru_cache(maxsize=4)
def _text(name: str, split: str):
    from colu.lab.data import load_text

    return load_text(name, split)


#: Shares of the values in the perceptrons that are set to 0, the smallest of each layer.
DROPPED = (0.5, 0.75, 0.9)


def pairs_loss(known: Tensor, tokens: Tensor, size: int) -> float:
    r"""Loss on a text of a model that looks one character back, in nats a character.

    .. math:: p(b \mid a) = \frac{n_{ab} + 5\,q_b}{\sum_b n_{ab} + 5}, \qquad q_b = \frac{n_b + 1}{\sum_b (n_b + 1)}

    Parameters
    ----------
    known, tokens : Tensor, shape (n,), int64
        The text that is counted, and the one that is predicted.
    size : int
        Of the alphabet.

    Examples
    --------
    >>> alternating = torch.arange(1000) % 2
    >>> pairs_loss(alternating, alternating, 2) < 0.01
    True
    """
    single = torch.bincount(known, minlength=size).double() + 1
    single /= single.sum()
    pairs = torch.bincount(size * known[:-1] + known[1:], minlength=size**2).double().view(size, size)
    after = (pairs + 5 * single) / (pairs.sum(1, keepdim=True) + 5)
    return float(-after[tokens[:-1], tokens[1:]].log().mean())


class NextCharacter:
    """Cross-entropy of the next character; only the perceptrons' activation differs between arms.

    Parameters
    ----------
    config : Config
        Options: ``text``, ``length``, ``width``, ``depth``, ``heads``, ``test_size`` (characters, 0 for all); where
        they are there, ``holdout`` (last characters of the training text, set aside and evaluated in place of the
        test text, for tuning) and ``details`` (whether more is measured at each evaluation).
    """

    def __init__(self, config: Config) -> None:
        arm, options = get_arm(config.arm), config.options
        train, test = (_text(options["text"], split) for split in ("train", "test"))
        hidden, activated = arm.hidden(4 * options["width"])
        torch.manual_seed(config.seed)
        self.model = GPT(
            len(train.alphabet),
            options["length"],
            options["width"],
            options["depth"],
            options["heads"],
            hidden=hidden,
            activated=activated,
            activation=arm,
        ).to(config.device)
        self.length, self.split, self.details = options["length"], "test", options.get("details", False)
        known, tokens = train.tokens, test.tokens[: options["test_size"] or None]
        if held := options.get("holdout", 0):
            if not self.length < held < len(known) - self.length:
                raise ValueError(
                    f"holdout is {held} of {len(known)} characters to train on, wanted more than a window of "
                    f"{self.length}, and as much left"
                )
            self.split, known, tokens = "validation", known[:-held], known[-held:]
        self.batches = TokenBatches(known.to(config.device), config.plan.batch_size, self.length, seed=config.seed)
        self.pairs_loss = pairs_loss(known, tokens, len(train.alphabet)) if self.details else None
        self.test_inputs, self.test_targets = self._windows(tokens.to(config.device))
        # As many as the others, from the beginning.
        self.train_inputs, self.train_targets = self._windows(known[: len(tokens)].to(config.device))

    def _windows(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        count = (len(tokens) - 1) // self.length
        inputs, targets = tokens[: count * self.length], tokens[1 : count * self.length + 1]
        return inputs.view(count, self.length), targets.view(count, self.length)

    def batch(self, step: int, rank: int = 0, world_size: int = 1) -> tuple[Tensor, Tensor]:
        """Windows of characters and their successors."""
        return self.batches.at(step, rank, world_size)

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Cross-entropy in nats a character."""
        return F.cross_entropy(model(batch[0]).flatten(0, 1), batch[1].flatten())

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Loss in nats and in bits a character, over consecutive windows of the test text, or of what is held out.

        With ``details`` the same of as much training text, the share of the values behind the activations that are
        exactly 0, the loss where the smallest values of each layer are set to 0 (``only_large``), and that of a table
        of pairs of letters (``pairs_loss``).
        """
        loss = self._measure(model, self.test_inputs, self.test_targets)
        found = {f"{self.split}_loss": loss, f"{self.split}_bits": loss / math.log(2)}
        if not self.details:
            return found
        found["pairs_loss"] = self.pairs_loss
        found["train_loss"] = self._measure(model, self.train_inputs, self.train_targets)
        with counted_zeros(self.model) as zeros:
            self._measure(model, self.test_inputs, self.test_targets)
        found["exact_zeros"] = zeros.share
        for share in DROPPED:
            with only_large(self.model, share):
                dropped = self._measure(model, self.test_inputs, self.test_targets)
            found[f"{self.split}_loss_less_{100 * share:.0f}"] = dropped
        return found

    @staticmethod
    def _measure(model: nn.Module, inputs: Tensor, targets: Tensor) -> float:
        total = 0.0
        for x, y in zip(inputs.split(64), targets.split(64), strict=True):
            total += float(F.cross_entropy(model(x).flatten(0, 1).float(), y.flatten(), reduction="sum"))
        return total / targets.numel()


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
