"""Other programs: text in every case, and one kind of error."""

import subprocess
import sys
import threading

import pytest

from colu.programs import Finished, ProgramError, leave_with, run_program


def test_bytes_that_are_no_text_are_replaced():
    said = run_program(["printf", r"f\374r"])
    assert said == Finished(0, "f\N{REPLACEMENT CHARACTER}r", "")


def test_python_writes_what_is_read_whatever_the_terminal(monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    assert run_program([sys.executable, "-c", "print('\u20acü')"]).out.strip() == "\u20acü"


def test_exit_status_and_signal_are_told():
    assert run_program(["sh", "-c", "echo no >&2; exit 3"]) == Finished(3, "", "no\n")
    assert run_program(["sh", "-c", "kill -9 $$"]).status == -9


def test_a_program_reads_what_is_given_and_nothing_else():
    assert run_program(["cat"], given="ü").out == "ü"
    assert run_program(["cat"]).out == ""


@pytest.mark.parametrize("command", ["no-such-program", "/dev/null", "/dev/null/x"])
def test_a_program_that_cannot_be_started_is_named(command):
    with pytest.raises(ProgramError, match=f"'{command}' could not be started: "):
        run_program([command])


def test_a_program_that_does_not_end_is_stopped():
    with pytest.raises(ProgramError, match="'sh' was stopped: it took more than 0.1 s"):
        run_program(["sh", "-c", "sleep 60"], seconds=0.1)


def _left(driver):
    gone = threading.Event()
    leave_with(driver, gone.set)
    return gone


def test_what_is_gone_already_is_noticed_and_what_ends_later_too():
    sleeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    gone = _left(sleeper.pid)
    assert not gone.wait(1)
    # Not waited for yet: a process that ended and has no one to ask after it is gone as well.
    sleeper.stdin.close()
    assert gone.wait(60)
    sleeper.wait()
    assert _left(sleeper.pid).wait(60)
