"""The great circle between two noises."""

import pytest
import torch

from colu.lab.generative import sampling_noise, slerp


def test_ends_are_the_two_noises():
    a, b = sampling_noise(2, (1, 4, 4)).double()
    ends = slerp(a, b, [0.0, 1.0])
    torch.testing.assert_close(ends[0], a)
    torch.testing.assert_close(ends[1], b)


def test_noises_of_one_length_keep_it_and_are_passed_at_even_angles():
    a, b = sampling_noise(2, (3, 5, 5)).double()
    b = b * a.norm() / b.norm()
    path = slerp(a, b, torch.linspace(0, 1, 9)).flatten(1)
    torch.testing.assert_close(path.norm(dim=1), a.norm().expand(9))
    steps = (path[1:] * path[:-1]).sum(1)
    torch.testing.assert_close(steps, steps[:1].expand(8))


def test_orthogonal_noises_keep_the_variance_that_the_chord_loses():
    a, b = sampling_noise(2, (1, 200, 200))
    middle = slerp(a, b, [0.5])
    assert abs(float(middle.var()) - 1) < 0.02
    assert abs(float(((a + b) / 2).var()) - 0.5) < 0.02


def test_backwards_is_the_same_way():
    a, b = sampling_noise(2, (1, 4, 4)).double()
    torch.testing.assert_close(slerp(a, b, [0.3]), slerp(b, a, [0.7]))


def test_parallel_noises_are_joined_by_the_chord_and_the_limit_is_continuous():
    a, b = sampling_noise(2, (1, 4, 4)).double()
    torch.testing.assert_close(slerp(a, 2 * a, [0.25])[0], 1.25 * a)
    near = a + 1e-5 * b
    torch.testing.assert_close(slerp(a, near, [0.5])[0], (a + near) / 2, rtol=0, atol=1e-9)


def test_dtype_is_kept():
    a, b = sampling_noise(2, (1, 2, 2))
    assert slerp(a, b, [0.5]).dtype == torch.float32 and slerp(a, b, [0.5, 0.6]).shape == (2, 1, 2, 2)


@pytest.mark.parametrize(
    ("first", "second", "weights", "message"),
    [
        (torch.ones(2), torch.ones(3), [0.5], "wanted one shape"),
        (torch.zeros(2), torch.ones(2), [0.5], "is 0"),
        (torch.ones(2), -torch.ones(2), [0.5], "opposite directions"),
        (torch.ones(2), torch.ones(2), [1.5], r"weights are \[1.5\]"),
        (torch.ones(2), torch.ones(2), [float("nan")], "weights are"),
    ],
)
def test_bad_input_is_named(first, second, weights, message):
    with pytest.raises(ValueError, match=message):
        slerp(first, second, weights)
