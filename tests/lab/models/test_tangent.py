"""The tangent kernel, against gradients taken one by one and against a small step."""

import pytest
import torch

from colu.lab.models import tangent_kernel


def _network(p, x):
    return torch.tanh(x @ p["w"]) @ p["a"]


def _start():
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    return {"w": draw(3, 5), "a": draw(5)}, draw(4, 3)


def test_entries_are_inner_products_of_gradients():
    parameters, x = _start()
    rows = []
    for point in x:
        leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
        gradients = torch.autograd.grad(_network(leaves, point[None])[0], list(leaves.values()))
        rows.append(torch.cat([g.flatten() for g in gradients]))
    wanted = torch.stack(rows) @ torch.stack(rows).T
    torch.testing.assert_close(tangent_kernel(_network, parameters, x), wanted)


def test_a_small_step_on_one_point_moves_the_others_by_its_column():
    parameters, x = _start()
    leaves = {name: value.clone().requires_grad_() for name, value in parameters.items()}
    gradients = torch.autograd.grad(_network(leaves, x)[2], list(leaves.values()))
    step = 1e-6
    moved = {name: value + step * g for (name, value), g in zip(parameters.items(), gradients, strict=True)}
    change = (_network(moved, x) - _network(parameters, x)) / step
    torch.testing.assert_close(change, tangent_kernel(_network, parameters, x)[:, 2], atol=1e-4, rtol=1e-4)


def test_several_outputs_an_input_are_refused():
    with pytest.raises(ValueError, match=r"shape \(4, 5\), wanted one an input, \(4,\)"):
        tangent_kernel(lambda p, x: x @ p["w"], *_start())
