"""The hue machine: its controls, its numbers against the package, pictures of the reader, and its plain form."""

from __future__ import annotations

import io

import pytest
import torch
from PIL import Image

from colu.functional import rcolu
from colu.press.site.interactives.hue import data, orders, photograph

NAME = "hue"
SLIDERS = {"turn": "angle", "bias": "bias", "difference": "factor"}
M = torch.tensor([[1.0, 1, 1], [1, -1, 0], [1, 1, -2]], dtype=torch.float64)
M = M / M.norm(dim=1, keepdim=True)
MAPS = {
    "colu": lambda x: rcolu(x, dim=3, channel_dim=-1),
    "colu-soft": lambda x: rcolu(x, dim=3, channel_dim=-1, scaling="soft"),
    "relu": torch.relu,
    "relu-hue": lambda x: (x @ M.T).relu() @ M,
}


def measured(shown) -> tuple[float, float]:
    """Mean and largest difference, as the page has them."""
    found = shown.tab.evaluate("() => ({...document.querySelector('.colu-lab').dataset})")
    return float(found["mean"]), float(found["most"])


def expected(unit: str, picture: torch.Tensor, angle: float, bias: float) -> tuple[float, float]:
    """The same by the package."""
    one, two = orders(MAPS[unit], picture, angle, bias)
    gap = (one - two).abs()
    return float(gap.mean()), float(gap.max())


def frames(shown):
    """Wait until what was changed is drawn."""
    # What is told to the address comes later, and is not waited for.
    shown.tab.wait_for_timeout(20)
    shown.tab.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return shown


def file_of(picture: Image.Image, name: str = "own.png") -> dict:
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": stream.getvalue()}


def test_the_numbers_are_the_package_s(figure):
    shown = figure(NAME).open()
    picture = photograph().double() / 255
    for unit in MAPS:
        for angle, bias in ((0, 0.45), (60, 0.45), (60, 0), (120, 0.45), (217, 0.8)):
            shown.tab.evaluate("state => coluLab.ready.hue.set(state)", {"unit": unit, "angle": angle, "bias": bias})
            frames(shown)
            mean, most = expected(unit, picture, angle, bias)
            assert measured(shown) == (pytest.approx(mean, abs=1e-13), pytest.approx(most, abs=1e-13))
            if most > 1e-12:
                assert f"differ by {mean:.3g} ".replace("e-0", " × 10^−") in shown.tab.text_content(".lab-said")
    print("frame:", shown.tab.get_attribute(".colu-lab", "data-frame"), "ms")
    assert not shown.errors


def test_the_pictures_are_the_package_s(figure):
    """What a canvas shows is the package's picture, in whole levels."""
    shown = figure(NAME).open("unit=relu&angle=60&factor=3")
    picture = photograph().double() / 255
    one, two = orders(torch.relu, picture, 60, 0.45)
    script = """k => Array.from(document.querySelectorAll(".lab-panels canvas")[k].getContext("2d")
      .getImageData(0, 0, 128, 85).data).filter((_, k) => k % 4 < 3)"""
    for k, wanted in enumerate((picture, one, two, 3 * (one - two).abs())):
        found = torch.tensor(shown.tab.evaluate(script, k)).view(85, 128, 3)
        assert (found - 255 * wanted.clamp(0, 1)).abs().max() < 0.5 + 1e-6
    labels = shown.tab.eval_on_selector_all(".lab-panels canvas", "all => all.map(one => one.ariaLabel)")
    assert labels == ["the picture", "turn, then ReLU", "ReLU, then turn", "difference × 3"]


def test_a_turn_of_the_package_is_that_of_the_chapter():
    """Red becomes green by 120 degrees, and greys stay."""
    red, grey = torch.eye(3, dtype=torch.float64)[:1], torch.ones(1, 3, dtype=torch.float64)
    assert torch.allclose(orders(torch.clone, red, 120, 0)[0], torch.eye(3, dtype=torch.float64)[1:2])
    assert torch.allclose(orders(torch.clone, grey, 77, 0.3)[1], grey)


def test_sliders_by_keyboard_and_by_pointer(figure):
    shown = figure(NAME).open("unit=relu")
    for label, key in SLIDERS.items():
        slider = shown.tab.get_by_role("slider", name=label)
        begun, before = shown.state[key], shown.drawing
        slider.focus()
        shown.tab.keyboard.press("ArrowRight")
        stepped, after = frames(shown).state[key], shown.drawing
        assert stepped > begun and after != before
        box = slider.bounding_box()
        shown.tab.mouse.click(box["x"] + 0.8 * box["width"], box["y"] + box["height"] / 2)
        assert frames(shown).state[key] > stepped and shown.drawing != after
    assert not shown.errors


def test_the_activation_is_chosen(figure):
    shown = figure(NAME).open()
    chosen, drawings = shown.tab.get_by_label("activation"), []
    for unit in MAPS:
        chosen.select_option(unit)
        drawings.append(frames(shown).drawing)
    assert len(set(drawings)) == len(MAPS)
    # By the keyboard, too.
    chosen.press("ArrowUp")
    assert frames(shown).state["unit"] == "relu"


