"""Cones as blocks of channels: which sizes fit, which are named where they do not, and layouts that lose nothing."""

import re

import pytest
import torch

from colu.blocks import axes_first_to_blocks, blocks_to_axes_first, count_groups, join, split

REFUSED = [
    (dict(dim=4), 10, "10 channels.*8 and 12"),
    (dict(num_groups=4), 10, "8 and 12"),
    (dict(dim=4, share_axis=True), 12, "10 and 13"),
    (dict(dim=4), 3, "nearest sizes that work: 4"),
    (dict(dim=0), 8, "dim=0"),
    (dict(num_groups=-1), 8, "num_groups=-1"),
    (dict(dim=4, num_groups=3), 8, "num_groups=3"),
    (dict(dim=2, num_groups=2), 8, "dim=4"),
    (dict(dim=1, share_axis=True), 8, "dim=1"),
]


@pytest.mark.parametrize("options, channels, message", REFUSED)
def test_refused_with_value_and_fix(options, channels, message):
    with pytest.raises(ValueError, match=message):
        count_groups(channels, **{"dim": None, "num_groups": None} | options)


@pytest.mark.parametrize("share_axis", [False, True])
@pytest.mark.parametrize("by", ["dim", "num_groups"])
def test_what_is_found_fills_the_channels_and_what_is_named_would_fit(by, share_axis):
    counts = set()
    for channels in range(1, 30):
        for number in range(2, 9):
            asked = {"dim": None, "num_groups": None, by: number, "share_axis": share_axis}
            try:
                groups, size = count_groups(channels, **asked)
            except ValueError as error:
                near = re.findall(r"\d+", str(error).partition("work: ")[2])
                assert near and all(count_groups(int(other), **asked) for other in near)
                assert int(near[0]) < channels < int(near[-1]) or channels < int(near[0])
                counts.add("refused")
            else:
                assert channels == (1 + groups * (size - 1) if share_axis else groups * size)
                assert number == (size if by == "dim" else groups)
                counts.add("fits")
    assert counts == {"refused", "fits"}


@pytest.mark.parametrize("channel", [1, 3])
@pytest.mark.parametrize("share_axis, layout", [(False, "blocks"), (False, "axes_first"), (True, "blocks")])
def test_joining_undoes_splitting(channel, share_axis, layout):
    x = torch.arange(2 * 10 * 3 * 10).view(2, 10, 3, 10)
    x = x if share_axis else x[:, :9, :, :9]
    axis, section = split(x, channel, 3, 4 if share_axis else 3, share_axis, layout)
    assert axis.shape[channel : channel + 2] == (1 if share_axis else 3, 1)
    assert section.shape[channel : channel + 2] == (3, 3 if share_axis else 2)
    assert torch.equal(join(axis, section, channel, share_axis, layout), x)


def test_layouts_undo_each_other():
    x = torch.arange(24).view(2, 12)
    moved = blocks_to_axes_first(x, dim=3)
    assert torch.equal(moved[:, :4], x[:, ::3]) and torch.equal(axes_first_to_blocks(moved, dim=3), x)
    assert torch.equal(blocks_to_axes_first(x.T, dim=3, channel_dim=0), moved.T)
