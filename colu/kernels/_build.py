"""Build the C kernels at first use, keep them in the user's cache, and load nothing half-written.

One library a storage type, named by a checksum of source, flags, processor and compiler.
A build goes to a temporary file, gets a checksum of its content at its end,
is loaded and asked for its version there, and only then renamed:
two processes that build at once both succeed, and a reader sees a whole file or none.
Loading a library runs it, so only what nobody but the user could have written is loaded.
"""

import ctypes
import functools
import hashlib
import os
import pathlib
import platform
import shlex
import shutil
import stat
import struct
import tempfile
import time
import warnings

import torch

from colu.folders import NoFolder, lasting_cache
from colu.programs import ProgramError, run_program

SOURCE = pathlib.Path(__file__).with_name("conic.c")
_HEADERS = ("vectors.h", "cones.h")
KINDS = {torch.float32: 0, torch.float64: 1, torch.bfloat16: 2, torch.float16: 3}
FLAGS = ("-O1", "-fno-math-errno", "-fno-trapping-math", "-fopenmp", "-shared", "-fPIC")
PLAN = struct.Struct("=12q5d")
_SECONDS = 120
# A build that is still at work is younger than this.
_DEAD = 3600


class Unavailable(RuntimeError):
    """The fused library cannot be had; the message says why, in one line."""


class NotKept(RuntimeError):
    """There is no folder for libraries that only the user can write; the message says why, in one line."""


def compiler() -> list[str]:
    """The command of the C compiler: ``$CC``, or ``cc``."""
    try:
        command = shlex.split(os.environ.get("CC", "")) or ["cc"]
    except ValueError as error:
        raise Unavailable(f"CC={os.environ['CC']!r} is no command: {error}") from None
    if shutil.which(command[0]) is None:
        raise Unavailable(f"no C compiler: {command[0]!r} is not on the path; install one or set CC")
    return command


@functools.cache
def processor() -> str:
    """What decides the instructions a library may use: the machine and the flags of its processor."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            lines = [line for line in file if line.startswith(("flags", "Features", "model name"))]
        return platform.machine() + "".join(sorted(set(lines)))
    except OSError:
        return platform.machine() + platform.processor()


@functools.cache
def _version(command: tuple[str, ...]) -> str:
    return _call([*command, "--version"]).partition("\n")[0]


def _call(command: list[str]) -> str:
    try:
        done = run_program(command, seconds=_SECONDS)
    except ProgramError as error:
        raise Unavailable(f"the C compiler did not run: {error}") from None
    if done.status:
        raise Unavailable(f"the C compiler failed ({done.status}): {_first_line(done.err)}")
    return done.out


def _first_line(text) -> str:
    lines = [line.strip() for line in str(text).splitlines() if line.strip()]
    return next((line for line in lines if "error" in line.lower()), lines[0] if lines else "no message")[:200]


def target_flags() -> tuple[str, ...]:
    """The best instructions of this processor; other machines than x86-64 spell it differently."""
    return ("-march=native",) if platform.machine().lower() in ("x86_64", "amd64") else ("-mcpu=native",)


def library_name(dtype: torch.dtype) -> str:
    """The file of the library of ``dtype``; its name changes with all that could make it wrong."""
    command = compiler()
    sources = [SOURCE, *(SOURCE.with_name(name) for name in _HEADERS)]
    parts = [
        *(path.read_text(encoding="utf-8") for path in sources),
        *command,
        _version(tuple(command)),
        *FLAGS,
        *target_flags(),
    ]
    # An environment variable may hold bytes that are no text.
    digest = hashlib.sha256("\0".join([*parts, processor()]).encode(errors="surrogateescape")).hexdigest()[:24]
    return f"conic-{str(dtype).removeprefix('torch.')}-{digest}.so"


def kernels_folder() -> pathlib.Path:
    """The folder of the libraries in the cache, made where it is absent; the user's alone."""
    try:
        folder = lasting_cache() / "kernels"
        folder.mkdir(mode=0o700, exist_ok=True)
        if problem := _foreign(folder):
            raise NotKept(f"{folder} {problem}")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise NotKept(f"{folder} cannot be written")
    except NoFolder as error:
        raise NotKept(str(error)) from None
    except OSError as error:
        raise NotKept(f"{folder} cannot be made: {error.strerror or error}") from None
    return folder


