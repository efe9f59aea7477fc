"""Building the library: every planted failure leads to the next path, with one line."""

import os
import pathlib
import shutil
import stat
import subprocess
import sys
import warnings

import pytest
import torch

from colu.folders import lasting_cache
from colu.functional import colu
from colu.kernels import _build, explain

F32 = torch.float32


def _path(dtype=F32):
    return _build.kernels_folder() / _build.library_name(dtype)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The float32 library, built once in a folder of its own."""
    folder = tmp_path_factory.mktemp("built")
    before = os.environ.get("COLU_CACHE")
    os.environ["COLU_CACHE"] = str(folder)
    try:
        _build.build(F32, _path())
    finally:
        os.environ.pop("COLU_CACHE") if before is None else os.environ.update(COLU_CACHE=before)
    (path,) = (folder / "kernels").iterdir()
    return path


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The kernels of an empty cache folder, not made yet, and no memory of earlier libraries."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("COLU_CACHE", str(folder))
    forget()
    yield folder / "kernels"
    forget()


#: A compiler that copies what was built before.
COPY = """
case $1 in --version) echo quick;; esac
while [ $# -gt 1 ]; do if [ "$1" = -o ]; then cat "{built}" > "$2"; fi; shift; done
"""


@pytest.fixture
def quick(cache, built, tmp_path, monkeypatch):
    """A compiler that takes no time: what it makes was made before."""
    monkeypatch.setenv("CC", script(tmp_path / "quick", COPY.format(built=built)))
    return cache


def forget():
    _build.outcome.cache_clear()
    _build._version.cache_clear()
    _build._warned = False


def script(path: pathlib.Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def assert_falls_back(pattern):
    """One warning that matches; the same values by another path; nothing left in the cache."""
    x = torch.randn(5, 8)
    with pytest.warns(UserWarning, match=pattern) as record:
        y = colu(x, dim=4)
        colu(x, dim=4)
        colu(x, dim=2)
    assert len(record) == 1
    assert "\n" not in str(record[0].message)
    torch.testing.assert_close(y, colu(x, dim=4, backend="reference"))
    explanation = explain(x, dim=4)
    assert explanation.path == "blocked"
    assert explanation.rejected["fused"] in str(record[0].message)
    with pytest.raises(ValueError, match="backend='fused' is not available"):
        colu(x, dim=4, backend="fused")
    folder = lasting_cache() / "kernels"
    assert not folder.is_dir() or not list(folder.iterdir())


def refuse_writing(folder, monkeypatch):
    access = os.access
    monkeypatch.setattr(_build.os, "access", lambda path, mode: path != folder and access(path, mode))


def assert_builds_its_own(pattern, folder):
    """One warning that matches, the fused path all the same, and nothing new in the folder."""
    before = sorted(folder.iterdir()) if folder.is_dir() else []
    x = torch.randn(5, 8)
    with pytest.warns(UserWarning, match=pattern) as record:
        assert explain(x, dim=4).path == "fused"
        y = colu(x, dim=4)
    assert len(record) == 1 and "\n" not in str(record[0].message)
    torch.testing.assert_close(y, colu(x, dim=4, backend="reference"))
    assert (sorted(folder.iterdir()) if folder.is_dir() else []) == before


def test_library_is_built_once_and_kept(cache, monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert explain(torch.zeros(2, 4)).path == "fused"
    (path,) = cache.iterdir()
    assert path == _path()
    before = path.stat().st_mtime_ns
    forget()
    monkeypatch.setattr(_build, "build", lambda *_: pytest.fail("built again"))
    assert explain(torch.zeros(2, 4)).path == "fused"
    assert path.stat().st_mtime_ns == before


def test_the_warning_comes_once_for_all_types(cache, monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.warns(UserWarning, match="no fused kernels") as record:
        for dtype in _build.KINDS:
            monkeypatch.setenv("CC", f"no-such-compiler-{dtype}".replace("torch.", ""))
            colu(torch.randn(2, 4).to(dtype), dim=4)
    assert len(record) == 1


def test_missing_compiler(cache, monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    assert_falls_back("no C compiler: 'no-such-compiler' is not on the path")


def test_compiler_that_fails(cache, tmp_path, monkeypatch):
    failing = 'case "$1" in --version) echo broken 1.0;; *) echo "conic.c:1: error: out of luck" >&2; exit 1;; esac'
    monkeypatch.setenv("CC", script(tmp_path / "cc", failing))
    assert_falls_back(r"the C compiler failed \(1\): conic.c:1: error: out of luck")


def test_compiler_that_cannot_run(cache, tmp_path, monkeypatch):
    broken = tmp_path / "cc"
    broken.write_bytes(b"\x7fELF but not really")
    broken.chmod(0o755)
    monkeypatch.setenv("CC", str(broken))
    assert_falls_back("the C compiler did not run")


def test_compiler_that_writes_rubbish(cache, tmp_path, monkeypatch):
    # The output is the argument after -o.
    rubbish = 'while [ $# -gt 0 ]; do if [ "$1" = -o ]; then echo no > "$2"; fi; shift; done'
    monkeypatch.setenv("CC", script(tmp_path / "cc", rubbish))
    assert_falls_back("is no library of ours")


def test_compiler_that_never_ends(cache, tmp_path, monkeypatch):
    monkeypatch.setattr(_build, "_SECONDS", 0.2)
    monkeypatch.setenv("CC", script(tmp_path / "cc", "exec sleep 30"))
    assert_falls_back("the C compiler did not run: .* was stopped: it took more than 0.2 s")


@pytest.mark.parametrize("command", ['gcc "x', "gcc 'x", "gcc \\"])
def test_a_command_that_is_none(cache, monkeypatch, command):
    monkeypatch.setenv("CC", command)
    assert_falls_back("CC=.* is no command: No ")


def test_compiler_that_speaks_another_encoding(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("CC", script(tmp_path / "cc", r"printf 'f\374r: error: f\374r\n' >&2; exit 1"))
    assert_falls_back("the C compiler failed \\(1\\): f\N{REPLACEMENT CHARACTER}r: error")


def test_compiler_with_a_version_in_another_encoding(cache, built, tmp_path, monkeypatch):
    named = r"""case "$1" in --version) printf 'cc f\374r Leute\n'; exit;; esac"""
    monkeypatch.setenv("CC", script(tmp_path / "c\udcfc", named + COPY.format(built=built)))
    assert explain(torch.zeros(2, 4)).path == "fused"


def test_cache_that_cannot_be_made(quick, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("COLU_CACHE", str(tmp_path / "file" / "cache"))
    assert_builds_its_own("no fused kernels are kept.*file/cache cannot be made: Not a directory", quick)


@pytest.mark.long
def test_folder_of_kernels_that_cannot_be_made(quick, tmp_path, monkeypatch):
    quick.parent.mkdir()
    quick.write_text("in the way")
    assert_builds_its_own("no fused kernels are kept, so this process builds its own: .*File exists", quick)


def test_read_only_cache(quick, monkeypatch):
    refuse_writing(quick, monkeypatch)
    assert_builds_its_own("no fused kernels are kept.* cannot be written", quick)


def test_no_temporary_folder_either(quick, monkeypatch):
    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    refuse_writing(quick, monkeypatch)
    monkeypatch.setattr(_build.tempfile, "TemporaryDirectory", refuse)
    monkeypatch.setattr(_build, "_warned", True)
    found, why = _build.outcome(F32)
    assert found is None and why == "there is no temporary folder either: Read-only file system"


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_can_write_is_not_used(quick, mode):
    quick.mkdir(parents=True)
    quick.chmod(mode)
    assert_builds_its_own(f"kernels can be written by others .mode {mode:o}.", quick)


def test_a_folder_of_another_user_is_not_used(quick, monkeypatch):
    quick.mkdir(parents=True, mode=0o700)
    monkeypatch.setattr(_build.os, "geteuid", lambda: os.getuid() + 1)
    assert_builds_its_own(f"kernels belongs to another user .{os.getuid()}.", quick)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_library_that_others_could_have_written_is_built_again(quick, built, monkeypatch, mode):
    path = _path()
    shutil.copy(built, path)
    path.chmod(mode)
    opened, load = [], _build._open
    monkeypatch.setattr(_build, "_open", lambda name, *rest: opened.append(name) or load(name, *rest))
    assert explain(torch.zeros(2, 4)).path == "fused"
    assert opened[0] != path and ".building-" in str(opened[0])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_kept_is_the_users_alone_whatever_the_umask(quick):
    before = os.umask(0)
    try:
        assert explain(torch.zeros(2, 4)).path == "fused"
    finally:
        os.umask(before)
    (path,) = quick.iterdir()
    assert [stat.S_IMODE(p.stat().st_mode) for p in (quick.parent, quick, path)] == [0o700, 0o700, 0o600]


def test_disk_that_is_full_at_the_end(quick, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_build.os, "replace", refuse)
    assert_falls_back("the built library could not be stored: No space left on device")


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text", "unsealed"])
def test_damaged_library_is_replaced(quick, built, damage):
    path = _path()
    content = built.read_bytes()
    middle = len(content) // 2
    path.write_bytes(
        {
            "cut": content[:middle],
            "flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
            "empty": b"",
            "text": b"not a library",
            "unsealed": content[:-32],
        }[damage]
    )
    with pytest.raises(_build.Unavailable, match="checksum is wrong"):
        _build._open(path, F32)
    assert explain(torch.zeros(2, 4)).path == "fused"
    assert path.read_bytes() != b"" and list(quick.iterdir()) == [path]
    _build._open(path, F32)


def test_library_of_another_type_is_refused(cache, built):
    with pytest.raises(_build.Unavailable, match="reports version"):
        _build._open(built, torch.float64)


def test_library_of_another_machine_has_another_name(cache, monkeypatch):
    here = _build.library_name(F32)
    changes = {
        "processor": lambda: "another processor",
        "target_flags": lambda: ("-march=other",),
        "_version": lambda command: "cc 99",
        "FLAGS": ("-O0",),
    }
    names = {here}
    for name, value in changes.items():
        with monkeypatch.context() as patch:
            patch.setattr(_build, name, value)
            names.add(_build.library_name(F32))
    source = cache.parent.parent / "conic.c"
    source.write_text("another source")
    for name in _build._HEADERS:
        shutil.copy(_build.SOURCE.with_name(name), source.with_name(name))
    with monkeypatch.context() as patch:
        patch.setattr(_build, "SOURCE", source)
        names.add(_build.library_name(F32))
    names.add(_build.library_name(torch.float64))
    assert len(names) == len(changes) + 3


@pytest.mark.long
def test_three_processes_build_at_once(quick, built, tmp_path, monkeypatch):
    # Long enough for all to be at it.
    monkeypatch.setenv("CC", script(tmp_path / "slow", '[ "$1" = --version ] || sleep 3' + COPY.format(built=built)))
    program = "import torch; from colu.kernels import explain; print(explain(torch.zeros(2, 4)).path)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    running = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", program], env=environment, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    assert [process.communicate(timeout=120)[0].strip() for process in running] == [b"fused"] * 3
    assert [path.suffix for path in quick.iterdir()] == [".so"]


def test_what_a_killed_build_left_is_removed_and_one_at_work_is_not(quick):
    dead, busy = _path().with_name(".building-dead.so"), _path().with_name(".building-busy.so")
    for path in (dead, busy):
        path.write_bytes(b"\x7fELF half a library")
    os.utime(dead, (0, 0))
    assert explain(torch.zeros(2, 4)).path == "fused"
    assert sorted(quick.iterdir()) == sorted([busy, _path()])


def test_without_users_there_are_no_kernels(cache, monkeypatch):
    monkeypatch.delattr(_build.os, "geteuid")
    assert explain(torch.zeros(2, 4)).rejected["fused"] == "the fused kernels are for Linux and macOS"
