"""*Shape while training*: what is moved, what is said, and that the shapes are the package's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from colu.nn import create
from colu.press.interactive import read_interactive
from colu.press.site.interactives import shapes

BOOK = Path(__file__).resolve().parents[4] / "book"
LAST = shapes.RECORDS - 1
LINE = [k / 7 - 12 for k in range(170)]
ASK = """([unit, record, line]) => coluLab.data.shapes[unit].numbers[record].map(row => {
  const f = coluLab.ready.shapes.shapes[unit](row);
  return line.map(f);
})"""


@pytest.fixture
def page(figure):
    shown = figure("shapes").open()
    yield shown
    assert not shown.errors


def written(value: float) -> str:
    """A number as the page writes it."""
    return f"{float(f'{value:.3g}'):g}".replace("-", "−")


def test_curves_are_those_of_the_packages_modules(page):
    line = torch.tensor(LINE, dtype=torch.float64)
    for name, record in [(name, record) for name in shapes.UNITS for record in (0, LAST)]:
        found = torch.tensor(page.tab.evaluate(ASK, [name, record, LINE]), dtype=torch.float64)
        wanted = shapes.curves(name, shapes.data()[name]["numbers"][record], line)
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", shapes.UNITS)
def test_recorded_numbers_are_all_of_a_modules_parameters(name):
    film = shapes.data()[name]
    assert len(film["numbers"]) == len(film["loss"]) == len(film["inputs"]) == len(film["moved"]) == shapes.RECORDS
    parameters = sum(part.numel() for part in create(name, 1).parameters())
    assert {len(row) for row in film["numbers"][LAST]} == {parameters}
    if name != "acon-c":
        # Its slopes are drawn at random, the others start as their module does.
        x = torch.linspace(-6, 6, 25, dtype=torch.float64)
        start = create(name, 1).double()(x[:, None])[:, 0]
        assert (shapes.curves(name, film["numbers"][0], x) - start).abs().max() < 1e-4
    assert film["moved"][0] == [0] * 9 and film["loss"][LAST] < 0.2 < film["loss"][0]


def test_what_is_shipped_is_small():
    assert len(json.dumps(shapes.data(), separators=(",", ":"))) < 60_000


def test_what_is_said_is_what_was_recorded(page):
    cases = [*((name, 0, LAST) for name in shapes.UNITS), ("acon-c", 3, 5), ("rational-a", 8, 6), ("lslu", 8, 0)]
    for name, channel, step in cases:
        film = shapes.data()[name]
        page.tab.evaluate(
            "values => coluLab.ready.shapes.set(values)", {"unit": name, "channel": channel, "step": step}
        )
        said, ends = page.settle().said, film["inputs"][step][channel]
        assert said.startswith(f"Loss {written(film['loss'][step])}. ")
        assert f"inputs, {written(ends[1])} to {written(ends[-2])}, the {'' if channel else 'mean '}shape" in said
        assert f"by at most {written(film['moved'][step][channel])}." in said
        assert f"below {written(ends[0])} or above {written(ends[-1])}." in said


def test_unit_channel_and_step_are_chosen_by_keys_and_by_pointer(page):
    before = page.drawing
    page.tab.select_option("select", "lslu")
    assert page.settle().state["unit"] == "lslu" and page.drawing != before
    page.tab.focus("select")
    page.tab.keyboard.press("ArrowUp")
    assert page.settle().state["unit"] == "rational-a"
    for number, key, low in [(0, "channel", 0), (1, "step", LAST)]:
        slider, before = page.tab.locator("input[type=range]").nth(number), page.said
        slider.focus()
        page.tab.keyboard.press("ArrowRight" if low == 0 else "ArrowLeft")
        assert page.settle().state[key] == abs(low - 1) and page.said != before
        before, box = page.drawing, slider.bounding_box()
        page.tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        assert page.settle().state[key] in (4, 8) and page.drawing != before
    page.tab.click("button:has-text('reset')")
    assert page.settle().state == {"unit": "pwlu", "channel": 0, "step": LAST}


def test_it_plays_once_through_and_is_paused(page):
    play = page.tab.locator("button:has-text('play')")
    play.focus()
    page.tab.keyboard.press("Enter")
    page.tab.wait_for_function("() => coluLab.ready.shapes.state.step === 2")
    page.tab.click("button:has-text('pause')")
    held = page.settle().state["step"]
    assert 2 <= held <= 4 and page.settle().state["step"] == held
    page.tab.evaluate("step => coluLab.ready.shapes.set({step})", LAST - 1)
    play.click()
    page.tab.wait_for_function("last => coluLab.ready.shapes.state.step === last", arg=LAST)
    page.settle()
    assert page.settle().state["step"] == LAST and play.is_visible()


def test_presets_show_what_they_say(page):
    states, films = read_interactive(BOOK, "shapes").states, shapes.data()
    for number, state in enumerate(states):
        page.tab.click(f".lab-states a >> nth={number}")
        assert page.settle().note == state.says
    start, end = films["pwlu"]["inputs"][0][0], films["pwlu"]["inputs"][-1]
    assert -3 < start[0] and start[-1] < 3
    # The first channel: inputs on the left, and ReLU's values from the twelfth knot on, at 1.5.
    first = films["pwlu"]["numbers"][-1][0]
    assert end[1][-2] <= 0.2 and first[4 + 12 :] == [1.5, 1.875, 2.25, 2.625, 3]
    far = torch.tensor([-1e9, 1e9], dtype=torch.float64)
    (before,), (after,) = (shapes.curves("rational-a", films["rational-a"]["numbers"][k], far) / far for k in (0, -1))
    assert before[0] == pytest.approx(before[1].item(), rel=1e-6) and (after > 5 * before).all()


def test_the_finding_holds():
    for film in shapes.data().values():
        start, end = film["inputs"][0][0], film["inputs"][-1][0]
        assert end[-1] - end[0] > 3 * (start[-1] - start[0]) and end[-1] > 3
        assert min(film["moved"][-1]) > 1


def test_what_chapters_say_of_channels_holds():
    films = {name: film["moved"][-1][1:] for name, film in shapes.data().items()}
    assert max(films["acon-c"]) == films["acon-c"][7]
    ends = [max(-row[1], row[-2]) for row in shapes.data()["acon-c"]["inputs"][-1][1:]]
    assert max(ends) == ends[7]
    falls = [sum(row[:3]) < 0 for row in shapes.data()["lslu"]["numbers"][-1]]
    assert falls == [True] + 7 * [False]
    assert all(min(row[:3]) > 0 and sum(row[:3]) > 1 for row in shapes.data()["lslu"]["numbers"][-1][1:])
    start, now = (torch.tensor(shapes.data()["acon-c"]["numbers"][k]) for k in (0, -1))
    assert (start[:, :2] * now[:, :2] > 0).all() and (now[:, 2] > 0).all()
    # Half of the inputs of PWLU lie to the right of its grid.
    film = shapes.data()["pwlu"]
    assert film["inputs"][-1][0][4] > max(row[1] for row in film["numbers"][-1])


def test_a_state_survives_its_address(page, figure):
    page.tab.evaluate("() => coluLab.ready.shapes.set({unit: 'acon-c', channel: 5, step: 7})")
    page.settle()
    again = figure("shapes")
    again.tab.goto(page.tab.url)
    again.tab.wait_for_selector(".colu-lab.ready")
    assert again.settle().state == page.state and again.said == page.said and again.drawing == page.drawing


def test_bad_addresses_give_the_nearest_state_and_say_so(page):
    page.open("unit=acon&channel=9&step=late&depth=3")
    assert page.state == {"unit": "acon-c", "channel": 8, "step": LAST}
    for part in ("“acon”", "from 0 to 8 in whole numbers", "“late” is no number", "no “depth”"):
        assert part in page.note
    page.open("step=7.6")
    assert page.state["step"] == 8 and "8 is shown" in page.note


def test_no_serious_finding_of_axe(figure):
    page = figure("shapes").open("unit=lslu")
    assert not page.axe("light") and not page.axe("dark")


def test_it_fits_a_telephone(figure):
    page = figure("shapes", width=390).open("unit=acon-c")
    assert page.too_wide() <= 0
    times = []
    for step in range(12):
        page.tab.evaluate("step => coluLab.ready.shapes.set({step})", step)
        page.tab.wait_for_timeout(50)
        times.append(float(page.tab.get_attribute(".colu-lab", "data-frame")))
    print(f"a frame of shapes: {sorted(times)[6]} ms")


def test_picture_and_finding_stand_without_scripts(figure):
    page = figure("shapes", java_script_enabled=False)
    page.tab.goto(page.page)
    assert page.tab.is_visible(".twin img") and not page.tab.is_visible(".live")
    assert "All four shapes move" in page.tab.inner_text(".twin")
    picture = shapes.twin()
    assert picture == shapes.twin() and "LSLU" in picture and len(picture) < 150_000
