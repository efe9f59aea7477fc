"""What execution leaves behind, for good notebooks and for each kind of bad one."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from colu.press.build.execute import WARNINGS, execute, is_current, single_build
from colu.press.project import BookError

HERE = "import os; open({marker!r}, 'w').write(str(os.getpid()))"


def _events(project, **options):
    events = {}
    failures = execute(project, report=lambda name, event: events.__setitem__(name, event), **options)
    return events, failures


def _gone(pid):
    for _ in range(100):
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
    assert record["validated"] is False and record["seconds"] > 0 and record["peak_memory_mb"] > 10
    assert sorted(path.name for path in copy.parent.iterdir()) == ["01-one.ipynb", "01-one.json"]
    assert _events(toy)[0] == {"01-one": "current"}
    copy.write_text(copy.read_text().replace("smoke 1", "smoke 2"))
    assert _events(toy)[0] == {"01-one": "done"}
    assert "smoke 1 []" in copy.read_text()


@pytest.mark.slow
def test_bad_notebooks_name_cell_and_error_and_leave_the_last_good_copy(toy):
    copies = toy.executed("smoke")
    copies.mkdir(parents=True)
    toy.copy("01-raises").write_text("last good copy")
    toy.write("01-raises", "1 + 1", "raise OverflowError('too much')", "2")
    toy.write("02-dies", "import os; os._exit(3)")
    toy.write("03-slow", "import time; time.sleep(60)")
    toy.write("04-good", "print('fine')")
    began = time.monotonic()
    events, failures = _events(toy, cell_timeout=3)
    assert time.monotonic() - began < 40
    assert events == {"01-raises": "failed", "02-dies": "failed", "03-slow": "failed", "04-good": "done"}
    said = {failure.notebook: str(failure) for failure in failures}
    assert "'c2'" in said["01-raises"] and "OverflowError: too much" in said["01-raises"]
    assert "'c1'" in said["02-dies"] and "died" in said["02-dies"].lower()
    assert "'c1'" in said["03-slow"] and "timed out" in said["03-slow"].lower()
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
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_stopped_build_leaves_nothing_half_written_and_goes_on(toy, tmp_path, stop):
    marker = tmp_path / "marker"
    toy.write("01-slow", HERE.format(marker=str(marker)), "import time; time.sleep(60)")
    command = [sys.executable, "-m", "colu", "book", "execute", "--jobs", "1"]
    # The toy project has a folder colu/ of its own, which must not hide the package.
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": toy.root}
    process = subprocess.Popen(command, env=os.environ | {"PYTHONSAFEPATH": "1"}, **options)
    for _ in range(3000):
        if (marker.is_file() and marker.read_text()) or process.poll() is not None:
            break
        time.sleep(0.1)
    with pytest.raises(BookError, match="another build"), single_build(toy):
        pass
    time.sleep(0.3)
    process.send_signal(stop)
    said = process.communicate(timeout=300)[1]
    if stop != signal.SIGKILL:
        assert process.returncode == 130 and "go on" in said
        assert not list(toy.executed("smoke").iterdir())
    assert _gone(int(marker.read_text())), "the kernel is still there"
    assert not toy.copy("01-slow").exists()
    toy.write("01-slow", "1")
    with single_build(toy):
        assert _events(toy) == ({"01-slow": "done"}, [])
    assert sorted(path.name for path in toy.executed("smoke").iterdir()) == ["01-slow.ipynb", "01-slow.json"]


def test_copy_without_a_sound_record_is_not_current(toy):
    copy = toy.copy("01-one")
    copy.parent.mkdir(parents=True)
    copy.write_text("{}")
    assert not is_current(copy, "k")
    copy.with_suffix(".json").write_text('{"key": "k", "sha')
    assert not is_current(copy, "k")


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
