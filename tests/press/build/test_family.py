"""A process ends with the one that drives it, also where that was gone before it looked."""

import subprocess
import sys
import threading

from colu.press.build.family import leave_with


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
