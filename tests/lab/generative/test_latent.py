"""The latent space: standardised codes, the way back, and what it refuses."""

import pytest
import torch

from colu.lab.generative import LatentSpace
from colu.lab.models import ConvAutoencoder

IMAGES = torch.rand(60, 1, 6, 6, generator=torch.Generator().manual_seed(0))


def space(pad=1, images=IMAGES, seed=0):
    torch.manual_seed(seed)
    return LatentSpace(ConvAutoencoder(1, (8, 8), 3, "colu"), images, pad=pad)


def test_codes_are_standard_in_each_channel():
    codes = space().encode(IMAGES)
    assert codes.mean((0, 2, 3)).abs().max() < 1e-5
    assert (codes.std((0, 2, 3)) - 1).abs().max() < 1e-5


def test_decoding_undoes_the_shift_and_the_padding():
    made = space()
    padded = torch.nn.functional.pad(IMAGES, (1, 1, 1, 1))
    wanted = made.autoencoder(padded).sigmoid()[:, :, 1:-1, 1:-1]
    torch.testing.assert_close(made.decode(made.encode(IMAGES)), wanted, atol=1e-5, rtol=0)


def test_parts_of_a_batch_change_nothing():
    made = space()
    torch.testing.assert_close(made.encode(IMAGES, batch_size=7), made.encode(IMAGES))
    codes = made.encode(IMAGES)
    torch.testing.assert_close(made.decode(codes, batch_size=7), made.decode(codes))


def test_the_autoencoder_is_frozen():
    made = space()
    assert not made.autoencoder.training
    assert not any(p.requires_grad for p in made.autoencoder.parameters())
    assert not made.encode(IMAGES.clone().requires_grad_()).requires_grad


def test_the_fingerprint_sees_a_changed_weight_and_changed_moments():
    one, same, other = space(), space(), space(seed=1)
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert one.fingerprint != space(images=IMAGES[:30]).fingerprint
    with torch.no_grad():
        same.autoencoder.to_code.bias[0] += 1e-6
    assert one.fingerprint != same.fingerprint
    assert float(one.fingerprint) == one.fingerprint  # exact as a float64


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="pad is -1"):
        space(pad=-1)
    with pytest.raises(ValueError, match="images lie between"):
        space(images=IMAGES * 2)
    with pytest.raises(ValueError, match=r"codes have shape \(2, 5, 2, 2\), wanted \(n, "):
        space().decode(torch.zeros(2, 5, 2, 2))
    codes = space().encode(IMAGES)
    with pytest.raises(ValueError, match="numbers of the codes are NaN"):
        space().decode(codes * float("nan"))
    model = ConvAutoencoder(1, (8, 8), 3)
    torch.nn.init.zeros_(model.to_code.weight)
    with pytest.raises(ValueError, match=r"channels \[0, 1, 2\]"):
        LatentSpace(model, IMAGES, pad=1)
