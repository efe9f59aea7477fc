"""Names of objects and of activations are told from other words."""

from __future__ import annotations

import pytest

from colu.press.site.names import activation_named, first_activations, object_named

REFERENCE = {
    name: ("book/api/nn", name)
    for name in ("colu.nn", "colu.nn.CoLU", "colu.nn.CoLU.forward", "colu.fusion.fuse", "colu.fusion.match_weights")
}
SHORT = {name.rpartition(".")[2]: name for name in REFERENCE if name != "colu.nn"}


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("colu.nn.CoLU", "colu.nn.CoLU"),
        ("colu.nn", "colu.nn"),
        ("CoLU", "colu.nn.CoLU"),
        ("CoLU(dim=4)", "colu.nn.CoLU"),
        ("CoLU.forward", "colu.nn.CoLU.forward"),
        ("fuse(a, b)", "colu.fusion.fuse"),
        ("match_weights", "colu.fusion.match_weights"),
        ("fuse", None),
        ("torch.compile", None),
        ("colu run vae --preset laptop", None),
        ("--preset", None),
        ("NameError", None),
    ],
)
def test_code_is_an_object_where_it_names_one(code, wanted):
    assert object_named(code, REFERENCE, SHORT) == wanted


def test_a_name_of_the_registry_is_an_activation_in_every_spelling():
    assert [activation_named(text) for text in ("relu", "Leaky ReLU", "leaky_relu", "maxmin", "SiLU")] == [
        "relu", "leaky-relu", "leaky-relu", "group-sort", "silu",
    ]  # fmt: skip
    assert activation_named("relu-linear") is None and activation_named("ReLU networks") is None


def test_prose_names_an_activation_once_and_by_a_proper_name():
    known: set[str] = set()
    text = "ReLU and ReLU6, leaky ReLU; the identity has a threshold, a Sine; Mish, ReLU."
    assert [name for _, name in first_activations(text, known)] == ["relu", "relu6", "leaky-relu", "mish"]
    assert first_activations("ReLU again, CReLU first", known)[0][1] == "crelu"
    assert first_activations("a non-ReLU-like unit", set()) == []
