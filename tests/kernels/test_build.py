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

from colu.functional import colu
from colu.kernels import _build, explain

F32 = torch.float32


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A cache folder with the float32 library in it."""
    folder = tmp_path_factory.mktemp("built")
    before = os.environ.get("COLU_CACHE")
    os.environ["COLU_CACHE"] = str(folder)
    try:
        _build.build(F32, _build.library_path(F32))
    finally:
        os.environ.pop("COLU_CACHE") if before is None else os.environ.update(COLU_CACHE=before)
    return folder


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder, and no memory of earlier libraries."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("COLU_CACHE", str(folder))
    forget()
    yield folder
    forget()


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
    folder = _build.cache_folder()
    assert not folder.is_dir() or not list(folder.iterdir())


def test_library_is_built_once_and_kept(cache, monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert explain(torch.zeros(2, 4)).path == "fused"
    (path,) = cache.iterdir()
    assert path == _build.library_path(F32)
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
    assert_falls_back("the C compiler did not run: .*timed out")


def test_cache_that_cannot_be_made(cache, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("COLU_CACHE", str(tmp_path / "file" / "cache"))
    assert_falls_back("the cache folder .* cannot be written: Not a directory")


def test_read_only_cache(cache, monkeypatch):
    def refuse(**_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(_build.tempfile, "mkstemp", refuse)
    assert_falls_back("the cache folder .* cannot be written: Read-only file system")


def test_disk_that_is_full_at_the_end(cache, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_build.os, "replace", refuse)
    assert_falls_back("the built library could not be stored: No space left on device")


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text", "unsealed"])
def test_damaged_library_is_replaced(cache, built, damage):
    path = _build.library_path(F32)
    cache.mkdir()
    content = (built / path.name).read_bytes()
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
    assert path.read_bytes() != b"" and list(cache.iterdir()) == [path]
    _build._open(path, F32)


def test_library_of_another_type_is_refused(cache, built):
    wrong = built / _build.library_path(F32).name
    with pytest.raises(_build.Unavailable, match="reports version"):
        _build._open(wrong, torch.float64)


def test_library_of_another_machine_has_another_name(cache, monkeypatch):
    here = _build.library_path(F32)
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
            names.add(_build.library_path(F32))
    source = cache.parent / "conic.c"
    source.write_text("another source")
    for name in _build._HEADERS:
        shutil.copy(_build.SOURCE.with_name(name), source.with_name(name))
    with monkeypatch.context() as patch:
        patch.setattr(_build, "SOURCE", source)
        names.add(_build.library_path(F32))
    names.add(_build.library_path(torch.float64))
    assert len(names) == len(changes) + 3


def test_two_processes_build_at_once(tmp_path):
    program = "import torch; from colu.kernels import explain; print(explain(torch.zeros(2, 4)).path)"
    environment = {**os.environ, "COLU_CACHE": str(tmp_path / "cache"), "PYTHONPATH": os.pathsep.join(sys.path)}
    running = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", program], env=environment, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    assert [process.communicate(timeout=120)[0].strip() for process in running] == [b"fused"] * 3
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".so"]


def test_builder_killed_half_way_leaves_nothing_that_is_loaded(cache, built):
    cache.mkdir()
    (cache / ".building-abc.so").write_bytes(b"\x7fELF half a library")
    assert explain(torch.zeros(2, 4)).path == "fused"
    assert _build.library_path(F32).exists()


def test_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("COLU_CACHE", str(tmp_path / "a"))
    assert _build.cache_folder() == tmp_path / "a"
    monkeypatch.delenv("COLU_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
    assert _build.cache_folder() == tmp_path / "b" / "colu"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "c"))
    assert _build.cache_folder() == tmp_path / "c" / ".cache" / "colu"
