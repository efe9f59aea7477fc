"""Channels are followed through what models do to tensors between a layer and its activation."""

import collections
import dataclasses

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from colu.nn.flow import cloned, follow


class Then(nn.Module):
    """A layer, something, an activation."""

    def __init__(self, layer, something):
        super().__init__()
        self.layer, self.something, self.act = layer, something, nn.ReLU()

    def forward(self, x):
        return self.act(self.something(self.layer(x)))


def heads(h):
    return h.unflatten(-1, (4, 2)).transpose(1, 2)


def attended(h):
    q, k, v = (heads(part) for part in (h, h + 1, h - 1))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


LINEAR, CONV = nn.Linear(6, 8), nn.Conv2d(6, 8, 1)
TOKENS, IMAGE = (2, 5, 6), (2, 6, 4, 4)


@pytest.mark.parametrize("layer, shape, something, axes", [
    (LINEAR, TOKENS, lambda h: h, {2}),
    (LINEAR, TOKENS, lambda h: 2 * h + torch.ones(8), {2}),
    (LINEAR, TOKENS, lambda h: F.layer_norm(h, (8,)), {2}),
    (LINEAR, TOKENS, lambda h: h.transpose(1, 2), {1}),
    (LINEAR, TOKENS, lambda h: h.mT, {1}),
    (LINEAR, TOKENS, lambda h: h.permute(2, 0, 1), {0}),
    (LINEAR, TOKENS, lambda h: h.flatten(0, 1), {1}),
    (LINEAR, TOKENS, heads, {1, 3}),
    (LINEAR, TOKENS, lambda h: heads(h).transpose(1, 2).flatten(2), {2}),
    (LINEAR, TOKENS, attended, {2}),
    (LINEAR, TOKENS, lambda h: h[:, 0], {1}),
    (LINEAR, TOKENS, lambda h: h.mean(1), {1}),
    (LINEAR, TOKENS, lambda h: h.mean(1, keepdim=True), {2}),
    (LINEAR, TOKENS, lambda h: h.chunk(2, -1)[0], {2}),
    (LINEAR, TOKENS, lambda h: h.unsqueeze(1), {3}),
    (LINEAR, TOKENS, lambda h: h.unsqueeze(1).squeeze(1), {2}),
    (LINEAR, TOKENS, lambda h: torch.cat([torch.zeros(2, 1, 8), h], 1), {2}),
    (LINEAR, TOKENS, lambda h: torch.stack([h, h], 1), {3}),
    (LINEAR, TOKENS, lambda h: h.softmax(1) @ torch.ones(8, 3), {2}),
    (LINEAR, TOKENS, lambda h: torch.einsum("ntc,cd->ntd", h, torch.ones(8, 3)), {2}),
    (LINEAR, TOKENS, lambda h: h.roll(1, 1), {2}),
    (LINEAR, TOKENS, lambda h: F.dropout(h, 0.5), {2}),
    (LINEAR, TOKENS, lambda h: h.masked_fill(h > 0, 0), {2}),
    (LINEAR, TOKENS, lambda h: torch.where(h > 0, h, 0), {2}),
    (LINEAR, TOKENS, lambda h: torch.ones(5, 5) @ h, {2}),
    (LINEAR, TOKENS, lambda h: torch.ones(3, 8) @ h.mT, {1}),
    (LINEAR, TOKENS, lambda h: h.transpose_(1, 2), {1}),
    (LINEAR, TOKENS, lambda h: h.unsqueeze_(1), {3}),
    (LINEAR, (2, 1, 6), lambda h: h.squeeze_(1), None),
    (LINEAR, TOKENS, lambda h: h.unfold(1, 2, 1), None),
    (LINEAR, (2, 8, 6), lambda h: torch.rot90(h, 1, (1, 2)), None),
    (CONV, IMAGE, F.instance_norm, {1}),
    (CONV, IMAGE, nn.InstanceNorm2d(8), {1}),
    (LINEAR, TOKENS, lambda h: h @ h.mT, None),
    (LINEAR, TOKENS, lambda h: h @ torch.ones(8), None),
    (LINEAR, TOKENS, lambda h: h.mT @ F.linear(h, torch.ones(3, 8)), None),
    (LINEAR, TOKENS, lambda h: (h @ h.mT) @ h, {2}),
    (LINEAR, TOKENS, lambda h: h.mT @ (h @ h.mT), {1}),
    (LINEAR, TOKENS, lambda h: torch.ones(3, 5) @ h.flip(1)[:, [0, 0, 2, 4, 1]], {2}),
    (LINEAR, TOKENS, lambda h: torch.ones(3, 5) @ (h @ h.mT), None),
    (LINEAR, TOKENS, lambda h: h[:, torch.tensor([[0, 1], [2, 3]])], {3}),
    (LINEAR, TOKENS, lambda h: h[torch.arange(2), torch.tensor([4, 2])], {1}),
    (LINEAR, TOKENS, lambda h: h[torch.tensor([[True] * 5, [False] * 5])], {1}),
    (LINEAR, TOKENS, lambda h: h[:, :, torch.tensor([0, 1])], {2}),
    (LINEAR, TOKENS, lambda h: h[torch.tensor([1, 0])], {2}),
    (LINEAR, TOKENS, lambda h: h.unflatten(2, (2, 4)).unbind(2)[0], {2}),
    (LINEAR, TOKENS, lambda h: h.unflatten(2, (1, 8)).unbind(2)[0], {2}),
    (LINEAR, TOKENS, lambda h: (heads(h) @ heads(h).mT) @ heads(h), {1, 3}),
    (LINEAR, TOKENS, lambda h: ((heads(h) @ heads(h).mT) @ heads(h)).transpose(1, 2).reshape(2, 5, 8), {2}),
    (LINEAR, TOKENS, lambda h: (heads(h).mT @ (heads(h) @ heads(h).mT)).transpose(2, 3), {1, 3}),
    (LINEAR, TOKENS, lambda h: h.gather(1, torch.zeros(2, 3, 8, dtype=torch.long)), {2}),
    (LINEAR, TOKENS, lambda h: h.gather(2, torch.zeros(2, 5, 8, dtype=torch.long)), None),
    (LINEAR, TOKENS, lambda h: torch.zeros(2, 3, 8).index_add_(1, torch.tensor([0, 1, 2, 0, 1]), h), {2}),
    (LINEAR, TOKENS, lambda h: h.new_zeros(2, 5, 8).scatter_add(1, torch.zeros(2, 5, 8, dtype=torch.long), h), {2}),
    (LINEAR, TOKENS, lambda h: (h @ h.mT)[..., None] * h.mean(1, True).unsqueeze(1), None),
    (LINEAR, TOKENS, lambda h: h * (h @ h.mT).mean(2, True), {2}),
    (CONV, (6, 4, 4), lambda h: h, {0}),
    (LINEAR, TOKENS, lambda h: h.flatten(1), None),
    (LINEAR, TOKENS, lambda h: h + h.transpose(1, 2).mean(2, keepdim=True).mT.expand(2, 5, 8), {2}),
    (LINEAR, (2, 8, 6), lambda h: h + h.transpose(1, 2), None),
    (CONV, IMAGE, lambda h: h, {1}),
    (CONV, IMAGE, lambda h: F.batch_norm(h, torch.zeros(8), torch.ones(8)), {1}),
    (CONV, IMAGE, lambda h: F.group_norm(h, 2), {1}),
    (CONV, IMAGE, lambda h: F.max_pool2d(h, 2), {1}),
    (CONV, IMAGE, lambda h: F.adaptive_avg_pool2d(h, 1).flatten(1), {1}),
    (CONV, IMAGE, lambda h: F.interpolate(h, scale_factor=2), {1}),
    (CONV, IMAGE, lambda h: F.pad(h, (1, 1)), {1}),
    (CONV, IMAGE, lambda h: h.to(memory_format=torch.channels_last), {1}),
    (CONV, IMAGE, lambda h: h.permute(0, 2, 3, 1), {3}),
    (CONV, IMAGE, lambda h: h.flatten(2).transpose(1, 2), {2}),
    (CONV, IMAGE, lambda h: h.mean((2, 3)), {1}),
    (CONV, IMAGE, lambda h: h.unflatten(1, (2, 4)).transpose(1, 2).flatten(1, 2), {1}),
    (CONV, IMAGE, lambda h: F.pixel_shuffle(h, 2), {1}),
    (CONV, IMAGE, lambda h: h.mean(1), None),
])  # fmt: skip
def test_where_the_channels_are(layer, shape, something, axes):
    model = Then(layer, something).eval()
    flow = follow(model, torch.randn(shape), {id(model.act): model.act})
    (call,) = flow.calls[id(model.act)]
    assert call.channels.axes == (None if axes is None else frozenset(axes)), call.channels
    if axes is None:
        assert call.channels.lost


