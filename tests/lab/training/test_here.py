"""What this machine has not is refused by name, with what it has."""

import pytest
import torch

from colu.lab.training import check_device, check_here, started_processes


@pytest.mark.parametrize(
    ("device", "processes", "threads", "message"),
    [
        ("tpu", 1, 1, "device is 'tpu', choose one of cpu, cuda, mps"),
        ("cpu", 3, 1, "processes is 3, but this command runs in 1: start it with torchrun --nproc-per-node 3"),
        ("cpu", 1, 100_000, "threads is 100000, but this machine has 2 cores: choose 1 to 2"),
    ],
)
def test_what_is_not_here_is_refused(monkeypatch, device, processes, threads, message):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    with pytest.raises(ValueError, match=message):
        check_here(device, processes, threads)


def test_a_gpu_that_is_not_here_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device 'cuda' is not on this machine; there is cpu"):
        check_device("cuda")


@pytest.mark.parametrize(("told", "found"), [(None, 1), ("3", 3)])
def test_processes_are_those_that_were_started(monkeypatch, told, found):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setenv("LOCAL_RANK", "0")
    if told:
        monkeypatch.setenv("WORLD_SIZE", told)
    assert started_processes() == found
    check_here("cpu", found, 1)


@pytest.mark.parametrize("told", ["x", "0", "-1", "1.5", ""])
def test_a_number_of_processes_that_is_none_is_refused(monkeypatch, told):
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", told)
    with pytest.raises(ValueError, match=f"WORLD_SIZE is '{told}'"):
        started_processes()
