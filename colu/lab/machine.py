"""What a report of a fault needs of a machine: versions, devices, threads, data found."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from importlib import metadata

__all__ = ["machine_facts", "peak_memory"]

_PACKAGES = (
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "scikit-learn",
    "matplotlib",
    "lightning-fabric",
    "distributed",
    "POT",
    "safetensors",
    "jupyter-book",
    "papermill",
    "nbval",
)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _data() -> dict[str, str]:
    from colu.lab import data

    found = {}
    try:
        root = data.data_root()
        found["COLU_DATA"] = str(root) if root else f"unset: sets are downloaded into {data.download_root()}"
    except data.DataUnavailableError as error:
        return {"COLU_DATA": str(error)}
    for name in data.names():
        try:
            if root is None and name != "digits":
                found[name] = "not looked for: COLU_DATA is unset"
                continue
            found[name] = f"{len(data.load(name, 'test'))} test images, {data.load(name, 'test').source}"
        except (data.DataUnavailableError, data.DataCorruptedError, OSError) as error:
            found[name] = f"not usable: {error}"
    return found


def _records() -> dict[str, str]:
    from colu.folders import NoFolder
    from colu.lab.results import results_root

    try:
        root = results_root()
    except NoFolder as error:
        return {"folder": str(error)}
    return {"folder": str(root), "there": str(len(list(root.glob("*/*.json"))) // 2) if root.is_dir() else "0"}


def peak_memory(*, children: bool = False) -> int:
    """The most memory that this process, or the largest of its finished children, held so far, in bytes.

    Examples
    --------
    >>> peak_memory() > 1e6
    True
    """
    try:
        import resource
    except ImportError:
        # Windows, which counts for the process alone.
        import psutil

        return 0 if children else psutil.Process().memory_info().peak_wset
    peak = resource.getrusage(resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return peak * (1 if sys.platform == "darwin" else 1024)


def machine_facts() -> dict[str, dict[str, str]]:
    """Facts by heading, as ``colu doctor`` prints them; touches no network.

    Examples
    --------
    >>> list(machine_facts())
    ['system', 'packages', 'torch', 'kernels', 'data', 'records']
    """
    import torch

    from colu import __version__
    from colu.kernels import explain

    from .commit import commit_here

    cuda = torch.cuda.is_available()
    gpus = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())) if cuda else "none"
    commit, dirty = commit_here()
    return {
        "system": {
            "colu": __version__,
            "commit": f"{commit}{', changed since' if dirty else ''}" if commit else "unknown: no git, or no clone",
            "python": platform.python_version(),
            "platform": platform.platform(),
            "cores": str(os.cpu_count()),
            "compiler": os.environ.get("CC") or shutil.which("cc") or "none: the fused kernels fall back to torch",
        },
        "packages": {name: _version(name) for name in _PACKAGES},
        "torch": {
            "threads": str(torch.get_num_threads()),
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "unset"),
            "GPU": gpus,
            "default dtype": str(torch.get_default_dtype()),
        },
        "kernels": {"CoLU, (64, 256), float32": str(explain(torch.zeros(64, 256), dim=4))},
        "data": _data(),
        "records": _records(),
    }
