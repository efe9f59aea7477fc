"""Views of a group act with the elements of the whole, and their covariances count where they belong."""

import pytest
import torch

from colu.fusion import Conic, Inner, Orthogonal, Part, Permutation, Vectors, Wreath
from colu.fusion.views import lifted, viewed

HEADS = Wreath(3, (Inner("orthogonal", 4), Inner("fixed"), Inner("signed", 2)))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=generator(seed))


def test_views_take_the_elements_of_the_whole_group():
    group = Conic(3, 4, layout="axes_first")
    element = group.random(generator(5))
    x = normal(12, 6, seed=6)
    whole = group.act(element, x, 0)
    assert torch.equal(viewed(group, "units").act(element, x[:3], 0), whole[:3])
    assert torch.allclose(viewed(group, "sections").act(element, x[3:], 0), whole[3:])
    assert torch.allclose(lifted(group, "units", x[:3] @ x[:3].T)[:3, :3], x[:3] @ x[:3].T)
    product = lifted(group, "sections", x[3:] @ x[3:].T)
    assert torch.allclose(product[3:, 3:], x[3:] @ x[3:].T) and not product[:3].any()
    assert lifted(Vectors(3, 4), "units", torch.eye(3)) is None


def places(view):
    """The channels of a unit that a view of the heads has."""
    return {0: [0, 1, 2, 3], 1: [4], 2: [5, 6], "sections": [0, 1, 2, 3, 5, 6]}[view]


@pytest.mark.parametrize("view", [0, 1, 2, "sections"])
def test_a_set_moves_as_among_all_channels(view):
    element = HEADS.random(generator(1))
    x = normal(5, 21, 2, seed=2)
    part = x.view(5, 3, 7, 2)[:, :, places(view)].flatten(1, 2)
    whole = HEADS.act(element, x, 1).view(5, 3, 7, 2)[:, :, places(view)].flatten(1, 2)
    group = viewed(HEADS, view)
    assert group.size == part.shape[1]
    for axis in (1, -2):
        assert torch.allclose(group.act(element, part, axis), whole, atol=1e-12)
    # What the view contributes to the objective is what its covariance contributes among all channels.
    a, b = normal(group.size, 9, seed=3), normal(group.size, 9, seed=4)
    total = lifted(HEADS, view, a @ b.T)
    assert (element.as_matrix() * total).sum().item() == pytest.approx((a * group.act(element, b, 0)).sum().item())


@pytest.mark.parametrize("place, copies", [(0, 3), (2, 2), (1, 1)])
def test_copies_of_a_set_move_alike(place, copies):
    element, group = HEADS.random(generator(1)), viewed(HEADS, (place, copies))
    size = len(places(place))
    x = normal(2, 3, copies, size, 5, seed=2)
    acted = group.act(element, x.flatten(1, 3), 1).view(x.shape)
    alone = viewed(HEADS, place)
    for copy in range(copies):
        wanted = alone.act(element, x[:, :, copy].flatten(1, 2), 1).view(2, 3, size, 5)
        assert torch.allclose(acted[:, :, copy], wanted, atol=1e-12)
    a, b = normal(group.size, 9, seed=3), normal(group.size, 9, seed=4)
    total = lifted(HEADS, (place, copies), a @ b.T)
    assert (element.as_matrix() * total).sum().item() == pytest.approx((a * group.act(element, b, 0)).sum().item())


def test_a_variance_moves_without_signs():
    group = Wreath(3, (Inner("fixed"), Inner("signed", 2), Inner("orthogonal"), Inner("permutation", 3)))
    element = group.random(generator(1))
    x = normal(21, 400, seed=2)
    even = viewed(group, "even")
    assert torch.equal(even.act(element, x.var(1), 0), group.act(element, x, 0).var(1))
    assert (group.act(element, x.var(1), 0) < 0).any()
    assert torch.equal(even.act(element, x, 0), element.as_matrix().abs() @ x)
    permuted = Permutation(5)
    assert viewed(permuted, "even") is permuted and torch.equal(lifted(permuted, "even", x[:5, :5]), x[:5, :5])
    still = Conic(2, 4, rotate=False)
    assert viewed(still, "even") is still


def test_units_have_one_entry_each():
    element = HEADS.random(generator(1))
    assert torch.equal(viewed(HEADS, "units").act(element, torch.arange(3), 0), element.permutation)
    assert lifted(HEADS, "units", torch.eye(3)) is None


@pytest.mark.parametrize("group, view, message", [
    (Orthogonal(4), "sections", "has no sections"),
    (Permutation(4), "sections", "has no sections"),
    (Wreath(2, Inner("signed", 2)), "sections", "has no sections"),
    (Orthogonal(4), "units", "has no units"),
    (HEADS, "even", "has no even; use a group of permutations"),
    (Wreath(2, Inner("mean", 3)), "even", "has no even"),
    (Conic(2, 4), "even", "has no even"),
    (HEADS, 3, "has no set 3"),
    (Conic(2, 4), 0, "has no set 0"),
], ids=str)  # fmt: skip
def test_views_that_a_group_lacks_are_refused(group, view, message):
    with pytest.raises(ValueError, match=message):
        viewed(group, view)


@pytest.mark.parametrize("view", ["all", -1, (0, 0), (0, 1, 2), 1.5, None])
def test_unknown_views_are_refused(view):
    with pytest.raises(ValueError, match="is unknown; use one of 'channels'"):
        Part("h", view=view)


def test_views_act_for_elements_of_their_group_only():
    for view in (0, "sections"):
        with pytest.raises(ValueError, match="same specification"):
            viewed(HEADS, view).act(Wreath(3, Inner("fixed", 7)).identity(), torch.zeros(21), 0)
