"""Groups on one axis: each solves its layer to the optimum."""

import itertools

import pytest
import torch
from scipy.optimize import linear_sum_assignment

from colu.fusion import Conic, Permutation, Vectors
from colu.geometry import ConicElement


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("share_axis", [False, True])
@pytest.mark.parametrize("groups", [1, 2, 3, 4])
def test_one_layer_is_solved_as_well_as_by_all_permutations(groups, share_axis):
    group = Conic(groups, 4, share_axis=share_axis)
    matrix = torch.randn(group.size, group.size, dtype=torch.float64, generator=generator(groups))

    def value(element):
        return (element.as_matrix(share_axis=share_axis) * matrix).sum().item()

    best = -float("inf")
    for permutation in itertools.permutations(range(groups)):
        element = type(group.identity()).from_permutation(list(permutation), 4)
        full = element.as_matrix(share_axis=share_axis)
        rotations = []
        for i in range(groups):
            rows = slice(1 + 3 * i, 4 + 3 * i) if share_axis else slice(4 * i + 1, 4 * i + 4)
            columns = full[rows].argmax(1)
            u, _, vh = torch.linalg.svd(matrix[rows][:, columns])
            rotations.append(u @ vh)
        best = max(best, value(type(element)(list(permutation), torch.stack(rotations))))
    found = value(group.solve(matrix))
    assert found == pytest.approx(best, abs=1e-12)
    assert found >= value(group.solve(matrix, "permutation")) >= value(group.identity()) - 1e-12
    for seed in range(20):
        assert found >= value(group.random(generator(seed))) - 1e-12


def test_dimension_one_is_the_assignment_problem_of_scipy():
    gain = torch.randn(9, 9, dtype=torch.float64, generator=generator())
    wanted = linear_sum_assignment(gain.numpy(), maximize=True)[1]
    for group in (Permutation(9), Conic(9, 1)):
        assert group.solve(gain).permutation.tolist() == wanted.tolist()


def test_vectors_turn_and_move_as_wholes_and_are_solved():
    group = Vectors(4, 3)
    x = torch.randn(5, 12, dtype=torch.float64, generator=generator())
    g, h = group.random(generator(1)), group.random(generator(2))
    y = group.act(g, x, 1)
    assert torch.allclose(y.view(5, 4, 3).norm(dim=2), x.view(5, 4, 3).norm(dim=2)[:, g.permutation])
    assert torch.allclose(group.act(g.compose(h), x, 1), group.act(g, group.act(h, x, 1), 1))
    assert torch.allclose(group.act(g.inverse(), y, 1), x)
    # The covariance of the moved with itself before tells the element.
    big = torch.randn(12, 40, dtype=torch.float64, generator=generator(3))
    found = group.solve(group.act(g, big, 0) @ big.T)
    assert found.compose(g.inverse()).is_identity(1e-6)
    still = Vectors(4, 3, rotate=False)
    moved = still.random(generator(4))
    found = still.solve(still.act(moved, big, 0) @ big.T)
    assert torch.equal(found.permutation, moved.permutation)
    assert torch.equal(found.rotations, torch.eye(3).double().expand(4, 3, 3))


def test_elements_of_other_sizes_are_refused():
    with pytest.raises(ValueError, match="take elements from the same specification"):
        Vectors(2, 3).act(ConicElement.identity(3, 4), torch.zeros(6), 0)
    with pytest.raises(ValueError, match="do not divide into blocks=2"):
        Vectors(3, 2, blocks=2)
