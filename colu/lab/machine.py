"""What a report of a fault needs of a machine: versions, devices, threads, data found."""

from __future__ import annotations

import os
import platform
import shutil
from importlib import metadata

__all__ = ["machine_facts"]

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
    except data.DataUnavailableError as error:
        return {"COLU_DATA": str(error)}
    found["COLU_DATA"] = str(root) if root else "unset: sets are downloaded into " + str(data.cache_root())
    for name in data.names():
        try:
            if root is None and name != "digits":
                found[name] = "not looked for: COLU_DATA is unset"
                continue
            found[name] = f"{len(data.load(name, 'test'))} test images, {data.load(name, 'test').source}"
        except (data.DataUnavailableError, data.DataCorruptedError, OSError) as error:
            found[name] = f"not usable: {error}"
    return found


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
    from colu.lab.results import results_root

    cuda = torch.cuda.is_available()
    gpus = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())) if cuda else "none"
    root = results_root()
    return {
        "system": {
            "colu": __version__,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "cores": str(os.cpu_count()),
            "compiler": shutil.which("cc") or "none: the fused kernels fall back to torch",
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
        "records": {"folder": str(root), "there": str(len(list(root.glob("*/*.json"))) // 2) if root.is_dir() else "0"},
    }
