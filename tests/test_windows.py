"""What only Unix has is asked for where it is used, so the package imports and the library runs on Windows."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import builtins, importlib, os, pkgutil, signal, sys
import colu
# Libraries decide by the platform what they take from signal and os, so they are imported before it is taken away.
import diffusers, distributed, filelock, ipykernel.kernelapp, IPython, lightning_fabric, matplotlib.pyplot, nbformat
import papermill, psutil, rich.progress, scipy.optimize, scipy.stats, sphinx.application, torch._dynamo
import torch.func, torchvision, typer

modules = {"fcntl", "grp", "pwd", "resource", "termios", "tty", "pty", "syslog"}
inner = builtins.__import__

def guarded(name, globals=None, *rest, **options):
    if name.split(".")[0] in modules and str((globals or {}).get("__name__", "")).split(".")[0] == "colu":
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return inner(name, globals, *rest, **options)

builtins.__import__ = guarded
for module, names in (
    (os, "fork forkpty getuid geteuid getgid getegid setuid setgid setsid killpg getpgid setpgid uname chown nice "
         "sched_getaffinity getloadavg sysconf mkfifo WNOHANG"),
    (signal, "SIGKILL SIGHUP SIGQUIT SIGALRM SIGUSR1 SIGUSR2 SIGCHLD alarm setitimer pthread_sigmask"),
):
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)

found = [info.name for info in pkgutil.walk_packages(colu.__path__, "colu.")]
for name in found:
    # One is Triton's, which is for Linux; the other two run pytest and the start of the command.
    if name.rpartition(".")[2] not in ("_triton_kernel", "nbval_plugin", "__main__"):
        importlib.import_module(name)
assert len(found) > 150, found

from colu.functional import colu as f
from colu.kernels import explain
x = torch.randn(3, 8)
torch.testing.assert_close(f(x), f(x, backend="reference"))
assert explain(x).path == "blocked" and "Linux and macOS" in explain(x).rejected["fused"]

from typer.testing import CliRunner
from colu.cli import app
done = CliRunner().invoke(app, ["--version"])
assert done.exit_code == 0 and colu.__version__ in done.output, done.output
"""


@pytest.mark.long
def test_the_package_imports_and_runs_without_what_only_unix_has():
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