def test_the_states_say_what_is_seen(figure):
    shown = figure(NAME).open()
    said = {"the symmetry": "at every angle", "ReLU at 60 degrees": "differ by 0.00348", "the trap": "A trap"}
    for label, words in said.items():
        shown.tab.get_by_role("link", name=label).click()
        assert frames(shown).note
        assert words in shown.said
    assert shown.state["unit"] == "relu" and shown.state["angle"] == 120


def go(shown, query: str):
    """To a state by the address of the page that is open."""
    shown.tab.evaluate("query => { location.hash = `#lab-hue?${query}`; }", query)
    return frames(shown)


def test_the_words_say_why(figure):
    shown = figure(NAME).open()
    for query, words in {
        "angle=0": "no turn",
        "unit=relu&angle=360": "no turn",
        "unit=colu-soft&angle=33": "at every angle",
        "unit=relu&angle=240": "only renames",
        "unit=relu&angle=119": "mixes red, green and blue",
        "unit=relu&angle=90&bias=0": "Nothing in this picture",
        "unit=relu-hue&angle=120": "two axes among the hues",
    }.items():
        assert words in go(shown, query).said, query


def test_a_state_goes_through_the_address(figure):
    shown = figure(NAME).open()
    state = {"unit": "relu-hue", "angle": 123, "bias": 0.31, "factor": 17}
    shown.tab.evaluate("state => coluLab.ready.hue.set(state)", state)
    address, drawing = shown.settle().tab.url, shown.drawing
    again = shown.open(address.partition("?")[2])
    assert again.state == state and again.drawing == drawing and not again.note


def test_a_bad_address_shows_the_nearest_state(figure):
    shown = figure(NAME).open("unit=gelu")
    assert shown.state["unit"] == "colu" and "no unit" in shown.note
    for query, key, value, said in (
        ("unit=relu-h", "unit", "relu-hue", "is shown"),
        ("angle=400", "angle", 360, "from 0 to 360"),
        ("bias=-2", "bias", 0, "from 0 to 1"),
        ("factor=lots", "factor", 8, "no number"),
        ("turn=3", "angle", 60, "has no"),
    ):
        go(shown, query)
        assert shown.state[key] == value and said in shown.note


def test_a_picture_of_the_reader(figure):
    """It is shown, scaled down, and nothing is requested; the numbers are the package's."""
    shown = figure(NAME).open("unit=relu")
    asked = []
    # The page's own icon comes late.
    shown.tab.on("request", lambda one: one.url.endswith("icon.svg") or asked.append(one.url))
    draw = torch.Generator().manual_seed(0)
    values = torch.randint(0, 256, (7, 12, 3), generator=draw, dtype=torch.uint8)
    chosen = shown.tab.get_by_label("your own picture")
    chosen.set_input_files(file_of(Image.fromarray(values.numpy())))
    assert "own.png is shown, in 12 × 7 pixels" in shown.settle().note
    mean, most = expected("relu", values.double() / 255, 60, 0.45)
    assert measured(shown) == (pytest.approx(mean, abs=1e-13), pytest.approx(most, abs=1e-13))
    chosen.set_input_files(file_of(Image.new("RGB", (900, 300), "red")))
    assert "160 × 54 pixels" in shown.settle().note
    # A preset keeps it; the button brings the pagoda back.
    shown.tab.get_by_role("link", name="the trap").click()
    size = "() => [document.querySelector('canvas').width, document.querySelector('canvas').height]"
    assert shown.settle().tab.evaluate(size) == [160, 54]
    shown.tab.get_by_role("button", name="the pagoda").press("Enter")
    assert shown.settle().tab.evaluate(size) == [128, 85]
    assert not asked and not shown.errors


def test_a_file_that_is_no_picture_is_refused(figure, tmp_path):
    shown = figure(NAME).open()
    before = shown.drawing
    large = tmp_path / "large.png"
    with large.open("wb") as stream:
        stream.truncate(20_000_001)
    chosen = shown.tab.get_by_label("your own picture")
    for given, words in (
        ({"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no picture"}, "notes.txt is no picture"),
        ({"name": "empty.png", "mimeType": "image/png", "buffer": b""}, "empty.png is no picture"),
        (large, "large.png is larger than 20 MB; the picture stays as it was"),
    ):
        chosen.set_input_files(given)
        assert words in shown.settle().note
        assert shown.drawing == before
    assert not shown.errors


def test_it_is_accessible_on_a_telephone(figure):
    shown = figure(NAME, width=390).open("unit=relu")
    assert shown.too_wide() <= 0
    for mode in ("light", "dark"):
        assert shown.axe(mode) == []


def test_without_scripts(figure):
    shown = figure(NAME, java_script_enabled=False)
    shown.tab.goto(shown.page)
    assert shown.tab.locator(".twin img").is_visible() and "pagoda" in shown.tab.get_attribute(".twin img", "alt")
    assert "only renames the three channels" in shown.tab.inner_text(".twin")
    assert not shown.tab.locator(".live").is_visible()


def test_the_data_are_small():
    assert len(data()["rgb"]) < 60_000
