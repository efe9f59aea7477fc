"""What the build's processes see of the user's machine: an environment by allow-list, and folders of their own.

A variable, a start-up file or a kernel of the user's must not decide what stands in the book.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from colu.files import write_atomically
from colu.press.project import Project

from .preload import PLAIN

__all__ = ["clean_environment", "kernel_environment", "private_folders"]

#: Where things are on this machine, how it speaks, and how it reaches the network and the accelerator.
#: None of them decides a number; what does, such as ``NVIDIA_TF32_OVERRIDE`` or ``MPLBACKEND``, is not here.
KEPT = frozenset(
    "PATH HOME USER LOGNAME TMPDIR TEMP TMP XDG_CACHE_HOME LANG LANGUAGE TZ "
    "PYTHONUTF8 PYTHONCOERCECLOCALE PYTHONNOUSERSITE PYTHONUSERBASE "
    "LD_LIBRARY_PATH DYLD_LIBRARY_PATH DYLD_FALLBACK_LIBRARY_PATH CC SDKROOT "
    "HIP_VISIBLE_DEVICES ROCR_VISIBLE_DEVICES HSA_OVERRIDE_GFX_VERSION "
    "PYTORCH_ALLOC_CONF PYTORCH_CUDA_ALLOC_CONF TORCH_HOME TORCHINDUCTOR_CACHE_DIR TRITON_CACHE_DIR "
    "HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE".split()
)
PREFIXES = ("LC_", "COLU_", "CUDA_")
#: A page should not depend on the compiler of the machine that made it.
WARNINGS = "ignore:no fused kernels"


def _holds_packages(folder: str) -> bool:
    """Whether a folder of ``PYTHONPATH`` holds this package or installed ones; loose modules would shadow others."""
    path = Path(folder)
    return bool(folder) and ((path / "colu" / "press").is_dir() or any(path.glob("*.dist-info")))


def clean_environment() -> dict[str, str]:
    """What is left of the user's environment."""
    # Proxies are written in small letters too.
    kept = {name: value for name, value in os.environ.items() if name.upper() in KEPT or name.startswith(PREFIXES)}
    folders = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if paths := [str(Path(folder).absolute()) for folder in folders if _holds_packages(folder)]:
        kept["PYTHONPATH"] = os.pathsep.join(paths)
    return kept


def kernel_environment(project: Project, preset: str, jobs: int) -> dict[str, str]:
    """The environment of a process that runs notebooks, ``jobs`` of which share the machine.

    One thread a kernel at smoke, so that its numbers do not depend on the machine's cores; else a fair share.
    """
    threads = "1" if preset == "smoke" else str(max(1, (os.cpu_count() or 1) // jobs))
    limits = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads)
    fixed = {"PYTHONHASHSEED": "0", "PYDEVD_DISABLE_FILE_VALIDATION": "1", "PYTHONWARNINGS": WARNINGS}
    # Kept between runs for its list of the machine's fonts, which takes seconds to make.
    own = {"MPLCONFIGDIR": str(project.root / "executed" / ".matplotlib")}
    # A kernel works in a folder of its own, from where it would not find the project's records.
    records = {"COLU_RESULTS": str(project.results)}
    return clean_environment() | limits | fixed | own | records


def private_folders(
    folder: Path, *, driver: int, results: Path, start: Sequence[str] = PLAIN, notes: Path | None = None
) -> dict[str, str]:
    """Make folders for IPython and Jupyter in ``folder``; return the variables that lead there.

    The only kernel there is ``python3``: this interpreter, with :mod:`colu.press.build.kernel`.

    Parameters
    ----------
    folder : Path
    driver : int
        The process with which the kernels end.
    results : Path
        The recorded runs.
    start : sequence of str
        What comes before the name of a module to start it, by :func:`colu.press.build.preload.launcher`.
    notes : Path, optional
        The folder where a kernel writes down what it reads of them, and its memory.
    """
    spec = folder / "jupyter" / "kernels" / "python3" / "kernel.json"
    own = (str(driver), str(results), str(notes or ""))
    argv = [*start, "colu.press.build.kernel", *own, "-f", "{connection_file}"]
    kernel = {"argv": argv, "display_name": "Python 3", "language": "python"}
    write_atomically(spec, json.dumps(kernel))
    (folder / "ipython").mkdir()
    folders = {"JUPYTER_PATH": "jupyter", "JUPYTER_DATA_DIR": "data", "JUPYTER_CONFIG_DIR": "config"}
    folders |= {"JUPYTER_RUNTIME_DIR": "runtime", "IPYTHONDIR": "ipython"}
    return {name: str(folder / inside) for name, inside in folders.items()} | {"JUPYTER_NO_CONFIG": "1"}
