"""The page computes every unit, norm and training step as the package and torch do in float64."""

from __future__ import annotations

import json
import math
import random

import pytest
import torch
from torch import nn

from colu.nn import create, get_entry, list_activations
from colu.press.check.browser import ARGUMENTS, TIMEOUT, find_chromium
from colu.press.site.quiz import ASSETS

SCRIPT = ASSETS / "lab" / "mathematics.js"
BUDGET = 15_000
#: Of the registry, drawn from values that the package samples at the build; none of the pointwise and conic ones.
SAMPLED: set[str] = set()
NEAR = 1e-6


@pytest.fixture(scope="module")
def page():
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tools:
        chromium = tools.chromium.launch(executable_path=program, args=ARGUMENTS)
        tab = chromium.new_page()
        tab.set_default_timeout(TIMEOUT)
        tab.route("**/*", lambda route: route.abort())
        tab.set_content("<!doctype html><title>Numbers</title>")
        tab.add_script_tag(content=SCRIPT.read_text("utf8"))
        yield tab
        chromium.close()


@pytest.fixture(autouse=True)
def double():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(before)


def ask(page, script: str, given):
    """What a function of the page makes of data; as text, which keeps the sign of 0 on its way in."""
    return json.loads(page.evaluate(f"text => JSON.stringify(({script})(JSON.parse(text)))", json.dumps(given)))


@pytest.fixture(scope="module")
def units(page):
    script = """() => Object.entries(coluMathematics.units).map(([name, unit]) => [name, {
      kind: unit.kind, group: unit.group, parameters: unit.parameters, out: unit.outputs(120)}])"""
    return dict(ask(page, script, None))


def names(pointwise: bool) -> list[str]:
    """The registry's, as the browser is not asked before the tests begin."""
    families = ("conic", "glu", "gated", "isometric", "simplex")
    chosen = [entry for entry in list_activations() if entry.kind == "activation" and entry.name not in SAMPLED]
    if pointwise:
        return [entry.name for entry in chosen if entry.pointwise]
    return [entry.name for entry in chosen if entry.family in families or entry.name == "maxout"]


#: What the package calls a page's option, or None where it has no such option.
OTHERWISE = {"group-sort": {"dim": "group_size"}, "maxout": {"dim": "pieces"}, "gated": {"size": "dim"}}
OTHERWISE |= dict.fromkeys(("householder", "modrelu", "glu", "reglu", "geglu", "swiglu"), {"dim": None})


def layer(name: str, channels: int, options: dict) -> nn.Module:
    """The package's unit with options of the page, be they arguments or what is learnt."""
    called = OTHERWISE.get(name, {})
    options = {called.get(key, key): value for key, value in options.items() if called.get(key, key)}
    sizes = {key: options[key] for key in ("dim", "group_size", "pieces") if key in options}
    learnt = {key for key, _ in create(name, channels, **sizes).named_parameters()}
    made = create(name, channels, **{key: value for key, value in options.items() if key not in learnt}).eval()
    for key in learnt & set(options):
        nn.init.constant_(getattr(made, key), options[key])
    return made


def drawn(parameters: dict, seed: int) -> dict:
    """Values in the ranges of a unit's parameters; none of them for seed 0."""
    source = random.Random(seed)
    ranges = {key: value for key, value in parameters.items() if key not in ("dim", "size")}
    options = {key: source.uniform(low, high) for key, (_, low, high) in ranges.items()} if seed else {}
    if "lower" in options:
        options["lower"], options["upper"] = sorted((options["lower"], options["upper"]))
    return options


def off(found, wanted, size=1.0) -> float:
    """The largest difference, over the size of the numbers or that of what they came from, if that is beyond 1."""
    found = torch.tensor([math.nan if value is None else value for value in found]).view_as(wanted)
    wanted = wanted.detach()
    return ((found - wanted).abs() / wanted.abs().clamp(min=size)).max().item()


def grid(extra=()) -> torch.Tensor:
    kinks = [0.0, 0.5, 1.0, 2.0, 3.0, 6.0, 20.0, 1e-300, 1e-30, 1e-8, 40.0, 1e3, 1e8, 1e30, *extra]
    return torch.cat([torch.tensor([*kinks, *(-k for k in kinks)]), torch.linspace(-8, 8, 801), 4 * torch.randn(300)])


