"""Parts of an axis: what may be said of them, and what is refused."""

import pytest

from colu.fusion import Part
from colu.fusion.part import parts_of, unsigned


@pytest.mark.parametrize("given, message", [
    ({"of": (0, 1)}, "need at="), ({"at": (0,), "across": 2}, "need of="),
    ({"repeat": 0}, "repeat"), ({"repeat": 1.5}, "repeat"), ({"side": "left"}, "side='left' is unknown"),
], ids=str)  # fmt: skip
def test_a_part_that_makes_no_sense_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        Part("h", **given)


def test_an_axis_is_a_name_a_part_or_several():
    assert parts_of("h") == parts_of(Part("h")) == parts_of(["h"]) == (Part("h"),)
    assert parts_of(("h", Part("k", 2))) == (Part("h"), Part("k", 2))
    with pytest.raises(ValueError, match="3 names no axis"):
        parts_of(3)


def test_without_signs_places_in_a_row_are_a_stretch():
    assert unsigned((Part("h", even=True, at=(0, 1, 2)),)) == (Part("h"),)
    scattered = (Part("h", even=True, at=(1, 0)),)
    assert unsigned(scattered) == (Part("h", at=(1, 0)),)
    # Beside another part, whose places it must not take, it says where it is.
    assert unsigned((Part("h", at=(0, 1)), Part("k", at=(2, 3)))) == (Part("h", at=(0, 1)), Part("k", at=(2, 3)))
