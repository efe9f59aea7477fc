"""The transformer: nothing is seen of the future, activations of the perceptrons alone, one start in every arm."""

import pytest
import torch
from torch import nn

from colu.lab.experiments import get_arm
from colu.lab.models import GPT


def tokens(batch=2, length=6, seed=0):
    return torch.randint(0, 11, (batch, length), generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = GPT(11, length=6, width=16, depth=2, heads=4, activation="colu").double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.3 * torch.randn_like(parameter))
    return model


def test_a_prediction_depends_on_the_past_alone_and_on_all_of_it(model):
    x = tokens(1)
    base = model(x)
    for place in range(6):
        other = x.clone()
        other[0, place] = (x[0, place] + 1) % 11
        moved = (model(other) - base).abs().amax(2)[0] > 1e-9
        assert not moved[:place].any() and moved[place:].all()
    assert torch.allclose(model(x[:, :3]), base[:, :3])


def test_samples_do_not_mix_and_places_count(model):
    x = tokens(3)
    assert torch.allclose(model(x)[1:2], model(x[1:2]))
    same = torch.full((1, 6), 4)
    assert not torch.allclose(model(same)[0, 0], model(same)[0, 1])


def test_activation_sees_tokens_as_rows_of_hidden_channels():
    seen = []

    class Spy(nn.Module):
        def forward(self, x):
            seen.append(tuple(x.shape))
            return x

    GPT(11, length=6, width=16, depth=3, heads=4, hidden=24, activation=Spy)(tokens())
    assert seen == [(12, 24)] * 3


def test_one_seed_gives_one_start_in_every_arm():
    states = []
    for arm in ("gelu", "colu", "acon-c"):
        torch.manual_seed(3)
        state = GPT(11, length=6, width=16, heads=4, activation=get_arm(arm)).state_dict()
        states.append({name: tensor for name, tensor in state.items() if ".act." not in name})
    assert len(states[0]) > 20
    for state in states[1:]:
        assert all(torch.equal(states[0][name], state[name]) for name in states[0])


def test_branches_start_smaller_by_the_depth_and_the_first_prediction_is_near_to_even():
    torch.manual_seed(0)
    model = GPT(11, length=64, width=128, depth=8, heads=4)
    for block in model.blocks:
        for linear, std in ((block.qkv, 0.02), (block.up, 0.02), (block.out, 0.005), (block.down, 0.005)):
            assert linear.weight.std().item() == pytest.approx(std, rel=0.05) and not linear.bias.any()
    even = torch.full((2, 6, 11), 1 / 11)
    assert (model(tokens()).softmax(2) - even).abs().max() < 0.1


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="width 10 does not divide by 4 heads"):
        GPT(11, width=10, heads=4)
    with pytest.raises(ValueError, match="7 tokens for a context of 6"):
        GPT(11, length=6, width=8, heads=2)(tokens(length=7))
