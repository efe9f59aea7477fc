"""What the command that fuses networks reads, it reads entry by entry: the memory that it takes at most."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

MEASURED = """
import sys
from pathlib import Path

import scipy.optimize
import torch
from torch import nn
from typer.testing import CliRunner

from colu.cli import app
from colu.fusion import write_state


def run(model, *networks):
    arguments = ["fuse", *networks, "--model", model, "--out", "fused.safetensors", "--force"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output


def bytes_of(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))


# What a first use imports and prepares is no part of it.
write_state(Path("small.safetensors"), nn.Linear(3, 2).state_dict(), {})
run("torch.nn:Linear(3, 2)", "small.safetensors", "small.safetensors")
before = bytes_of("VmRSS")
Path("/proc/self/clear_refs").write_text("5")
run("wide:net", "a.safetensors", "b.safetensors")
print((bytes_of("VmHWM") - before) / Path("a.safetensors").stat().st_size)
"""


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is reset on Linux alone")
def test_matching_of_weights_takes_at_most_two_and_a_half_models_of_memory(tmp_path):
    (tmp_path / "wide.py").write_text(
        "from torch import nn\n\n\ndef net():\n"
        "    layers = [layer for _ in range(12) for layer in (nn.Linear(1024, 1024), nn.ReLU())]\n"
        "    return nn.Sequential(*layers)\n"
    )
    generator = torch.Generator().manual_seed(0)
    shapes = {f"{2 * k}.{key}": size for k in range(12) for key, size in (("weight", (1024, 1024)), ("bias", (1024,)))}
    state = {key: torch.randn(size, generator=generator) / 32 for key, size in shapes.items()}
    save_file(state, tmp_path / "a.safetensors")
    for k in range(11):
        # The same network with its units in another order, which a matching finds in a few sweeps.
        order = torch.randperm(1024, generator=generator)
        state |= {key: state[key][order] for key in (f"{2 * k}.weight", f"{2 * k}.bias")}
        state[f"{2 * k + 2}.weight"] = state[f"{2 * k + 2}.weight"][:, order].contiguous()
    save_file(state, tmp_path / "b.safetensors")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd()}
    ran = subprocess.run(
        [sys.executable, "-c", MEASURED], cwd=tmp_path, env=environment, capture_output=True, text=True
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert float(ran.stdout.split()[-1]) <= 2.5
