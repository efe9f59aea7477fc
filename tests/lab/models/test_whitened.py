"""The whitened network: filters that decorrelate, affine without its activation, one start in every arm."""

import pytest
import torch
from torch import nn

from colu.lab.experiments import ARMS, get_arm
from colu.lab.models import WhitenedResNet, whitening_filters
from colu.nn import CoLU, MetaAcon


def pictures(num, size=16, channels=3):
    """Smooth noise: neighbours are alike, and so are channels."""
    noise = torch.randn(num, channels, size + 2, size + 2, generator=torch.Generator().manual_seed(0)).double()
    noise = nn.functional.avg_pool2d(noise, 3, 1)
    return noise + noise.mean(1, keepdim=True)


def built(activation, seed=0, widths=(8, 16, 16), **options):
    torch.manual_seed(seed)
    return WhitenedResNet(whitening_filters(pictures(8)), activation=activation, widths=widths, **options).double()


def test_the_filters_decorrelate_patches():
    x = pictures(200)
    seen = nn.functional.conv2d(x, whitening_filters(x, epsilon=0.0)).movedim(1, -1).flatten(0, -2)
    half = seen.shape[1] // 2
    moments = seen[:, :half].T @ seen[:, :half] / len(seen)
    assert torch.allclose(moments, torch.eye(half).double(), atol=1e-8)
    assert torch.equal(seen[:, :half], -seen[:, half:])
    patches = nn.functional.unfold(x, 2).movedim(1, 2).flatten(0, 1)
    before = patches.T @ patches / len(patches)
    assert (before - before.diag().diag()).abs().max() > 0.1 * before.diag().max(), "which they are not by themselves"


def test_the_filters_do_not_hang_on_the_signs_of_eigenvectors(monkeypatch):
    x, once = pictures(50), whitening_filters(pictures(50))
    eigh = torch.linalg.eigh
    monkeypatch.setattr(torch.linalg, "eigh", lambda m: (eigh(m)[0], -eigh(m)[1]))
    assert torch.equal(whitening_filters(x), once)


def test_patches_that_never_vary_leave_the_filters_finite():
    assert whitening_filters(torch.zeros(4, 1, 8, 8)).isfinite().all()


@pytest.mark.parametrize("block", ["single", "basic", "bottleneck"])
def test_without_an_activation_it_is_affine_and_with_one_it_is_not(block):
    x = pictures(2)
    middle = x.mean(0, keepdim=True)
    for activation, affine in ((nn.Identity, True), (nn.ReLU, False)):
        model = built(activation, block=block, depth=2)
        model(pictures(8))  # moments
        model.eval()
        assert torch.allclose(model(middle), model(x).mean(0, keepdim=True), atol=1e-10) is affine


@pytest.mark.parametrize("block", ["single", "basic", "bottleneck"])
def test_one_seed_gives_one_start_in_every_arm(block):
    models = [
        built(get_arm(name), block=block, widths=(16, 16, 16)) for name in ("relu", "colu", "acon-c", "meta-acon")
    ]
    weights = [[m.weight for m in model.modules() if type(m) is nn.Conv2d] + [model.head.weight] for model in models]
    assert len(weights[0]) == {"single": 8, "basic": 11, "bottleneck": 14}[block]
    assert all(torch.equal(a, b) for other in weights[1:] for a, b in zip(weights[0], other, strict=True))


def test_the_filters_are_not_trained_and_are_kept():
    model = built("relu")
    model(pictures(4)).square().sum().backward()
    trained = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.isfinite().all()}
    assert set(dict(model.named_parameters())) - trained == {"whiten.weight"}
    assert torch.allclose(model.whiten.weight, whitening_filters(pictures(8)), rtol=1e-6)


def test_an_arm_may_stand_behind_filters_of_one_size_only():
    def kinds(arm, block):
        modules = built(get_arm(arm), block=block, widths=(16, 16, 16)).modules()
        return [type(m) for m in modules if isinstance(m, MetaAcon | nn.ReLU)]

    assert kinds("meta-acon", "bottleneck") == [MetaAcon] * 13
    assert kinds("meta-acon-3", "bottleneck") == [nn.ReLU] + 3 * [MetaAcon, nn.ReLU, MetaAcon, nn.ReLU]
    assert kinds("meta-acon-3", "basic") == [nn.ReLU] + [MetaAcon] * 9


@pytest.mark.parametrize("name", sorted(ARMS))
def test_every_arm_takes_images_and_learns_from_them(name):
    arm = get_arm(name)
    torch.manual_seed(0)
    filters = whitening_filters(pictures(8))
    model = WhitenedResNet(
        filters[: arm.width(24)], activation=arm, widths=[arm.width(w) for w in (16, 32, 32)]
    ).double()
    nn.functional.cross_entropy(model(pictures(4)), torch.tensor([0, 1, 2, 3])).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.requires_grad)
    assert model.stages[0].convolution.weight.grad.any()


def test_cones_that_the_norms_scale_unevenly_are_not_turned_with_the_network():
    """A turn of the sections of the first stage, taken back by the layers behind it, without BatchNorm and with it."""
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(1)).double())[0]
    x = torch.randn(4, 4, 5, 5, generator=torch.Generator().manual_seed(2)).double()
    matrix = torch.eye(4).double()
    matrix[1:, 1:] = turn
    norm = nn.BatchNorm2d(4).double().eval()
    act = CoLU(dim=4)

    def turned(value):
        return torch.einsum("ij,njhw->nihw", matrix, value)

    assert torch.allclose(act(turned(x)), turned(act(x)))
    norm.running_var = torch.tensor([1.0, 1.0, 4.0, 9.0]).double()
    assert not torch.allclose(act(norm(turned(x))), turned(act(norm(x))))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"block": "dense"}, "block is 'dense', choose one of single, basic, bottleneck"),
        ({"depth": 0}, "depth is 0, wanted at least 1"),
        ({"filters": torch.zeros(0, 3, 2, 2)}, "no filters"),
        ({"widths": (8, 8)}, r"widths are \[8, 8\], wanted three"),
        ({"widths": (8, 0, 8)}, r"widths are \[8, 0, 8\]"),
        ({"widths": (8, 8, 10), "block": "bottleneck"}, "wanted multiples of 4 for bottlenecks"),
    ],
)
def test_what_cannot_be_built_says_what_was_wanted(options, said):
    given = {"filters": whitening_filters(pictures(8))} | options
    with pytest.raises(ValueError, match=said):
        WhitenedResNet(**given)
