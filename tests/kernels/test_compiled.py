"""What a compiled or exported graph holds, and that the operator in it obeys the rules of operators."""

import pytest
import torch

from colu.functional import colu
from colu.kernels import compiled


def normal(*shape, dtype=torch.float64, seed=0):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def nodes(f, x):
    """The targets in the graph that the compiler gets."""
    found = []

    def backend(graph, _):
        found.extend(str(node.target) for node in graph.graph.nodes)
        return graph.forward

    torch._dynamo.reset()
    torch.compile(f, fullgraph=True, backend=backend)(x)
    return found


def test_compiled_graph_calls_the_kernel_where_channels_are_innermost():
    assert "colu.conic" in nodes(lambda v: colu(v, dim=4), normal(4, 8))
    assert "colu.conic" in nodes(lambda v: colu(v, dim=4), normal(2, 8, 3, 3).to(memory_format=torch.channels_last))
    assert "colu.conic" in nodes(lambda v: colu(v, dim=4, backend="fused"), normal(2, 8, 3, 3))
    assert "colu.conic" not in nodes(lambda v: colu(v, dim=4), normal(2, 8, 3, 3))
    assert "colu.conic" not in nodes(lambda v: colu(v, dim=64), normal(4, 64))
    assert "colu.conic" not in nodes(lambda v: colu(v, dim=4, backend="reference"), normal(4, 8))
    assert "colu.conic" not in nodes(lambda v: colu(v, dim=4, p=3), normal(4, 8))


def test_compiled_graph_refuses_what_it_cannot_force():
    with pytest.raises(Exception, match="not available under torch.compile"):
        nodes(lambda v: colu(v, backend="blocked"), normal(4, 8))


@pytest.mark.parametrize("shape", [(4, 8), (2, 8, 3, 3)])
def test_compiled_values_and_gradients(conic_map, shape):
    torch._dynamo.reset()
    x = normal(*shape).requires_grad_()
    compiled = torch.compile(conic_map, fullgraph=True, backend="aot_eager")
    got, want = compiled(x), conic_map(x, backend="reference")
    torch.testing.assert_close(got, want)
    g = normal(*want.shape, seed=1)
    torch.testing.assert_close(torch.autograd.grad(got, x, g), torch.autograd.grad(want, x, g))


@pytest.mark.slow
def test_compiles_to_machine_code():
    torch._dynamo.reset()
    x = normal(16, 8, dtype=torch.float32).requires_grad_()
    y = torch.compile(lambda v: torch.relu(colu(v * 2, dim=4)), fullgraph=True)(x)
    torch.testing.assert_close(y, torch.relu(colu(x * 2, dim=4)))
    torch.testing.assert_close(torch.autograd.grad(y.sum(), x), torch.autograd.grad(torch.relu(colu(x * 2)).sum(), x))


def test_exports_without_our_operator(conic_map):
    class Map(torch.nn.Module):
        def forward(self, x):
            return conic_map(x)

    x = normal(4, 8)
    program = torch.export.export(Map(), (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    assert not any("colu" in str(node.target) for node in program.graph.nodes)
    x = normal(7, 8, seed=2)
    torch.testing.assert_close(program.module()(x), conic_map(x, backend="reference"))


def test_operator_obeys_the_rules_of_operators():
    options = ("colu", 1, 2, 4, "soft", False, "blocks", None, 0.0, "homogeneous", 0.0)
    for x in (normal(3, 8), normal(2, 8, 3, 3).to(memory_format=torch.channels_last), normal(8, 3).t()):
        torch.library.opcheck(compiled.conic, (x.requires_grad_(), *options))
        torch.library.opcheck(compiled.conic_backward, (torch.ones_like(x), x, *options))
