"""A set of channels has the usual name of its group, and says where each class stands."""

import pytest

from colu.fusion import Conic, Inner, Orthogonal, Permutation, Vectors, Wreath
from colu.fusion.tracing.channels import Channels


@pytest.mark.parametrize("units, inner, group", [
    ([[0], [1], [2]], [Inner("fixed")], Permutation(3)),
    ([[0, 1, 2]], [Inner("permutation", 3)], Permutation(3)),
    ([[0, 1, 2]], [Inner("orthogonal", 3)], Orthogonal(3)),
    ([[0, 1], [2, 3]], [Inner("orthogonal", 2)], Vectors(2, 2)),
    ([[0, 1, 2], [3, 4, 5]], [Inner("fixed"), Inner("orthogonal", 2)], Conic(2, 3)),
    ([[0, 1, 2], [3, 4, 5]], [Inner("permutation", 2), Inner("signed")], None),
], ids=str)  # fmt: skip
def test_groups_have_their_usual_names(units, inner, group):
    channels = Channels(units, tuple(inner))
    assert channels.group == (group or channels.wreath)
    assert channels.wreath == Wreath(len(units), tuple(inner))
    for place in range(len(channels.order)):
        unit, index, rest = channels.at(place)
        before = sum(one.size for one in inner[:index])
        assert place == unit * channels.wreath.dim + before + rest and rest < inner[index].size
