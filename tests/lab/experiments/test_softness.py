"""Soft plans at a set number of partners: hard ones keep the parent, and the norm falls as partners come."""

from colu.lab.experiments import run_arms
from colu.lab.experiments.softness import numbers_of_partners


def test_partners_are_powers_of_two_up_to_half_of_the_units():
    assert numbers_of_partners(128) == [1, 2, 4, 8, 16, 32, 64]
    assert numbers_of_partners(12) == [1, 2, 4]
    assert numbers_of_partners(1) == []


def test_one_partner_keeps_the_parent_and_more_take_norm():
    small = {"hidden": [16, 16], "steps": 40, "repair_size": 200}
    relu, colu = (r.metrics for r in run_arms("fusion-soft", arms=["relu", "colu"], seeds=[0], **small))
    for found, modes, most in ((relu, ["permutation"], 8), (colu, ["permutation", "conic"], 2)):
        for mode in modes:
            # One answer of 450 may turn by rounding in float32.
            assert abs(found[f"alone_accuracy_{mode}_1"] - found["parent_accuracy"]) <= 100 / 450 + 1e-9
            kept = [found[f"kept_{mode}_{k}"] for k in numbers_of_partners(2 * most)]
            assert abs(kept[0] - 1) < 1e-5 and kept == sorted(kept, reverse=True) and kept[-1] < 0.8
    assert not any("conic" in name for name in relu)
