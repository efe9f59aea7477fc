"""The rooms of the package: imports point down and never in a circle, and importing changes nothing."""

import ast
import functools
import os
import pathlib
import subprocess
import sys

import pytest

import colu

PACKAGE = pathlib.Path(colu.__file__).parent

#: From the top to the bottom; a room may import what stands in a later line, and its neighbours without a circle.
TOWER = (
    ("cli", "__main__"),
    ("commands",),
    ("press",),
    ("lab",),
    ("fusion",),
    ("nn", "geometry", "testing", "claims"),
    ("functional",),
    ("kernels",),
    ("blocks", "channels"),
    ("checks", "extras", "families", "files", "folders", "presets", "programs"),
)
FLOOR = {room: floor for floor, rooms in enumerate(reversed(TOWER)) for room in rooms}
#: Files that import by a name made while running: a wing on first use, the files of the caller's own folder, what
#: the user of ``colu fuse`` names, the libraries whose models are listed, and the figures that pages name.
BY_NAME = (
    "__init__.py",
    "families.py",
    "commands/fuse_inputs.py",
    "lab/catalogue/models.py",
    "press/site/interactives/__init__.py",
)


class Hidden(Exception):
    """An import whose target cannot be read."""


def module_of(path, root):
    """The dotted name of a file, of its package for an ``__init__``."""
    parts = [root.name, *path.relative_to(root).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _is_module(name, root):
    path = root.parent.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or path.is_dir()


def _by_function(node):
    """The literal name that ``import_module`` or ``__import__`` is called with; None for another call."""
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if called not in ("import_module", "__import__"):
        return None
    first = node.args[0] if node.args else None
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        return first.value
    raise Hidden(ast.unparse(node))


def imported(path, root=PACKAGE):
    """Modules of ours that a file imports, in whatever place and form."""
    package = module_of(path, root).split(".")
    package = package if path.name == "__init__.py" else package[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            base = ".".join([*base, *([node.module] if node.module else [])])
            inner = [f"{base}.{alias.name}" for alias in node.names]
            names = [name if _is_module(name, root) else base for name in inner]
        elif isinstance(node, ast.Call):
            try:
                name = _by_function(node)
            except Hidden:
                if path.relative_to(root).as_posix() in BY_NAME:
                    continue
                raise
            names = [name] if name else []
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == root.name and name != root.name)


@functools.cache
def arrows(root=PACKAGE):
    """Module -> modules of ours that it imports."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        found.setdefault(module_of(path, root), set()).update(imported(path, root))
    return found


def room(module):
    """The part of the package that a module is in, such as ``nn``."""
    return module.split(".")[1]


def upwards(graph):
    """Arrows to a room that stands higher."""
    pairs = [(a, b) for a, targets in graph.items() for b in targets if a.count(".")]
    return sorted(f"{a} imports {b}" for a, b in pairs if FLOOR[room(a)] < FLOOR[room(b)])


def circle(graph):
    """Nodes of a circle in their order, or an empty list."""
    state, path = {}, []

    def visit(node):
        state[node] = "open"
        path.append(node)
        for target in sorted(graph.get(node, ())):
            if state.get(target) == "open":
                return path[path.index(target) :] + [target]
            if target not in state and (found := visit(target)):
                return found
        state[node] = "done"
        path.pop()
        return []

    return next((found for node in sorted(graph) if node not in state and (found := visit(node))), [])


def gathered(graph, depth):
    """The graph of rooms: names cut after ``depth`` parts."""
    rooms = {}
    for a, targets in graph.items():
        short = ".".join(a.split(".")[:depth])
        rooms.setdefault(short, set()).update(".".join(b.split(".")[:depth]) for b in targets)
    return {a: {b for b in targets if b != a and b.count(".")} for a, targets in rooms.items() if a.count(".")}


def without_packages(graph):
    """The graph of files: what a package's ``__init__`` gathers is no arrow of its parts."""
    packages = {a for a in graph if any(b.startswith(a + ".") for b in graph)}
    return {a: {b for b in targets if b not in packages} for a, targets in graph.items() if a not in packages}


def test_every_room_has_a_floor():
    assert {room(module) for module in arrows() if module.count(".")} == set(FLOOR)


def test_no_import_points_upwards():
    assert upwards(arrows()) == []


@pytest.mark.parametrize("depth", [2, 3])
def test_rooms_import_each_other_in_no_circle(depth):
    assert circle(gathered(arrows(), depth)) == []


def test_files_import_each_other_in_no_circle():
    assert circle(without_packages(arrows())) == []


@pytest.mark.parametrize(
    "line",
    [
        "import colu.nn",
        "import colu.nn.registry as r",
        "from colu.nn import CoLU",
        "from colu import nn",
        "from ..nn import CoLU",
        "from .. import nn",
        "def f():\n    from colu.nn import CoLU",
        "if False:\n    import colu.nn",
        "import importlib\nimportlib.import_module('colu.nn')",
        "from importlib import import_module\nimport_module('colu.nn.registry')",
        "__import__('colu.nn')",
    ],
)
def test_an_arrow_upwards_is_seen_in_every_form(line, tmp_path):
    root = tmp_path / "colu"
    for name in ("functional", "nn"):
        (root / name).mkdir(parents=True)
        (root / name / "__init__.py").touch()
    (root / "nn" / "registry.py").touch()
    (root / "functional" / "bad.py").write_text(line)
    assert [text.split(" ")[0] for text in upwards(arrows(root))] == ["colu.functional.bad"]


@pytest.mark.parametrize("line", ["import_module(name)", "importlib.import_module('colu.' + name)", "__import__(f())"])
def test_an_import_whose_target_cannot_be_read_is_refused(line, tmp_path):
    root = tmp_path / "colu"
    (root / "functional").mkdir(parents=True)
    (root / "functional" / "bad.py").write_text(line)
    with pytest.raises(Hidden):
        arrows(root)


def test_a_circle_is_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"d", "b"}, "d": set()}) == ["b", "c", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_a_circle_of_files_is_found_in_imports_inside_functions(tmp_path):
    root = tmp_path / "colu"
    (root / "nn").mkdir(parents=True)
    (root / "nn" / "__init__.py").write_text("from .a import f")
    (root / "nn" / "a.py").write_text("from .b import g")
    (root / "nn" / "b.py").write_text("def g():\n    from colu.nn.a import f")
    assert circle(without_packages(arrows(root))) == ["colu.nn.a", "colu.nn.b", "colu.nn.a"]


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


def test_importing_the_package_loads_nothing_heavy():
    script = """
import sys
import colu
assert "torch" not in sys.modules and "numpy" not in sys.modules
import torch
before = set(sys.modules)
import colu.nn
ours = {name.split(".")[0] for name in set(sys.modules) - before}
heavy = {"torchvision", "matplotlib", "scipy", "sklearn", "pandas", "IPython", "pydantic", "typer"}
assert not ours & heavy, sorted(ours & heavy)
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, timeout=120)


WINGS = ("claims", "functional", "fusion", "geometry", "kernels", "lab", "nn", "press", "testing")


# Each wing in a process that has not met another, forked from one that has imported PyTorch.
FORKED = """
import os, sys, torch
for wing in WINGS:
    child = os.fork()
    if child == 0:
        import colu
        name = f"colu.{wing}"
        right = name not in sys.modules and getattr(colu, wing).__name__ == name and wing in dir(colu)
        os._exit(not right)
    assert os.waitpid(child, 0)[1] == 0, wing
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_every_wing_is_an_attribute_of_the_package_on_first_use():
    script = FORKED.replace("WINGS", repr(WINGS))
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, timeout=600)
