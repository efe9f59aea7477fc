"""Batches: every example once an epoch, shares that make up the batch, augmentation that only moves pixels."""

import pytest
import torch

from colu.lab.training import ImageBatches, TokenBatches, generator_for, seed_for


def images(n=12, channels=3, side=6):
    return torch.randint(
        1, 256, (n, channels, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )


def test_each_epoch_shows_every_example_once_in_a_new_order():
    batches = ImageBatches(images(), torch.arange(12), 4, seed=0)
    epochs = [torch.cat([batches.at(s)[1] for s in range(e * 3, e * 3 + 3)]) for e in range(3)]
    assert all(torch.equal(e.sort().values, torch.arange(12)) for e in epochs)
    assert not torch.equal(epochs[0], epochs[1])


def test_a_batch_depends_on_nothing_but_its_step():
    batches = ImageBatches(images(), torch.arange(12), 4, seed=0, crop=2, flip=True)
    late = batches.at(7)[0]
    batches.at(0)
    assert torch.equal(batches.at(7)[0], late)
    assert not torch.equal(ImageBatches(images(), torch.arange(12), 4, seed=1, crop=2, flip=True).at(7)[0], late)


@pytest.mark.parametrize("crop", [0, 2])
def test_shares_of_two_processes_make_up_the_batch(crop):
    batches = ImageBatches(images(), torch.arange(12), 4, seed=0, crop=crop, flip=True)
    x, y = batches.at(5)
    for rank in range(2):
        part_x, part_y = batches.at(5, rank, 2)
        assert torch.equal(part_x, x[rank::2]) and torch.equal(part_y, y[rank::2])


def test_augmentation_is_crop_and_flip_of_the_padded_image_and_nothing_else():
    source = images(n=4)
    batches = ImageBatches(source, torch.arange(4), 4, seed=3, crop=2, flip=True, top=1)
    seen = set()
    for step in range(60):
        x, y = batches.at(step)
        for image, label in zip(x, y, strict=True):
            padded = torch.nn.functional.pad(source[label].float(), (2,) * 4)
            options = {
                (dy, dx, f): (lambda w: w.flip(2) if f else w)(padded[:, dy : dy + 6, dx : dx + 6])
                for dy in range(5)
                for dx in range(5)
                for f in (0, 1)
            }
            found = [key for key, option in options.items() if torch.equal(option, image)]
            assert len(found) == 1
            seen.add(found[0])
    assert len(seen) == 50


def test_pixels_are_normalised_channel_by_channel():
    mean, std = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([1.0, 2.0, 4.0])
    batches = ImageBatches(images(), torch.arange(12), 12, seed=0, mean=mean, std=std)
    x, y = batches.at(0)
    expected = (images()[y].float() / 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    assert torch.equal(x, expected)


def test_windows_of_tokens_are_followed_by_their_successors():
    batches = TokenBatches(torch.arange(50), 8, 5, seed=0)
    x, y = batches.at(0)
    assert torch.equal(y, x + 1) and x.shape == (8, 5)
    last = torch.cat([batches.at(s)[1] for s in range(100)]).max()
    assert last == 49  # the end of the text is reached
    assert torch.equal(batches.at(3, 1, 2)[0], batches.at(3)[0][1::2])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ImageBatches(images(), torch.arange(11), 4, seed=0), "12 images for 11 labels"),
        (lambda: ImageBatches(images(), torch.arange(12), 13, seed=0), "batch_size is 13"),
        (lambda: ImageBatches(images(), torch.arange(12), 4, seed=0, crop=-1), "crop is -1"),
        (lambda: ImageBatches(images(), torch.arange(12), 4, seed=0).at(0, 0, 3), "3 processes"),
        (lambda: TokenBatches(torch.arange(5), 2, 5, seed=0), "5 tokens"),
        (lambda: TokenBatches(torch.arange(50), 2, 5, seed=0).at(0, 0, 3), "3 processes"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_seeds_differ_by_use_and_repeat():
    assert len({seed_for(s, use, n) for s in range(5) for use in ("a", "b") for n in range(20)}) == 200
    assert torch.equal(torch.rand(3, generator=generator_for(1, "x")), torch.rand(3, generator=generator_for(1, "x")))
