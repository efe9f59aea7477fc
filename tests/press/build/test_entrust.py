"""A process that stands in for a fork: what is seen of it is what a process of its own would show."""

import json
import os
import signal
import subprocess
import sys
import tempfile

import psutil
import pytest

from colu.press.build.preload import PLAIN, launcher

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux alone")

PROBE = """
import atexit, json, os, signal, sys, time

def main():
    what = sys.argv[1]
    if what == "tell":
        at_end = json.dumps({"arguments": sys.argv[1:], "folder": os.getcwd(), "said": sys.stdin.read(),
                             "variables": {k: v for k, v in os.environ.items() if k not in ("PWD", "_")}})
        atexit.register(print, at_end)
        print("to the error stream", file=sys.stderr)
        sys.exit(int(sys.argv[2]))
    if what == "draw":
        import random, numpy, torch
        print(random.random(), numpy.random.rand(), torch.rand(1).item())
        return
    if what == "raise":
        raise ValueError("on purpose")
    if what == "words":
        sys.exit("in words")
    def stop(number, frame):
        print("stopped by", signal.Signals(number).name, flush=True)
        sys.exit(7)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(os.getpid(), flush=True)
    time.sleep(600)

if __name__ == "__main__":
    main()
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("so long a name that no socket may have it, with spaces and umlauts äöü " * 2)
    (folder / "probe.py").write_text(PROBE)
    (folder / "libraries.py").write_text("import numpy, torch\n")
    return folder


@pytest.fixture(scope="module")
def environment(place):
    paths = os.pathsep.join([str(place), *filter(None, [os.environ.get("PYTHONPATH")])])
    return os.environ | {"PYTHONPATH": paths, "TMPDIR": str(place)}


@pytest.fixture(scope="module")
def start(environment, place):
    kept, tempfile.tempdir = tempfile.tempdir, str(place)
    with launcher(environment, 9, "libraries") as words:
        yield words
    tempfile.tempdir = kept


@pytest.mark.parametrize("words", [("tell", "0", "ä b"), ("tell", "5"), ("raise",), ("words",)], ids=" ".join)
def test_streams_arguments_folder_environment_and_status_are_those_of_a_process_of_its_own(
    start, environment, place, tmp_path, words
):
    told = environment | {"ONLY_HERE": "ü"}
    both = [
        subprocess.run(
            [*way, "probe", *words], input="a line", capture_output=True, text=True, cwd=tmp_path, env=told, timeout=300
        )
        for way in (PLAIN, start)
    ]
    plain, forked = ((done.returncode, done.stdout, done.stderr.splitlines()[-1:]) for done in both)
    assert plain == forked
    if words[0] == "tell":
        assert json.loads(forked[1])["folder"] == str(tmp_path)


def begun(start, environment):
    process = subprocess.Popen([*start, "probe", "wait"], stdout=subprocess.PIPE, text=True, env=environment)
    return process, psutil.Process(int(process.stdout.readline()))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_are_passed_on(start, environment, number):
    process, child = begun(start, environment)
    assert child.pid != process.pid
    process.send_signal(number)
    out, _ = process.communicate(timeout=300)
    assert (out, process.returncode) == (f"stopped by {number.name}\n", 7)


def test_it_fails_when_the_fork_is_killed_and_takes_it_along_when_it_is_killed_itself(start, environment):
    process, child = begun(start, environment)
    child.kill()
    assert process.wait(timeout=300) == 1
    process, child = begun(start, environment)
    process.kill()
    child.wait(timeout=300)


def test_the_fork_ends_when_whoever_asked_for_it_is_gone(start, environment, tmp_path):
    script = f"import subprocess, time\nsubprocess.Popen({[*start, 'probe', 'wait']})\ntime.sleep(600)\n"
    asked = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment)
    child = psutil.Process(int(asked.stdout.readline()))
    asked.kill()
    child.wait(timeout=300)
    asked.wait()


def test_who_sets_no_seed_draws_numbers_of_his_own(start, environment):
    told = {"capture_output": True, "text": True, "env": environment, "timeout": 300}
    one, other = (subprocess.run([*start, "probe", "draw"], **told).stdout.split() for _ in range(2))
    assert len(one) == 3 and not set(one) & set(other)
