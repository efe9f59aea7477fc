"""The command line: wrong names, and what it prints."""

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
    assert status == 1 and "10-cones.ipynb: 0 words for 2 lines of code" in said
    assert not inside.executed("smoke").exists()


def test_check_without_a_site_says_how_to_make_one(inside):
    status, said = _said("book", "check", "--no-browser")
    assert status == 1 and "colu book build" in said
