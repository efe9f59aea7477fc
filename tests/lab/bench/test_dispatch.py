"""The measurement of a call runs, and has its floor and all arms beside each other."""

from colu.lab.bench.dispatch import overhead


def test_every_way_has_every_arm_and_silu_is_the_unit():
    found = overhead(rounds=3, least=1e-5)
    assert list(found) == ["forward", "recorded", "both"]
    for ratios in found.values():
        assert set(ratios) == {"silu", "empty", "colu", "CoLU"}
        assert ratios["silu"] == 1 and all(ratio > 0 for ratio in ratios.values())
