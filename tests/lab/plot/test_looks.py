import itertools

import pytest

from colu.lab.experiments import ARMS
from colu.lab.plot import LOOKS, PALETTE, look

SAME = [{"mpu", "euclidean"}, {"silu", "swish"}, {"identity", "linear"}]


@pytest.mark.parametrize("arm", sorted(ARMS))
def test_every_arm_has_a_look(arm):
    assert set(look(arm)) == {"color", "marker", "linestyle"}


def test_no_two_activations_look_alike_in_marker_and_colour_or_in_line_and_colour():
    for (one, (colour, marker, line)), (other, (colour_, marker_, line_)) in itertools.combinations(LOOKS.items(), 2):
        if colour == colour_ and {one, other} not in SAME:
            assert marker != marker_ and line != line_, (one, other)


@pytest.mark.parametrize(
    ("said", "name"),
    [("ReLU, opponent", "relu"), ("soft CoLU", "colu-soft"), ("colu-soft-shared-13", "colu-soft-shared"),
     ("ACON-C", "acon"), ("rcolu-3", "rcolu"), ("CoLU, cones", "colu")],
)  # fmt: skip
def test_an_activation_is_known_as_prose_says_it(said, name):
    assert look(said) == look(name)


def test_an_unknown_activation_is_named_with_what_comes_near():
    with pytest.raises(ValueError, match="'rellu' has no look.*relu"):
        look("rellu")


def test_relu_and_colu_have_the_colours_of_the_palette():
    assert look("relu")["color"] == PALETTE["relu"] and look("colu-16")["color"] == PALETTE["colu"]
