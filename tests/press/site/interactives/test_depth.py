"""Signal through depth: that the layers are the package's, what the controls do, and what is said."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from colu import nn
from colu.press.interactive import read_interactive
from colu.press.site.interactives import depth

BOOK = Path(__file__).resolve().parents[4] / "book"
SHOWN = """async state => {
  const {set, root, shown} = coluLab.ready.depth;
  set(state);
  await new Promise(requestAnimationFrame);
  return root.querySelector(".lab-said").textContent;
}"""
NUMBERS = """() => {
  const {layers, up, down, rest} = coluLab.ready.depth.shown, plain = x => x.map(one => Array.from(one));
  return {layers: layers.map(plain), up: up.map(plain), down: plain(down), rest};
}"""


def show(page, **state) -> str:
    """Set a state, and what the figure says in it."""
    return page.tab.evaluate(SHOWN, state)


@pytest.fixture
def page(figure):
    shown = figure("depth").open()
    yield shown
    assert not shown.errors


def close(found: list[float], wanted: torch.Tensor) -> None:
    torch.testing.assert_close(torch.tensor(found, dtype=torch.float64), wanted.detach(), rtol=1e-9, atol=1e-12)


def test_layers_and_gradients_are_the_packages(page):
    gain, layers = 1.3, 5
    for key, (_, name, options, _) in depth.UNITS.items():
        show(page, unit=key, gain=gain, depth=layers, width="16", bias=True, seed=3)
        found, unit = page.tab.evaluate(NUMBERS), nn.create(name, **options)
        signals = [torch.tensor(found["up"][0], dtype=torch.float64).requires_grad_()]
        for weight, bias in found["layers"][:layers]:
            weight, bias = torch.tensor(weight, dtype=torch.float64), torch.tensor(bias, dtype=torch.float64)
            behind = gain / 4 * unit(signals[-1]) @ weight.view(16, 16).T
            signals.append(behind + math.sqrt(found["rest"]) * bias)
        top = torch.zeros_like(signals[-1])
        top[0] = torch.tensor(found["down"][-1], dtype=torch.float64)
        gradients = torch.autograd.grad(signals[-1], signals, top)
        for number, (signal, gradient) in enumerate(zip(signals, gradients, strict=True)):
            close(found["up"][number], signal)
            close(found["down"][number], gradient[0])
        own = 1 if key == "sort" else nn.gain(unit, options.get("dim"))
        assert found["rest"] == pytest.approx(max(0, 1 - (gain / own) ** 2), abs=1e-8)


def test_the_gains_are_the_packages():
    units = depth.data()["units"]
    assert set(units) == set(depth.UNITS) and len(str(units)) < 60_000
    for key in ("relu", "tanh", "colu4", "mpu4"):
        _, name, options, _ = depth.UNITS[key]
        unit = nn.create(name, **options)
        assert units[key]["own"] == pytest.approx(nn.gain(unit, options.get("dim")), abs=1e-8)
        assert units[key]["critical"] == pytest.approx(nn.gradient_ratio(unit, options.get("dim")) ** -0.5, abs=1e-8)
    # By quadrature at another size: tanh of small signals keeps them, SiLU of large ones is ReLU.
    assert 10 ** units["tanh"]["rho"][0] == pytest.approx(1, abs=1e-3)
    assert 10 ** units["silu"]["rho"][-1] == pytest.approx(0.5, abs=1e-3)


def test_buttons_set_the_three_gains(page):
    units = page.tab.evaluate("() => coluLab.data.depth.units")
    page.tab.select_option("select >> nth=0", "colu4")
    for mark in ("own", "critical", "He"):
        button = page.tab.locator(f"button:has-text('{mark} gain')")
        button.click()
        page.settle()
        assert page.state["gain"] == pytest.approx(units["colu4"][mark])
    page.tab.locator("button:has-text('own gain')").focus()
    page.tab.keyboard.press("Enter")
    page.settle()
    assert page.state["gain"] == pytest.approx(1.712858, abs=1e-6) and "the gradient explodes" in page.said


def test_sliders_move_by_keys_and_by_pointer(page):
    for number, key in enumerate(("gain", "depth", "seed")):
        slider, before, drawing = page.tab.locator("input[type=range]").nth(number), page.state[key], page.drawing
        slider.focus()
        page.tab.keyboard.press("ArrowRight")
        page.settle()
        assert page.state[key] == pytest.approx(before + (0.01 if key == "gain" else 1)) and page.drawing != drawing
        box, drawing = slider.bounding_box(), page.drawing
        page.tab.mouse.click(box["x"] + box["width"] * 0.8, box["y"] + box["height"] / 2)
        page.settle()
        assert page.state[key] > before + 0.1 and page.drawing != drawing
        page.tab.click("button:has-text('reset')")
        page.settle()


def test_choices_change_by_keys_and_by_pointer(page):
    page.tab.focus("select >> nth=0")
    page.tab.keyboard.press("ArrowDown")
    page.settle()
    assert page.state["unit"] == "tanh"
    page.tab.select_option("select >> nth=1", "16")
    page.settle()
    assert page.state["width"] == "16"
    page.tab.focus("input[type=checkbox]")
    page.tab.keyboard.press("Space")
    page.settle()
    assert page.state["bias"] and "variance 0.2" in page.said
    page.tab.click("input[type=checkbox]")
    page.settle()
    assert not page.state["bias"] and "variance 0." in page.said


def test_presets_show_what_they_say(page):
    wanted = ["signal holds", "signal dies", "signal holds"], ["gradient holds", "gradient dies", "gradient holds"]
    for number, words in enumerate(zip(*wanted, strict=True)):
        page.tab.click(f".lab-states a >> nth={number}")
        page.settle()
        assert page.note == read_interactive(BOOK, "depth").states[number].says
        assert all(word in page.said for word in words)


def test_what_the_texts_say_of_their_states(page):
    """The page of the figure and chapter 15 send readers to these; each is of seed 1."""
    told = [
        ("unit=colu4&gain=1.7129", "signal holds", "gradient explodes"),
        ("unit=colu4&gain=1.4651", "signal dies", "gradient holds"),
        ("unit=colu4&gain=1.4651&bias=1", "signal holds", "gradient holds"),
        ("unit=colu2&gain=1.301", "signal holds", "gradient explodes"),
        ("unit=relu&gain=2", "signal explodes", "gradient explodes"),
        ("unit=tanh&gain=2", "signal holds", "gradient explodes"),
        ("unit=relu&gain=1.4142&width=16", "signal dies", "gradient dies"),
    ]
    texts = Path(BOOK, "laboratory", "depth.md").read_text()
    texts += Path(BOOK.parent, "notebooks", "15-signal-propagation.ipynb").read_text()
    for address, *words in told:
        assert f"<depth?{address}>" in texts
        page.tab.evaluate("address => { location.hash = '#lab-depth?' + address }", address)
        page.settle()
        assert all(word in page.said for word in words), (address, page.said)


def test_below_the_own_gain_it_dies_and_above_it_explodes(page):
    for unit, low, high in (("relu", 1.2, 1.7), ("colu4", 1.4, 2.1), ("sort", 0.8, 1.2)):
        assert "The signal dies" in show(page, unit=unit, gain=low, depth=40)
        assert "The signal explodes" in show(page, unit=unit, gain=high, depth=40)
    assert "The signal holds" in show(page, unit="tanh", gain=3)


def test_the_mean_over_seeds_follows_the_theory(page):
    """Second moments have the theory for their mean at every width, where the unit is homogeneous."""
    ask = "() => coluLab.ready.depth.shown.up.at(-1)[0].reduce((sum, one) => sum + one * one / 64, 0)"
    for unit, gain, bias in (("relu", 1.5, False), ("colu4", 1.4, True)):
        found = []
        for seed in range(1, 31):
            show(page, unit=unit, gain=gain, bias=bias, depth=4, width="64", seed=seed)
            found.append(page.tab.evaluate(ask))
        values, wanted = torch.tensor(found), 1.125**4 if unit == "relu" else 1
        assert abs(values.mean() - wanted) < 4 * values.std() / math.sqrt(len(found))


def test_a_state_survives_its_address(page, figure):
    show(page, unit="mpu4", gain=1.234, bias=True, depth=17, width="16", seed=8)
    page.settle()
    again = figure("depth")
    again.tab.goto(page.tab.url)
    again.tab.wait_for_selector(".colu-lab.ready")
    assert again.settle().state == page.state and again.said == page.said and again.drawing == page.drawing


def test_bad_addresses_give_the_nearest_state_and_say_so(page):
    page.open("unit=relu6&gain=9&depth=deep&width=100&slope=2&seed=2.4")
    assert page.state == {"unit": "relu", "gain": 3, "bias": False, "depth": 20, "width": "16", "seed": 2}
    for part in (
        "no unit “relu6”",
        "from 0.5 to 3",
        "“deep” is no number",
        "no width “100”",
        "no “slope”",
        "whole numbers",
    ):
        assert part in page.note


def test_a_dead_network_is_drawn(page):
    """Nothing gets through zero weights: no number is drawn that is none."""
    page.tab.evaluate("() => coluLab.ready.depth.shown.layers[3][0].fill(0)")
    assert "The signal dies" in show(page, depth=19) and "NaN" not in page.drawing


def test_no_serious_finding_of_axe(figure):
    page = figure("depth").open()
    assert not page.axe("light") and not page.axe("dark")


def test_it_fits_a_telephone(figure):
    page = figure("depth", width=390).open()
    assert page.too_wide() <= 0
    times = []
    for step in range(12):
        show(page, gain=1 + step / 10)
        times.append(float(page.tab.get_attribute(".colu-lab", "data-frame")))
    print(f"a frame of depth: {sorted(times)[6]} ms")


def test_picture_and_finding_stand_without_scripts(figure):
    page = figure("depth", java_script_enabled=False)
    page.tab.goto(page.page)
    assert page.tab.is_visible(".twin img") and not page.tab.is_visible(".live")
    assert "the signal dies" in page.tab.inner_text(".twin")
    picture = depth.twin()
    assert picture == depth.twin() and "CoLU, critical" in picture and len(picture) < 60_000
