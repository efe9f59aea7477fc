"""The command line: wrong names, and what it prints."""

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from colu import __version__
from colu.cli import app


def _said(*arguments):
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


@pytest.fixture
def inside(toy, monkeypatch):
    toy.write("10-cones", "1")
    toy.write("11-rotations", "1")
    monkeypatch.chdir(toy.root)
    return toy


def test_version_is_printed():
    assert _said("--version") == (0, f"colu {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (("execute", "10-cone"), "10-cones"),
        (("validate", "11-rotation"), "11-rotations"),
        (("execute", "--preset", "smokes"), "smoke"),
        (("build", "--preset", "lap"), "laptop"),
        (("render", "--preset", "ful"), "full"),
    ],
)
def test_wrong_name_exits_2_with_the_nearest(inside, arguments, near):
    status, said = _said("book", *arguments)
    assert status == 2 and near in said and "Traceback" not in said


def test_other_folder_exits_1_and_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, said = _said("book", "build")
    assert status == 1 and "_toc.yml" in said


def test_broken_rules_stop_the_build_before_anything_runs(inside):
    status, said = _said("book", "build")
    assert status == 1 and "10-cones.ipynb: it is not in _toc.yml" in said
    assert not inside.executed("smoke").exists()


def test_check_without_a_site_says_how_to_make_one(inside):
    status, said = _said("book", "check", "--no-browser")
    assert status == 1 and "colu book build" in said


def test_a_terminal_that_lacks_characters_gets_others():
    environment = os.environ | {"PYTHONIOENCODING": "latin-1", "PYTHONPATH": os.pathsep.join(sys.path)}
    program = "from colu.__main__ import replace_what_a_terminal_lacks as f; f(); print('ü, \u20ac and \u2265')"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True)
    assert done.stdout.strip() == "ü, ? and ?".encode("latin-1"), done.stderr


def test_the_command_line_starts_by_it(monkeypatch):
    import colu.__main__ as start

    called = []
    monkeypatch.setattr(start, "replace_what_a_terminal_lacks", lambda: called.append(1))
    monkeypatch.setattr(sys, "argv", ["colu", "--version"])
    with pytest.raises(SystemExit):
        start.main()
    assert called == [1]


def test_on_windows_the_build_says_where_it_builds(inside, monkeypatch):
    monkeypatch.setattr("colu.press.project.sys.platform", "win32")
    for command in (("execute",), ("validate",), ("render",), ("build",)):
        status, said = _said("book", *command)
        assert status == 1 and said.count("\n") == 1 and "builds on Linux and macOS" in said
    assert not inside.executed("smoke").exists()
