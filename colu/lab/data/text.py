"""Texts as sequences of characters: ``descriptions``, ``shakespeare``."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch

from .files import DataCorruptedError, DataUnavailableError, data_root, embedded_file

__all__ = ["Text", "load_text", "text_names"]

_SHAKESPEARE_LENGTH = 1_115_394


@dataclass(frozen=True)
class Text:
    """A text as numbers.

    Attributes
    ----------
    tokens : torch.Tensor, shape (n,), int64
        Place of each character in ``alphabet``.
    alphabet : str
        Distinct characters in order.
    name, split, source : str
    """

    tokens: torch.Tensor
    alphabet: str
    name: str
    split: str
    source: str

    def decode(self, tokens: torch.Tensor) -> str:
        """Characters of ``tokens``."""
        return "".join(self.alphabet[i] for i in tokens.tolist())


def _descriptions() -> tuple[str, str]:
    names = ("breast_cancer", "diabetes", "digits", "iris", "linnerud", "wine_data")
    texts = [embedded_file(f"descr/{name}.rst").read_text(encoding="utf8") for name in names]
    return "\n".join(texts), "scikit-learn, embedded"


def _shakespeare() -> tuple[str, str]:
    root = data_root()
    path = None if root is None else root / "tinyshakespeare" / "input.txt"
    if path is None or not path.is_file():
        raise DataUnavailableError(
            "text 'shakespeare' is read from tinyshakespeare/input.txt in the folder COLU_DATA, "
            f"which is {'unset' if root is None else root}: put the file there, "
            "or use PRESET = 'smoke', which needs none"
        )
    text = path.read_text(encoding="utf8", errors="replace")
    if len(text) != _SHAKESPEARE_LENGTH or len(set(text)) != 65:
        raise DataCorruptedError(
            f"{path} has {len(text)} characters, {len(set(text))} of them distinct; "
            f"wanted {_SHAKESPEARE_LENGTH} and 65: copy the file again"
        )
    return text, f"{path}, sha256 {hashlib.sha256(text.encode()).hexdigest()[:12]}"


_TEXTS = {"descriptions": _descriptions, "shakespeare": _shakespeare}


def text_names() -> list[str]:
    """Names that :func:`colu.lab.data.load_text` knows.

    Examples
    --------
    >>> text_names()
    ['descriptions', 'shakespeare']
    """
    return sorted(_TEXTS)


def load_text(name: str, split: str = "train") -> Text:
    """Load a text by name; the last tenth is the test split.

    ``descriptions`` are the descriptions of scikit-learn's embedded data sets, English prose with tables;
    ``shakespeare`` is the "tiny Shakespeare" of character models, from the folder ``COLU_DATA``.

    Parameters
    ----------
    name : str
        One of :func:`colu.lab.data.text_names`.
    split : {"train", "test"}

    Raises
    ------
    ValueError
        For an unknown name or split.
    DataUnavailableError, DataCorruptedError
        If the file is not there, or is not the one that is meant.

    Examples
    --------
    >>> text = load_text("descriptions", "test")
    >>> text.decode(text.tokens[:0]) == ""
    True
    """
    if name not in _TEXTS:
        raise ValueError(f"unknown text {name!r}: choose one of {text_names()}")
    if split not in ("train", "test"):
        raise ValueError(f"unknown split {split!r}: choose 'train' or 'test'")
    text, source = _TEXTS[name]()
    alphabet = "".join(sorted(set(text)))
    place = {character: index for index, character in enumerate(alphabet)}
    tokens = torch.tensor([place[character] for character in text])
    cut = len(tokens) * 9 // 10
    return Text(tokens[:cut] if split == "train" else tokens[cut:], alphabet, name, split, source)
