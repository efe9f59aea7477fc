"""A check prints one line, takes one number, and never lets a wrong one pass."""

import numpy as np
import pytest
import torch

from colu import claims

LEDGER = """
root-two:
  expected: 1.41421356
  tolerance: 0.00001
  source: Pythagoras
small:
  at_most: {smoke: 0.1, laptop: 0.01}
  source: set before
inside:
  between: [1, 2]
  source: set before
holds:
  expected: true
  source: proof
"""


@pytest.fixture
def ledger(tmp_path):
    (tmp_path / "01-toy.yml").write_text(LEDGER)
    return tmp_path


def test_line_has_digits_of_the_tolerance_only(ledger, capsys):
    claims.check("root-two", 2**0.5 + 1e-9, ledger=ledger)
    first = capsys.readouterr().out
    claims.check("root-two", 2**0.5, ledger=ledger)
    assert first == capsys.readouterr().out
    assert first == "claim root-two holds: measured 1.41421, expected 1.41421356 ± 1e-05\n"


@pytest.mark.parametrize("one", [1.5, np.float64(1.5), torch.tensor(1.5), torch.tensor([1.5])])
def test_numbers_and_tensors_of_one_entry_are_taken(one, ledger, capsys):
    # A value returned would stand below the line in Jupyter, a second time and unrounded.
    assert claims.check("inside", one, ledger=ledger) is claims.glue("one", one) is None
    assert "measured 1.5" in capsys.readouterr().out


@pytest.mark.parametrize("several", [torch.tensor([1.5, 1.6]), np.ones(2)])
def test_several_numbers_are_refused_with_their_shape(several, ledger):
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        claims.check("inside", several, ledger=ledger)


@pytest.mark.parametrize("name", ["root-two", "small", "inside", "holds"])
@pytest.mark.parametrize("nan", [float("nan"), torch.tensor(float("nan"))])
def test_nan_never_passes(name, nan, ledger):
    with pytest.raises(claims.ClaimFailed):
        claims.check(name, nan, ledger=ledger)


@pytest.mark.parametrize(("name", "bad"), [("root-two", 1.41425), ("small", 0.11), ("inside", 2.01), ("holds", False)])
def test_value_beyond_the_bound_fails(name, bad, ledger):
    with pytest.raises(claims.ClaimFailed):
        claims.check(name, bad, ledger=ledger)


def test_failure_names_id_notebook_expected_measured_and_source(ledger):
    with pytest.raises(claims.ClaimFailed) as caught:
        claims.check("root-two", 1.5, ledger=ledger)
    for part in ("root-two", "01-toy", "1.41421356 ± 1e-05", "1.5", "Pythagoras"):
        assert part in str(caught.value)


def test_bound_is_that_of_the_preset(ledger):
    claims.check("small", 0.05, preset="smoke", ledger=ledger)
    with pytest.raises(claims.ClaimFailed):
        claims.check("small", 0.05, preset="laptop", ledger=ledger)
    with pytest.raises(ValueError, match="no value for preset 'full'"):
        claims.check("small", 0.05, preset="full", ledger=ledger)


def test_unknown_id_gives_the_nearest(ledger):
    with pytest.raises(KeyError, match="root-two"):
        claims.check("root-too", 1.0, ledger=ledger)