@pytest.mark.parametrize("layer, shape, axis", [
    (nn.Conv1d(6, 8, 1), (2, 6, 5), 1),
    (nn.ConvTranspose2d(6, 8, 2), IMAGE, 1),
    (nn.Conv3d(6, 8, 1), (2, 6, 3, 3, 3), 1),
    (nn.Embedding(9, 8), None, 2),
    (nn.EmbeddingBag(9, 8), None, 1),
    (nn.GRU(6, 8, batch_first=True), TOKENS, 2),
    (nn.LSTM(6, 8, batch_first=True), TOKENS, 2),
    (nn.MultiheadAttention(6, 2, batch_first=True), TOKENS, 2),
    (nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8)), TOKENS, 2),
    (nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8)), (4, 6), 1),
    (nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(5)), TOKENS, 2),
    (nn.Sequential(nn.Linear(6, 32), nn.Unflatten(1, (2, 4, 4)), nn.BatchNorm2d(2)), (4, 6), 1),
])  # fmt: skip
def test_layers_that_make_channels(layer, shape, axis):
    class First(nn.Module):
        def forward(self, out):
            return out[0] if isinstance(out, tuple) else out

    attention = isinstance(layer, nn.MultiheadAttention)
    model = Then(layer, First()).eval()
    if attention:
        model.forward = lambda x: model.act(layer(x, x, x)[0])
    x = torch.randint(9, (2, 5)) if shape is None else torch.randn(shape)
    flow = follow(model, x, {id(model.act): model.act})
    (call,) = flow.calls[id(model.act)]
    assert call.channels.axes == frozenset({axis}) and call.channels.source.startswith("layer")


