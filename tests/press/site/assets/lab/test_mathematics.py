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
BUDGET = 17_500
#: Drawn from values that the package samples at the build, as no figure computes them. The second line: nothing slides
#: before their shape is learnt. The third: a network of the page keeps its number of channels.
SAMPLED = {"fourier", "householder", "linear-combination"}
SAMPLED |= {"rational-b", "rational-c", "group-rational", "lslu", "pwlu"}
SAMPLED |= {"crelu", "gated", "maxout"}
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
    return [entry.name for entry in chosen if entry.family in families]


#: What the package calls a page's option, or None where it has no such option.
OTHERWISE = {"group-sort": {"dim": "group_size"}}
OTHERWISE |= dict.fromkeys(("householder", "modrelu", "glu", "reglu", "geglu", "swiglu"), {"dim": None})


def layer(name: str, channels: int, options: dict) -> nn.Module:
    """The package's unit with options of the page, be they arguments or what is learnt."""
    called = OTHERWISE.get(name, {})
    options = {called.get(key, key): value for key, value in options.items() if called.get(key, key)}
    sizes = {key: options[key] for key in ("dim", "group_size") if key in options}
    learnt = {key for key, _ in create(name, channels, **sizes).named_parameters()}
    made = create(name, channels, **{key: value for key, value in options.items() if key not in learnt}).eval()
    for key in learnt & set(options):
        nn.init.constant_(getattr(made, key), options[key])
    return made


def drawn(parameters: dict, seed: int) -> dict:
    """Values in the ranges of a unit's parameters; none of them for seed 0."""
    source = random.Random(seed)
    ranges = {key: value for key, value in parameters.items() if key != "dim"}
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
    unit, family = units[name], get_entry(name).family
    start, low, high = unit["parameters"].get("dim", [unit["group"] or 1] * 3)
    for seed, dim in enumerate(dict.fromkeys([start, *range(low, min(high, 6) + 1)])):
        channels = 2 * dim if unit["group"] else 10
        options = drawn(unit["parameters"], seed) | ({"dim": dim} if "dim" in unit["parameters"] else {})
        x = vectors(channels, dim if unit["group"] else channels)
        # Products and exponentials of what is huge.
        x = x[x.abs().amax(1) < 1e100] if family in ("glu", "simplex") else x
        # Of two channels, those with a 0 are on the cone up to the rounding of a sine and cosine.
        x = x[(x != 0).all(1)] if name == "mpu-learnable" and dim == 2 else x
        assert x.numel() > 1000
        check_channels(page, name, x, layer(name, channels, options), options)


def check_channels(page, name: str, x: torch.Tensor, made: nn.Module, options: dict):
    script = """([name, x, p, dy]) => {
      const unit = coluMathematics.units[name];
      return [x.flatMap(v => [...unit.forward(v, p)]), x.flatMap((v, i) => [...unit.backward(v, p, dy[i])])]; }"""
    x.requires_grad_()
    y = made(x)
    dy = torch.randn_like(y)
    (dx,) = torch.autograd.grad(y, x, dy)
    found = ask(page, script, [name, x.tolist(), options, dy.tolist()])
    size = x.detach().abs().amax(1, keepdim=True).clamp(min=1)
    errors = [off(found[0], y, size), off(found[1], dx)]
    assert max(errors) < NEAR, (options, errors)


@pytest.mark.parametrize("name", ["colu", "colu-soft", "colu-sqrt", "colu-rectified"])
def test_the_plane_of_axis_and_section_has_the_map_and_its_jacobian(page, name):
    points = torch.cat([2 * torch.randn(200, 1), torch.rand(200, 1) + 0.1], 1).requires_grad_()
    made = layer(name, 2, {"dim": 2, "angle": 0.6})
    axis, section = made(points).unbind(1)
    slopes = [torch.autograd.grad(one.sum(), points, retain_graph=True)[0] for one in (axis, section)]
    wanted = torch.cat([axis[:, None], (section / points[:, 1])[:, None], *slopes], 1)
    script = """([name, points]) => points.flatMap(([a, n]) =>
      coluMathematics.units[name].plane(a, n, { angle: 0.6 }).map(Number))"""
    assert off(ask(page, script, [name, points.tolist()]), wanted) < NEAR


