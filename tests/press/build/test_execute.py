"""What execution leaves behind, for good notebooks and for each kind of bad one."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial

import nbformat
import pytest

from colu.press.build.environment import WARNINGS
from colu.press.build.execute import execute, is_current, recorded_seconds, single_build
from colu.press.build.keys import notebook_key
from colu.press.build.preload import ENOUGH, launcher
from colu.press.project import BookError

#: One pixel.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
HERE = "import os; open({marker!r}, 'w').write(str(os.getpid()))"


def _events(project, **options):
    events = {}
    failures = execute(project, report=lambda name, event: events.__setitem__(name, event), **options)
    return events, failures


def _gone(pid):
    for _ in range(3000):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.1)
    return False


def test_copy_has_preset_and_record_and_is_made_again_when_altered(toy):
    toy.write("01-one", "import os; print(PRESET, os.environ['OMP_NUM_THREADS'], os.listdir())")
    assert _events(toy) == ({"01-one": "done"}, [])
    copy = toy.copy("01-one")
    assert "smoke 1 []" in copy.read_text()
    record = json.loads(copy.with_suffix(".json").read_text())
    assert record["validated"] is None and record["reads"] == []
    assert record["seconds"] > 0 and record["peak_memory_mb"] > 10
    assert sorted(path.name for path in copy.parent.iterdir()) == ["01-one.ipynb", "01-one.json"]
    assert _events(toy)[0] == {"01-one": "current"}
    copy.write_text(copy.read_text().replace("smoke 1", "smoke 2"))
    assert _events(toy)[0] == {"01-one": "done"}
    assert "smoke 1 []" in copy.read_text()


@pytest.mark.long
def test_many_notebooks_share_the_imports_and_give_the_same_copies(toy, monkeypatch):
    monkeypatch.setattr(f"{execute.__module__}.launcher", partial(launcher, libraries="ipykernel.kernelapp"))
    names = [f"0{number}-same" for number in range(1, ENOUGH + 1)]
    for name in names:
        toy.write(name, "import os, sys; print(PRESET, sys.argv[0], sorted(os.environ.keys() & {'MPLBACKEND'}))")
    asked = "open('/proc/{0}/cmdline'.format(os.getppid())).read().split(chr(0))[3]"
    toy.write("09-parent", f"import os; print({asked})")
    assert _events(toy) == (dict.fromkeys([*names, "09-parent"], "done"), [])
    assert "colu.press.build.preload" in toy.copy("09-parent").read_text()
    shared = {name: toy.copy(name).read_text() for name in names}
    assert all(json.loads(toy.copy(name).with_suffix(".json").read_text())["peak_memory_mb"] > 10 for name in names)
    for name in names[:2]:
        assert execute(toy, names=[name], force=True) == []
        assert toy.copy(name).read_text() == shared[name]


@pytest.mark.slow
def test_bad_notebooks_name_cell_and_error_and_leave_the_last_good_copy(toy, monkeypatch):
    monkeypatch.setattr(f"{execute.__module__}.launcher", partial(launcher, libraries="ipykernel.kernelapp"))
    copies = toy.executed("smoke")
    copies.mkdir(parents=True)
    toy.copy("01-raises").write_text("last good copy")
    toy.write("01-raises", "1 + 1", "raise OverflowError('too much')", "2")
    toy.write("02-dies", "import os; os._exit(3)")
    toy.write("03-slow", "import time; time.sleep(3600)")
    toy.write("04-blank", "1 + 1", alt="a circle")
    show = f"from IPython.display import display; display({{'image/png': {PNG!r}}}, raw=True)"
    toy.write("05-good", show, alt="a dot")
    events, failures = _events(toy, cell_timeout=20)
    said = dict.fromkeys(("01-raises", "02-dies", "03-slow", "04-blank"), "failed")
    assert events == said | {"05-good": "done"}
    said = {failure.notebook: str(failure) for failure in failures}
    assert "'c2'" in said["01-raises"] and "OverflowError: too much" in said["01-raises"]
    assert "'c1'" in said["02-dies"] and "died" in said["02-dies"].lower()
    assert "'c1'" in said["03-slow"] and "timed out" in said["03-slow"].lower()
    assert "'c1'" in said["04-blank"] and "announces 'a circle' and shows no picture" in said["04-blank"]
    assert not toy.copy("04-blank").exists()
    assert toy.copy("01-raises").read_text() == "last good copy"
    assert "OverflowError" in (copies / "failed" / "01-raises.ipynb").read_text()
    assert not toy.copy("02-dies").exists() and not list(copies.glob(".partial-*"))


def test_failing_claim_stops_with_id_statement_expected_and_measured(toy):
    toy.write(
        "01-one",
        "from pathlib import Path\nfrom colu import claims\n"
        f"claims.check('toy-two', 3.0, preset=PRESET, ledger=Path({str(toy.ledger)!r}))",
        prose=":::{claim} toy-two\nOne and one are two.\n:::",
    )
    (failure,) = execute(toy)
    for part in ("01-one", "'c1'", "ClaimFailed", "toy-two", "One and one are two.", "2 ± 0.001", "3.0"):
        assert part in str(failure)


@pytest.mark.slow
@pytest.mark.parametrize(
    "stop", [signal.SIGTERM, *(pytest.param(one, marks=pytest.mark.long) for one in (signal.SIGINT, signal.SIGKILL))]
)
def test_stopped_build_leaves_nothing_half_written_and_goes_on(toy, tmp_path, stop):
    marker = tmp_path / "marker"
    toy.write("01-slow", HERE.format(marker=str(marker)), "import time; time.sleep(60)")
    command = [sys.executable, "-m", "colu", "book", "execute", "--jobs", "1"]
    # The toy project has a folder colu/ of its own, which must not hide the package.
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": toy.root}
    # A shell's background job ignores Ctrl-C, and children inherit that.
    options["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(command, env=os.environ | {"PYTHONSAFEPATH": "1"}, **options)
    try:
        for _ in range(3000):
            if (marker.is_file() and marker.read_text()) or process.poll() is not None:
                break
            time.sleep(0.1)
        with pytest.raises(BookError, match="another build"), single_build(toy):
            pass
        time.sleep(0.3)
        process.send_signal(stop)
        said = process.communicate(timeout=300)[1]
    finally:
        process.kill()  # worker and kernel end with it
        process.wait()
    if stop != signal.SIGKILL:
        assert process.returncode == 130 and "go on" in said
        assert not list(toy.executed("smoke").iterdir())
    assert _gone(int(marker.read_text())), "the kernel is still there"
    assert not toy.copy("01-slow").exists()
    toy.write("01-slow", "1")
    with single_build(toy):
        assert _events(toy) == ({"01-slow": "done"}, [])
    assert sorted(path.name for path in toy.executed("smoke").iterdir()) == ["01-slow.ipynb", "01-slow.json"]


DRIVER = """
import os, pathlib, psutil, sys
from colu.press.build.execute import execute
from colu.press.project import Project
def die(name, event):
    print(psutil.Process().children()[0].pid, flush=True)
    os.kill(os.getpid(), 9)
