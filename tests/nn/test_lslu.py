"""Series activations: what is wrong with LSLU as published, and that the corrected one and VanillaNet's fold."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from colu.functional import depthwise, fold_batch_norm
from colu.nn import LSLU, LSLUAsPublished, SeriesActivation
from colu.testing import assert_different_function, assert_same_function


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def trained_statistics(module):
    """Run a few batches and disturb scale and shift, as training would."""
    torch.manual_seed(1)
    bn = module.bn if hasattr(module, "bn") else module.series.bn
    nn.init.uniform_(bn.weight, 0.5, 2.0)
    nn.init.normal_(bn.bias)
    for seed in range(20):
        module(normal(8, module.num_channels, 9, 9, seed=seed) + 0.3)
    return module.eval()


def published(n=3, channels=6, **values):
    torch.manual_seed(0)
    module = LSLUAsPublished(channels, n).double()
    with torch.no_grad():
        for name, value in values.items():
            getattr(module, name)[: len(value)] = torch.tensor(value, dtype=torch.float64)
    return trained_statistics(module)


X = normal(4, 6, 9, 9, seed=9)


def test_corrected_starts_as_relu_and_its_terms_part():
    for terms in (1, 2, 3, 5):
        module = LSLU(4, terms).double()
        x = normal(50, 4)
        assert_same_function(module, torch.relu, x)
    optimiser = torch.optim.SGD(module.parameters(), lr=0.1)
    (module(x) - x.sin()).square().mean().backward()
    optimiser.step()
    assert all(len(set(column)) == 5 for column in module.theta.T.tolist())


@pytest.mark.parametrize("radius", [None, 0, 2])
def test_corrected_deploy_form_is_its_training_form(radius):
    torch.manual_seed(0)
    module = LSLU(6, 4, radius).double()
    nn.init.normal_(module.theta)
    nn.init.normal_(module.omega)
    if radius is not None:
        trained_statistics(module)
    folded = module.eval().fold()
    assert_same_function(module, folded, X)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in folded.modules())
    if radius is not None:
        with pytest.raises(ValueError, match="deploy form already"):
            folded.fold()


def test_corrected_needs_a_term():
    with pytest.raises(ValueError, match="num_terms=0"):
        LSLU(3, 0)


def test_published_training_formula():
    module = published(alphas=[1.2, 0.8, 1.1], biases=[0.1, -0.2, 0.05])
    y = X
    for theta, omega in zip([1.2, 0.8, 1.1], [0.1, -0.2, 0.05], strict=True):
        y = y.clamp(min=0) * theta + omega
    y = functional.conv2d(y.clamp(min=0), module.weight, padding=3, groups=6)
    scale = (module.bn.weight / (module.bn.running_var + 1e-6).sqrt()).view(1, -1, 1, 1)
    expected = (y - module.bn.running_mean.view(1, -1, 1, 1)) * scale + module.bn.bias.view(1, -1, 1, 1)
    assert_same_function(module, lambda x: expected, X, tol=1e-12)


def test_published_deploy_agrees_only_at_the_initial_values():
    module = published()
    assert_same_function(module, module.fold(), X, tol=1e-12)


@pytest.mark.parametrize(
    "values",
    [dict(alphas=[1.2, 0.8, 1.1]), dict(biases=[0.3, -0.2, 0.4]), dict(alphas=[1.5, 1.0, 1.0], biases=[0.1, 0.0, 0.0])],
)
def test_published_deploy_is_another_function_after_training(values):
    module = published(**values)
    assert_different_function(module, module.fold(), X, at_least=0.05)


def test_published_deploy_never_uses_omega_and_scales_channels_by_theta():
    module = published(alphas=[1.2, 0.8, 1.1])
    folded = module.fold()
    before = folded(X)
    with torch.no_grad():
        folded.biases.add_(5.0)
    assert torch.equal(folded(X), before)
    plain = published()
    scale, bias = module.alphas.view(1, -1, 1, 1), folded.bias.view(1, -1, 1, 1)
    kernel = fold_batch_norm(
        module.weight, *(getattr(module.bn, k) for k in ("running_mean", "running_var", "weight", "bias", "eps"))
    )[0]
    assert torch.allclose(before, scale * depthwise(X.relu(), kernel) + bias)
    assert torch.equal(plain.weight, module.weight), "one seed, one kernel"


def test_published_theta_counts_twice():
    # The normalisation absorbs a common scale in training; the deploy form multiplies by it again.
    doubled, plain = published(alphas=[2.0] + [1.0] * 5), published()
    inner = dict(doubled.named_modules())["bn"]
    with torch.no_grad():
        inner.running_var.copy_(4 * plain.bn.running_var + 3e-6)
        inner.running_mean.copy_(2 * plain.bn.running_mean)
    assert_same_function(doubled, plain, X, tol=1e-12)
    offset = plain.bn.bias - plain.bn.weight * plain.bn.running_mean / (plain.bn.running_var + 1e-6).sqrt()
    first, reference = doubled.fold()(X)[:, 0] - offset[0], plain(X)[:, 0] - offset[0]
    assert torch.allclose(first, reference, atol=1e-9)
    assert torch.allclose(doubled.fold()(X)[:, 1] - offset[1], (plain(X)[:, 1] - offset[1]) / 2, atol=1e-9)


def test_published_gradient_reaches_only_the_first_entries():
    module = published(n=2, channels=6)
    module.train()
    module(X).square().sum().backward()
    for vector in (module.alphas, module.biases):
        assert vector.grad[2:].eq(0).all() and vector.grad[:2].ne(0).all()


def test_published_refuses_fewer_channels_than_steps():
    with pytest.raises(ValueError, match="num_channels=2 is less than num_terms=3"):
        LSLUAsPublished(2, 3)


def test_vanillanet_formula():
    torch.manual_seed(0)
    module = trained_statistics(SeriesActivation(2, 1).double())
    x = normal(2, 2, 4, 5)
    padded = np.pad(x.numpy().clip(0), ((0, 0), (0, 0), (1, 1), (1, 1)))
    y = np.zeros(x.shape)
    for c in range(2):
        for i in range(3):
            for j in range(3):
                y[:, c] += module.weight[c, 0, i, j].item() * padded[:, c, i : i + 4, j : j + 5]
    mean, var, gamma, beta = (
        getattr(module.bn, k).detach().numpy()[:, None, None] for k in ("running_mean", "running_var", "weight", "bias")
    )
    assert np.allclose(module(x).detach(), (y - mean) / np.sqrt(var + 1e-6) * gamma + beta, atol=1e-12)


@pytest.mark.parametrize("radius", [0, 1, 3])
def test_vanillanet_folds_exactly(radius, tmp_path):
    module = trained_statistics(SeriesActivation(6, radius).double())
    folded = module.fold()
    assert_same_function(module, folded, X, tol=1e-12)
    assert set(folded.state_dict()) == {"weight", "bias"} and set(module.state_dict()) >= {"weight", "bn.weight"}
    assert not module.deployed and folded.deployed
    with pytest.raises(ValueError, match="deploy form already"):
        folded.fold()


def test_vanillanet_fold_needs_the_statistics():
    module = trained_statistics(SeriesActivation(6, 1).double())
    folded = module.fold()
    module.train()
    assert_different_function(module, folded, X)
