"""``colu book``: wrong names, what it prints, and what it says without its extra."""

import io
import json
import re
import subprocess
import sys

import nbformat
import pytest
from rich.console import Console
from typer.testing import CliRunner

from colu.cli import app
from colu.commands import book


def _said(*arguments):
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


@pytest.fixture
def inside(toy, monkeypatch):
    toy.write("10-cones", "1")
    toy.write("11-rotations", "1")
    monkeypatch.chdir(toy.root)
    return toy


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (("execute", "10-cone"), "10-cones"),
        (("validate", "11-rotation"), "11-rotations"),
        (("execute", "--preset", "smokes"), "smoke"),
        (("build", "--preset", "lap"), "laptop"),
        (("render", "--preset", "ful"), "full"),
        (("student", "--format", "nbgrader"), "plain, otter"),
    ],
)
def test_wrong_name_exits_2_with_the_nearest(inside, arguments, near):
    status, said = _said("book", *arguments)
    assert status == 2 and near in said and "Traceback" not in said


def test_tests_to_hide_are_those_of_otter(inside):
    status, said = _said("book", "student", "--hidden")
    assert status == 1 and "add --format otter" in said


def test_other_folder_exits_1_and_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, said = _said("book", "build")
    assert status == 1 and "_toc.yml" in said


def test_broken_rules_stop_the_build_before_anything_runs(inside):
    status, said = _said("book", "build")
    assert status == 1 and "10-cones.ipynb: 0 words for 2 lines of code" in said
    assert not inside.executed("smoke").exists()


def test_check_without_a_site_says_how_to_make_one(inside):
    status, said = _said("book", "check", "--no-browser")
    assert status == 1 and "colu book build" in said


def test_a_notebook_run_in_place_is_stripped_and_a_clean_one_left_as_it_is(inside):
    path, clean = inside.notebooks / "10-cones.ipynb", inside.notebooks / "11-rotations.ipynb"
    before, other = path.read_text(), (clean.read_bytes(), clean.stat().st_mtime_ns)
    node = nbformat.read(path, 4)
    node.cells[1].update(execution_count=3, outputs=[nbformat.v4.new_output("stream", text="1")])
    node.cells[1].metadata["execution"] = {"iopub.status.busy": "now"}
    nbformat.write(node, path)
    assert _said("book", "strip", "10") == (0, "  10-cones: stripped\n")
    assert json.loads(path.read_text()) == json.loads(before)
    assert _said("book", "strip") == (0, "")
    assert (clean.read_bytes(), clean.stat().st_mtime_ns) == other
    assert not list(inside.notebooks.glob(".partial-*"))


def test_a_notebook_outside_the_contents_is_named_by_lint(inside):
    (inside.notebooks / "Untitled.ipynb").write_text("")
    assert "Untitled: left out, it is not in _toc.yml" in _said("book", "lint")[1]


COMMANDS = sorted(command.name or command.callback.__name__ for command in book.app.registered_commands)

#: Runs each command where the press's modules are not installed, as ``colu`` does.
BARE = """
import importlib.util, io, contextlib, json, sys
from colu import extras
find = extras.find_spec
extras.find_spec = lambda name: None if name in extras.MODULES["book"] else find(name)
from colu.__main__ import main
said = {}
for name in json.loads(sys.argv[1]):
    sys.argv = ["colu", "book", name, "10"]
    try:
        main()
    except SystemExit as stop:
        said[name] = str(stop.code)
print(json.dumps(said), "torch" in sys.modules)
"""


def test_every_command_without_the_extra_says_how_to_get_it(tmp_path):
    assert {"build", "execute", "validate", "render", "strip", "lint", "check", "chapter", "slides"} <= set(COMMANDS)
    words = [sys.executable, "-P", "-c", BARE, json.dumps(COMMANDS)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, check=True)
    said, torch = done.stdout.strip().rsplit(" ", 1)
    assert json.loads(said).keys() == set(COMMANDS) and torch == "False"
    for name, message in json.loads(said).items():
        assert re.search(r'colu book needs .*: pip install "colu\[book\]', message), name
    assert "Traceback" not in done.stderr


def test_on_windows_the_build_says_where_it_builds(inside, monkeypatch):
    monkeypatch.setattr("colu.press.project.sys.platform", "win32")
    for command in (("execute",), ("validate",), ("render",), ("build",)):
        status, said = _said("book", *command)
        assert status == 1 and said.count("\n") == 1 and "builds on Linux and macOS" in said
    assert not inside.executed("smoke").exists()


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_shows_a_bar_and_anything_else_plain_lines(inside, monkeypatch, terminal):
    shown = io.StringIO()
    monkeypatch.setattr(book, "console", Console(file=shown, force_terminal=terminal, width=120, highlight=False))
    copies = inside.executed("smoke")
    copies.mkdir(parents=True)
    (copies / "11-rotations.json").write_text('{"seconds": 600}')
    with book._progress(inside, None, "smoke", 1) as report:
        report("10-cones", "current")
        report("11-rotations", "started")
    said = shown.getvalue()
    if terminal:
        assert "running 11, 0 to come" in said and "about 10 min left" in said and "1/2" in said
    else:
        assert said == "  10-cones: current\n"
