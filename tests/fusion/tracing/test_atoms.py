"""Labels meet as the tensors that they stand for do."""

import pytest
import torch

from colu.fusion.tracing.atoms import CONSTANT, ZERO, Atoms, canonical, common, matched, squashed, varying


def test_only_what_differs_varies():
    labels = torch.arange(2, 6).view(1, 4, 1).expand(3, 4, 5)
    assert varying(labels) == {1} and squashed(labels)[0].shape == (1, 4, 1)
    assert varying(labels.contiguous()) == {1}
    # Zeros agree with all.
    padded = torch.tensor([[2, 3], [ZERO, 3]])
    assert varying(padded) == {1} and varying(torch.tensor([[2, 3], [CONSTANT, 3]])) == {0, 1}
    # Those that come first, too, hide nothing behind them.
    assert varying(torch.tensor([ZERO, 2, 3])) == {0} and varying(torch.tensor([ZERO, 2, 2])) == set()
    assert varying(torch.tensor([ZERO, CONSTANT, 2])) == {0} and varying(torch.tensor([ZERO, CONSTANT])) == set()


def test_the_common_label_is_that_behind_zeros():
    labels = torch.tensor([[ZERO, 4, 4], [ZERO, ZERO, ZERO], [CONSTANT, ZERO, CONSTANT]])
    assert common(labels, 1).tolist() == [[4], [ZERO], [CONSTANT]]
    assert common(torch.tensor([[5]]).expand(2, 3), 0, 1).tolist() == [[5]]


@pytest.mark.parametrize(
    "one, other, kind",
    [([2, 3], [5, 4], "same"), ([2, 2, 3], [4, 5, 6], "holds"), ([4, 5, 6], [2, 2, 3], "held"),
     ([2, 2, 3], [4, 5, 5], "mixed"), ([2, ZERO], [4, 4], "same")],
)  # fmt: skip
def test_how_labels_belong_together(one, other, kind):
    assert matched(torch.tensor(one), torch.tensor(other)) == kind


def test_what_differs_across_other_dimensions_is_united():
    atoms = Atoms()
    labels = torch.tensor([[2, 3], [4, 3], [ZERO, 3]])
    assert canonical(atoms, labels, (1,)).tolist() == [4, 3]
    assert {tuple(pair) for pairs in atoms.same for pair in pairs.tolist()} == {(4, 2)}


def test_equal_rows_have_one_unit():
    atoms = Atoms()
    channels = atoms.new(4).view(2, 2)
    units = atoms.rows(channels[[0, 1, 0]], "heads")
    assert units[0] == units[2] != units[1]
    children, holders, _ = atoms.units[0]
    assert sorted(children.tolist()) == [2, 3, 4, 5] and len(set(holders.tolist())) == 2
    assert (atoms.rows(channels[[0, 0]], "one row") == CONSTANT).all()


def test_what_is_told_to_be_the_same_has_one_label():
    queries, keys = torch.tensor([[2, 3], [4, 5], [6, 7]]), torch.tensor([[8, 9], [8, 9], [10, 11]])
    joined = Atoms.joined(queries, keys)
    assert torch.equal(joined[0], joined[1]) and not torch.equal(joined[0], joined[2])
