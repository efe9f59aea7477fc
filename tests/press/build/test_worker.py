"""The process that runs one notebook."""

import subprocess
import sys

from colu.press.build import worker


def test_kernel_that_does_not_answer_is_started_again(monkeypatch):
    silent = {"status": "failed", "cell": None, "message": "Kernel didn't respond in 120 seconds"}
    answers = [silent, silent, None]
    monkeypatch.setattr(worker, "_papermill", lambda request: answers.pop(0))
    assert worker._tried({})[0] is None and answers == []
    answers[:] = [silent] * 4
    assert worker._tried({})[0] == silent and len(answers) == 1
    # What a cell raised is never tried again.
    raised = silent | {"cell": 2}
    answers[:] = [raised, None]
    assert worker._tried({})[0] == raised and len(answers) == 1


def test_naming_the_device_imports_no_pytorch_where_there_is_no_driver():
    program = (
        "import sys; from colu.press.build import worker; worker._DRIVERS = (); "
        "print(bool(worker._device()), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"


def test_a_worker_in_which_the_signal_gets_lost_ends_all_the_same():
    program = "import signal; from colu.press.build import worker; worker.STOP_SECONDS = 0.1; "
    program += "signal.signal(signal.SIGTERM, signal.SIG_IGN); worker._leave()"
    assert subprocess.run([sys.executable, "-P", "-c", program]).returncode == 1
