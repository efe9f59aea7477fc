"""Execute one notebook with papermill, in a process of its own.

Called by :mod:`colu.press.build.execute` as ``python -m colu.press.build.worker REQUEST``;
REQUEST is a JSON file, and the answer is written beside it; what the notebook reads of the records is noted there too.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from colu.files import write_atomically
from colu.press.notebook import Cell, Notebook
from colu.press.project import BookError
from colu.programs import leave_with, run_program

from .environment import private_folders

#: A kernel that got a port which another took at that moment never answers: another try gets other ports.
START_TRIES, START_SECONDS = 3, 120
#: In which a worker that is asked to stop shuts its kernel down, before both are killed.
STOP_SECONDS = 10
#: Of NVIDIA on Linux and in WSL, and of AMD.
_DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
VERSIONS = ("colu", "torch", "torchvision", "numpy", "scikit-learn", "matplotlib", "papermill", "jupyter-book")


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def _leave() -> None:
    """Stop politely, so that the kernel is shut down too; an interrupt can get lost in a callback, so not for long."""
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_SECONDS)
    os._exit(1)


def _failure(error: BaseException, output: Path) -> dict:
    """Name cell and error: the cell is the one papermill marked as failed, or else the last begun.

    Its index counts the cells as executed, without the banners that papermill puts in.
    """
    try:
        cells = Notebook.read(output).cells
    except (OSError, BookError):
        cells = ()
    cells = [cell for cell in cells if not any("papermill-error" in tag for tag in cell.tags)]
    marks = [cell.metadata.get("papermill", {}) for cell in cells]
    failed = [n for n, mark in enumerate(marks) if mark.get("exception")]
    begun = [n for n, mark in enumerate(marks) if mark.get("start_time")]
    cell = next(iter(failed + begun[::-1]), None)
    return {
        "status": "failed",
        "cell": cell,
        "cell_id": None if cell is None else cells[cell].id or None,
        "error": getattr(error, "ename", type(error).__name__),
        "message": str(getattr(error, "evalue", error)),
    }


def _unstarted(failure: dict) -> bool:
    """Whether the kernel never answered, so that no cell was begun."""
    return failure["cell"] is None and failure["message"].startswith(("Kernel didn't respond", "Kernel died before"))


def _blank(cells: Iterable[Cell]) -> dict | None:
    """The failure of a cell that announces a figure and shows none: the page would have a caption without a picture."""
    for cell in cells:
        if cell.announced and not cell.pictured:
            said = f"the cell announces {cell.announced!r} and shows no picture: draw it, or take the announcement out"
            return {"status": "failed", "cell": cell.number, "cell_id": cell.id, "error": "NoPicture", "message": said}
    return None


def _list_fonts(notebook: Path) -> None:
    """Let matplotlib list the machine's fonts beforehand, or the first cell that draws would say that it does."""
    listed = any(Path(os.environ["MPLCONFIGDIR"]).glob("fontlist-*.json")) if "MPLCONFIGDIR" in os.environ else True
    if not listed and "matplotlib" in notebook.read_text(encoding="utf8"):
        run_program([sys.executable, "-P", "-c", "import matplotlib.font_manager"])


def _engine() -> str:
    """Run as papermill does, but for a save of the whole notebook at every cell: a tenth of the time of the book."""
    from papermill.engines import NBClientEngine, papermill_engines

    class SavedOnce(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, manager, *words, **options):
            path, manager.output_path = manager.output_path, None
            try:
                super().execute_managed_notebook(manager, *words, **options)
            finally:
                # Also after an error: the last cell that was begun is the one that failed.
                manager.output_path = path
                manager.save()

    papermill_engines.register("saved once", SavedOnce)
    return "saved once"


def _papermill(request: dict) -> dict | None:
    """Run the notebook once; None where it ran to its end."""
    import papermill

    output = Path(request["output"])
    with tempfile.TemporaryDirectory(prefix="work-", dir=request["folder"]) as folder:
        try:
            papermill.execute_notebook(
                request["notebook"],
                str(output),
                parameters={"PRESET": request["preset"]},
                kernel_name="python3",
                cwd=folder,
                execution_timeout=request["cell_timeout"],
                start_timeout=START_SECONDS,
                engine_name=_engine(),
                progress_bar=False,
                log_output=False,
            )
        except KeyboardInterrupt:
            return {"status": "stopped"}
        except Exception as error:  # papermill raises what the cell raised, wrapped; anything else is named too
            return _failure(error, output)
    return None


def _tried(request: dict) -> tuple[dict | None, float]:
    """Run the notebook, again where its kernel did not start; the failure, if any, and the seconds of the last run."""
    for attempt in range(1, START_TRIES + 1):
        began = time.monotonic()
        failure = _papermill(request)
        if failure is None or failure["status"] == "stopped" or not _unstarted(failure) or attempt == START_TRIES:
            return failure, time.monotonic() - began
        print(f"the kernel did not start ({failure['message']}): try {attempt + 1} of {START_TRIES}", flush=True)


def execute(request: dict) -> dict:
    """Run the notebook of ``request``; the answer says ok, seconds and memory, or what failed."""
    folder = Path(request["scratch"])
    try:
        places = {name: Path(request[name]) for name in ("results", "notes")}
        # The worker leaves with the build, the kernel with the worker, whatever ended it.
        os.environ |= private_folders(folder, driver=os.getpid(), start=request["start"], **places)
        failure, seconds = _tried(request | {"folder": str(folder)})
    finally:
        # The build does so too; one that was killed cannot.
        shutil.rmtree(folder, ignore_errors=True)
    if failure:
        return failure
    output = Path(request["output"])
    notebook = Notebook.read(output).settled()
    write_atomically(output, notebook.dumps(), make_folder=False)
    if blank := _blank(notebook.cells):
        return blank
    return {
        "status": "ok",
        "seconds": round(seconds, 2),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "peak_memory_mb": _memory(Path(request["notes"], "memory")),
        "python": platform.python_version(),
        "device": _device(),
        "versions": {name: metadata.version(name) for name in VERSIONS if _installed(name)},
    }


def _memory(noted: Path) -> float | None:
    """The most that the kernel held, in MB; None where it ended before it said so."""
    return round(int(noted.read_text()) / 1024**2, 1) if noted.is_file() else None


def _device() -> str:
    """Name the processor, and the accelerator that the notebook could see."""
    from colu.lab.results.records import processor

    names = [processor()]
    # PyTorch takes seconds of every notebook to import: only a machine that has a driver asks it.
    if any(Path(driver).exists() for driver in _DRIVERS):
        import torch

        names += [torch.cuda.get_device_name()] if torch.cuda.is_available() else []
    return ", ".join(names)


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def main() -> None:
    """Read the request, run, write the answer."""
    signal.signal(signal.SIGTERM, _stop)
    path = Path(sys.argv[1])
    request = json.loads(path.read_text(encoding="utf8"))
    leave_with(request["driver"], _leave)
    _list_fonts(Path(request["notebook"]))
    answer = execute(request)
    # Stopped, it is not asked for an answer, and the next build may have removed the folder.
    if answer["status"] != "stopped":
        write_atomically(path.with_suffix(".answer"), json.dumps(answer), make_folder=False)


if __name__ == "__main__":
    main()