execute(Project(pathlib.Path(sys.argv[1])), report=die)
"""


def test_a_worker_whose_driver_is_killed_as_it_starts_runs_nothing(toy, tmp_path):
    toy.write("01-slow", HERE.format(marker=str(tmp_path / "marker")), "import time; time.sleep(3600)")
    done = subprocess.run([sys.executable, "-P", "-c", DRIVER, str(toy.root)], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert _gone(int(done.stdout)), "the worker is still there"
    assert not (tmp_path / "marker").exists()


STREAM = "import sys, time\nfor k in range(3): print(k, flush=True); time.sleep(0.4)\nprint('e', file=sys.stderr)"


def test_copies_of_two_runs_are_equal_byte_for_byte(toy):
    toy.write("01-one", STREAM, "1 + 1")
    copies = []
    for _ in range(2):
        assert execute(toy, force=True) == []
        copies.append(toy.copy("01-one").read_bytes())
    assert copies[0] == copies[1]
    outputs = nbformat.reads(copies[0].decode(), 4).cells[2].outputs
    assert [(output.name, output.text) for output in outputs] == [("stdout", "0\n1\n2\n"), ("stderr", "e\n")]
    assert recorded_seconds(toy, "smoke").keys() == {"01-one"}


READS = """
import os, pathlib
costs = pathlib.Path(os.environ["COLU_RESULTS"]) / "costs"
print([path.read_text() for path in sorted(costs.glob("*.csv"))])
print((costs / "later.jsonl").open("a").close())
try: (costs / "wanted.json").read_text()
except FileNotFoundError: pass
"""


def test_a_copy_is_current_as_long_as_all_that_it_read_is_the_same(toy):
    costs = toy.results / "costs"
    costs.mkdir()
    (costs / "later.jsonl").write_text("")
    (costs / "a.csv").write_text("1")
    (costs / "unread.txt").write_text("1")
    os.utime(costs / "a.csv", (1, 1))
    toy.write("01-one", READS)
    assert execute(toy) == []
    copy, key = toy.copy("01-one"), notebook_key(toy, toy.notebooks / "01-one.ipynb", "smoke")
    record = json.loads(copy.with_suffix(".json").read_text())
    assert record["reads"] == ["costs/", "costs/a.csv", "costs/wanted.json"]

    def current():
        return is_current(copy, key, toy.results)

    assert current()
    for name, text in {"a.csv": "2", "wanted.json": "{}", "b.csv": "new"}.items():
        path = costs / name
        before = path.read_text() if path.exists() else None
        path.write_text(text)
        assert not current(), name
        path.unlink() if before is None else path.write_text(before)
        assert current(), name
    (costs / "unread.txt").write_text("2")
    (costs / ".partial-1.csv").write_text("half")
    (toy.results / "other").mkdir()
    assert current()


def test_a_copy_of_records_that_changed_while_it_ran_is_made_again(toy):
    (toy.results / "a.csv").write_text("1")
    source = "import os, pathlib; p = pathlib.Path(os.environ['COLU_RESULTS'], 'a.csv'); print(p.read_text())"
    toy.write("01-one", source, "p.write_text('2')")
    assert _events(toy)[0] == {"01-one": "done"}
    assert json.loads(toy.copy("01-one").with_suffix(".json").read_text())["key"] is None


def test_a_notebook_outside_the_contents_is_left_out_with_a_line_unless_named(toy):
    toy.write("01-one", "1")
    (toy.notebooks / "Untitled.ipynb").write_text("no notebook")
    assert _events(toy)[0] == {"Untitled": "left out, it is not in _toc.yml", "01-one": "done"}
    assert _events(toy, names=["01"])[0] == {"01-one": "current"}


def test_copy_without_a_sound_record_is_not_current(toy):
    copy = toy.copy("01-one")
    copy.parent.mkdir(parents=True)
    copy.write_text("{}")
    assert not is_current(copy, "k", toy.results)
    copy.with_suffix(".json").write_text('{"key": "k", "sha')
    assert not is_current(copy, "k", toy.results)


def test_the_filter_of_notebooks_hides_the_warning(tmp_path):
    program = "import torch; from colu.functional import colu; colu(torch.ones(2, 4), dim=4)"
    base = {
        **os.environ,
        "CC": "no-such-compiler",
        "COLU_CACHE": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    said = {}
    for filters in ("", WARNINGS):
        environment = {**base, "PYTHONWARNINGS": filters}
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        said[filters] = done.stderr.count("no fused kernels")
    assert said == {"": 1, WARNINGS: 0}
