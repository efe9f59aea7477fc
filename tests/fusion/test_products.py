"""Entries of two sets of channels: where they stand, how they move, and what is left without one of the sets."""

import pytest
import torch

from colu.fusion import FIXED, Inner, Part, Spec, Wreath

GROUP = Wreath(2, (Inner("permutation", 2), Inner("signed", 3)))


def both(spec, element, tensor):
    return spec.act("h", element, {"w": tensor})["w"]


def element(seed=0):
    return GROUP.random(torch.Generator().manual_seed(seed))


def test_entries_move_as_the_products_of_their_channels():
    spec = Spec({"h": GROUP}, {"w": (Part("h", at=range(12), of=(0, 1)), FIXED)})
    tensor, g = torch.randn(12, 4, generator=torch.Generator().manual_seed(1)), element()
    orders, signed = g.matrices
    for unit, source in enumerate(g.permutation.tolist()):
        turn = torch.kron(orders[unit], signed[unit]).float()
        assert torch.equal(both(spec, g, tensor)[6 * unit : 6 * unit + 6], turn @ tensor[6 * source : 6 * source + 6])
    assert torch.equal(both(spec, g.inverse(), both(spec, g, tensor)), tensor)
    f = element(3)
    assert torch.equal(both(spec, f, both(spec, g, tensor)), both(spec, f @ g, tensor))


def test_a_weight_whose_rows_are_of_one_set_and_columns_of_another():
    # As a grouped convolution: six rows, of which three make what a unit has, and two columns that these read.
    at = tuple(2 * (3 * unit + row) + column for unit in range(2) for column in range(2) for row in range(3))
    spec = Spec({"h": GROUP}, {"w": (Part("h", at=at, of=(0, 1), across=2), FIXED, FIXED)})
    tensor, g = torch.randn(6, 2, 5, generator=torch.Generator().manual_seed(1)), element()
    spec.check({"w": tensor})
    orders, signed = (one.float() for one in g.matrices)
    for unit, source in enumerate(g.permutation.tolist()):
        wanted = torch.einsum("ab,cd,bdx->acx", signed[unit], orders[unit], tensor[3 * source : 3 * source + 3])
        assert torch.equal(both(spec, g, tensor)[3 * unit : 3 * unit + 3], wanted)
    with pytest.raises(ValueError, match="axis 0 of w needs 2 entries on the next axis"):
        spec.check({"w": torch.zeros(6, 3, 5)})
    # Without signs, as a variance moves.
    even = Spec({"h": GROUP}, {"w": (Part("h", at=at, of=(0, 1), across=2, even=True), FIXED, FIXED)})
    assert torch.equal(both(even, g, tensor.abs()), both(spec, g, tensor).abs())


def test_what_is_left_without_products():
    at = tuple(2 * (3 * unit + row) + column for unit in range(2) for column in range(2) for row in range(3))
    whole = tuple(range(4)), tuple(range(6))
    first = [-1] * 10, [-1] * 10
    for unit in range(2):
        for k in range(2):
            first[0][5 * unit + k] = whole[0][2 * unit + k]
        for k in range(3):
            first[1][5 * unit + 2 + k] = whole[1][3 * unit + k]
    axes = {"a": (Part("h", at=first[0]),), "b": (Part("h", at=first[1]),),
            "w": (Part("h", at=at, of=(0, 1), across=2), FIXED),
            "q": (Part("h", at=range(12), of=(0, 1)),)}  # fmt: skip
    spec = Spec({"h": GROUP}, axes)
    plain = spec.plain()
    assert plain.groups == {"h": Wreath(2, (Inner("fixed", 2), Inner("signed", 3)))}
    assert plain.plain() is plain and not plain.products("h")
    assert plain.axes["w"][0][0].repeat == 1 and plain.axes["q"][0][0].repeat == 2
    # Its elements act as those of the whole group which leave the first set in order.
    g = plain.random(2)["h"]
    same = type(g)(g.permutation, GROUP.inner, (torch.eye(2).double().expand(2, 2, 2), *g.matrices))
    state = {"a": torch.randn(4), "b": torch.randn(6), "w": torch.randn(6, 2), "q": torch.randn(12)}
    one, other = plain.act("h", g, state), spec.act("h", same, state)
    assert all(torch.equal(one[name], other[name]) for name in state)


@pytest.mark.parametrize("part, message", [
    (Part("h", at=range(12), of=(0, 2)), r"names sets \(0, 2\)"), (Part("h", at=range(11), of=(0, 1)), "name 12"),
], ids=str)  # fmt: skip
def test_what_is_no_product_is_refused(part, message):
    with pytest.raises(ValueError, match=message):
        Spec({"h": GROUP}, {"w": (part,)})