class Bilinear(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.act = nn.Bilinear(6, 6, 8), nn.ReLU()

    def forward(self, x):
        return self.act(self.layer(x, x))


class Packed(nn.Module):
    """A recurrent layer on sentences of several lengths; the activation on what it packs, and unpacked."""

    def __init__(self, unpack):
        super().__init__()
        self.layer, self.act, self.unpack = nn.LSTM(6, 8, batch_first=True), nn.ReLU(), unpack

    def forward(self, x):
        packed, _ = self.layer(nn.utils.rnn.pack_padded_sequence(x, [5, 3], batch_first=True))
        return self.act(nn.utils.rnn.pad_packed_sequence(packed, True)[0] if self.unpack else packed.data)


@pytest.mark.parametrize("model, axis", [(Bilinear(), 2), (Packed(False), 1), (Packed(True), 2)])
def test_layers_that_take_more_than_one_tensor(model, axis):
    (call,) = follow(model, torch.randn(TOKENS), {id(model.act): model.act}).calls[id(model.act)]
    assert call.channels.axes == frozenset({axis}) and call.channels.source.startswith("layer"), call.channels


def test_a_tensor_that_is_filled_part_by_part_is_said_to_be():
    def filled(h):
        new = torch.zeros(2, 5, 8)
        for t in range(5):
            new[:, t] = h[:, t]
        return new

    model = Then(LINEAR, filled)
    (call,) = follow(model, torch.randn(TOKENS), {id(model.act): model.act}).calls[id(model.act)]
    assert call.channels.axes is None and "filled part by part" in call.channels.lost


@pytest.mark.parametrize("layer, something, across", [
    (LINEAR, lambda h: h @ torch.ones(8, 3), ""),
    (LINEAR, lambda h: h.mT @ torch.ones(5, 3), "layer"),
    (LINEAR, lambda h: F.linear(h.transpose(1, 2), torch.ones(3, 5)) + 1, "layer"),
    (LINEAR, lambda h: F.conv1d(h, torch.ones(3, 5, 1)).relu(), "layer"),
    (LINEAR, lambda h: F.conv1d(h.mT, torch.ones(3, 8, 1)).relu(), ""),
    (LINEAR, lambda h: F.conv2d(h[:, None], torch.ones(3, 1, 2, 8)), ""),
    (LINEAR, lambda h: torch.ones(5, 5) @ h, ""),
    (LINEAR, lambda h: F.linear(h.flatten(1), torch.ones(3, 40)), ""),
])  # fmt: skip
def test_features_made_of_what_was_no_channels_are_known(layer, something, across):
    model = Then(layer, something)
    (call,) = follow(model, torch.randn(TOKENS), {id(model.act): model.act}).calls[id(model.act)]
    assert call.channels.axes is not None and call.channels.across == across


def test_a_linear_map_along_the_tokens_makes_channels_of_them():
    class Mixer(nn.Module):
        def __init__(self):
            super().__init__()
            self.mix, self.act = nn.Linear(5, 8), nn.ReLU()

        def forward(self, x):
            return self.act(self.mix(x.transpose(1, 2)))

    model = Mixer()
    (call,) = follow(model, torch.randn(TOKENS), {id(model.act): model.act}).calls[id(model.act)]
    assert call.shape == (2, 6, 8) and call.channels.axes == frozenset({2}) and call.channels.last


@pytest.mark.parametrize("layer, axis", [
    (lambda: F.linear(torch.randn(2, 3), torch.ones(8, 3)), 1),
    (lambda: F.conv2d(torch.randn(1, 3, 4, 4), torch.ones(8, 3, 1, 1)), 1),
    (lambda: F.embedding(torch.tensor([[1, 2]]), torch.ones(4, 8)), 2),
])  # fmt: skip
def test_layers_make_channels_of_noise_and_of_inputs_that_are_hidden_in_objects(layer, axis):
    class Hidden(nn.Module):
        def __init__(self):
            super().__init__()
            self.act = nn.ReLU()

        def forward(self, how):
            return self.act(layer())

    model = Hidden()
    (call,) = follow(model, (object(),), {id(model.act): model.act}).calls[id(model.act)]
    assert call.channels.axes == frozenset({axis})


def test_a_forward_pass_that_takes_derivatives_is_followed():
    class Force(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))

        def forward(self, place):
            place = place.requires_grad_()
            return torch.autograd.grad(self.net(place).sum(), place)[0]

    model = Force().eval()
    (call,) = follow(model, torch.randn(4, 3), {id(model.net[1]): model.net[1]}).calls[id(model.net[1])]
    assert call.channels.axes == frozenset({1})