@pytest.mark.parametrize("name", ["rational-a", "rational-b", "rational-c", "group-rational"])
def test_rational_functions_of_given_coefficients_are_those_of_the_package(page, name):
    unit, x = create(name, 1), grid()[:, None].requires_grad_()
    y = unit(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    version = unit.version.upper()
    denominator = [0.0, *unit.denominator.flatten().tolist()]
    if version == "C":
        denominator = denominator[1:]
    given = [0.1 if version == "C" else 1, version == "A", unit.numerator.flatten().tolist(), denominator]
    found = ask(page, "([given, x]) => x.map(coluMathematics.rational(...given))", [given, x.flatten().tolist()])
    assert off(found, torch.cat([y, slope], 1)) < NEAR


def test_no_pointwise_or_conic_unit_of_the_registry_is_left_out(units):
    wanted = {*names(pointwise=True), *names(pointwise=False)}
    assert set(units) >= wanted and set(units) <= {entry.name for entry in list_activations()}
    assert not SAMPLED & set(units) and SAMPLED <= {entry.name for entry in list_activations()}


TRAIN = """({ sizes, unit, options, kind, rate, steps, frame, rows, seed }) => {
  const { perceptron, optimiser, random } = coluMathematics, source = random(seed);
  const X = Array.from({ length: rows }, () => Array.from({ length: sizes[0] }, source.normal));
  const y = X.map(x => Math.floor(source.uniform() * sizes[sizes.length - 1]));
  const net = perceptron({ sizes, unit, options, gain: 1.2, random: source, frame }), { step } = optimiser(kind, rate);
  const start = net.parameters.map(one => [...one]), losses = [];
  for (let k = 0; k < steps; k++) {
    const found = net.gradients(X, y);
    losses.push(found.loss);
    step(net.parameters, found);
  }
  return { X, y, start, losses, end: net.parameters.map(one => [...one]), last: net.loss(X, y),
    logits: [...net.forward(X)] }; }"""
OPTIMISERS = {"sgd": 0.1, "momentum": 0.03, "adam": 0.01}
WIDTH = 8


def offered() -> list[tuple[str, dict]]:
    """Units that a network of the page can have: nothing in them is learnt, and channels go in as they come out."""
    named = [get_entry(name) for name in [*names(pointwise=True), *names(pointwise=False)]]
    plain = [entry.name for entry in named if not entry.parameters(WIDTH) and not entry.unfit]
    return [(name, {"dim": dim} if dim else {}) for name in plain for dim in ((2, 4) if name == "colu" else (None,))]


def trained(given: dict, answer: dict) -> tuple[list[float], list[torch.Tensor], torch.Tensor]:
    """The same steps in torch, from the weights and data of the page."""
    sizes = given["sizes"]
    X, y = torch.tensor(answer["X"]), torch.tensor(answer["y"])
    parameters = [nn.Parameter(torch.tensor(one, dtype=torch.float64)) for one in answer["start"]]
    maps = [(w.view(m, -1), b) for w, b, m in zip(parameters[::2], parameters[1::2], sizes[1:], strict=True)]
    unit = layer(given["unit"], WIDTH, given["options"])
    frame = None if given["frame"] is None else torch.tensor(given["frame"])

    def forward():
        x = X
        for number, (weight, bias) in enumerate(maps):
            x = nn.functional.linear(x, weight, bias)
            if number < len(maps) - 1 and frame is None:
                x = unit(x)
            elif number < len(maps) - 1:
                blocks = x.view(len(x), -1, len(frame))
                x = (unit((blocks @ frame.T).reshape(x.shape)).view(blocks.shape) @ frame).reshape(x.shape)
        return x

    rate = given["rate"]
    make = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}.get(given["kind"])
    optimiser = make(parameters, rate) if make else torch.optim.SGD(parameters, rate, momentum=0.9)
    losses = []
    for _ in range(given["steps"]):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(forward(), y)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses, parameters, forward()


def check_training(page, name: str, options: dict, kind: str, framed: int | None = None):
    frame = torch.linalg.qr(torch.randn(framed, framed)).Q.tolist() if framed else None
    # The slope of its weight has no bound: with long steps the last digits of a number become the first of another.
    rate = OPTIMISERS[kind] * (0.1 if name == "colu-sqrt" else 1)
    given = dict(sizes=[2, WIDTH, WIDTH, 3], unit=name, options=options, kind=kind, rate=rate, steps=50)
    given |= dict(frame=frame, rows=40, seed=7)
    answer = ask(page, TRAIN, given)
    losses, parameters, logits = trained(given, answer)
    wanted = [torch.tensor(losses), *parameters, logits]
    found = [answer["losses"], *answer["end"], answer["logits"]]
    found = [torch.tensor(one).view_as(want).flatten().tolist() for one, want in zip(found, wanted, strict=True)]
    worst = max(off(one, want.flatten()) for one, want in zip(found, wanted, strict=True))
    assert losses[-1] < losses[0] or name in ("softmax", "sparsemax"), losses
    assert worst < 1e-4, (name, kind, worst)