@pytest.mark.parametrize("name", names(pointwise=True))
def test_pointwise_values_and_slopes_are_those_of_the_package(page, units, name):
    script = """([name, x, p]) => {
      const unit = coluMathematics.units[name];
      return [x.map(v => unit.value(v, p)), x.map(v => unit.slope(v, p)), [...unit.forward(x, p)],
        [...unit.backward(x, p, x.map(v => 2))]]; }"""
    assert units[name]["kind"] == "pointwise"
    for seed in range(4 if units[name]["parameters"] else 1):
        options = drawn(units[name]["parameters"], seed)
        x = grid(options.values())
        # Its phase has no digits left there.
        x = x[x.abs() < 1e20] if name in ("snake", "fourier") else x
        assert len(x) >= 1000
        x = x[:, None].requires_grad_()
        made = layer(name, 1, options)
        if name == "acon-c" and not seed:
            nn.init.constant_(made.p1, 1.0), nn.init.constant_(made.p2, 0.25)
        y = made(x)
        (slope,) = torch.autograd.grad(y.sum(), x)
        found = ask(page, script, [name, x.flatten().tolist(), options])
        errors = [off(one, wanted) for one, wanted in zip(found, (y, slope, y, 2 * slope), strict=True)]
        assert max(errors) < NEAR, (options, errors)


def vectors(channels: int, dim: int) -> torch.Tensor:
    """Random ones, and such with zeros, ties, an axis or a section of 0, huge and tiny ones."""
    rows = torch.randn(max(40, 1200 // channels), channels)
    blocks = rows.clone().view(-1, dim)[:64]
    blocks[:8, 0] = 0
    blocks[8:16, 1:] = 0
    blocks[16:20] = torch.randn(4, 1)
    # Their sum is 0, and not just nearly.
    blocks[20:24] = (8 * blocks[20:24]).round() / 8
    blocks[20:24, 0] -= blocks[20:24].sum(1)
    # On the cone of an axis, and of the diagonal; outside the dual cone.
    blocks[24:32] = 0
    blocks[24:32, 0] = torch.tensor([5.0, -5.0] * 4)
    tie = [3.0, 4.0] if dim > 2 else [5.0]
    blocks[24:32, 1 : 1 + len(tie)] = torch.tensor(tie[: dim - 1])
    if dim == 4:
        blocks[28:32] = torch.tensor([[2.0, 2, 0, 0], [-2, 0, -2, 0], [0, 2, 2, 0], [1, 1, -1, -1]])
    blocks[32:36] = 0
    blocks[36:40] *= 1e150
    blocks[40:44] *= 1e-200
    blocks[44:48] = -blocks[44:48].abs()
    blocks[48:52] = blocks[48:52].round()
    blocks[52:56, 0] = 1e-12
    blocks[56:60, 1:] *= 1e-12
    special = blocks.reshape(-1)
    special = special[: len(special) // channels * channels].view(-1, channels)
    return torch.cat([rows, special])


@pytest.mark.parametrize("name", names(pointwise=False))
def test_maps_of_channels_and_their_gradients_are_those_of_the_package(page, units, name):
    script = """([name, x, p, dy]) => {
      const unit = coluMathematics.units[name];
      return [x.flatMap(v => [...unit.forward(v, p)]), x.flatMap((v, i) => [...unit.backward(v, p, dy[i])])]; }"""
    unit, family = units[name], get_entry(name).family
    key = "size" if name == "gated" else "dim"
    start, low, high = unit["parameters"].get(key, [unit["group"] or 1] * 3)
    for seed, dim in enumerate(dict.fromkeys([start, *range(low, min(high, 6) + 1)])):
        channels = 2 * dim if unit["group"] or name == "maxout" else 2 * (dim + 1) if name == "gated" else 10
        options = drawn(unit["parameters"], seed) | ({key: dim} if key in unit["parameters"] else {})
        x = vectors(channels, dim if unit["group"] or name == "maxout" else channels)
        # Products and exponentials of what is huge.
        x = x[x.abs().amax(1) < 1e100] if family in ("glu", "simplex") or name == "gated" else x
        # Of two channels, those with a 0 are on the cone up to the rounding of a sine and cosine.
        x = x[(x != 0).all(1)] if name == "mpu-learnable" and dim == 2 else x
        assert x.numel() > 1000
        x.requires_grad_()
        made = layer(name, 2 * dim if name == "gated" else channels, options)
        y = made(x)
        dy = torch.randn_like(y)
        (dx,) = torch.autograd.grad(y, x, dy)
        found = ask(page, script, [name, x.tolist(), options, dy.tolist()])
        size = x.detach().abs().amax(1, keepdim=True).clamp(min=1)
        errors = [off(found[0], y, size), off(found[1], dx)]
        assert max(errors) < NEAR, (options, errors)


def test_no_pointwise_or_conic_unit_of_the_registry_is_left_out(units):
    wanted = {*names(pointwise=True), *names(pointwise=False)}
    assert set(units) >= wanted and set(units) <= {entry.name for entry in list_activations()}
    assert not SAMPLED & set(units)
