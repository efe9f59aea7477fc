"""Contenders: right before they are timed."""

import csv
import dataclasses
import pytest
import torch
import torch.nn.functional as F
from typer.testing import CliRunner
from colu.commands.bench import grid
from colu.functional import colu
from colu.lab.bench import (
    BenchError,
    Case,
    arms,
    control_problem,
    interleave,
    memory,
    ratio_figure,
    runner,
    spread,
    table,
)


CASE = Case((4, 16), 4, last=True)


@pytest.mark.parametrize("case", [CASE, Case((2, 12, 3, 3), 3), Case((4, 16), 16, "bfloat16", last=True)], ids=str)
def test_every_arm_is_correct_before_it_is_timed(case):
    found, left_out = arms.arms(case)
    x, g = arms.tensors(case)
    for arm in found:
        arms.check(arm, x, g, case.dtype)
    assert [arm.name for arm in found[:4]] == ["relu", "control", "silu", "gelu"]
    assert {"reference", "blocked"} <= {arm.name for arm in found}
    assert left_out["compiled"] == "not asked for" and "CUDA" in left_out["triton"]


def test_blocked_and_fused_save_the_input_only():
    x = torch.randn(64, 16, requires_grad=True)
    for arm in arms.arms(CASE)[0]:
        if arm.name in ("fused", "blocked"):
            assert memory.saved_bytes(arm.forward, x) == x.nbytes
