"""A wheel is built from what the folder holds, or the reason is told; checks/ looks into that of the package."""

import pytest

from colu.press.build.wheel import build_wheel, unpacked_wheel
from colu.press.project import BookError

PROJECT = (
    '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n[project]\nname = "colu"\n'
)


@pytest.fixture
def root(tmp_path):
    for name in ("README.md", "LICENSE", "setup.py"):
        (tmp_path / "root" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "root" / name).write_text("from setuptools import setup\nsetup()\n" if name == "setup.py" else "")
    (tmp_path / "root" / "pyproject.toml").write_text(
        PROJECT + 'version = "1"\n[tool.setuptools]\npackages = ["colu"]\n'
    )
    for name in ("results", "colu/__pycache__"):
        (tmp_path / "root" / name).mkdir(parents=True)
    (tmp_path / "root" / "colu" / "__init__.py").write_text("x = 1\n")
    return tmp_path / "root"


def test_the_unpacked_package_is_that_of_the_folder_and_the_folder_stays_as_it_was(root, tmp_path):
    before = sorted(root.rglob("*"))
    site = unpacked_wheel(root, tmp_path / "made")
    assert (site / "colu" / "__init__.py").read_text() == "x = 1\n"
    assert sorted(root.rglob("*")) == before


def test_what_the_build_says_is_told(root, tmp_path):
    (root / "pyproject.toml").write_text(PROJECT)
    with pytest.raises(BookError, match=r"the wheel was not built \(exit status 1\):(.|\n)*version"):
        build_wheel(root, tmp_path / "made")
