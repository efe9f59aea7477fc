"""A process that imports for others: its forks begin as fresh interpreters do, and nothing outlives its driver."""

import json
import os
import subprocess
import sys
import time

import psutil
import pytest

from colu.press.build.kernel import _SPAWNS
from colu.press.build.preload import ENOUGH, LIBRARIES, PLAIN, launcher
from colu.press.project import BookError

linux = pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux alone")


def test_a_few_notebooks_import_by_themselves():
    with launcher(os.environ, ENOUGH - 1) as start:
        assert start == PLAIN


@linux
def test_what_cannot_be_imported_is_named():
    with pytest.raises(BookError, match="no_such_module"), launcher(os.environ, ENOUGH, "no_such_module"):
        pass


@linux
def test_the_imports_seed_nothing_start_no_thread_and_hide_nothing_from_the_kernels():
    code = f"""
import json, os, sys
import numpy, torch
def state():
    return numpy.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
before = state()
import {LIBRARIES}
print(json.dumps({{
    "tasks": len(os.listdir("/proc/self/task")),
    "seeded": state() != before,
    "dtype": str(torch.get_default_dtype()),
    "cuda": torch.cuda.is_initialized(),
    "spawns": sorted(set({sorted(_SPAWNS)}) & set(sys.modules)),
    "drawing": "matplotlib_inline.backend_inline" in sys.modules,
}}))
"""
    limits = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, env=os.environ | limits)
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "tasks": 1,
        "seeded": False,
        "dtype": "torch.float32",
        "cuda": False,
        "spawns": [],
        "drawing": False,
    }, done.stderr


@linux
def test_it_and_its_forks_end_with_the_driver(tmp_path):
    (tmp_path / "sleeper.py").write_text(
        "import os, sys, time\n"
        "if sys.argv[1:] == ['here']:\n"
        "    open(f'pid-{os.getpid()}', 'x').close()\n"
        "    time.sleep(600)\n"
    )
    driver = tmp_path / "driver.py"
    driver.write_text(
        "import os, subprocess, time\n"
        "from colu.press.build.preload import launcher\n"
        "with launcher(os.environ, 9, 'sleeper') as start:\n"
        "    subprocess.Popen([*start, 'sleeper', 'here'])\n"
        "    time.sleep(600)\n"
    )
    paths = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = subprocess.Popen([sys.executable, driver], cwd=tmp_path, env=os.environ | {"PYTHONPATH": paths})
    while not list(tmp_path.glob("pid-*")):
        assert process.poll() is None
        time.sleep(0.05)
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) == 3  # it, the fork and its stand-in
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(family, timeout=60)
    assert not alive