@pytest.mark.parametrize("number", range(len(offered())))
def test_fifty_steps_of_training_are_those_of_torch(page, number):
    name, options = offered()[number]
    check_training(page, name, options, list(OPTIMISERS)[number % 3])


@pytest.mark.long
@pytest.mark.parametrize("kind", OPTIMISERS)
@pytest.mark.parametrize("number", range(len(offered())))
def test_training_with_every_optimiser_is_that_of_torch(page, number, kind):
    check_training(page, *offered()[number], kind)


@pytest.mark.parametrize("kind", OPTIMISERS)
@pytest.mark.parametrize("name, dim, framed", [("colu", 4, 4), ("colu", 2, 8), ("relu", None, 2), ("rcolu", 4, 8)])
def test_training_in_a_turned_frame_is_that_of_torch(page, name, dim, framed, kind):
    check_training(page, name, {"dim": dim} if dim else {}, kind, framed)


@pytest.mark.parametrize("name", ["glu", "reglu", "geglu", "swiglu"])
def test_a_network_takes_units_that_change_the_number_of_channels(page, name):
    script = """unit => { const { perceptron, random } = coluMathematics, source = random(1);
      const net = perceptron({ sizes: [2, 8, 8, 2], unit, random: source });
      const X = Float64Array.from({ length: 20 }, source.normal), y = [...X.subarray(10)].map(v => v > 0 ? 1 : 0);
      const found = net.gradients(X, y), checks = [];
      for (const [k, one] of net.parameters.entries()) {
        const kept = one[1], h = 1e-5;
        one[1] = kept + h;
        const above = net.loss(X, y);
        one[1] = kept - h;
        checks.push(found[k][1] - (above - net.loss(X, y)) / 2 / h);
        one[1] = kept;
      }
      return checks; }"""
    assert max(map(abs, ask(page, script, name))) < 1e-8


def test_norms_and_their_gradients_are_those_of_torch(page):
    script = """([name, x, p, dy]) => { const norm = coluMathematics.normalise[name];
      return [x.flatMap(v => [...norm.forward(v, p)]), x.flatMap((v, i) => [...norm.backward(v, p, dy[i])])]; }"""
    x = torch.cat([torch.randn(90, 12), 1e3 + torch.randn(4, 12), 1e-3 * torch.randn(4, 12)]).requires_grad_()
    dy = torch.randn(98, 12)
    for name, made, options in (
        ("rms", nn.RMSNorm(12), {}),
        ("rms", nn.RMSNorm(12, eps=0.1), {"eps": 0.1}),
        ("layer", nn.LayerNorm(12), {}),
        ("layer", nn.LayerNorm(12, eps=0.1), {"eps": 0.1}),
        ("group", nn.GroupNorm(3, 12), {}),
        ("group", nn.GroupNorm(2, 12, eps=1e-3), {"dim": 6, "eps": 1e-3}),
    ):
        y = made(x)
        (dx,) = torch.autograd.grad(y, x, dy)
        found = ask(page, script, [name, x.tolist(), options, dy.tolist()])
        errors = [off(one, wanted) for one, wanted in zip(found, (y, dx), strict=True)]
        assert max(errors) < NEAR, (name, options, errors)


def test_random_numbers_are_the_same_for_a_seed_and_spread_as_they_should(page):
    script = """() => [1, 1, 2].map(seed => { const source = coluMathematics.random(seed);
      return [Array.from({ length: 4000 }, source.uniform), Array.from({ length: 4000 }, source.normal)]; })"""
    one, again, two = ask(page, script, None)
    assert one == again and one != two
    uniform, normal = map(torch.tensor, one)
    assert 0 <= uniform.min() and uniform.max() < 1 and abs(uniform.mean() - 0.5) < 0.02
    assert abs(normal.mean()) < 0.06 and abs(normal.std() - 1) < 0.05
    assert abs((normal < -1).double().mean() - 0.1587) < 0.02


def test_options_out_of_step_with_the_channels_are_refused(page):
    script = """() => { try { coluMathematics.units.colu.forward([1, 2, 3, 4, 5, 6], { dim: 4 }); } catch (error) {
      return error.message; } }"""
    assert ask(page, script, None) == "6 channels are no multiple of dim=4"


def test_the_file_is_small_and_asks_nobody():
    text = SCRIPT.read_text("utf8")
    assert len(text.encode()) <= BUDGET
    for word in ("fetch", "XMLHttp", "http", "import", "Storage", "cookie", "eval("):
        assert word not in text
