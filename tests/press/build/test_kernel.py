"""What a kernel reads of the records is seen: files, folders, and programs that may read anything."""

import os
import sys

import pytest

from colu.press.build.kernel import EVERYTHING, observer


@pytest.fixture
def seen(tmp_path):
    """A hook for the records in ``tmp_path / "results"``, and the names that it noted."""
    (tmp_path / "results" / "costs").mkdir(parents=True)
    noted = []
    hook = observer(str(tmp_path / "results"), noted.append)
    return tmp_path / "results", hook, noted


def test_files_that_are_read_and_folders_that_are_listed_are_noted_once(seen):
    root, hook, noted = seen
    for _ in range(2):
        hook("open", (str(root / "costs" / "a.csv"), "r", 0))
        hook("open", (root / "absent.json", None, os.O_RDONLY))
        hook("os.scandir", (os.fsencode(root / "costs"),))
        hook("os.listdir", (str(root),))
    assert noted == ["costs/a.csv", "absent.json", "costs/", "./"]


def test_what_is_no_record_or_is_written_alone_is_not_noted(seen):
    root, hook, noted = seen
    hook("open", (str(root.parent / "other"), "r", 0))
    hook("open", (str(root) + "-more/a.json", "r", 0))
    hook("open", (3, "r", 0))
    hook("open", (str(root / ".unfinished" / "a.pt"), "rb", 0))
    hook("open", (str(root / "new.json"), "w", 0))
    hook("open", (str(root / "new.json"), None, os.O_WRONLY | os.O_CREAT))
    hook("compile", (None, "x"))
    assert noted == []
    hook("open", (str(root / "log.jsonl"), "a+", 0))
    assert noted == ["log.jsonl"]


def test_paths_from_the_working_folder_and_through_links_are_seen(seen, monkeypatch, tmp_path):
    root, hook, noted = seen
    monkeypatch.chdir(root)
    hook("open", ("costs/a.csv", "r", 0))
    hook("os.listdir", (None,))
    link = tmp_path / "link"
    link.symlink_to(root)
    through = []
    observer(str(link), through.append)("open", (str(root / "a.json"), "r", 0))
    observer(str(link), through.append)("open", (str(link / "a.json"), "r", 0))
    assert noted == ["costs/a.csv", "./"] and through == ["a.json", "a.json"]


@pytest.mark.parametrize(
    ("event", "arguments", "counts"),
    [
        ("subprocess.Popen", (sys.executable, [sys.executable, "-c", ""], None, None), True),
        ("subprocess.Popen", ("/bin/sh", ["/bin/sh", "-c", "cat"], None, None), True),
        ("subprocess.Popen", ("git", ["git", "status"], None, None), False),
        ("subprocess.Popen", ("/usr/bin/x86_64-linux-gnu-gcc-12", ["cc"], None, None), False),
        ("os.system", (b"git status; cat x",), True),
        ("os.exec", ("/usr/bin/cat", ["cat"], None), True),
        ("os.spawn", (0, "/usr/bin/cat", ["cat"], None), True),
        ("import", ("multiprocessing.popen_spawn_posix", None, None, None, None), True),
        ("import", ("json", None, None, None, None), False),
    ],
)
def test_a_program_that_may_read_any_record_counts_as_reading_all(seen, event, arguments, counts):
    _, hook, noted = seen
    hook(event, arguments)
    assert noted == [EVERYTHING] * counts
