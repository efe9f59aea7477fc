"""The wheel: it holds every file, and alone with PyTorch and NumPy it is the library."""

import os
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
#: Rooms that need nothing else.
LIBRARY = ("functional", "kernels", "nn", "geometry", "testing")
#: A part beyond the library -> the extra that it must name.
WINGS = {"fusion": "fusion", "claims": "lab", "lab": "lab", "press": "book"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy without what earlier builds left."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "source"
    for path in [*ROOT.glob("colu/**/*"), *(ROOT / name for name in ("pyproject.toml", "README.md", "LICENSE"))]:
        if path.is_file() and "__pycache__" not in path.parts:
            target = copy / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(copy)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


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
    assert f"ModuleNotFoundError: colu.{wing} needs " in done.stderr
    assert f'pip install "colu[{WINGS[wing]}] @ git+https://' in done.stderr


def test_the_command_line_without_its_extra_says_what_to_install(bare):
    done = run(bare, "-m", "colu", "run", "rotation")
    assert done.returncode == 1 and 'pip install "colu[lab] @ git+https://' in done.stderr


def test_the_library_alone_passes_its_tests(bare):
    tests = [str(ROOT / "tests" / room) for room in LIBRARY]
    options = ["-q", "-n", "auto", "--dist", "loadfile", "-c", str(ROOT / "pyproject.toml")]
    done = run(bare, "-m", "pytest", *options, *tests)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
