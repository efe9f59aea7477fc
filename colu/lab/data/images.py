"""Image sets by name: ``digits``, ``mnist``, ``fashion_mnist``, ``cifar10``, ``eurosat32``."""

from __future__ import annotations

import difflib
import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from .files import DataCorruptedError, DataUnavailableError, data_root, download_root, embedded_file, verify

__all__ = ["ImageSet", "labelled_images", "load", "names"]


@dataclass(frozen=True)
class ImageSet:
    """A whole set on one device.

    Attributes
    ----------
    images : torch.Tensor, shape (n, channels, height, width), uint8
    labels : torch.Tensor, shape (n,), int64
    classes : tuple of str
    name, split : str
    source : str
        Where the pixels came from: the path taken, for records.
    top : int
        The largest value a pixel can have (255; 16 for ``digits``).
    """

    images: torch.Tensor
    labels: torch.Tensor
    classes: tuple[str, ...]
    name: str
    split: str
    source: str
    top: int = 255

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device | str) -> ImageSet:
        """The same set on ``device``."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))

    def take(self, n: int) -> ImageSet:
        """The first ``n`` images, in the set's order."""
        return replace(self, images=self.images[:n], labels=self.labels[:n])

    def scaled(self) -> torch.Tensor:
        """Pixels as float32 in [0, 1], shape (n, channels, height, width)."""
        return self.images.to(torch.float32) / self.top

    def batches(
        self, batch_size: int, *, generator: torch.Generator | None = None, shuffle: bool = True
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Pass once over the set in batches made on the device.

        Parameters
        ----------
        batch_size : int
            Images a batch; the last batch may hold fewer.
        generator : torch.Generator, optional
            Source of the order (a CPU generator).
        shuffle : bool
            Whether to draw a new order.

        Yields
        ------
        images : torch.Tensor, shape (b, channels, height, width), float32 in [0, 1]
        labels : torch.Tensor, shape (b,), int64
        """
        n = len(self)
        order = torch.randperm(n, generator=generator) if shuffle else torch.arange(n)
        for index in order.to(self.labels.device).split(batch_size):
            yield self.images[index].to(torch.float32) / self.top, self.labels[index]


# Which of the 1,797 digits are in the test set, a bit each: scikit-learn's stratified quarter, random state 0.
_DIGITS_TEST = bytes.fromhex(
    "000004883526104000164101934205001a00080102240028062c1e081108960a009019120420f8a0028110e040"
    "080a9a304415244942c0a00a2030804004d821408b8020004885c400104008a0900005486800301000020ec409"
    "001224840083b8013c21a69c0a0204000f48400804a4184902124061e5008024604e94376a8192160154800048"
    "42a0a4180a5000a40b8561e688108049124c80c02205068e000109f202c141398813c009190000148e01008410"
    "a0e10033282900c144c8c0680a0102930292030922a6402c26042108a8608198c8a01412861202128138a41500"
)


def _digits(split: str) -> ImageSet:
    with gzip.open(embedded_file("data/digits.csv.gz"), "rt", encoding="ascii") as stream:
        table = np.loadtxt(stream, dtype=np.uint8, delimiter=",")
    is_test = np.unpackbits(np.frombuffer(_DIGITS_TEST, np.uint8), count=len(table)).astype(bool)
    chosen = table[is_test == (split == "test")]
    images = torch.from_numpy(chosen[:, :-1].reshape(-1, 8, 8).copy())[:, None]
    labels = torch.from_numpy(chosen[:, -1].astype(np.int64))
    return ImageSet(images, labels, tuple("0123456789"), "digits", split, "scikit-learn, embedded", top=16)


def _read_idx(path: Path, md5: str, root: Path) -> np.ndarray:
    """Array of an IDX file (big-endian sizes, then bytes), after its checksum was compared."""
    verify(path, md5=md5, root=root)
    with gzip.open(path) as stream:
        raw = stream.read()
    ndim = raw[3]
    shape = np.frombuffer(raw, ">i4", ndim, offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * ndim).reshape(shape)


def _idx_set(name: str, folder: str, torchvision_name: str) -> Callable[[str], ImageSet]:
    def read(split: str) -> ImageSet:
        from torchvision import datasets

        cls = getattr(datasets, torchvision_name)
        checksums = dict(cls.resources)
        stem = "train" if split == "train" else "t10k"
        parts = [f"{stem}-images-idx3-ubyte.gz", f"{stem}-labels-idx1-ubyte.gz"]
        root = data_root()
        if root is None:
            root = download_root()
            _download(name, lambda: cls(str(root), train=split == "train", download=True))
        files = [root / folder / "raw" / part for part in parts]
        images, labels = (
            _read_idx(file, checksums[part], root) for file, part in zip(files, parts, strict=True)
        )
        classes = tuple(str(c) for c in cls.classes)
        return ImageSet(
            torch.from_numpy(images.copy())[:, None],
            torch.from_numpy(labels.astype(np.int64)),
            classes,
            name,
            split,
            str(root / folder),
        )

    return read


def _packed(name: str, split: str, root: Path) -> ImageSet:
    """A set packed as lossless WebP strips of images stacked from top to bottom."""
    from PIL import Image

    folder = root / name
    shards = sorted(folder.glob(f"{split}-[0-9]*.webp"))
    parts = []
    try:
        for shard in shards:
            with Image.open(verify(shard, root=root)) as image:
                strip = np.asarray(image.convert("RGB"))
            parts.append(strip.reshape(-1, strip.shape[1], strip.shape[1], 3))
        labels = np.load(verify(folder / f"{split}-labels.npy", root=root), allow_pickle=False).astype(np.int64)
        classes = tuple(verify(folder / "classes.txt", root=root).read_text(encoding="utf8").split())
    except (OSError, ValueError, EOFError) as error:
        raise DataCorruptedError(f"{folder} is not a packed set of ours: {error}; copy the set again") from error
    count = sum(len(part) for part in parts)
    if count != len(labels):
        raise DataCorruptedError(
            f"{folder} holds {count} {split} images for {len(labels)} labels: a shard is missing; copy the set again"
        )
    images = torch.from_numpy(np.concatenate(parts)).permute(0, 3, 1, 2).contiguous()
    return ImageSet(images, torch.from_numpy(labels), classes, name, split, str(folder))


def _cifar10(split: str) -> ImageSet:
    root = data_root()
    if root is not None and (root / "cifar10").is_dir():
        return _packed("cifar10", split, root)
    from torchvision import datasets

    if root is None:
        root = download_root()
        made = _download("cifar10", lambda: datasets.CIFAR10(str(root), train=split == "train", download=True))
    else:
        try:
            made = datasets.CIFAR10(str(root), train=split == "train", download=False)
        except RuntimeError as error:
            raise DataCorruptedError(
                f"{root / 'cifar-10-batches-py'} is missing or does not have the official checksums ({error}); "
                "copy the official files again, or unset COLU_DATA to download them"
            ) from error
    images = torch.from_numpy(made.data).permute(0, 3, 1, 2).contiguous()
    return ImageSet(images, torch.tensor(made.targets), tuple(made.classes), "cifar10", split, str(root))


def _eurosat32(split: str) -> ImageSet:
    root = data_root()
    if root is None or not (root / "eurosat32").is_dir():
        raise DataUnavailableError(
            "data set 'eurosat32' is not to be downloaded: set COLU_DATA to a folder that holds eurosat32/, "
            "or use PRESET = 'smoke', which needs neither"
        )
    return _packed("eurosat32", split, root)


def _download(name: str, make: Callable):
    """Call torchvision's download; say what to do where there is no network."""
    try:
        return make()
    except (OSError, RuntimeError) as error:
        raise DataUnavailableError(
            f"data set {name!r} could not be downloaded ({type(error).__name__}: {error}). "
            f"Set COLU_DATA to a folder that holds it, or connect to the network; "
            "PRESET = 'smoke' uses embedded images and needs neither"
        ) from error


_READERS: dict[str, Callable[[str], ImageSet]] = {
    "cifar10": _cifar10,
    "digits": _digits,
    "eurosat32": _eurosat32,
    "fashion_mnist": _idx_set("fashion_mnist", "FashionMNIST", "FashionMNIST"),
    "mnist": _idx_set("mnist", "MNIST", "MNIST"),
}


def names() -> list[str]:
    """Names that :func:`load` knows.

    Examples
    --------
    >>> names()
    ['cifar10', 'digits', 'eurosat32', 'fashion_mnist', 'mnist']
    """
    return sorted(_READERS)


def load(name: str, split: str = "train") -> ImageSet:
    """Load a whole image set by name.

    ``digits`` is embedded (8 x 8, 1,347 for training and 450 for testing, a fixed stratified split of ours).
    The others come from the folder ``COLU_DATA`` or, where that is unset, by torchvision's download
    into :func:`download_root`; files are compared with their checksums before a byte is used.

    Parameters
    ----------
    name : str
        One of :func:`names`.
    split : {"train", "test"}

    Returns
    -------
    ImageSet

    Raises
    ------
    ValueError
        For an unknown name or split.
    DataUnavailableError
        If the set is neither in ``COLU_DATA`` nor to be downloaded.
    DataCorruptedError
        If a file is truncated or altered; names the file and both checksums.

    Examples
    --------
    >>> digits = load("digits", "train")
    >>> digits.images.shape, digits.images.dtype
    (torch.Size([1347, 1, 8, 8]), torch.uint8)
    """
    if name not in _READERS:
        near = difflib.get_close_matches(name, _READERS, n=2, cutoff=0.4)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise ValueError(f"unknown data set {name!r}: choose one of {names()}{hint}")
    if split not in ("train", "test"):
        raise ValueError(f"unknown split {split!r}: choose 'train' or 'test'")
    return _READERS[name](split)


def labelled_images(dataset: str, train_size: int, test_size: int = 0) -> tuple[tuple, tuple]:
    """Normalised training and test images with labels, as an image classifier of :mod:`colu.lab.experiments` sees them.

    Parameters
    ----------
    dataset : str
        A name of :func:`names`.
    train_size, test_size : int
        The first so many; 0 for all.

    Examples
    --------
    >>> train, test = labelled_images("digits", 100, 50)
    >>> train[0].shape, test[1].shape
    (torch.Size([100, 1, 8, 8]), torch.Size([50]))
    """
    train, test = load(dataset, "train"), load(dataset, "test")
    pixels = train.images[:10_000].double() / train.top
    mean, std = (m.float()[:, None, None] for m in (pixels.mean((0, 2, 3)), pixels.std((0, 2, 3))))

    def some(images, count):
        stop = count or len(images.labels)
        return (images.images[:stop].float() / images.top - mean) / std, images.labels[:stop]

    return some(train, train_size), some(test, test_size)
