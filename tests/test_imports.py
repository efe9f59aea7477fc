"""Layers and side effects of importing: the functions know nothing of ours, and importing changes nothing."""

import ast
import pathlib
import subprocess
import sys

import pytest

import colu

PACKAGE = pathlib.Path(colu.__file__).parent

# What each layer may import of ours.
ALLOWED = {
    "functional": set(),
    "geometry": {"functional"},
    "testing": set(),
    "nn": {"functional", "geometry"},
}


def imported(path):
    """Subpackages of ours that a file imports, relative ones within its own folder aside."""
    inside = path.relative_to(PACKAGE).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = ".".join(["colu", *inside][: len(inside) + 2 - node.level])
            names = [f"{base}.{node.module}"] if node.module else [f"{base}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module] + [f"{node.module}.{alias.name}" for alias in node.names if node.module == "colu"]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "colu" and len(parts) > 1 and parts[1]:
                yield parts[1]


@pytest.mark.parametrize("layer", ALLOWED)
def test_layer_imports_only_what_is_below_it(layer):
    files = list((PACKAGE / layer).glob("**/*.py"))
    assert files
    for path in files:
        above = set(imported(path)) - ALLOWED[layer] - {layer}
        assert not above, f"{path.relative_to(PACKAGE)} imports colu.{', colu.'.join(sorted(above))}"


def test_layer_check_sees_every_form_of_import(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    (tmp_path / "functional").mkdir()
    path = tmp_path / "functional" / "bad.py"
    for line in (
        "import colu.nn",
        "from colu.nn import CoLU",
        "from colu import nn",
        "from ..nn import CoLU",
        "from .. import nn",
    ):
        path.write_text(line)
        assert set(imported(path)) == {"nn"}, line
    path.write_text("from ._blocks import split\nfrom . import conic\nimport torch")
    assert set(imported(path)) <= {"functional"}


def test_importing_has_no_side_effects():
    script = """
import random, warnings, socket, sys
def refuse(*args, **kwargs): raise AssertionError("network used on import")
socket.socket.connect = refuse
import numpy, torch, matplotlib
def state():
    return (torch.random.get_rng_state().tolist(), numpy.random.get_state()[1].tolist(), random.getstate(),
            list(warnings.filters), dict(matplotlib.rcParams), torch.get_default_dtype(), torch.get_num_threads())
before = state()
import colu
assert "colu.nn" not in sys.modules, "subpackages must load on first use"
import colu.functional, colu.nn, colu.geometry, colu.testing
assert state() == before
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, timeout=120)
