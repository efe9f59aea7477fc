"""Every point of a toy build, a run and a sweep with every kind of fault: minutes, where the tests take a part."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CRASH = Path(__file__).resolve().parents[1] / "tests" / "crash.py"


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked and looked at as on Linux")
@pytest.mark.parametrize("scenario", ["build", "chapter", "broken chapter", "run", "diverging run", "sweep"])
def test_after_any_fault_at_any_point_there_is_the_old_or_the_new_state(scenario, tmp_path):
    answer = tmp_path / "answer.json"
    command = [sys.executable, str(CRASH), "--whole", str(answer), scenario]
    done = subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    wrong = json.loads(answer.read_text())[scenario]["wrong"]
    assert wrong == [], "\n\n".join(wrong[:10])
