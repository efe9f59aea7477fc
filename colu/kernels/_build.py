"""Build the C kernels at first use, keep them in the user's cache, and load nothing half-written.

One library a storage type, named by a checksum of source, flags, processor and compiler.
A build goes to a temporary file, gets a checksum of its content at its end,
is loaded and asked for its version there, and only then renamed:
two processes that build at once both succeed, and a reader sees a whole file or none.
"""

import ctypes
import functools
import hashlib
import os
import pathlib
import platform
import shlex
import shutil
import struct
import subprocess
import tempfile
import warnings

import torch

SOURCE = pathlib.Path(__file__).with_name("conic.c")
_HEADERS = ("vectors.h", "cones.h")
KINDS = {torch.float32: 0, torch.float64: 1, torch.bfloat16: 2, torch.float16: 3}
FLAGS = ("-O1", "-fno-math-errno", "-fno-trapping-math", "-fopenmp", "-shared", "-fPIC")
PLAN = struct.Struct("=12q5d")
_SECONDS = 120


class Unavailable(RuntimeError):
    """The fused library cannot be had; the message says why, in one line."""


def cache_folder() -> pathlib.Path:
    """``$COLU_CACHE``, or ``colu`` in ``$XDG_CACHE_HOME``, or ``~/.cache/colu``."""
    if os.environ.get("COLU_CACHE"):
        return pathlib.Path(os.environ["COLU_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return pathlib.Path(base) / "colu"


def compiler() -> list[str]:
    """The command of the C compiler: ``$CC``, or ``cc``."""
    command = shlex.split(os.environ.get("CC", "")) or ["cc"]
    if shutil.which(command[0]) is None:
        raise Unavailable(f"no C compiler: {command[0]!r} is not on the path; install one or set CC")
    return command


@functools.cache
def processor() -> str:
    """What decides the instructions a library may use: the machine and the flags of its processor."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            lines = [line for line in file if line.startswith(("flags", "Features", "model name"))]
        return platform.machine() + "".join(sorted(set(lines)))
    except OSError:
        return platform.machine() + platform.processor()


@functools.cache
def _version(command: tuple[str, ...]) -> str:
    return _call([*command, "--version"]).partition("\n")[0]


def _call(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"the C compiler did not run: {_first_line(error)}") from None
    if done.returncode:
        raise Unavailable(f"the C compiler failed ({done.returncode}): {_first_line(done.stderr)}")
    return done.stdout


def _first_line(text) -> str:
    lines = [line.strip() for line in str(text).splitlines() if line.strip()]
    return next((line for line in lines if "error" in line.lower()), lines[0] if lines else "no message")[:200]


def target_flags() -> tuple[str, ...]:
    """The best instructions of this processor; other machines than x86-64 spell it differently."""
    return ("-march=native",) if platform.machine().lower() in ("x86_64", "amd64") else ("-mcpu=native",)


def library_path(dtype: torch.dtype) -> pathlib.Path:
    """Where the library of ``dtype`` is cached; the name changes with all that could make it wrong."""
    command = compiler()
    sources = [SOURCE, *(SOURCE.with_name(name) for name in _HEADERS)]
    parts = [
        *(path.read_text(encoding="utf-8") for path in sources),
        *command,
        _version(tuple(command)),
        *FLAGS,
        *target_flags(),
    ]
    digest = hashlib.sha256("\0".join([*parts, processor()]).encode()).hexdigest()[:24]
    return cache_folder() / f"conic-{str(dtype).removeprefix('torch.')}-{digest}.so"


def build(dtype: torch.dtype, path: pathlib.Path) -> None:
    """Compile for ``dtype`` into ``path``, whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(suffix=".so", prefix=".building-", dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise Unavailable(f"the cache folder {path.parent} cannot be written: {error.strerror or error}") from None
    try:
        kind = f"-DKIND={KINDS[dtype]}"
        _call([*compiler(), kind, *FLAGS, *target_flags(), "-o", name, str(SOURCE), "-lm"])
        _seal(name)
        _open(name, dtype)
        os.replace(name, path)
    except OSError as error:
        raise Unavailable(f"the built library could not be stored: {error.strerror or error}") from None
    finally:
        pathlib.Path(name).unlink(missing_ok=True)


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
    try:
        path = library_path(dtype)
        if path.exists():
            try:
                return _open(path, dtype), str(path)
            except Unavailable:
                pass  # a file cut short or from elsewhere: build again over it
        build(dtype, path)
        return _open(path, dtype), str(path)
    except Unavailable as error:
        _warn(str(error))
        return None, str(error)


# Said once a process, whatever the types and reasons that follow; explain() tells each of them.
# A filter "ignore:no fused kernels" hides it: the executor of notebooks sets it, since a page should not
# depend on the compiler of the machine that made it.
_warned = False


def _warn(reason: str) -> None:
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(f"no fused kernels, so colu takes a slower path: {reason}", stacklevel=3)
