"""Nothing of the user's set-up reaches a kernel: neither when a notebook is executed nor when it is validated."""

import json
import os
import sys
from pathlib import Path

import pytest

from colu.press.build.environment import clean_environment, kernel_environment
from colu.press.build.execute import execute
from colu.press.build.validate import validate

SEEN = """
import builtins, os, sys, IPython
settings = {"MPLBACKEND", "PYTHONSTARTUP", "NVIDIA_TF32_OVERRIDE", "PYTEST_ADDOPTS", "MY_OWN", "JUPYTER_PATH"}
print(hasattr(builtins, "leaked"), sys.executable, sorted(settings & set(os.environ)), os.environ["MPLBACKEND"][-6:])
print(str(IPython.paths.get_ipython_dir()).startswith(os.environ["HOME"]), os.environ["COLU_DATA"])
"""


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """A user whose set-up would change every kernel."""
    home = tmp_path / "home"
    for profile in (home / ".ipython" / "profile_default", home / "ipython" / "profile_default"):
        (profile / "startup").mkdir(parents=True)
        (profile / "startup" / "00-leak.py").write_text("import builtins; builtins.leaked = True")
    (home / "start.py").write_text("import builtins; builtins.leaked = True")
    foreign = home / "jupyter" / "kernels" / "python3"
    foreign.mkdir(parents=True)
    spec = {"argv": ["no-such-kernel"], "display_name": "x", "language": "python"}
    (foreign / "kernel.json").write_text(json.dumps(spec))
    for name, value in {
        "HOME": home,
        "IPYTHONDIR": home / "ipython",
        "JUPYTER_PATH": home / "jupyter",
        "PYTHONSTARTUP": home / "start.py",
        "MPLBACKEND": "Agg",
        "NVIDIA_TF32_OVERRIDE": "1",
        "PYTEST_ADDOPTS": "--collect-only",
        "PYTEST_PLUGINS": "no_such_plugin",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONWARNINGS": "error",
        "MY_OWN": "1",
        "COLU_DATA": "there",
    }.items():
        monkeypatch.setenv(name, str(value))


@pytest.mark.long
@pytest.mark.slow
def test_a_hostile_set_up_reaches_neither_execution_nor_validation(toy, hostile):
    toy.write("01-one", SEEN, tags=["nbval-check-output"])
    assert execute(toy) == []
    text = "".join(json.loads(toy.copy("01-one").read_text())["cells"][2]["outputs"][0]["text"])
    assert text == f"False {sys.executable} ['JUPYTER_PATH', 'MPLBACKEND'] inline\nFalse there\n"
    assert validate(toy) == {}
    assert json.loads(toy.copy("01-one").with_suffix(".json").read_text())["validated"] is True


def test_what_a_kernel_needs_of_the_machine_is_kept(monkeypatch, toy):
    kept = {"PATH": "p", "HOME": "h", "LC_ALL": "C", "CUDA_VISIBLE_DEVICES": "1", "LD_LIBRARY_PATH": "l"}
    kept |= {"COLU_CACHE": "c", "https_proxy": "x", "NO_PROXY": "y", "SSL_CERT_FILE": "s", "TMPDIR": "t"}
    for name, value in kept.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert kept.items() <= clean_environment().items() and "OMP_NUM_THREADS" not in clean_environment()
    assert kernel_environment(toy, "smoke", 2)["OMP_NUM_THREADS"] == "1"


def test_of_the_path_of_modules_folders_of_packages_alone_are_kept(monkeypatch, tmp_path):
    loose, packages = tmp_path / "loose", tmp_path / "packages"
    loose.mkdir()
    (loose / "sitecustomize.py").write_text("")
    (packages / "tool-1.0.dist-info").mkdir(parents=True)
    own = str(Path(__file__).parents[3])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (loose, packages, "", own))))
    assert clean_environment()["PYTHONPATH"].split(os.pathsep) == [str(packages), own]
