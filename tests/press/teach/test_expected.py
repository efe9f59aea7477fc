"""A sheet has a number at most of what is expected."""

from __future__ import annotations

import pytest

from colu.press.teach.expected import number_at_most


@pytest.mark.parametrize(
    ("expected", "kept"),
    [
        ("6, 6 and 0: the cube has degree 3, so a scale does not pass.", "6, 6 and 0"),
        ("1.75; and 1.56 times as long.", "1.75"),
        ("0.177 bits a pixel and 17.4 bytes.", "0.177 bits a pixel and 17.4 bytes"),
        ("$(2, 1.2, 1.6)$ and $(-1, 0, 0)$.", "$(2, 1.2, 1.6)$ and $(-1, 0, 0)$"),
        ("about\n70.", "about 70"),
        ("0.002 and 4e-5.", ""),
        ("the even one commutes with both.", ""),
        (r"$\sqrt{1 + t^2}$: 1.15 and 2.00.", ""),
        ("no; it is 0.85 from the right.", ""),
        ("about as good as the linear network.", ""),
        ("", ""),
    ],
)
def test_only_what_begins_with_numbers_is_kept(expected, kept):
    assert number_at_most(expected) == kept
