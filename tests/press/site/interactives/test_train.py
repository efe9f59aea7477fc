"""*Train it here*: what the page trains, counts and says is what torch and the package do."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

import pytest
import torch
from torch.nn import functional

from colu.geometry import householder
from colu.lab.experiments import get_arm
from colu.lab.results import paired_difference, summarise
from colu.nn import dead_directions, get_entry
from colu.press.interactive import read_interactive
from colu.press.site.interactives import train

from .conftest import PAGES

ARMS = """() => coluLab.ready.train.arms.map(arm => ({
  parameters: arm.net.parameters.map(one => [...one]), losses: arm.losses, label: arm.label,
  points: [...arm.seen[0]], labels: arm.seen[1], fresh: [...arm.held[0]], wanted: arm.held[1]}))"""
DONE = """() => { const { arms, pairs, state } = coluLab.ready.train;
  return arms.every(arm => arm.losses.length === state.steps) && pairs.length === state.pairs; }"""
RIGHT = """() => coluLab.ready.train.arms.map(arm => {
  const z = arm.net.forward(arm.held[0]);
  return arm.held[1].filter((k, i) => k === +(z[2 * i + 1] > z[2 * i])).length / 2; })"""
LISTS = """() => [...document.querySelectorAll('.lab-units')].map(
  one => [...one.querySelectorAll('small, b')].map(n => n.textContent))"""
EDGE = (
    "() => Math.max(...[...document.querySelectorAll('.lab-panels *')].map(one => one.getBoundingClientRect().right))"
)
STATES = read_interactive(PAGES, "train").states


@pytest.fixture(autouse=True)
def double():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def trained(shown):
    """Wait until all is trained and drawn."""
    for frames in (2, 1):
        for _ in range(frames):
            shown.tab.evaluate("() => new Promise(then => requestAnimationFrame(then))")
        shown.tab.wait_for_function(DONE)
    return shown


def moves(shown, key: str, before):
    """Wait until an entry of the state is no longer what it was."""
    shown.tab.wait_for_function("([key, before]) => coluLab.ready.train.state[key] !== before", arg=[key, before])
    return trained(shown)


def put(shown, **state):
    shown.tab.evaluate("state => coluLab.ready.train.set(state)", state)
    return shown


def activation(name: str, width: int, frame=None):
    """The package's unit on rows of channels, in a frame for each four of them."""
    if name == train.LINEAR:
        # The page has the linear channel first of four, as CoLU its axis; the arm has all of them first.
        order = torch.arange(width).view(-1, 4).T.flatten()
        unit, back = get_arm(name).for_channels(width), order.argsort()
        return lambda z: unit(z[:, order])[:, back]
    unit = get_arm(name).for_channels(width).eval()
    if frame is None:
        return unit
    turn = lambda z: (z.unflatten(1, (-1, 4)) @ frame).flatten(1)  # noqa: E731
    return lambda z: turn(unit(turn(z)))


def in_torch(arm: dict, name: str, state: dict, steps: int, frame=None):
    """Losses, and parameters at the end, of training from the page's points and weights."""
    width, classes = int(state["width"]), 1 + max(arm["labels"])
    sizes = [2, *[width] * state["depth"], classes]
    points, labels = torch.tensor(arm["points"]).view(-1, 2), torch.tensor(arm["labels"])
    parameters = [torch.tensor(one, dtype=torch.float64) for one in arm["parameters"]]
    for layer in range(len(sizes) - 1):
        parameters[2 * layer] = parameters[2 * layer].view(sizes[layer + 1], sizes[layer])
    parameters = [one.requires_grad_() for one in parameters]
    rate, act = float(state["rate"]), activation(name, width, frame)
    kinds = {"sgd": torch.optim.SGD, "momentum": torch.optim.SGD, "adam": torch.optim.Adam}
    more = {"momentum": 0.9} if state["optimiser"] == "momentum" else {}
    rule, losses = kinds[state["optimiser"]](parameters, lr=rate, **more), []
    for _ in range(steps):
        before, x = [], points
        for layer in range(len(sizes) - 1):
            x = functional.linear(x, *parameters[2 * layer : 2 * layer + 2])
            if layer < len(sizes) - 2:
                before.append(x.detach())
                x = act(x)
        loss = functional.cross_entropy(x, labels)
        losses.append(loss.item())
        rule.zero_grad()
        loss.backward()
        rule.step()
    return losses, torch.cat([one.detach().flatten() for one in parameters]), before, act


