"""Drag the cone: what is moved, what is said, and that the numbers are the package's."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import torch

from colu.functional import colu, soc_projection
from colu.press.interactive import read_interactive
from colu.press.site.interactives import cone

BOOK = Path(__file__).resolve().parents[4] / "book"
MAPS = ["colu", "mpu", "colu-soft", "colu-firm", "colu-sqrt", "colu-log", "colu-rectified"]
#: In the cone, on both sides beside it, behind its tip, in the polar cone, on both halves of the axis.
POINTS = [(0.1, 0.5), (0.6, 0.25), (-0.55, 0.1), (0.5, -0.15), (-0.2, -0.6), (0.0, 0.4), (0.0, -0.4)]


def package(unit: str, degrees: int):
    """The map of the package on (axis, two section channels)."""
    angle = math.radians(degrees)
    if unit == "mpu":
        return lambda x: soc_projection(x, dim=3, channel_dim=-1, axis="coordinate", angle=angle)
    mode = {"axis_mode": "rectify"} if unit == "colu-rectified" else {}
    scaling = unit.removeprefix("colu-") if unit != "colu" and not mode else "hard"
    return lambda x: colu(x, dim=3, channel_dim=-1, scaling=scaling, angle=angle, **mode)


def numbers(text: str) -> list[float]:
    """Those that the figure writes, the 3 of "of 3 directions" too."""
    return [float(each) for each in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", said(text))]


def said(text: str) -> str:
    return re.sub(r" × 10\^", "e", text.replace("−", "-"))


SHOW = """async states => {
  const {set, root} = coluLab.ready.cone, said = [];
  for (const state of states) {
    set(state);
    await new Promise(requestAnimationFrame);
    said.push(root.querySelector(".lab-said").textContent);
  }
  return said;
}"""


def show(page, *states: dict) -> list[str]:
    """Set states, and what the figure says in each."""
    return page.tab.evaluate(SHOW, list(states))


@pytest.fixture
def page(figure):
    shown = figure("cone").open()
    yield shown
    assert not shown.errors


def test_images_and_slopes_are_the_packages(page):
    cases = [(unit, (45, 30, 70)[k % 3], *point) for k, unit in enumerate(MAPS) for point in POINTS]
    texts = show(page, *(dict(zip(("unit", "angle", "section", "axis"), case, strict=True)) for case in cases))
    for (unit, degrees, section, axis), text in zip(cases, texts, strict=True):
        send = package(unit, degrees)
        # On the axis the section has no direction; the page shows the slopes beside it.
        point = torch.tensor([axis, section or 1e-12, 0.0], dtype=torch.float64)
        image = send(point[None])[0]
        jacobian = torch.autograd.functional.jacobian(lambda x, f=send: f(x[None])[0], point)
        wanted = [*torch.linalg.svdvals(jacobian[:2, :2]).tolist(), abs(jacobian[2, 2].item())]
        found = numbers(text)
        assert found[:2] == pytest.approx([section, axis], abs=1e-9)
        assert found[2:4] == pytest.approx(image[[1, 0]].tolist(), rel=6e-3, abs=1e-6)
        assert found[4:7] == pytest.approx(wanted, abs=6e-4)
        assert found[7] == sum(value < cone.LEAST for value in wanted)


def test_the_page_computes_to_the_last_digits(page):
    ask = """([unit, angle, points]) =>
      points.map(([s, a]) => coluMathematics.units[unit].plane(a, Math.abs(s), {angle}).slice(0, 2))"""
    for unit in MAPS:
        found = page.tab.evaluate(ask, [unit, math.radians(30), POINTS[:5]])
        for (section, axis), (high, weight) in zip(POINTS, found, strict=False):
            image = package(unit, 30)(torch.tensor([[axis, section, 0.0]], dtype=torch.float64))[0]
            assert [high, weight * section] == pytest.approx(image[:2].tolist(), abs=1e-12)


def test_the_point_is_moved_by_keys_and_by_pointer(page):
    page.tab.focus(".handle")
    page.tab.keyboard.press("ArrowLeft")
    page.tab.keyboard.press("ArrowDown")
    page.settle()
    assert page.state["section"] == pytest.approx(0.55) and page.state["axis"] == pytest.approx(0.2)
    assert "section=0.55" in page.tab.url
    before, box = page.said, page.tab.locator(".handle").bounding_box()
    # Taken beside its middle, it goes by as much as the pointer goes.
    page.tab.mouse.move(box["x"] + box["width"] / 2 + 5, box["y"] + box["height"] / 2)
    page.tab.mouse.down()
    page.tab.mouse.move(box["x"] + box["width"] / 2 + 5, box["y"] + box["height"] / 2 + 90)
    page.tab.mouse.up()
    page.settle()
    assert page.state["section"] == pytest.approx(0.55, abs=0.01) and page.state["axis"] < 0
    assert page.said != before and "gradients die in 2 of 3 directions" in page.said


def test_the_view_is_turned_by_keys_and_by_pointer(page):
    space, before = page.tab.locator(".lab-panels svg").nth(1), page.drawing
    space.focus()
    page.tab.keyboard.press("ArrowRight")
    page.tab.keyboard.press("ArrowUp")
    page.settle()
    assert page.state["turn"] == pytest.approx(0.7) and page.state["tilt"] == pytest.approx(-0.2)
    after, box = page.drawing, space.bounding_box()
    assert after != before
    page.tab.mouse.move(box["x"] + 60, box["y"] + 60)
    page.tab.mouse.down()
    page.tab.mouse.move(box["x"] + 10, box["y"] + 80)
    page.tab.mouse.up()
    page.settle()
    assert page.state["turn"] < 0.7 and page.state["tilt"] < -0.2 and page.drawing != after
    assert page.said == figure_at_start(page)


def figure_at_start(page) -> str:
    """What is said of the point does not depend on the view."""
    return page.open().said


def test_map_and_angle_are_chosen_by_keys_and_by_pointer(page):
    hard = page.drawing
    page.tab.select_option("select", "colu-soft")
    page.settle()
    assert page.state["unit"] == "colu-soft" and page.drawing != hard and "0 of 3" in page.said
    page.tab.focus("select")
    page.tab.keyboard.press("ArrowUp")
    page.settle()
    assert page.state["unit"] == "mpu"
    slider = page.tab.locator("input[type=range]")
    slider.focus()
    page.tab.keyboard.press("ArrowRight")
    page.settle()
    assert page.state["angle"] == 46
    box = slider.bounding_box()
    page.tab.mouse.click(box["x"] + box["width"] - 3, box["y"] + box["height"] / 2)
    page.settle()
    assert page.state["angle"] > 75 and "outside" not in page.said
    page.tab.click("button:has-text('reset')")
    page.settle()
    assert page.state["unit"] == "colu" and page.state["angle"] == 45


def test_presets_show_what_they_say(page):
    for number, (lost, image) in enumerate([(1, "on the edge of"), (2, "outside"), (3, "on the edge of")]):
        state = read_interactive(BOOK, "cone").states[number]
        page.tab.click(f".lab-states a >> nth={number}")
        page.settle()
        assert page.note == state.says
        assert f"gradients die in {lost} of 3" in page.said
        assert f"is {image} the cone" in page.said.split("its image")[1]


def test_grey_has_the_rank_of_its_points(page):
    """The figure writes it into every grey region of some width: the ranks of the package in their middles."""
    labels = "() => [...document.querySelectorAll('.lab-panels svg:first-of-type text')].map(one => one.textContent)"
    jacobian, seen = torch.autograd.functional.jacobian, set()
    for unit, angle in [(unit, angle) for unit in MAPS for angle in (15, 45)]:
        show(page, {"unit": unit, "angle": angle})
        found = "".join(text[-1] for text in page.tab.evaluate(labels) if text.startswith("rank"))
        send, ranks = package(unit, angle), []
        for ray in map(math.radians, (angle / 2, (angle + 90) / 2, 90 + angle / 2, 135 + angle / 2)):
            point = torch.tensor([math.cos(ray), math.sin(ray), 0.0], dtype=torch.float64)
            values = torch.linalg.svdvals(jacobian(lambda x, f=send: f(x[None])[0], point))
            ranks.append(int((values > cone.LEAST).sum()))
        assert found == "".join(str(rank) for k, rank in enumerate(ranks) if rank < min([3, *ranks[:k]])), unit
        seen.add(found)
    assert {"21", "20", "1", ""} == seen


def test_a_state_survives_its_address(page, figure):
    show(page, dict(unit="colu-firm", angle=33, section=-0.42, axis=-0.137, turn=-1.25, tilt=0.4))
    page.settle()
    again = figure("cone")
    again.tab.goto(page.tab.url)
    again.tab.wait_for_selector(".colu-lab.ready")
    assert again.settle().state == page.state and again.said == page.said and again.drawing == page.drawing


def test_bad_addresses_give_the_nearest_state_and_say_so(page):
    page.open("unit=colu-sofft&angle=90&section=far&depth=3&axis=-5")
    assert page.state["unit"] == "colu-soft" and page.state["angle"] == 80
    assert page.state["section"] == 0.6 and page.state["axis"] == -0.7
    for part in ("colu-sofft", "from 5 to 80", "“far” is no number", "no “depth”", "−0.7 is shown in place of −5"):
        assert part in page.note


def test_no_serious_finding_of_axe(figure):
    page = figure("cone").open()
    assert not page.axe("light") and not page.axe("dark")


def test_it_fits_a_telephone(figure):
    page = figure("cone", width=390).open()
    assert page.too_wide() <= 0
    times = []
    for step in range(12):
        show(page, {"axis": 0.05 * step})
        times.append(float(page.tab.get_attribute(".colu-lab", "data-frame")))
    print(f"a frame of cone: {sorted(times)[6]} ms")


def test_picture_and_finding_stand_without_scripts(figure):
    page = figure("cone", java_script_enabled=False)
    page.tab.goto(page.page)
    assert page.tab.is_visible(".twin img") and not page.tab.is_visible(".live")
    assert "Hard CoLU keeps the axis value" in page.tab.inner_text(".twin")
    picture = cone.twin()
    assert picture == cone.twin() and "rank 0" in picture and len(picture) < 60_000
