"""Networks of many seeds in one tensor: each is what it would be alone, and the pairs are what they say."""

import pytest
import torch
from torch import nn

from colu.lab.experiments import BlockNetworks, get_arm, pairs_of_digits, same_or_not, tuned_blocks
from colu.lab.experiments import together as module


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


@pytest.mark.parametrize("arm", ["relu", "swiglu", "colu"])
def test_networks_of_a_tensor_do_not_see_each_other(arm):
    both = BlockNetworks.start(arm, [3, 4], inputs=12, outputs=3)
    alone = BlockNetworks.start(arm, [4], inputs=12, outputs=3)
    x = torch.randn(7, 12, generator=generator())
    torch.testing.assert_close(both(x)[1], alone(x)[0])
    assert not torch.allclose(both(x)[0], both(x)[1])


def test_a_network_is_the_formula_of_its_docstring():
    networks = BlockNetworks.start("gelu", [0], inputs=12, outputs=3)
    layers = list(zip(networks.tensors[::2], networks.tensors[1::2], strict=True))
    x = torch.randn(7, 12, generator=generator())
    divide = lambda v: v / (v.square().mean(1, keepdim=True) + 1e-6).sqrt()  # noqa: E731
    y = x @ layers[0][0][0] + layers[0][1][0]
    for block in range(module.DEPTH):
        (up, first), (down, second) = layers[1 + 2 * block : 3 + 2 * block]
        y = y + nn.functional.gelu(divide(y) @ up[0] + first[0]) @ down[0] + second[0]
    torch.testing.assert_close(networks(x)[0], divide(y) @ layers[-1][0][0] + layers[-1][1][0])


def test_gated_arms_have_the_parameters_of_plain_ones_and_blocks_begin_alike():
    sizes = [BlockNetworks.start(arm, [0], 12, 3).num_parameters for arm in ("relu", "colu", "glu", "swiglu")]
    assert max(sizes) <= 1.002 * min(sizes)
    z = torch.randn(500, module.WIDTH, generator=generator(9))
    for arm in ("relu", "squared-relu", "swiglu", "colu"):
        networks = BlockNetworks.start(arm, [0], 12, 3)
        up, down = networks.tensors[2][0], networks.tensors[4][0]
        added = networks.act(z @ up) @ down
        assert 0.6 < added.square().mean() < 1.5, arm


def test_what_is_done_behind_the_activations_is_done():
    networks = BlockNetworks.start("relu", [0, 1], inputs=12, outputs=3)
    x = torch.randn(7, 12, generator=generator())
    seen = []
    networks.touched(lambda hidden: seen.append(hidden) or hidden)(x)
    assert [hidden.shape for hidden in seen] == [(2, 7, module.HIDDEN)] * module.DEPTH
    assert not torch.allclose(networks.touched(torch.zeros_like)(x), networks(x))


def test_an_arm_that_learns_its_shape_is_refused():
    assert any(True for _ in get_arm("acon-c").for_channels(8).parameters())
    with pytest.raises(ValueError, match="acon-c.*learns a shape"):
        BlockNetworks.start("acon-c", [0], 12, 3)


def test_training_is_adam_at_the_rate_of_each_network():
    pairs = [same_or_not(*pairs_of_digits("train"), 16, generator(step)) for step in range(4)]
    networks = BlockNetworks.start("relu", [0, 0], inputs=128, outputs=2)
    alone = [tensor[:1].detach().clone().requires_grad_() for tensor in networks.tensors]
    one = BlockNetworks("relu", networks.act, alone)
    module._train(networks, [(x.expand(2, -1, -1), y.expand(2, -1)) for x, y in pairs], [1e-3, 0.0])
    optimiser = torch.optim.Adam(alone, lr=1e-3)
    for step, (x, y) in enumerate(pairs):
        optimiser.param_groups[0]["lr"] = 1e-3 * (1 - step / len(pairs))
        optimiser.zero_grad()
        nn.functional.cross_entropy(one(x)[0], y).backward()
        optimiser.step()
    untouched = BlockNetworks.start("relu", [0], inputs=128, outputs=2)
    for ours, theirs, start in zip(networks.tensors, alone, untouched.tensors, strict=True):
        torch.testing.assert_close(ours[:1], theirs, atol=2e-5, rtol=1e-3)
        torch.testing.assert_close(ours[1:], start)


def test_tuning_takes_the_better_rate_and_never_a_seed_of_the_comparison():
    found = tuned_blocks(["relu"], seeds=[0, 1], rates=[1e-7, 3e-3], steps=30, tuning_seeds=[5])
    assert found["relu"].rate == 3e-3 and len(found["relu"].accuracies) == 2
    with pytest.raises(ValueError, match="seed 1 is used for tuning"):
        tuned_blocks(["relu"], seeds=[0, 1], rates=[1e-3], steps=2, tuning_seeds=[1])