@pytest.mark.parametrize("optimiser, rate", [("sgd", "0.1"), ("momentum", "0.03"), ("adam", "0.01")])
def test_fifty_steps_are_torchs_with_the_units_of_the_package(figure, optimiser, rate):
    shown, worst = figure("train").open(), 0.0
    pairs = [("colu", "turned"), ("rcolu", train.LINEAR), ("relu", "mpu"), ("softmax", "group-sort"), ("gelu", "sine")]
    # The other share of the units, and of the optimisers, is the mathematics' own test.
    pairs = pairs[:1] if optimiser == "momentum" else pairs
    H = householder(torch.eye(4)[0] - 0.5)
    for depth, (unit, other) in enumerate(pairs):
        put(shown, unit=unit, other=other, optimiser=optimiser, rate=rate, depth=1 + depth % 2, seed=depth, steps=0)
        trained(shown)
        starts, state = shown.tab.evaluate(ARMS), shown.state
        put(shown, steps=50)
        ends = trained(shown).tab.evaluate(ARMS)
        for name, start, end in zip((unit, other), starts, ends, strict=True):
            named, frame = (unit, H) if name == "turned" else (name, None)
            losses, parameters, *_ = in_torch(start, named, state, 50, frame)
            found = torch.cat([torch.tensor(one, dtype=torch.float64) for one in end["parameters"]])
            gap = max(
                (torch.tensor(losses) - torch.tensor(end["losses"])).abs().max(), (found - parameters).abs().max()
            )
            worst = max(worst, float(gap))
            assert gap < 1e-4, (name, gap)
    frame = shown.tab.get_attribute(".colu-lab", "data-frame")
    print(f"50 steps by {optimiser}: at most {worst:.1e} from torch; a frame takes {frame} ms")
    assert not shown.errors


def test_the_turned_network_is_the_same_function_at_its_start(figure):
    shown = trained(figure("train").open("unit=colu&other=turned&depth=3&data=blobs"))
    one, two = shown.tab.evaluate("() => coluLab.ready.train.arms.map(arm => [...arm.net.forward(arm.held[0])])")
    assert max(abs(a - b) for a, b in zip(one, two, strict=True)) < 1e-13
    weights = shown.tab.evaluate("() => coluLab.ready.train.arms.map(arm => [...arm.net.weights[1]])")
    assert max(abs(a - b) for a, b in zip(*weights, strict=True)) > 0.1
    # CoLU turned is RCoLU.
    labels = [arm["label"] for arm in shown.tab.evaluate(ARMS)]
    assert labels == ["CoLU", "CoLU, turned"]


def test_dead_directions_are_counted_as_the_package_counts_them(figure):
    shown, found = figure("train").open("data=circles&seed=1&width=4&rate=3.0&steps=60"), {}
    pairs = (("relu", "leaky-relu"), ("colu", train.LINEAR), ("mpu", "sparsemax"), ("rcolu", "hardtanh"))
    for rate, (unit, other) in zip(("3.0", "1.0", "1.0", "0.3"), pairs, strict=True):
        put(shown, unit=unit, other=other, depth=2, steps=0, rate=rate)
        starts = trained(shown).tab.evaluate(ARMS)
        put(shown, steps=60)
        trained(shown)
        for column, (name, start) in enumerate(zip((unit, other), starts, strict=True)):
            *_, before, act = in_torch(start, name, shown.state, 61)
            S = {"colu": 4, "rcolu": 4, "mpu": 2, "sparsemax": 4}.get(name, 1)
            wanted = [int(n) for z in before for n in dead_directions(act, z, S)]
            if name == train.LINEAR:
                wanted = [sum(wanted[k : k + 4]) for k in range(0, len(wanted), 4)]
                S = 4
            words = shown.tab.evaluate(LISTS)[column]
            assert words == ["dead" if n == S else f"{n} of {S} dead" if n else "alive" for n in wanted], name
            assert f"and {sum(wanted)} of 8 {'units' if S == 1 else 'directions'} dead" in shown.said
            found[name] = sum(wanted)
    # The test would see a wrong count.
    assert found["relu"] and not found["leaky-relu"], found


