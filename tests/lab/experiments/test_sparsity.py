"""Zeros are counted as they are, and what is left out are the smallest values of each layer and no other."""

import pytest
import torch

from colu.lab.experiments.sparsity import counted_zeros, only_large
from colu.lab.models import GPT


@pytest.fixture
def model():
    torch.manual_seed(0)
    return GPT(9, length=8, width=16, depth=2, heads=2, activation="relu").eval()


TOKENS = torch.randint(9, (5, 8), generator=torch.Generator().manual_seed(0))


def hidden(model, use):
    """Values that the last matrix of the last perceptron sees."""
    seen = []
    hook = model.blocks[-1].down.register_forward_hook(lambda module, inputs, out: seen.append(inputs[0]))
    with torch.no_grad():
        use()
    hook.remove()
    return seen[-1]


def test_zeros_are_those_of_all_layers_and_calls(model):
    with torch.no_grad(), counted_zeros(model) as found:
        model(TOKENS)
        model(TOKENS[:1])
    assert found.values == 2 * 6 * 8 * 64
    with torch.no_grad(), counted_zeros(model) as once:
        model(TOKENS)
        model(TOKENS[:1])
    assert 0 < once.zeros == found.zeros < found.values


def test_what_is_below_the_threshold_is_dropped_and_the_rest_is_left(model):
    model.blocks = model.blocks[:1]  # so that what comes in is the same
    before = hidden(model, lambda: model(TOKENS))
    with only_large(model, 0.8):
        behind = hidden(model, lambda: model(TOKENS))
    kept = behind != 0
    assert torch.equal(behind[kept], before[kept])
    assert int((~kept).sum()) == int(0.8 * before.numel())
    assert before[kept].abs().min() > before[~kept].abs().max()


def test_where_zeros_are_more_than_the_share_nothing_changes_and_no_hook_stays(model):
    with torch.no_grad():
        plain = model(TOKENS)
        with only_large(model, 0.2):
            assert torch.equal(model(TOKENS), plain)
        with only_large(model, 0.9):
            assert not torch.allclose(model(TOKENS), plain)
        assert torch.equal(model(TOKENS), plain)
    with pytest.raises(ValueError, match="share is 1, wanted at least 0 and less than 1"), only_large(model, 1):
        pass
