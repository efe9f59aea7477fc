"""The pairs are what they say, the arms begin alike, and each is trained at the rate that is best for it."""

import pytest
import torch

from colu.lab.experiments import blocks_of, get_arm, pairs_of_digits, same_or_not, tuned_blocks
from colu.lab.experiments import pairs as module


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_every_second_pair_is_of_one_class_and_the_others_are_not():
    labels = torch.randint(5, (200,), generator=generator())
    pairs, same = same_or_not(labels[:, None].float(), labels, 400, generator(1))
    assert same.sum() == 200
    assert torch.equal((pairs[:, 0] == pairs[:, 1]).long(), same)
    assert len(pairs[:, 1].unique()) == 5


def test_pairs_repeat_with_their_seed():
    images, labels = pairs_of_digits("test")
    one, other, third = (same_or_not(images, labels, 10, generator(seed))[0] for seed in (3, 3, 4))
    assert torch.equal(one, other) and not torch.equal(one, third)


def test_gated_arms_have_the_parameters_of_plain_ones_and_blocks_begin_alike():
    arms = ("relu", "squared-relu", "swiglu", "colu")
    networks = {arm: blocks_of(arm, seeds=[0, 1], inputs=12, outputs=3) for arm in arms}
    sizes = [nets.num_parameters for nets in networks.values()]
    assert max(sizes) <= 1.002 * min(sizes)
    z = torch.randn(500, module.WIDTH, generator=generator(9))
    for arm, nets in networks.items():
        (up, _), (down, _) = nets.weights_of(0)[1:3]
        added = nets.activation(z @ up.T) @ down.T
        assert 0.6 < added.square().mean() < 1.5, arm


def test_an_arm_that_learns_its_shape_is_refused():
    assert any(True for _ in get_arm("acon-c").for_channels(8).parameters())
    with pytest.raises(ValueError, match="learns a shape"):
        blocks_of("acon-c", seeds=[0], inputs=12, outputs=3)


def test_tuning_takes_the_better_rate_and_never_a_seed_of_the_comparison():
    found = tuned_blocks(["relu"], seeds=[0, 1], rates=[1e-7, 3e-3], steps=30, tuning_seeds=[5])
    assert found["relu"].rate == 3e-3 and len(found["relu"].accuracies) == 2
    with pytest.raises(ValueError, match="seed 1 is used for tuning"):
        tuned_blocks(["relu"], seeds=[0, 1], rates=[1e-3], steps=2, tuning_seeds=[1])
