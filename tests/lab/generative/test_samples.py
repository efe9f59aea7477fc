"""Measures of samples: exact cases, what each of them sees and does not see, and no false names."""

import subprocess
import sys

import pytest
import torch

from colu.lab import data
from colu.lab.generative import (
    blurred,
    feature_frechet,
    frechet_distance,
    inception_fid,
    precision_recall,
    sliced_wasserstein,
    train_classifiers,
)


@pytest.fixture(scope="module")
def digits():
    train, test = data.load("digits", "train"), data.load("digits", "test")
    made = train_classifiers(train.scaled(), train.labels, steps=200)
    return train.scaled(), test.scaled(), made


def test_frechet_distance_of_commuting_covariances_is_exact():
    generator = torch.Generator().manual_seed(0)
    x = torch.linalg.qr(torch.randn(200, 4, generator=generator, dtype=torch.float64))[0]
    x = x - x.mean(0)
    x = torch.linalg.qr(x)[0] * 199**0.5  # mean zero, covariance the identity
    scales, shift = torch.tensor([1.0, 2.0, 3.0, 0.5]).double(), torch.tensor([1.0, 0.0, 2.0, 0.0]).double()
    wanted = float(((scales - 1) ** 2).sum() + shift.square().sum())
    assert frechet_distance(x, x * scales + shift) == pytest.approx(wanted, rel=1e-9)


def test_frechet_distance_is_that_of_torchmetrics_to_the_bit():
    from torchmetrics.image.fid import FrechetInceptionDistance

    class Features(torch.nn.Module):
        num_features = 16

        def forward(self, x):
            return x

    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(50, 16, generator=generator), 1.3 * torch.randn(40, 16, generator=generator) + 0.2
    metric = FrechetInceptionDistance(feature=Features()).set_dtype(torch.float64)
    metric.update(a.double(), real=True)
    metric.update(b.double(), real=False)
    assert frechet_distance(a, b) == float(metric.compute())


def test_frechet_distance_does_not_load_torchmetrics():
    script = (
        "import sys, torch; from colu.lab.generative import frechet_distance; "
        "frechet_distance(torch.eye(3), torch.ones(2, 3)); assert 'torchmetrics' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_frechet_score_puts_blur_and_noise_far_above_the_floor(digits):
    train, test, made = digits
    noise = torch.rand(400, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    score = feature_frechet(noise, test[:400], train[:400], made)
    for of_noise, floor, blur in zip(score.samples, score.floor, score.blur, strict=True):
        assert 0 <= floor < 0.5 * blur and floor < 0.5 * of_noise
    assert "n = 400" in str(score) and "not FID" in str(score)


def test_the_distance_is_relative_and_so_invariant_to_the_scale_of_the_features(digits):
    train, test, made = digits
    before = feature_frechet(train[400:800], test[:400], train[:400], made)
    for model in made:
        model.project.weight.data *= 3
        model.project.bias.data *= 3
    after = feature_frechet(train[400:800], test[:400], train[:400], made)
    for model in made:
        model.project.weight.data /= 3
        model.project.bias.data /= 3
    assert before.samples == pytest.approx(after.samples, rel=1e-3)


def test_precision_and_recall_see_missing_classes_and_wrong_samples():
    generator = torch.Generator().manual_seed(1)
    real = torch.cat([torch.randn(100, 5, generator=generator), 50 + torch.randn(100, 5, generator=generator)])
    half = torch.randn(200, 5, generator=generator)
    precision, recall = precision_recall(half, real)
    assert precision > 0.7 and 0.3 < recall <= 0.5
    wrong = torch.cat([half[:100], half[:100] + 1000])
    assert precision_recall(wrong, real)[0] <= 0.5
    assert precision_recall(real, real) == (1.0, 1.0)


def test_sliced_wasserstein_of_a_shift_is_known():
    # A shift by v moves each projection by theta.v, whose mean square is |v|^2 / d.
    x = torch.randn(200, 16, generator=torch.Generator().manual_seed(0))
    v = torch.full((16,), 0.5)
    wanted = float(v.norm()) / 4
    assert sliced_wasserstein(x, x + v, projections=4000) == pytest.approx(wanted, rel=0.05)


def test_blur_keeps_a_constant_image():
    constant = torch.full((1, 1, 5, 5), 0.3)
    torch.testing.assert_close(blurred(constant), constant)
    spot = torch.zeros(1, 1, 5, 5)
    spot[0, 0, 2, 2] = 1
    assert float(blurred(spot).max()) == pytest.approx(1 / 9)


def test_nothing_is_called_fid_that_is_not(digits):
    train, test, made = digits
    for name in ("FID", "rFID", "fid-cnn"):
        with pytest.raises(ValueError, match="cannot be called FID"):
            feature_frechet(test[:100], test[100:200], train[:100], made, name=name)


def test_inception_fid_says_where_the_file_is_and_refuses_another(tmp_path):
    images = torch.rand(4, 3, 8, 8)
    with pytest.raises(FileNotFoundError, match="(?s)torch-fidelity.*sha256 6726825d"):
        inception_fid(images, images)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        inception_fid(images, images, tmp_path / "none.pth")
    other = tmp_path / "weights.pth"
    other.write_bytes(b"another network")
    with pytest.raises(ValueError, match="another network or damaged"):
        inception_fid(images, images, other)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t, r, m: feature_frechet(t[:100], t[100:200], r[:100], m[:1]), "at least two"),
        (lambda t, r, m: feature_frechet(t[:100], t[100:300], r[:100], m), "equal numbers"),
        (lambda t, r, m: feature_frechet(t[:50], t[50:100], r[:50], m), "at least 65"),
        (lambda t, r, m: feature_frechet(2 * t[:100], t[100:200], r[:100], m), r"wanted \[0, 1\]"),
        (lambda t, r, m: feature_frechet(t[:100] * float("nan"), t[100:200], r[:100], m), r"wanted \[0, 1\]"),
        (lambda t, r, m: feature_frechet(t[:100, 0], t[100:200], r[:100], m), "channels, height, width"),
        (lambda t, r, m: precision_recall(torch.zeros(3, 2), torch.zeros(9, 2)), "k is 3"),
        (lambda t, r, m: frechet_distance(torch.zeros(3, 2), torch.zeros(3, 4)), "wanted"),
        (lambda t, r, m: sliced_wasserstein(t, t, projections=0), "projections is 0"),
        (lambda t, r, m: sliced_wasserstein(t, r[:, :, 1:]), "agree but in the first axis"),
        (lambda t, r, m: sliced_wasserstein(t, r * float("nan")), "images of the reference are NaN"),
        (lambda t, r, m: precision_recall(torch.zeros(9, 2), torch.zeros(9, 3)), "agree but in the first axis"),
        (lambda t, r, m: precision_recall(torch.zeros(9, 2) / 0, torch.zeros(9, 2)), "of the samples are NaN"),
        (lambda t, r, m: frechet_distance(torch.ones(9, 2) / 0, torch.zeros(9, 2)), "first features are NaN"),
        (lambda t, r, m: blurred(torch.zeros(8, 8)), "channels, height, width"),
    ],
)
def test_what_does_not_fit_is_refused(digits, call, message):
    train, test, made = digits
    with pytest.raises(ValueError, match=message):
        call(test, train, made)
