"""Symmetries: random elements are what the kind says, widths fill whole units, and larger ones are larger."""

import pytest
import torch

from colu.blocks import axes_first_to_blocks, blocks_to_axes_first
from colu.functional import colu, rcolu
from colu.geometry import ConicElement, Symmetry
from colu.testing import assert_equivariant, assert_not_equivariant

CASES = {
    r"\{1\}": Symmetry("fixed", 12),
    r"\mathrm{GL}(C)": Symmetry("linear", 12),
    r"\mathrm{Perm}(C)": Symmetry("units", 12),
    r"\{\pm 1\} \wr \mathrm{Perm}(C)": Symmetry("units", 12, signs=True),
    r"\mathbb R_{>0} \wr \mathrm{Perm}(C)": Symmetry("units", 12, scales=True),
    r"\mathbb R_{\ne 0} \wr \mathrm{Perm}(C)": Symmetry("units", 12, signs=True, scales=True),
    r"\mathrm{Perm}(C/G) \wr \mathrm{Perm}(G)": Symmetry("units", 12, blocks=3),
    r"\mathrm{Perm}(C/3)": Symmetry("units", 12, dim=3),
    r"O(S) \wr \mathrm{Perm}(G)": Symmetry("vectors", 12, dim=3),
    r"O(S-1) \wr \mathrm{Perm}(G)": Symmetry("cones", 12, dim=4),
    r"(\mathbb R_{>0} \times O(S-1)) \wr \mathrm{Perm}(G)": Symmetry("cones", 12, dim=4, scales=True),
    r"\mathbb R_{>0} \times (O(S-1) \wr \mathrm{Perm}(G))": Symmetry("cones", 13, dim=4, scales=True, share_axis=True),
}


def element(symmetry, seed=0):
    return symmetry.random(torch.Generator().manual_seed(seed))


def normal(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("latex", CASES)
def test_group_is_written_as_it_is(latex):
    assert CASES[latex].latex == latex


@pytest.mark.parametrize("symmetry", CASES.values(), ids=lambda symmetry: symmetry.latex)
def test_elements_have_the_shape_of_their_kind(symmetry):
    matrix = element(symmetry)
    assert matrix.shape == (symmetry.channels, symmetry.channels) and matrix.dtype == torch.float64
    assert not torch.equal(matrix, element(symmetry, 1)) or symmetry.kind == "fixed"
    if symmetry.kind != "linear" and not symmetry.scales:
        assert torch.allclose(matrix @ matrix.T, torch.eye(symmetry.channels, dtype=torch.float64), atol=1e-12)
    if symmetry.kind == "units":
        # One entry a row and column, positive unless signs may change.
        assert ((matrix != 0).sum(0) == 1).all() and ((matrix != 0).sum(1) == 1).all()
        assert (matrix < 0).any().item() == symmetry.signs
        assert symmetry.scales == (not torch.equal(matrix.abs().round(), matrix.abs()))


def test_blocks_and_units_stay_whole():
    blocked = element(Symmetry("units", 12, blocks=3)).view(3, 4, 3, 4).abs().sum((1, 3))
    assert torch.equal(blocked, 4 * torch.eye(3, dtype=torch.float64))
    units = element(Symmetry("units", 12, dim=3)).view(4, 3, 4, 3)
    moved = units.abs().sum((1, 3))
    assert torch.equal(moved.sort(1).values[:, -1], torch.full((4,), 3.0, dtype=torch.float64))
    for i, j in moved.nonzero():
        assert torch.equal(units[i, :, j], torch.eye(3, dtype=torch.float64))


@pytest.mark.parametrize("kind", ["units", "vectors", "cones"])
def test_layouts_hold_the_same_elements(kind):
    one, other = (Symmetry(kind, 12, dim=4, layout=layout, scales=True) for layout in ("blocks", "axes_first"))
    x = normal(5, 12)
    expected = blocks_to_axes_first(x @ element(one).T, dim=4)
    assert torch.allclose(blocks_to_axes_first(x, dim=4) @ element(other).T, expected)
    assert torch.allclose(axes_first_to_blocks(expected, dim=4), x @ element(one).T)


def test_cones_are_conic_elements():
    generator = torch.Generator().manual_seed(3)
    order = torch.randperm(3, generator=generator)
    generator = torch.Generator().manual_seed(3)
    matrix = Symmetry("cones", 12, dim=4).random(generator)
    cones = matrix.view(3, 4, 3, 4)
    turns = torch.stack([cones[i, 1:, order[i], 1:] for i in range(3)])
    assert torch.allclose(ConicElement(order, turns).as_matrix(), matrix)


@pytest.mark.parametrize("shared", [False, True])
def test_each_frame_has_its_own_group(shared):
    channels = 13 if shared else 12
    options = dict(dim=4, scales=True, share_axis=shared)
    x = normal(20, channels)
    maps = {"coordinate": colu, "homogeneous": rcolu}
    own = {frame: element(Symmetry("cones", channels, frame=frame, **options)) for frame in maps}
    for frame, f in maps.items():
        for other, matrix in own.items():
            check = assert_equivariant if frame == other else assert_not_equivariant
            check(lambda v, f=f: f(v, dim=4, share_axis=shared), matrix, x)


@pytest.mark.parametrize("symmetry", CASES.values(), ids=lambda symmetry: symmetry.latex)
def test_a_larger_symmetry_has_more_elements(symmetry):
    larger = symmetry.enlarged()
    if symmetry.kind == "linear":
        assert larger is None
        return
    moved = element(larger).abs() > 1e-12
    seen = sum(element(symmetry, seed).abs() > 1e-12 for seed in range(300)) > 0
    # Somewhere it mixes channels that the smaller one keeps apart, or turns whole what that turns in part.
    assert (moved & ~seen).any() or larger.turns > symmetry.turns


@pytest.mark.parametrize("symmetry, widths", [
    (Symmetry("units", 0), {0: 0, 7: 7}),
    (Symmetry("units", 8, dim=4), {3: 0, 4: 4, 11: 8}),
    (Symmetry("cones", 8, dim=4), {7: 4, 8: 8}),
    (Symmetry("cones", 13, dim=4, share_axis=True), {1: 1, 3: 1, 4: 4, 12: 10, 13: 13}),
])  # fmt: skip
def test_widths_fill_whole_units(symmetry, widths):
    assert {channels: symmetry.width(channels) for channels in widths} == widths


@pytest.mark.parametrize("make, message", [
    (lambda: Symmetry("turns", 4), "kind='turns'"),
    (lambda: Symmetry("units", 4, dim=0), "dim=0"),
    (lambda: Symmetry("units", -1), "channels=-1"),
    (lambda: Symmetry("cones", 4, layout="rows"), "layout='rows'"),
    (lambda: Symmetry("cones", 10, dim=4).random(), "10 channels do not fill"),
    (lambda: Symmetry("units", 10, blocks=4).random(), "do not fill"),
])  # fmt: skip
def test_bad_values_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
