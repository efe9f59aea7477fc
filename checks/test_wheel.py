"""The wheel: it holds every file, and alone with PyTorch and NumPy it is the library."""

import hashlib
import os
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from colu.lab.results.archive import pack, unpack
from colu.press.build.wheel import build_wheel

ROOT = Path(__file__).resolve().parent.parent
#: Packed by the build.
ARCHIVE = "colu/lab/results/records.tar.xz"
#: Rooms that need nothing else.
LIBRARY = ("functional", "kernels", "nn", "geometry", "testing")
#: A part beyond the library -> the extra that it must name.
WINGS = {"fusion": "fusion", "claims": "lab", "lab": "lab", "press": "book"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy without what earlier builds left."""
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


def closure(*names):
    """Distributions of this environment that ``names`` need, themselves included."""
    found, todo = {}, list(names)
    while todo:
        name = todo.pop().lower().replace("_", "-")
        if name in found:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        wanted = map(Requirement, found[name].requires or ())
        todo += [each.name for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""})]
    return list(found.values())


@pytest.fixture(scope="module")
def bare(wheel, tmp_path_factory):
    """The interpreter of an environment with the wheel, PyTorch, NumPy and pytest, and nothing else."""
    folder = tmp_path_factory.mktemp("bare") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for distribution in closure("torch", "numpy", "pytest", "pytest-xdist", "pytest-timeout", "hypothesis"):
        for top in {file.parts[0] for file in distribution.files} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(Path(distribution.locate_file(top)).resolve())
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return folder / "bin" / "python"


#: Evaluates what each chapter gives to ``needed``, with the statements that it follows from and nothing else.
READ = """
import ast, builtins, json, sys
from pathlib import Path

for name in sys.argv[1:]:
    cells = json.loads(Path(name).read_text(encoding="utf8"))["cells"]
    texts = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    body = [line for text in texts if "%pip" not in text for line in ast.parse(text).body]
    space, before = dict(vars(builtins)), []

    def named(node, *kinds):
        return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, kinds)}

    def define(node):
        own = named(node, ast.Store) | {n.arg for n in ast.walk(node) if isinstance(n, ast.arg)}
        for word in named(node, ast.Load) - own:
            for line in before if word not in space else ():
                if word == getattr(line, "name", "") or word in named(line, ast.Store):
                    space[word] = None
                    define(line)
                    exec(compile(ast.Module([line], []), name, "exec"), space)
                    break

    for line in body:
        if isinstance(line, (ast.Import, ast.ImportFrom)):
            exec(compile(ast.Module([line], []), name, "exec"), space)
    for line in body:
        for call in ast.walk(line):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "needed":
                define(call)
                try:
                    found = len(eval(compile(ast.Expression(call), name, "eval"), space))
                except Exception as error:
                    found = error
                print(Path(name).name[:2], found)
        before.append(line)
"""


@pytest.fixture
def empty(wheel, tmp_path):
    """An empty folder, and variables with which this interpreter finds the package in the wheel, as Colab does."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COLU_"))}
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder, kept | {"PYTHONPATH": str(tmp_path / "site"), "COLU_CACHE": str(tmp_path / "cache")}


def run(python, *arguments, **options):
    """What an interpreter says, in a folder and with variables that hold nothing of ours."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.run(
        [str(python), *arguments], capture_output=True, text=True, env=environment, cwd=python.parent, **options
    )


def test_the_wheel_holds_every_file_of_the_package(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    files = [path for path in (ROOT / "colu").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    wanted = {path.relative_to(ROOT).as_posix() for path in files}
    assert wanted - inside == set(), "add the suffix to package-data in pyproject.toml"
    assert "colu/claims/expectations/10-cones-and-projections.yml" in inside


def test_the_bare_environment_is_bare(bare):
    script = "import colu, importlib.util as u; print(colu.__file__, [n for n in ('scipy', 'yaml') if u.find_spec(n)])"
    place, others = run(bare, "-c", script).stdout.split()
    assert Path(place).is_relative_to(bare.parent.parent) and others == "[]"


@pytest.mark.parametrize("wing", WINGS)
def test_a_wing_without_its_extra_says_what_to_install(bare, wing):
    done = run(bare, "-c", f"import colu; colu.{wing}")
    assert done.returncode == 1
    assert f"colu.extras.MissingExtra: colu.{wing} needs " in done.stderr
    assert f'pip install "colu[{WINGS[wing]}] @ git+https://' in done.stderr


def test_the_command_line_without_its_extra_says_what_to_install(bare):
    done = run(bare, "-m", "colu", "run", "rotation")
    assert done.returncode == 1 and 'pip install "colu[lab] @ git+https://' in done.stderr


def test_the_library_alone_passes_its_tests(bare):
    tests = [str(ROOT / "tests" / room) for room in LIBRARY]
    options = ["-q", "-n", "auto", "--dist", "loadfile", "-c", str(ROOT / "pyproject.toml")]
    done = run(bare, "-m", "pytest", *options, *tests)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]


def test_the_records_are_in_the_wheel_as_one_archive_that_depends_on_them_alone(wheel, empty):
    folder, environment = empty
    with zipfile.ZipFile(wheel) as archive:
        packed = archive.read(ARCHIVE)
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("results/")]
    assert hashlib.sha256(packed).digest() == hashlib.sha256(pack(ROOT / "results")).digest()
    assert len(packed) < 2e6
    (folder / "packed").write_bytes(packed)
    records = unpack(folder / "packed", folder / "records")
    listed = subprocess.run(["git", "ls-files", "-z", "results"], cwd=ROOT, capture_output=True, text=True).stdout
    assert len(listed) > 1000
    for name in listed.split("\0")[:-1]:
        assert (records / name.removeprefix("results/")).read_bytes() == (ROOT / name).read_bytes()


def test_chapters_in_an_empty_folder_find_their_records_and_without_any_say_so(empty):
    folder, environment = empty
    chapters = [str(path) for path in (ROOT / "notebooks").glob("*.ipynb") if "needed(" in path.read_text("utf8")]
    assert {Path(name).name[:2] for name in chapters} >= {"29", "44", "50", "52", "60", "63"}
    command = [sys.executable, "-c", READ, *sorted(chapters)]
    options = {"cwd": folder, "env": environment, "capture_output": True, "text": True}
    done = subprocess.run(command, **options)
    found = [line.split(" ", 1) for line in done.stdout.splitlines()]
    assert len(found) >= len(chapters) and all(count.isdigit() and int(count) for _, count in found), done
    assert list(folder.iterdir()) == []
    Path(environment["PYTHONPATH"], ARCHIVE).unlink()
    done = subprocess.run(command, **options)
    lines = done.stdout.splitlines()
    assert len(lines) == len(found) and all("no records here" in line for line in lines), done
