"""The process under test of ``test_crash.py``: each write, rename, removal and spawn of ours is a point to fail at.

``python crash.py ANSWER [SCENARIO ...]`` imports everything once and forks for each case, in a tenth of the
time that a fresh interpreter takes. A case is a command, such as a run, that meets one fault at one point; then the
tree that it left is compared with the old and the new one, and the command is run again without a fault.
Points are found by interception, in every process that the command starts.
"""

from __future__ import annotations

import builtins
import errno
import functools
import io
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest import mock

PACKAGE = str(Path(__file__).resolve().parents[1] / "colu") + os.sep
#: Seconds after which a case, or what it started, is taken for one that hangs.
PATIENCE = 300
#: Seconds in which what a process started ends after it.
SLOW = 120
#: What fails where the disk is full.
FILLS = ("open", "write", "fsync", "os.mkdir")
#: Names that are drawn, by what is before and behind them.
DRAWN = (
    (re.compile(r"\.partial-\d+-[0-9a-f]{8}"), ".partial-*"),
    (re.compile(r"(\.partial-|colu-|work-|tmp|\.building-)[a-z0-9_]{8}"), r"\1*"),
    (re.compile(r"checkpoint-\d+"), "checkpoint-N"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d{6}Z"), "TIME"),
)


def drawn(name: str) -> str:
    """A name without what differs between two runs of the same command."""
    for pattern, put in DRAWN:
        name = pattern.sub(put, name)
    return name


class Watch:
    """Notes each point that a process passes below ``tree``, and fails at one of them."""

    def __init__(self, tree: Path, control: Path, fault: dict | None) -> None:
        self.tree, self.control, self.fault = os.path.realpath(tree) + os.sep, control, fault
        self.seen: Counter[str] = Counter()
        self.log = os.open(control / "points", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.busy = False

    def below(self, path: object, folder: int = -1) -> str | None:
        """The name below the tree, or None for what lies elsewhere."""
        if isinstance(path, int) or folder not in (-1, None):
            descriptor, rest = (path, "") if isinstance(path, int) else (folder, os.fsdecode(path))
            try:
                path = os.path.join(os.readlink(f"/proc/self/fd/{descriptor}"), rest)
            except OSError:
                return None
        full = os.path.abspath(os.fsdecode(path))
        return full[len(self.tree) :].rstrip(os.sep) if full.startswith(self.tree) else None

    def point(self, event: str, name: str | None, half=lambda: None) -> None:
        """Pass a point: note it, and fail there if it is the one; ``half`` does half of what is about to be done."""
        if name is None or self.busy:
            return
        self.busy = True
        try:
            frame, ours = sys._getframe(1), []
            while frame is not None:
                if frame.f_code.co_filename.startswith(PACKAGE):
                    ours.append((frame.f_code.co_filename[len(PACKAGE) :], frame.f_lineno, frame.f_code.co_name))
                frame = frame.f_back
            if not ours:
                return
            lines = [each[:2] for each in ours]
            if event == "shutil.rmtree":  # a folder that is there is met again with what is in it
                os.write(self.log, json.dumps({"lines": lines}).encode() + b"\n")
                return
            if tree := self.removed(sys._getframe(1)):
                name = self.below(tree) or name
            where = f"{ours[0][0]}:{ours[0][2]}" + (f" < {ours[1][0]}:{ours[1][2]}" if len(ours) > 1 else "")
            point = f"{event} {drawn(name)} @ {where}"
            self.seen[point] += 1
            note = {"point": point, "nth": self.seen[point], "lines": lines}
            os.write(self.log, json.dumps(note).encode() + b"\n")
            self.fail(event, point, half)
        finally:
            self.busy = False

    @staticmethod
    def removed(frame) -> object:
        """The folder that is being removed with all that is in it, which counts as one name."""
        while frame is not None:
            if frame.f_code.co_name == "rmtree" and frame.f_code.co_filename == shutil.__file__:
                return frame.f_locals.get("path")
            frame = frame.f_back
        return None

    def fail(self, event: str, point: str, half) -> None:
        if event in FILLS and (self.control / "full").exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fault = self.fault
        if fault is None or fault["point"] != point or fault["nth"] != self.seen[point]:
            return
        try:  # once, in whatever process comes first
            os.close(os.open(self.control / "failed", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        half()
        if gate := fault.get("gate"):
            while not os.path.exists(gate):
                time.sleep(0.005)
        if fault["kind"] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault["kind"] == "interrupt":
            raise KeyboardInterrupt
        if fault["kind"] == "full":
            (self.control / "full").touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


WATCH: Watch | None = None


def _hook(event: str, arguments: tuple) -> None:
    watch = WATCH
    if watch is None or watch.busy:
        return
    if event == "open":
        path, mode, flags = arguments
        writes = any(letter in mode for letter in "wax+") if isinstance(mode, str) else flags & os.O_ACCMODE
        if writes and not isinstance(path, int):
            watch.point("open", watch.below(path))
    elif event == "os.rename":
        source, target, folder, other = arguments
        watch.point(event, f"{watch.below(source, folder)} -> {name}" if (name := watch.below(target, other)) else None)
    elif event in ("os.remove", "os.rmdir"):
        watch.point(event, watch.below(*arguments))
    elif event == "shutil.rmtree":
        watch.point(event, watch.below(arguments[0]))
    elif event in ("os.mkdir", "os.chmod"):
        watch.point(event, watch.below(arguments[0], arguments[2]))
    elif event == "subprocess.Popen":
        watch.point(event, os.path.basename(os.fsdecode(arguments[0])))
    elif event in ("os.fork", "os.posix_spawn"):
        watch.point(event, "a process")


class _Stream:
    """A file that is written, whose writes are points."""

    def __init__(self, stream, name: str) -> None:
        self.__dict__.update(stream=stream, inside=name)

    def __getattr__(self, name: str):
        return getattr(self.stream, name)

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.stream.close()

    def __iter__(self):
        return iter(self.stream)

    def write(self, data) -> int:
        def half() -> None:
            self.stream.write(data[: len(data) // 2])
            self.stream.flush()

        if WATCH is not None:
            WATCH.point("write", self.inside, half)
        return self.stream.write(data)


def intercept() -> None:
    """Look at every open, write, rename, removal and spawn from now on, for the whole process and its forks."""
    opened, synced, written = io.open, os.fsync, os.write

    def watched_open(file, mode="r", *rest, **options):
        stream = opened(file, mode, *rest, **options)
        if WATCH is None or isinstance(file, int) or not any(letter in mode for letter in "wax+"):
            return stream
        name = WATCH.below(file)
        return stream if name is None else _Stream(stream, name)

    def watched_fsync(descriptor):
        if WATCH is not None:
            WATCH.point("fsync", WATCH.below(descriptor))
        return synced(descriptor)

    def watched_write(descriptor, data):
        if WATCH is not None and not WATCH.busy:
            WATCH.point("write", WATCH.below(descriptor), lambda: written(descriptor, data[: len(data) // 2]))
        return written(descriptor, data)

    builtins.open = io.open = watched_open
    os.fsync, os.write = watched_fsync, watched_write
    sys.addaudithook(_hook)


@contextmanager
def unwatched():
    """What the harness does itself."""
    before = WATCH and WATCH.busy
    if WATCH:
        WATCH.busy = True
    try:
        yield
    finally:
        if WATCH:
            WATCH.busy = before


class Forked:
    """A forked process that looks like one of ``subprocess``."""

    def __init__(self, action) -> None:
        with unwatched():
            sys.stdout.flush()
            sys.stderr.flush()
            self.pid, self.returncode = os.fork(), None
        if self.pid == 0:
            if WATCH:
                WATCH.busy = False
                WATCH.seen.clear()
            status = 1
            try:
                action()
                status = 0
            except KeyboardInterrupt:
                status = 130
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float = PATIENCE) -> int:
        end = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("a forked process", timeout)
            time.sleep(0.002)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


# --- A toy book: real notebooks, worker and kernel processes, but forked, and neither Jupyter nor Sphinx. ---


class _Kernel:
    """In place of ``IPKernelApp``: runs the code that comes by the connection file, and says what it printed."""

    @staticmethod
    def launch_instance(arguments) -> None:
        connection = Path(arguments[arguments.index("-f") + 1])
        with unwatched():
            cells = json.loads(connection.read_text())
        said, names = [], {"PRESET": "smoke"}
        for cell in cells:
            stream = io.StringIO()
            with redirect_stdout(stream):
                exec(cell, names)
            said.append(stream.getvalue())
        with unwatched():
            connection.with_suffix(".said").write_text(json.dumps(said))


def _execute_notebook(source, output, *, cwd, **_) -> None:
    """In place of papermill: starts the kernel that Jupyter would find, and writes the copy as papermill does."""
    notebook = json.loads(Path(source).read_text())
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    spec = Path(os.environ["JUPYTER_PATH"], "kernels", "python3", "kernel.json")
    connection = Path(cwd, "connection.json")
    with unwatched():
        argv = [word.replace("{connection_file}", str(connection)) for word in json.loads(spec.read_text())["argv"]]
        connection.write_text(json.dumps(["".join(cell["source"]) for cell in cells]))

    def kernel() -> None:
        import colu.press.build.kernel

        sys.argv = argv[argv.index("colu.press.build.kernel") :]
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        colu.press.build.kernel.main()

    process = Forked(kernel)
    try:
        failed = process.wait()
    finally:
        process.kill()
        process.wait()
    if not failed:
        with unwatched():
            said = json.loads(connection.with_suffix(".said").read_text())
        for number, (cell, text) in enumerate(zip(cells, said, strict=True), start=1):
            cell["execution_count"] = number
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": text}] if text else []
    with unwatched():  # papermill is not ours: what it leaves half-written lies in the run's own folder
        Path(output).write_text(json.dumps(notebook))
    if failed:
        raise RuntimeError("the kernel failed")


def _fork_worker(command, *, env, stdout, **_):
    """In place of ``start_program`` where a notebook's worker is started."""
    WATCH.point("subprocess.Popen", "worker")

    def worker() -> None:
        import colu.press.build.worker

        os.dup2(stdout.fileno(), 1)
        os.dup2(stdout.fileno(), 2)
        sys.argv, os.environ = command[-2:], os.environ.copy() | env
        colu.press.build.worker.main()

    return Forked(worker)


#: In place of Jupyter Book: the site is what the copies say.
JUPYTER_BOOK = """
out="$4/_build/html"
mkdir -p "$out/notebooks" && cd "$COLU_EXECUTED_DIR" && cat *.ipynb > "$out/index.html"
for name in *.ipynb; do cp "$name" "$out/notebooks/${name%.ipynb}.html"; done
"""


def _nbval(copies, jobs, cell_timeout, report, config):
    """In place of pytest: every cell agrees."""
    cases = "".join(
        f'<testcase classname="{copy.name}" name="Cell {number}"/>'
        for copy in copies
        for number in range(sum(c["cell_type"] == "code" for c in json.loads(copy.read_text())["cells"]))
    )
    return ["sh", "-c", f"printf '%s' '<testsuite>{cases}</testsuite>' > {report}"]


def _build_wheel(command, *, env, cwd):
    """In place of ``run_program`` where the wheel is built."""
    WATCH.point("subprocess.Popen", "wheel")
    from colu.programs import Finished

    with unwatched(), zipfile.ZipFile(Path(cwd, "colu-1-py3-none-any.whl"), "w") as wheel:
        wheel.writestr("colu/code.py", "x = 1\n")
    return Finished(0, "", "")


def _notebook(*sources: str) -> str:
    cells = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "source": s, "outputs": [], "execution_count": None}
        for n, s in enumerate(sources)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5})


READS = "import os; print(open(os.path.join(os.environ['COLU_RESULTS'], 'costs', 'a.csv')).read())"


def make_book(tree: Path) -> None:
    root = tree / "book"
    for folder in ("notebooks", "book", "results/costs", "colu/claims/expectations"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "colu" / "code.py").write_text("x = 1\n")
    (root / "results" / "costs" / "a.csv").write_text("1\n")
    os.utime(root / "results" / "costs" / "a.csv", (1, 1))
    (root / "requirements.txt").write_text("torch==2\n")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        (root / name).write_text("")
    addresses = "html:\n  baseurl: https://example.org/toy/\nrepository:\n  url: https://example.org/toy.git\n"
    (root / "_config.yml").write_text(f"title: toy\n{addresses}")
    (root / "book" / "index.md").write_text("# Toy\n")
    toc = "format: jb-book\nroot: book/index\nchapters:\n- file: notebooks/01-one\n- file: notebooks/02-two\n"
    (root / "_toc.yml").write_text(toc)
    for name in ("01-one", "02-two"):
        (root / "notebooks" / f"{name}.ipynb").write_text(_notebook("print('old')", READS))


def change_book(tree: Path) -> None:
    (tree / "book" / "notebooks" / "01-one.ipynb").write_text(_notebook("print('new')", READS))


@contextmanager
def toy_processes():
    """The build's processes, forked."""
    modules = {
        "papermill": SimpleNamespace(execute_notebook=_execute_notebook),
        "papermill.engines": SimpleNamespace(
            NBClientEngine=object, papermill_engines=SimpleNamespace(register=lambda name, engine: None)
        ),
        "ipykernel": ModuleType("ipykernel"),
        "ipykernel.kernelapp": SimpleNamespace(IPKernelApp=_Kernel),
        "IPython": ModuleType("IPython"),
        "IPython.core": SimpleNamespace(
            application=SimpleNamespace(ENV_CONFIG_DIRS=[], SYSTEM_CONFIG_DIRS=[])
        ),
    }
    build = "colu.press.build."
    with ExitStack() as stack:
        stack.enter_context(mock.patch.dict(sys.modules, modules))
        stack.enter_context(mock.patch(build + "execute.start_program", _fork_worker))
        stack.enter_context(mock.patch(build + "render._jupyter_book", lambda: ["sh", "-c", JUPYTER_BOOK, "sh"]))
        stack.enter_context(mock.patch(build + "validate._command", _nbval))
        stack.enter_context(mock.patch(build + "wheel.run_program", _build_wheel))
        stack.enter_context(mock.patch(build + "worker.VERSIONS", ()))
        stack.enter_context(mock.patch(build + "worker.STOP_SECONDS", 1))
        stack.enter_context(mock.patch(build + "build.lint", lambda project: []))
        yield


def _book(tree: Path):
    from colu.press.project import Project

    return Project(tree / "book")


def build_book(tree: Path) -> None:
    from colu.press.build.build import build, validate_and_say
    from colu.press.build.execute import single_build

    with toy_processes():
        build(_book(tree), jobs=2)
        with single_build(_book(tree)):
            validate_and_say(_book(tree), jobs=2)


def build_chapter(tree: Path) -> None:
    from colu.press.build.execute import execute, single_build
    from colu.press.build.render import render_chapter

    with toy_processes(), single_build(_book(tree)):
        if failures := execute(_book(tree), names=["01"], jobs=1):
            raise RuntimeError(str(failures[0]))
        render_chapter(_book(tree), "01")


SLEEPS = "import os, time; time.sleep(600 if os.path.exists(os.path.join(os.environ['TMPDIR'], 'slow')) else 0)"


def slow_down(tree: Path) -> None:
    for name in ("01-one", "02-two"):
        (tree / "book" / "notebooks" / f"{name}.ipynb").write_text(_notebook(SLEEPS))


def build_slowly(tree: Path) -> None:
    """The first worker is at work, for long, when the second one is started."""
    from colu.press.build.execute import execute, single_build

    slow = tree / "tmp" / "slow"
    with unwatched():
        slow.touch() if WATCH.fault else slow.unlink(missing_ok=True)
    with toy_processes(), single_build(_book(tree)):
        if failures := execute(_book(tree), jobs=2):
            raise RuntimeError(str(failures[0]))


def break_chapter(tree: Path) -> None:
    (tree / "book" / "notebooks" / "01-one.ipynb").write_text(_notebook("print('new')", "1 / 0"))


def build_broken(tree: Path) -> None:
    """The failure is what is wanted; any other error is not."""
    from colu.press.build.execute import execute, single_build

    with toy_processes(), single_build(_book(tree)):
        failures = execute(_book(tree), names=["01"], jobs=1)
    if [failure.error for failure in failures] != ["RuntimeError"]:
        raise RuntimeError("; ".join(map(str, failures)) or "no failure")


def check_book(tree: Path) -> str:
    """What contradicts itself in a book's folder, whatever moment it is."""
    from colu.files import bring_back, file_digest, read_json

    project = _book(tree)
    for copy in project.executed("smoke").glob("*.ipynb"):
        record = read_json(copy.with_suffix(".json"))
        if record and record["sha256"] == file_digest(copy) and record["validated"] and "new" in copy.read_text():
            if record["key"] is None:
                return f"{copy.name} was validated without a key"
    bring_back(project.site)
    pages = {path.name: ("new" in path.read_text()) for path in project.site.rglob("*.html")}
    if pages.pop("02-two.html", None) is not False or len(pages) != 2:
        return f"the site has the pages {pages}"
    return "" if len(set(pages.values())) == 1 else f"the site is of two builds: {pages}"


# --- Runs and sweeps. ---

SHORT = {"steps": 4, "checkpoint_every": 1, "evaluate_every": 2, "log_every": 1, "batch_size": 8}


def _config(arm: str = "relu", seed: int = 0, **changes):
    from colu.lab.experiments import get_experiment

    return get_experiment("rotation").config("smoke", arm, seed, **(SHORT | changes))


def quiet(*_) -> None:
    """Say nothing."""


def make_results(tree: Path) -> None:
    from colu.lab.experiments import run

    run(_config("identity", 7), tree / "results", say=quiet)


def do_run(tree: Path) -> None:
    from colu.lab.experiments import run

    run(_config(), tree / "results", say=quiet)


def do_diverging_run(tree: Path) -> None:
    from colu.lab.experiments import run
    from colu.lab.training import DivergedError

    try:
        run(_config(learning_rate=1e38, optimiser="sgd", log_every=4), tree / "results", say=quiet)
    except DivergedError:
        return
    raise RuntimeError("it did not diverge")


def do_sweep(tree: Path) -> None:
    import multiprocessing

    from colu.lab.experiments import sweep as _  # noqa: F401
    module = sys.modules["colu.lab.experiments.sweep"]
    fork = multiprocessing.get_context("fork")
    with mock.patch.object(module, "get_context", lambda method: fork):
        found = module.sweep("rotation", arms=["relu", "silu"], seeds=[0], root=tree / "results", workers=2, **SHORT)
    if found.failed:
        raise RuntimeError(str(found.failed))


def check_results(tree: Path) -> str:
    from colu.lab.results import find_records

    try:
        records = find_records("rotation", tree / "results")
    except Exception as error:
        return f"a reader meets {type(error).__name__}: {error}"
    return "" if any(record.arm == "identity" for record in records) else "an older record is gone"


def do_seals(tree: Path) -> None:
    from colu.lab.experiments.estimates import Estimate, keep_estimate, read_estimates
    from colu.lab.results import Tolerances
    from colu.lab.results.seals import write_seals

    write_seals(tree / "results", {"rotation/a.json": "a" * 64})
    Tolerances(factor=3).write(tree / "results" / "tolerances.yml")
    # Told twice, an estimate stands there twice: the harness runs the command again.
    if len(read_estimates(tree / "results")) < 2:
        keep_estimate(Estimate("rotation", "smoke", "silu", "cpu", 1, 1, 1, 1.0, 1.0, None, "now"), tree / "results")


def make_seals(tree: Path) -> None:
    from colu.lab.experiments.estimates import Estimate, keep_estimate
    from colu.lab.results import Tolerances
    from colu.lab.results.seals import write_seals

    write_seals(tree / "results", {"rotation/b.json": "b" * 64})
    Tolerances(factor=2).write(tree / "results" / "tolerances.yml")
    keep_estimate(Estimate("rotation", "smoke", "relu", "cpu", 1, 1, 1, 1.0, 1.0, None, "now"), tree / "results")


def make_pictures(tree: Path) -> None:
    folder = tree / "results" / "pictures" / "rotation"
    folder.mkdir(parents=True, exist_ok=True)
    for record in (tree / "results" / "rotation").glob("*.json"):
        if ".curve" not in record.name:
            shutil.copyfile(record, folder / record.name)


def do_pictures(tree: Path) -> None:
    import torch

    from colu.lab.results.pictures import Pictures, write_pictures

    (record,) = (tree / "results" / "pictures" / "rotation").glob("*.json")
    write_pictures(Pictures(rows={"a": torch.linspace(0, 1, 8).view(2, 1, 2, 2)}), record, tree / "results")


def check_pictures(tree: Path) -> str:
    from colu.files import file_digest

    folder = tree / "results" / "pictures"
    sums = (folder / "SHA256SUMS").read_text() if (folder / "SHA256SUMS").is_file() else ""
    bare = [path.name for path in folder.glob("*/*.png") if file_digest(path) not in sums]
    return f"pictures without their checksum: {bare}" if bare else ""


def make_archive(tree: Path) -> None:
    from colu.lab.results.archive import pack

    source = tree.parent / "packed"
    (source / "a").mkdir(parents=True, exist_ok=True)
    for name in ("one", "a/two"):
        (source / name).write_text(name * 1000)
    # A record, which an archive holds in a table.
    record = {"config_hash": "0" * 64, "config": {"seed": 0}}
    (source / "a" / "three.json").write_text(json.dumps(record, indent=1) + "\n")
    (tree / "records.tar.xz").write_bytes(pack(source))


def do_unpack(tree: Path) -> None:
    from colu.lab.results.archive import unpack

    unpack(tree / "records.tar.xz", tree / "cache" / "records")


def make_library(tree: Path) -> None:
    """A compiler that takes no time: what it makes was made before."""
    import torch

    from colu.kernels import _build

    made = tree.parent / "made.so"
    if not made.exists():
        version = 1000 * _build.PLAN.size + 10 * torch.float32.itemsize + _build.KINDS[torch.float32]
        made.with_suffix(".c").write_text(f"long colu_abi(void) {{ return {version}; }} void colu_run(void) {{}}")
        subprocess.run([*_build.compiler(), "-shared", "-fPIC", "-o", made, made.with_suffix(".c")], check=True)
    copy = f'while [ $# -gt 1 ]; do if [ "$1" = -o ]; then cat "{made}" > "$2"; fi; shift; done'
    (tree / "cc").write_text(f"#!/bin/sh\ncase $1 in --version) echo quick;; esac; {copy}\n")
    (tree / "cc").chmod(0o755)


def do_library(tree: Path) -> None:
    import torch

    from colu.kernels import _build

    # As in a process of its own, which kinds that do not kill are not given.
    _build.outcome.cache_clear()
    _build._version.cache_clear()
    os.environ |= {"CC": str(tree / "cc"), "COLU_CACHE": str(tree / "cache")}
    for left in tree.glob("cache/kernels/.building-*"):
        if not (WATCH and WATCH.fault):
            os.utime(left, (0, 0))  # an hour later
    function, where = _build.outcome(torch.float32)
    if function is None or "cache" not in where:
        raise RuntimeError(f"no library is kept: {where}")


def make_networks(tree: Path) -> None:
    import torch
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(0)
    for name in "ab":
        shapes = {"0.weight": (4, 3), "0.bias": (4,), "2.weight": (2, 4), "2.bias": (2,)}
        state = {key: torch.randn(shape, generator=generator) for key, shape in shapes.items()}
        (tree / name).mkdir()
        (tree / name / "config.json").write_text("{}")
        save_file(state, tree / name / "model.safetensors")


def do_fusion(tree: Path) -> None:
    import typer
    from torch import nn

    from colu.commands import fuse, fuse_inputs

    def model(_):
        return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))

    with mock.patch.object(fuse_inputs, "load_model", model), mock.patch.object(sys, "argv", ["colu", "fuse"]):
        try:
            files = [tree / name for name in "ab"]
            more = {"write_parents": tree / "parents", "out": tree / "fused.safetensors"}
            fuse.fuse(files, ["mine:net"], shape="3", force=True, **more)
        except typer.Exit as error:
            raise RuntimeError(f"colu fuse ends with {error.exit_code}") from error


def check_fusion(tree: Path) -> str:
    """Where the fused network stands, so does its report."""
    stands = (tree / "fused.safetensors").exists()
    return "a fused network without its report" if stands and not (tree / "fused.json").exists() else ""


def make_catalogue(tree: Path) -> None:
    (tree / "catalogue.json").write_text(json.dumps({"one": measured_model("one")}))


def measured_model(name: str) -> dict:
    return {"letters": len(name)}


def do_catalogue(tree: Path) -> None:
    from colu.lab.catalogue import runner

    if failed := runner.record_each(tree / "catalogue.json", ["one", "two"], [], measured_model, str):
        raise RuntimeError(f"{failed} failed")


class Scenario:
    """A command to fail in.

    Parameters
    ----------
    act : callable
        The command; an exception is its failure.
    make : callables
        What makes the old tree, and what changes it so that the command has something to do.
    check : callable
        Says what contradicts itself in a tree at any moment.
    twin : str
        What a second process does that starts the same command: "waits" and ends well, or "is refused".
    only : dict, optional
        The one fault that is of interest, its point by what it begins with.
    """

    def __init__(self, act, *make, check=lambda tree: "", twin: str = "", only: dict | None = None) -> None:
        self.act, self.make, self.check, self.twin, self.only = act, make, check, twin, only


SCENARIOS = {
    "build": Scenario(build_book, make_book, build_book, change_book, check=check_book, twin="is refused"),
    "chapter": Scenario(build_chapter, make_book, build_chapter, change_book),
    "abandoned build": Scenario(
        build_slowly, make_book, slow_down, only={"point": "subprocess.Popen worker", "nth": 2, "kind": "kill"}
    ),
    "broken chapter": Scenario(build_broken, make_book, build_chapter, break_chapter),
    "run": Scenario(do_run, make_results, check=check_results, twin="waits"),
    "diverging run": Scenario(do_diverging_run, make_results, check=check_results),
    "sweep": Scenario(do_sweep, make_results, check=check_results, twin="waits"),
    "seals": Scenario(do_seals, make_results, make_seals, check=check_results, twin="waits"),
    "pictures": Scenario(do_pictures, make_results, make_pictures, check=check_pictures, twin="waits"),
    "archive": Scenario(do_unpack, make_archive, twin="waits"),
    "fusion": Scenario(do_fusion, make_networks, check=check_fusion),
    "catalogue": Scenario(do_catalogue, make_catalogue),
    "library": Scenario(do_library, make_library, twin="waits"),
}

#: Those that need PyTorch, and come last.
LAB = ("run", "diverging run", "sweep", "seals", "pictures", "archive", "fusion", "catalogue", "library")

#: Of a record, what differs between two runs; the seal covers it.
VARIES = {"seconds", "started", "ended", "peak_memory_bytes", "peak_memory_mb", "curve_sha256", "seal", "command"}
VARIES |= {"commit", "dirty", "conditions"}


def _settled(value):
    if isinstance(value, dict):
        return {key: _settled(part) for key, part in value.items() if key not in VARIES}
    return [_settled(part) for part in value] if isinstance(value, list) else value


def content(path: Path) -> str:
    """What a file says, but for times; the bytes where it is no whole JSON."""
    text = path.read_bytes().decode(errors="replace")
    if path.suffix == ".json":
        try:
            value = _settled(json.loads(text))
            if path.name == "site.json":
                del value["key"]  # of the seconds of all runs
            return json.dumps(value, sort_keys=True)
        except ValueError:
            pass
    return text


def files_of(tree: Path) -> dict[str, str]:
    return {drawn(path.relative_to(tree).as_posix()): content(path) for path in tree.rglob("*") if path.is_file()}


def unvalidated(said: str | None) -> str | None:
    """What a file says, whether or not a second run of the notebook agreed."""
    return said and re.sub(r'"validated": \w+', '"validated"', said)


def visible(files: dict[str, str]) -> dict[str, str]:
    shown = (name for name in files if not any(part.startswith(".") for part in name.split("/")))
    return {name: files[name] for name in shown if not name.startswith("tmp/")}


class Harness:
    """Does the cases of a scenario, each in a fork, always at the same place."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name, self.scenario, self.lines = name, SCENARIOS[name], set()
        os.environ |= {"TMPDIR": str(folder / "tree" / "tmp"), "COLU_RESULTS": str(folder / "tree" / "results")}
        tempfile.tempdir = None
        self.tree, self.template, self.control = folder / "tree", folder / f"old {name}", folder / "control"
        shutil.rmtree(self.tree, ignore_errors=True)
        (self.tree / "tmp").mkdir(parents=True)
        for make in self.scenario.make:
            self.do(make)
        shutil.copytree(self.tree, self.template, dirs_exist_ok=True)
        self.old = visible(files_of(self.tree))
        self.points = self.do(self.scenario.act)
        done = files_of(self.tree)
        self.new = visible(done)
        #: Locks, and what a run that diverged keeps.
        self.hidden = set(done) - set(self.new)
        self.cases, self.killed, self.pause = 0, False, 0.1

    def start(self, fault: dict | None, control: Path) -> tuple[Forked, int]:
        """Start the command in a process of its own; the descriptor ends when it and all that it started have."""
        shutil.rmtree(control, ignore_errors=True)
        control.mkdir()
        ours, theirs = os.pipe()

        def act() -> None:
            global WATCH
            os.close(ours)
            os.setpgid(0, 0)
            output = os.open(control / "output", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(output, 1)
            os.dup2(output, 2)
            WATCH = Watch(self.tree, control, fault)
            self.scenario.act(self.tree)

        process = Forked(act)
        os.close(theirs)
        return process, ours

    def end(self, process: Forked, alive: int) -> str:
        """Wait for a process and all that it started; says if one stays."""
        try:
            try:
                process.wait()
            except subprocess.TimeoutExpired:
                return "it hangs"
            return "" if select.select([alive], [], [], SLOW)[0] else "a process that it started outlives it"
        finally:
            os.close(alive)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def output(self, control: Path) -> str:
        path = control / "output"
        return path.read_text(errors="replace").strip()[-1500:] if path.exists() else ""

    def here(self, action, fault: dict | None = None) -> str:
        """Do it in this process; the error that it ends with."""
        global WATCH
        shutil.rmtree(self.control, ignore_errors=True)
        self.control.mkdir()
        watch = WATCH = Watch(self.tree, self.control, fault)
        signal.alarm(PATIENCE)
        try:
            action(self.tree)
            return ""
        except BaseException:
            return traceback.format_exc()[-1500:]
        finally:
            signal.alarm(0)
            WATCH = None
            os.close(watch.log)

    def do(self, action) -> list[dict]:
        """Do without a fault; the points that were passed."""
        if wrong := self.here(action):
            raise RuntimeError(f"{self.name}, without a fault:\n{wrong}")
        return [note for note in self.noted() if "point" in note]

    def noted(self) -> list[dict]:
        """What the last process noted, and those that it started; the lines of the source are kept."""
        notes = [json.loads(line) for line in (self.control / "points").read_text().splitlines()]
        self.lines |= {tuple(line) for note in notes for line in note["lines"]}
        return notes

    def restore(self) -> None:
        shutil.rmtree(self.tree, ignore_errors=True)
        shutil.copytree(self.template, self.tree, symlinks=True)

    def differences(self, *, done: bool) -> str:
        """How the tree is neither the old nor the new; ``done``: not the new."""
        files = files_of(self.tree)
        seen = visible(files)
        for name in sorted({*self.old, *self.new, *seen}):
            allowed = [self.new.get(name)] if done else [self.old.get(name), self.new.get(name)]
            said = seen.get(name)
            if not done:
                said, allowed = unvalidated(said), [unvalidated(each) for each in allowed]
            if said not in allowed and not self.between(name, seen, done):
                return f"{name} is {self.described(name, seen)}"
        if done:
            left = [name for name in files if name not in seen and name not in self.hidden and name[:4] != "tmp/"]
            # What a process that is killed has in the system's folder for such things stays there.
            tmp = [] if self.killed else [path.name for path in (self.tree / "tmp").iterdir()]
            if left or tmp:
                return f"{', '.join(left[:3] or tmp[:3])} is left behind"
        return self.scenario.check(self.tree)

    def between(self, name: str, seen: dict, done: bool) -> bool:
        """Whether it may be so for a moment: no stamp, a site that stepped aside, what a notebook that failed left."""
        if not done and name.startswith("book/executed/smoke/failed/"):
            return True
        aside = name.startswith(("book/_build/html/", "book/_build/chapter/")) and any(
            path.is_dir() for path in (self.tree / "book" / "_build").glob(".previous-*")
        )
        return not done and name not in seen and (name == "book/_build/site.json" or aside)

    def described(self, name: str, seen: dict) -> str:
        if name not in seen:
            return "gone"
        if name not in self.old and name not in self.new:
            return "one that belongs to neither state"
        return f"neither as it was nor as it will be: {seen[name][:80]!r}..."

    def case(self, fault: dict) -> str | None:
        """What goes wrong where the command fails once and is run again."""
        self.cases += 1
        self.restore()
        if fault["kind"] == "kill":
            process, alive = self.start(fault, self.control)
            if wrong := self.end(process, alive):
                return wrong
            self.killed = process.returncode == -signal.SIGKILL
            said = self.output(self.control)
        else:
            said, self.killed = self.here(self.scenario.act, fault), False
        # Nor can what is interrupted while it clears up.
        self.killed |= fault["point"].startswith(("os.remove tmp/", "os.rmdir tmp/"))
        self.noted()
        if not (self.control / "failed").exists():
            return None if self.by_chance(fault["point"]) else f"the point was not passed; {said}"
        if wrong := self.differences(done=False):
            return f"after the fault {wrong}\n{said}"
        return self.again()

    def by_chance(self, point: str) -> bool:
        """Whether the command need not pass a point without a fault, either: of two writers at once one may be faster.

        Such as to take the other's new file for a dead one's before it is locked, which makes that one begin anew.
        """
        for _ in range(3):
            self.restore()
            if point not in {note["point"] for note in self.do(self.scenario.act)}:
                return True
        return False

    def again(self) -> str | None:
        if wrong := self.here(self.scenario.act):
            return f"run again: {wrong}"
        self.noted()
        wrong = self.differences(done=True)
        return f"run again, {wrong}" if wrong else None

    def twins(self, fault: dict) -> str | None:
        """What goes wrong where a second process starts when the first is at a point, and the first is then killed."""
        self.cases, self.killed = self.cases + 1, True
        self.restore()
        gate, other = self.control.with_name("gate"), self.control.with_name("twin")
        gate.unlink(missing_ok=True)
        first, alive = self.start(fault | {"gate": str(gate)}, self.control)
        end = time.monotonic() + PATIENCE
        while not (self.control / "failed").exists() and first.poll() is None and time.monotonic() < end:
            time.sleep(0.002)
        second, living = self.start(None, other)
        # The second gets as far as it can while the first stands still.
        end = time.monotonic() + (PATIENCE if self.scenario.twin == "is refused" else self.pause)
        while second.poll() is None and time.monotonic() < end:
            time.sleep(0.002)
        refused = second.returncode is not None and "another build" in self.output(other)
        # Where the first holds its lock, which is at all renames.
        points = other / "points"
        strayed = self.strict(fault["point"]) and points.exists() and '"write ' in points.read_text()
        gate.touch()
        if wrong := (self.end(first, alive) or self.end(second, living)):
            return f"of twins {wrong}"
        if strayed:
            return "the twin wrote while the first was at work"
        if self.scenario.twin == "waits":
            if second.returncode:
                return f"the twin failed: {self.output(other)}"
            return f"after the twin {wrong}" if (wrong := self.differences(done=True)) else None
        if second.returncode and not refused:
            return f"the twin was not refused, it failed: {self.output(other)}"
        return f"of twins {wrong}" if (wrong := self.differences(done=False)) else self.again()

    def faults(self, *, whole: bool, met: set[str] = frozenset()):
        """Every point with each kind of fault; where not ``whole``, one point of each place is killed.

        Each third meets one more fault then, by turns; places that were ``met`` in an earlier scenario are left out.
        """
        if only := self.scenario.only:
            point = next(note["point"] for note in self.points if note["point"].startswith(only["point"]))
            yield only | {"point": point}
            return
        met = set(met)
        times: dict[str, int] = {}  # in one process
        for note in self.points:
            times[note["point"]] = max(note["nth"], times.get(note["point"], 0))
        for turn, (point, nth) in enumerate(times.items()):
            if not whole and self.place(point) in met:
                continue
            met.add(self.place(point))
            kinds = ["interrupt", "once", *(["full"] if point.startswith(FILLS) else [])]
            yield {"point": point, "nth": 1, "kind": "kill"}
            for kind in kinds if whole else [] if turn % 3 else [kinds[turn // 3 % len(kinds)]]:
                yield {"point": point, "nth": 1, "kind": kind}
            if whole and nth > 1:
                yield {"point": point, "nth": nth, "kind": "kill"}

    def strict(self, point: str) -> bool:
        """Whether nobody else may write meanwhile: other scenarios hold several locks, one after another."""
        return self.name in ("run", "build", "archive") and point.startswith("os.rename")

    def meets(self, point: str) -> bool:
        """Whether twins are tried at a point: where something appears in the tree."""
        return point.startswith("os.rename") and "worker.py" not in point

    @staticmethod
    def place(point: str) -> str:
        """What is done where in the source, by whatever name."""
        return point if point.startswith("os.rename") else f"{point.split()[0]}{point.partition(' @ ')[2]}"

    def first_wrong(self, kind: str, pattern: str) -> str | None:
        """What goes wrong first with one kind of fault, "twins" among them, at the points of a pattern."""
        for fault in self.faults(whole=True):
            if re.search(pattern, fault["point"]) and fault["kind"] in (kind, "kill" if kind == "twins" else kind):
                if problem := (self.twins if kind == "twins" else self.case)(fault):
                    return problem
        return None

    def all(self, *, whole: bool, met: set[str]) -> dict:
        """Every case; a dictionary for JSON."""
        wrong = []
        for fault in self.faults(whole=whole, met=met):
            if problem := self.case(fault):
                wrong.append(f"{fault['kind']} at {fault['nth']}. {fault['point']}: {problem}")
            if self.scenario.twin and fault["kind"] == "kill" and fault["nth"] == 1 and self.meets(fault["point"]):
                if problem := self.twins(fault):
                    wrong.append(f"twins, kill at {fault['point']}: {problem}")
        met |= {self.place(note["point"]) for note in self.points}
        points = sorted({note["point"] for note in self.points})
        return {"points": points, "lines": sorted(self.lines), "cases": self.cases, "wrong": wrong}


def _plainly(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as stream:
        stream.write(text if isinstance(text, bytes) else text.encode())


class _CurveLast:
    """Writes a record before its curve."""

    def __init__(self) -> None:
        self.late = None

    def __call__(self, path: Path, text: str | bytes) -> None:
        from colu.files import write_atomically

        if path.name.endswith(".curve.json"):
            self.late = (path, text)
        else:
            write_atomically(path, text)
            write_atomically(*self.late)


def _in_two_steps(fresh: Path, place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    os.replace(fresh, place)


@contextmanager
def _no_lock(path: Path, *, wait: bool = False):
    yield


#: Faults in the package that the harness must find: scenario, what is replaced by what, kind of case, points.
PLANTS = {
    "a plain write": ("run", "colu.lab.results.records.write_atomically", lambda: _plainly, "kill", "write_record"),
    "a record before its curve": ("run", "colu.lab.results.records.write_atomically", _CurveLast, "kill", "os.rename"),
    "no lock of a run": ("run", "colu.lab.experiments.run.held", lambda: _no_lock, "twins", "os.rename"),
    "no lock of a build": ("build", "colu.press.build.execute.held", lambda: _no_lock, "twins", "os.rename"),
    "a site that goes first": ("build", "colu.press.build.render.put_in_place", lambda: _in_two_steps, "kill", "html"),
    "a worker that stays": ("abandoned build", "colu.press.build.worker.leave_with", lambda: quiet, "kill", ""),
}


def planted(folder: Path, name: str) -> str | None:
    """What the harness finds where a fault is planted."""
    import importlib

    global SLOW
    scenario, place, make, kind, pattern = PLANTS[name]
    module, _, attribute = place.rpartition(".")
    # By its module: a package may have a function of the same name.
    importlib.import_module(module)
    before, SLOW = SLOW, 1
    with mock.patch.object(sys.modules[module], attribute, make()):
        try:
            harness = Harness(folder, scenario)
            harness.pause = 5
            return harness.first_wrong(kind, pattern)
        finally:
            SLOW = before


def warm_press() -> None:
    """Import all that a toy build imports; PyTorch is not among it, so that a fork is small."""
    import filelock  # noqa: F401
    import psutil  # noqa: F401

    import colu.press.build.build
    import colu.press.build.kernel
    import colu.press.build.worker
    import colu.programs

    colu.programs._SECONDS = 0.02


def warm_lab(folder: Path) -> None:
    """Import all that a run imports, and make once what it does not change; each case then starts with it."""
    import torch

    torch.set_num_threads(1)
    from colu.lab.training import make_fabric

    make_results(folder)
    module = sys.modules["colu.lab.experiments.run"]
    module.make_fabric = functools.cache(make_fabric)
    make_results(folder / "again")


class Hangs(BaseException):
    """A command takes longer than it may; no error that anything handles."""


def _hang(*_: object) -> None:
    raise Hangs


def main() -> None:
    """Do the scenarios, and write what was found."""
    sys.path[0] = os.path.dirname(PACKAGE[:-1])  # this package, and not one that is installed
    whole = "--whole" in sys.argv
    answer, *names = (word for word in sys.argv[1:] if word != "--whole")
    signal.signal(signal.SIGALRM, _hang)
    found, met = {}, set()
    with tempfile.TemporaryDirectory(prefix="crash-") as made:
        folder = Path(os.path.realpath(made))
        warm_press()
        intercept()
        for name in [name for name in names if name != "planted"] or SCENARIOS:
            if name in LAB and "torch" not in sys.modules:
                warm_lab(folder / "warm")
            before = os.times()
            found[name] = Harness(folder, name).all(whole=whole, met=met)
            after = os.times()
            found[name]["seconds"] = round(sum(after[:4]) - sum(before[:4]), 1)
            Path(answer).write_text(json.dumps(found, indent=1))
            print(name, len(found[name]["points"]), found[name]["cases"], found[name]["seconds"], flush=True)
        if not names or "planted" in names:
            found["planted"] = {name: planted(folder, name) for name in PLANTS}
    Path(answer).write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