def test_differences_and_the_verdict_are_the_packages(figure):
    shown = trained(figure("train").open("unit=colu&other=identity&steps=20&pairs=4&data=circles"))
    assert "4 pairs of CoLU and identity are too few for a verdict" in shown.said
    for query in ("unit=colu&other=identity&steps=20&pairs=5&data=circles", "unit=colu&other=relu&steps=5&pairs=5"):
        shown = trained(shown.open(query))
        differences = shown.tab.evaluate("() => coluLab.ready.train.pairs")
        names = [arm["label"] for arm in shown.tab.evaluate(ARMS)]
        wanted = paired_difference(differences, [0.0] * len(differences))
        assert wanted.verdict(*names) in shown.said
        assert f"{abs(wanted.mean):.2g} ± {wanted.half_width:.2g} points" in shown.said
    # The first pair is the one that is seen; its difference is in points of the held-out points.
    one, two = shown.tab.evaluate(RIGHT)
    assert differences[0] == pytest.approx(one - two)


def test_factors_of_the_interval_are_the_packages():
    factors = train.data()["factors"]
    for n in (2, 3, 5, 17, len(factors) + 1):
        values = [float(k * k % 7) for k in range(n)]
        spread = torch.tensor(values).std().item() / n**0.5
        assert factors[n - 2] * spread == pytest.approx(summarise(values).half_width, rel=1e-8)


def test_what_is_offered_has_no_learnt_parameters_and_keeps_the_width():
    names = train.offered()
    assert len(names) == len(set(names)) > 35
    assert {"relu", "colu", "rcolu", "colu-soft", "mpu", "identity", train.LINEAR, "softmax"} <= set(names)
    for name in names:
        unit = get_arm(name).for_channels(8)
        assert not list(unit.parameters()) and unit(torch.zeros(1, 8)).shape == (1, 8)
        assert name == train.LINEAR or get_entry(name).name == name
    began = time.process_time()
    assert train.data()["units"].keys() == set(names)
    assert time.process_time() - began < 4


def test_controls_work_by_keyboard_and_by_pointer(figure):
    shown = figure("train").open()
    tab = shown.tab
    lists = {"points": "data", "unit": "unit", "compared with": "other", "channels": "width", "optimiser": "optimiser"}
    for label, key in {**lists, "learning rate": "rate"}.items():
        before = shown.state[key], shown.drawing
        tab.locator(".lab-controls label", has_text=label).locator("select").first.focus()
        tab.keyboard.press("ArrowDown")
        moves(shown, key, before[0])
        assert key in ("rate", "optimiser") or shown.drawing != before[1], label
    for label, key in {"hidden layers": "depth", "gain": "gain", "steps": "steps"}.items():
        for use in ("keyboard", "pointer"):
            before = shown.state[key], shown.drawing
            slider = tab.locator(".lab-controls label", has_text=label).locator("input").last
            if use == "keyboard":
                slider.focus()
                tab.keyboard.press("ArrowRight")
            else:
                box = slider.bounding_box()
                across = {"depth": 0.95, "gain": 0.7, "steps": 0.12}[key] * box["width"]
                tab.mouse.click(box["x"] + across, box["y"] + box["height"] / 2)
            moves(shown, key, before[0])
            assert shown.drawing != before[1], (label, use)
    seed = tab.locator("input[type=number]")
    seed.fill("7")
    assert trained(shown).state["seed"] == 7

    def press(name, use):
        button = tab.get_by_role("button", name=name, exact=True)
        button.press("Enter") if use == "keyboard" else button.click()

    for use in ("keyboard", "pointer"):
        for name, key in (("one step", "steps"), ("new seed", "seed"), ("reroll", "pairs")):
            before = shown.state[key]
            press(name, use)
            assert moves(shown, key, before).state[key] == before + 1, name
        # Training takes the pairs away, since they are of so many steps.
        before = shown.state["steps"]
        press("train", use)
        moves(shown, "steps", before)
        press("pause", use)
        still = trained(shown).state
        assert trained(shown).state == still and still["pairs"] == 0
    press("reset", "pointer")
    assert trained(shown).state["steps"] == 0 and not shown.errors