def _foreign(path: pathlib.Path) -> str | None:
    """How somebody else than the user could have written a file or folder; None if nobody could."""
    found = path.stat()
    if found.st_uid != os.geteuid():
        return f"belongs to another user ({found.st_uid})"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"can be written by others (mode {stat.S_IMODE(found.st_mode):o})"
    return None


def build(dtype: torch.dtype, path: pathlib.Path) -> None:
    """Compile for ``dtype`` into ``path``, whole or not at all."""
    _clean(path.parent)
    try:
        handle, name = tempfile.mkstemp(suffix=".so", prefix=".building-", dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise Unavailable(f"the folder {path.parent} cannot be written: {error.strerror or error}") from None
    try:
        kind = f"-DKIND={KINDS[dtype]}"
        _call([*compiler(), kind, *FLAGS, *target_flags(), "-o", name, str(SOURCE), "-lm"])
        # A linker makes the file anew, with what the umask leaves.
        os.chmod(name, 0o600)
        _seal(name)
        _open(name, dtype)
        os.replace(name, path)
    except OSError as error:
        raise Unavailable(f"the built library could not be stored: {error.strerror or error}") from None
    finally:
        pathlib.Path(name).unlink(missing_ok=True)


def _clean(folder: pathlib.Path) -> None:
    """Remove what builds that were killed left."""
    for path in folder.glob(".building-*"):
        try:
            if path.stat().st_mtime < time.time() - _DEAD:
                path.unlink()
        except OSError:
            pass  # another process was first


def _seal(path) -> None:
    """Append the checksum of the file; a loader of libraries ignores what follows the last section."""
    content = pathlib.Path(path).read_bytes()
    with open(path, "ab") as file:
        file.write(hashlib.sha256(content).digest())


def _open(path, dtype: torch.dtype):
    """Load, and refuse what is not whole or not the library of this version and type."""
    try:
        # A library cut short can kill the process that maps it, so the checksum comes first.
        content = pathlib.Path(path).read_bytes()
        if hashlib.sha256(content[:-32]).digest() != content[-32:]:
            raise OSError("its checksum is wrong")
        library = ctypes.CDLL(str(path))
        version = library.colu_abi
        version.restype = ctypes.c_long
        found = version()
    except (OSError, AttributeError) as error:
        raise Unavailable(f"{path} is no library of ours: {_first_line(error)}") from None
    wanted = 1000 * PLAN.size + 10 * dtype.itemsize + KINDS[dtype]
    if found != wanted:
        raise Unavailable(f"{path} reports version {found}, wanted {wanted}; delete it")
    run = library.colu_run
    run.argtypes = [ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    run.restype = None
    return run


@functools.cache
def outcome(dtype: torch.dtype):
    """The function of the library of ``dtype`` and where it is, or None and why not; decided once a process."""
    if not hasattr(os, "geteuid"):
        return None, "the fused kernels are for Linux and macOS"
    try:
        name = library_name(dtype)
        try:
            return _kept(dtype, kernels_folder() / name)
        except NotKept as reason:
            _warn(f"no fused kernels are kept, so this process builds its own: {reason}")
            return _private(dtype, name)
    except Unavailable as error:
        _warn(f"no fused kernels, so colu takes a slower path: {error}")
        return None, str(error)


def _kept(dtype: torch.dtype, path: pathlib.Path):
    """From the cache, built there where it is absent."""
    if path.exists() and not _foreign(path):
        try:
            return _open(path, dtype), str(path)
        except Unavailable:
            pass  # a file cut short or from elsewhere: build again over it
    build(dtype, path)
    return _open(path, dtype), str(path)


def _private(dtype: torch.dtype, name: str):
    """Built for this process alone; the system keeps what is loaded when the file goes."""
    try:
        with tempfile.TemporaryDirectory(prefix="colu-", ignore_cleanup_errors=True) as folder:
            path = pathlib.Path(folder, name)
            build(dtype, path)
            return _open(path, dtype), "a temporary folder"
    except OSError as error:
        raise Unavailable(f"there is no temporary folder either: {error.strerror or error}") from None


# Said once a process, whatever the types and reasons that follow; explain() tells each of them.
# A filter "ignore:no fused kernels" hides it: the executor of notebooks sets it, since a page should not
# depend on the compiler of the machine that made it.
_warned = False


def _warn(message: str) -> None:
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(message, stacklevel=3)
