"""The wheel holds all of the package: Colab and Binder install nothing else."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_package(tmp_path):
    copy = tmp_path / "source"
    for path in [*ROOT.glob("colu/**/*"), *(ROOT / name for name in ("pyproject.toml", "README.md", "LICENSE"))]:
        if path.is_file() and "__pycache__" not in path.parts:
            target = copy / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(copy)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    wanted = {path.relative_to(copy).as_posix() for path in (copy / "colu").rglob("*") if path.is_file()}
    assert wanted - inside == set(), "add the suffix to package-data in pyproject.toml"
    assert "colu/claims/expectations/10-cones-and-projections.yml" in inside