def test_a_state_comes_back_from_its_address(figure):
    shown = trained(figure("train").open("unit=silu&other=turned&optimiser=momentum&rate=0.03&width=4&data=XOR"))
    put(shown, depth=2, gain=1.5, seed=3, steps=30)
    put(shown, pairs=2)
    kept, address = trained(shown).settle().state, urlsplit(shown.tab.url).fragment.split("?")[1]
    said, drawing = shown.said, shown.drawing
    again = trained(shown.open(address))
    assert (again.state, again.said, again.drawing) == (kept, said, drawing)


def test_an_address_that_means_nothing_gives_the_nearest_state_and_says_so(figure):
    shown = figure("train").open("unit=rel&depth=9&seed=abc&steps=-3&rate=0.02&width=7&pairs=1000&colour=red")
    wanted = {"unit": "relu", "depth": 3, "seed": 0, "steps": 0, "rate": "0.001", "width": "4", "pairs": 40}
    assert {key: shown.state[key] for key in wanted} == wanted
    expected = [
        "no unit “rel”",
        "depth goes from 1 to 3",
        "“abc” is no number",
        "no rate “0.02”",
        "no width",
        "no “colour”",
    ]
    for words in (*expected, "steps goes", "pairs goes"):
        assert words in shown.note
    assert not shown.errors


def test_a_network_that_diverged_is_called_so_and_left_out(figure):
    setting = "unit=squared-relu&other=relu&rate=3.0&gain=3&depth=2&width=16"
    shown = figure("train").open(f"{setting}&steps=20&pairs=3")
    said = trained(shown).said
    assert "squared ReLU diverged" in said and "left out: 3" in said and "ahead" not in said
    assert "NaN" not in said and "no number" not in said
    assert "diverged" in shown.tab.inner_text(".lab-units >> nth=0")


@pytest.mark.parametrize("each", STATES, ids=lambda each: each.label)
def test_states_to_begin_with_show_what_they_say(figure, each):
    shown = trained(figure("train").open(each.address))
    assert not shown.note and not shown.errors
    said = shown.said
    if "turned" in each.address:
        gap = float(said.split("at most ")[1].split(". ")[0].rstrip(".").replace(" × 10^", "e").replace("−", "-"))
        assert gap > 0.01 if "adam" in each.address else gap < 1e-12
    else:
        words = shown.tab.evaluate(LISTS)
        assert "dead" in words[0] and "dead" not in words[1]


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_axe_has_no_serious_finding(figure, mode):
    assert not trained(figure("train").open("unit=relu&other=colu&steps=20&pairs=2")).axe(mode)


def test_nothing_is_wider_than_a_telephone(figure):
    shown = trained(figure("train", width=390).open("unit=softmax&other=colu&width=16&steps=2"))
    assert shown.too_wide() <= 0
    assert shown.tab.evaluate(EDGE) <= 390


def test_without_scripts_picture_and_finding_stand(figure):
    shown = figure("train", java_script_enabled=False)
    shown.tab.goto(shown.page)
    assert shown.tab.locator(".twin img").is_visible() and not shown.tab.locator(".live").is_visible()
    assert "Adam" in shown.tab.inner_text(".twin p")


def test_the_twin_is_drawn_from_numbers_that_bear_the_finding():
    gaps = train.frames()
    assert gaps["sgd"] < 1e-9 and gaps["adam"] > 0.01
    assert train.twin().count("<svg") == 1
