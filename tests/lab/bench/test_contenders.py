"""Contenders: right before they are timed."""

import pytest
import torch

from colu.lab.bench import Case, contenders
from colu.testing import saved_bytes

CASE = Case((4, 16), 4, last=True)


@pytest.mark.parametrize("case", [CASE, Case((2, 12, 3, 3), 3), Case((4, 16), 16, "bfloat16", last=True)], ids=str)
def test_every_contender_is_correct_before_it_is_timed(case):
    found, left_out = contenders.contenders(case)
    x, g = contenders.tensors(case)
    for one in found:
        contenders.check(one, x, g, case.dtype)
    assert [one.name for one in found[:4]] == ["relu", "control", "silu", "gelu"]
    assert {"reference", "blocked"} <= {one.name for one in found}
    assert left_out["compiled"] == "not asked for" and "CUDA" in left_out["triton"]


def test_blocked_and_fused_save_the_input_only():
    x = torch.randn(64, 16, requires_grad=True)
    for one in contenders.contenders(CASE)[0]:
        if one.name in ("fused", "blocked"):
            assert saved_bytes(one.forward, x) == x.nbytes
