"""Integers and numbers are taken from any library, and what is none is refused."""

import inspect
import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from colu import functional, nn
from colu.checks import as_int, as_number, channel_index, check_int, check_number
from colu.fusion import Conic, Part, Permutation, Spec, Vectors, match_weights, trace_spec
from colu.geometry import LorentzCone, Symmetry, lorentz_boost, sample_orthogonal, sample_sphere
from colu.nn.registry import create, list_activations

WHOLE = [4, np.int64(4), np.int8(4), np.uint16(4), np.array(4), torch.tensor(4), torch.tensor(4, dtype=torch.int8)]
REAL = [0.5, np.float32(0.5), np.float64(0.5), np.float16(0.5), np.array(0.5), torch.tensor(0.5), Fraction(1, 2)]
NO_NUMBER = [True, np.True_, torch.tensor(True), np.array(True), None, "4", 1j, np.complex64(1), [4]]
NO_NUMBER += [torch.tensor([0.5]), torch.tensor(1j), torch.tensor(0.5, requires_grad=True)]
named = dict(ids=lambda value: f"{type(value).__name__}-{value}")


@pytest.mark.parametrize("value", WHOLE, **named)
def test_an_integer_of_any_library_becomes_one_of_python(value):
    for made in (as_int(value), as_number(value), check_int("n", value, 4)):
        assert type(made) is int and made == 4


@pytest.mark.parametrize("value", REAL, **named)
def test_a_number_of_any_library_becomes_one_of_python(value):
    made = check_number("p", value, "use a number > 0", gt=0)
    assert type(made) is float and made == 0.5 and as_int(value) is None


@pytest.mark.parametrize("value", NO_NUMBER, **named)
def test_booleans_and_other_things_are_no_numbers(value):
    assert as_int(value) is None and as_number(value) is None
    with pytest.raises(ValueError, match="out of range; use an integer >= 0"):
        check_int("n", value, 0)
    with pytest.raises(ValueError, match="out of range; use a number"):
        check_number("p", value, "use a number")


@pytest.mark.parametrize(
    "bounds, inside, outside",
    [
        (dict(gt=0), [1e-300, math.inf], [0, -1, math.nan]),
        (dict(ge=0, le=1), [0, 1], [-1e-9, 1 + 1e-9, math.nan]),
        (dict(gt=0, lt=1), [0.5], [0, 1]),
    ],
)
def test_bounds_are_those_that_were_named(bounds, inside, outside):
    assert [check_number("p", value, "fix", **bounds) for value in inside] == inside
    for value in outside:
        with pytest.raises(ValueError, match=r"^p=.* is out of range; fix$"):
            check_number("p", value, "fix", **bounds)


def test_options_of_layers_are_kept_as_python_numbers():
    # The values that NumPy gives where a table of settings is read.
    layer = nn.CoLU(dim=np.int64(4), angle=np.float32(0.5), p=np.int64(2), eps=np.float64(0.0), channel_dim=np.int64(1))
    plain = nn.CoLU(dim=4, angle=0.5)
    assert repr(layer) == repr(plain) and type(layer.dim) is int and type(layer._angle) is float
    x = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(layer(x), plain(x))
    assert torch.equal(functional.colu(x, dim=torch.tensor(4), channel_dim=np.int32(-1)), functional.colu(x, dim=4))
    assert torch.equal(functional.rcolu(x, num_groups=np.int64(2), p=np.float64(2)), functional.rcolu(x, num_groups=2))
    leak = functional.soc_projection(x, dim=np.uint8(2), leak=np.float32(0.25))
    assert torch.equal(leak, functional.soc_projection(x, dim=2, leak=0.25))
    assert repr(nn.MPU(np.int64(2), leak=np.float32(0.5))) == repr(nn.MPU(2, leak=0.5))
    with pytest.raises(ValueError, match="dim=True is out of range"):
        nn.CoLU(dim=True)
    with pytest.raises(ValueError, match="angle=np.True_ is out of range|angle=True is out of range"):
        nn.CoLU(angle=np.bool_(True))