def test_an_example_of_any_kind_is_a_copy():
    @dataclasses.dataclass
    class Data:
        x: torch.Tensor

    class Plain:
        def __init__(self, x):
            self.x = x

    Named = collections.namedtuple("Named", "x")
    for kind in (Data, Plain, Named):
        example = [kind(torch.ones(2))]
        cloned(example)[0].x.zero_()
        assert example[0].x.sum() == 2, kind


def test_a_product_with_another_signal_is_a_gate_and_its_operand_is_none():
    class Gate(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.act, self.down, self.gate = LINEAR, nn.ReLU(), nn.Linear(8, 8), nn.Sigmoid()

        def forward(self, x):
            h = self.act(self.layer(x))
            return h * self.gate(self.down(h))

    model = Gate()
    flow = follow(model, torch.randn(TOKENS), {id(m): m for m in (model.act, model.gate)})
    assert flow.gates == {id(model.gate)} and flow.outputs == set()


def test_a_pass_leaves_no_hook_and_no_mode_behind():
    model = Then(LINEAR, nn.Identity())

    def raises(*_):
        raise RuntimeError("here")

    model.something.register_forward_hook(raises)
    with pytest.raises(RuntimeError, match="here"):
        follow(model, torch.randn(TOKENS), {id(model.act): model.act})
    assert all(not module._forward_pre_hooks for module in model.modules())
    assert torch.backends.mha.get_fastpath_enabled() and len(model.something._forward_hooks) == 1
