"""Image sets: whole or an error, never partly read."""

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from colu.lab import data

needs_data = pytest.mark.skipif(not os.environ.get("COLU_DATA"), reason="COLU_DATA is not set")


def test_digits_are_embedded_and_split_without_overlap():
    train, test = data.load("digits", "train"), data.load("digits", "test")
    assert len(train) + len(test) == 1797
    assert train.images.dtype == torch.uint8 and int(train.images.max()) == train.top
    rows = {bytes(image.numpy().tobytes()) for image in train.images}
    shared = sum(bytes(image.numpy().tobytes()) in rows for image in test.images)
    assert shared == 0
    assert torch.bincount(test.labels).min() >= 40


def test_batches_cover_the_set_once_and_follow_the_generator():
    digits = data.load("digits", "test")
    seen = torch.cat([y for _, y in digits.batches(64, generator=torch.Generator().manual_seed(3))])
    again = torch.cat([y for _, y in digits.batches(64, generator=torch.Generator().manual_seed(3))])
    assert torch.equal(seen, again) and not torch.equal(seen, digits.labels)
    assert torch.equal(seen.sort().values, digits.labels.sort().values)
    x, _ = next(digits.batches(8, shuffle=False))
    assert x.dtype == torch.float32 and 0 <= float(x.min()) and float(x.max()) <= 1


@pytest.mark.parametrize(("name", "near"), [("mnits", "mnist"), ("cifar", "cifar10")])
def test_an_unknown_name_gets_the_nearest(name, near):
    with pytest.raises(ValueError, match=f"{name}.*did you mean.*{near}"):
        data.load(name)


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="'valid'.*'train' or 'test'"):
        data.load("digits", "valid")


def test_without_network_the_error_names_set_variable_and_preset(monkeypatch, tmp_path):
    from torchvision import datasets

    def offline(*_, **__):
        raise OSError("name resolution failed")

    monkeypatch.delenv("COLU_DATA", raising=False)
    monkeypatch.setenv("COLU_CACHE", str(tmp_path))
    monkeypatch.setattr(datasets.MNIST, "__init__", offline)
    with pytest.raises(data.DataUnavailableError, match="'mnist'.*COLU_DATA.*smoke"):
        data.load("mnist")


def _altered(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(bytes(raw))


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize("harm", [_altered, _truncated])
def test_a_harmed_idx_file_is_refused_by_name_and_checksum(harm, tmp_path, monkeypatch):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"):
        (raw / part).write_bytes(gzip.compress(os.urandom(4096)))
    harm(raw / "train-images-idx3-ubyte.gz")
    monkeypatch.setenv("COLU_DATA", str(tmp_path))
    with pytest.raises(data.DataCorruptedError, match="train-images-idx3-ubyte.gz.*md5.*wanted f68b3c2d"):
        data.load("mnist")


def test_a_set_that_was_only_extracted_is_not_told_to_unset_what_is_unset(tmp_path, monkeypatch):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for stem in ("train", "t10k"):
        for part in ("images-idx3", "labels-idx1"):
            (raw / f"{stem}-{part}-ubyte").write_bytes(b"x")
    monkeypatch.delenv("COLU_DATA", raising=False)
    monkeypatch.setenv("COLU_CACHE", str(tmp_path))
    monkeypatch.setattr("torchvision.datasets.MNIST._load_data", lambda self: (None, None))
    with pytest.raises(data.DataUnavailableError) as error:
        data.load("mnist")
    said = str(error.value)
    assert "train-images-idx3-ubyte.gz is missing" in said and "holds t10k-images-idx3-ubyte," in said
    assert f"remove {raw}" in said and "COLU_DATA" not in said


@pytest.mark.parametrize("content", [b"no array", b"", b"\x93NUMPY"])
def test_a_packed_set_of_another_tool_is_refused_by_name(tmp_path, monkeypatch, content):
    (tmp_path / "eurosat32").mkdir()
    (tmp_path / "eurosat32" / "test-labels.npy").write_bytes(content)
    monkeypatch.setenv("COLU_DATA", str(tmp_path))
    with pytest.raises(data.DataCorruptedError, match="eurosat32 is not a packed set of ours"):
        data.load("eurosat32", "test")


def test_a_missing_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("COLU_DATA", str(tmp_path))
    with pytest.raises(data.DataUnavailableError, match="train-images-idx3-ubyte.gz is missing"):
        data.load("mnist")


@needs_data
@pytest.mark.parametrize(
    ("name", "split", "shape"),
    [
        ("mnist", "test", (10000, 1, 28, 28)),
        ("fashion_mnist", "test", (10000, 1, 28, 28)),
        ("cifar10", "test", (10000, 3, 32, 32)),
        ("eurosat32", "test", (1500, 3, 32, 32)),
    ],
)
def test_sets_in_the_data_folder_are_read_whole(name, split, shape):
    loaded = data.load(name, split)
    assert tuple(loaded.images.shape) == shape and len(loaded.classes) == 10
    assert loaded.labels.unique().tolist() == list(range(10))


@needs_data
def test_a_missing_shard_is_noticed(tmp_path, monkeypatch):
    shutil.copytree(Path(os.environ["COLU_DATA"]) / "eurosat32", tmp_path / "eurosat32")
    (tmp_path / "eurosat32").chmod(0o755)
    (tmp_path / "eurosat32" / "test-001.webp").unlink()
    monkeypatch.setenv("COLU_DATA", str(tmp_path))
    with pytest.raises(data.DataCorruptedError, match="a shard is missing"):
        data.load("eurosat32", "test")


def test_the_digits_are_those_of_scikit_learn_in_its_stratified_split():
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)
    parts = train_test_split(pixels, labels, range(1797), test_size=0.25, random_state=0, stratify=labels)
    for split, images, wanted, order in (("train", *parts[::2]), ("test", *parts[1::2])):
        found = data.load("digits", split)
        by_number = torch.tensor(order).argsort()
        assert torch.equal(found.images.flatten(1).double(), torch.tensor(images)[by_number])
        assert torch.equal(found.labels, torch.tensor(wanted)[by_number])


def test_the_digits_are_read_without_importing_scikit_learn():
    program = "import sys; from colu.lab import data; data.load('digits'); print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