@pytest.mark.parametrize("name", [entry.name for entry in list_activations()])
def test_every_activation_takes_its_channels_as_any_integer(name):
    torch.manual_seed(0)
    plain = create(name, 8)
    torch.manual_seed(0)
    made = create(name, np.int64(8))
    assert repr(made) == repr(plain)
    assert all(torch.equal(made.state_dict()[key], value) for key, value in plain.state_dict().items())


def test_options_of_activations_are_any_number():
    made = [
        nn.TaLU(np.float32(-0.5)), nn.PWLU(np.int64(4), np.int64(8), bound=np.float32(2), momentum=np.float64(0.1)),
        nn.Threshold(np.int64(3), np.float32(1)), nn.NormReLU(np.int64(4), np.int64(2), radius=np.float32(2)),
        nn.EvoNormB0(np.int64(4), np.float32(0.5), np.float32(1e-5)), nn.Sqish(beta=np.float32(2)),
        nn.PHMLinear(np.int64(8), n=np.int64(4)), nn.Rational(degrees=(np.int64(5), np.int64(4))),
        nn.Hopfield(np.int64(4), beta=np.float32(0.5)), nn.HouseholderActivation(np.int64(4), np.float32(1)),
    ]  # fmt: skip
    assert not [layer for layer in made if "np." in repr(layer)]
    for wrong in (
        lambda: nn.TaLU("-1"),
        lambda: nn.Threshold(3, True),
        lambda: nn.EvoNormB0(4, momentum=True),
        lambda: nn.Sqish(beta=math.nan),
        lambda: functional.fourier_relu(3, True),
    ):
        with pytest.raises(ValueError, match="is out of range"):
            wrong()


def test_geometry_and_groups_keep_python_integers():
    four = np.int64(4)
    pairs = [
        (Permutation(four), Permutation(4)),
        (Conic(np.int64(2), four, blocks=np.int64(2)), Conic(2, 4, blocks=2)),
        (Vectors(np.int64(2), four), Vectors(2, 4)),
        (Symmetry("cones", np.int64(8), dim=four), Symmetry("cones", 8, dim=4)),
        (Part("hidden", repeat=four), Part("hidden", repeat=4)),
        (LorentzCone(four, np.float32(0.5)), LorentzCone(4, 0.5)),
    ]
    assert [repr(made) for made, _ in pairs] == [repr(plain) for _, plain in pairs]
    assert sample_orthogonal(four).shape == lorentz_boost(four, 0.0).shape == (4, 4)
    assert sample_sphere(four, np.int64(2)).shape == (2, 4)
    for wrong in (lambda: LorentzCone(3, True), lambda: sample_sphere(3.0, 2), lambda: lorentz_boost(True, 0.0)):
        with pytest.raises(ValueError, match="is out of range"):
            wrong()


def test_seeds_are_any_integer():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    spec, state = trace_spec(model), model.state_dict()
    assert isinstance(spec, Spec) and torch.equal(
        spec.random(np.int64(3))["0"].permutation, spec.random(3)["0"].permutation
    )
    assert type(match_weights(spec, state, state, seed=np.int64(1)).seed) is int
    with pytest.raises(ValueError, match="seed=1.5 is out of range"):
        spec.random(1.5)


def test_a_dimension_is_any_integer_that_exists():
    assert channel_index((2, 3, 4), np.int64(-1)) == 2
    for wrong in (np.int64(3), True, 1.0):
        with pytest.raises(ValueError, match="does not exist in a tensor of shape"):
            channel_index((2, 3, 4), wrong)


@pytest.mark.parametrize("kind", [np.float32, np.float64, torch.tensor], ids=["float32", "float64", "tensor"])
def test_every_number_of_a_function_may_come_from_elsewhere(kind):
    x = torch.randn(4, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    tried = 0
    for name in functional.__all__:
        function = getattr(functional, name)
        parameters = inspect.signature(function).parameters.values() if inspect.isfunction(function) else ()
        needed = {one.name: x for one in parameters if one.default is one.empty}
        for option in [one for one in parameters if type(one.default) is float]:
            try:
                wanted = function(**needed)
            except (TypeError, ValueError, RuntimeError, IndexError):
                # One that reads other things than tensors of this shape.
                continue
            found = function(**needed, **{option.name: kind(option.default)})
            assert found.dtype == wanted.dtype and torch.allclose(found, wanted, atol=1e-5), (name, option.name)
            tried += 1
    assert tried >= 20
