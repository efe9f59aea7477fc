"""Merge two networks: what the page computes is the package's, and its controls do what they say."""

import json
import math
import re

import pytest
import torch

from colu.fusion import apply, evaluate, lerp, match_weights, trace_spec
from colu.geometry import ConicElement
from colu.press.interactive import read_interactive
from colu.press.site.interactives import merge

from .conftest import PAGES

WAYS = {"none": "naive", "permutation": "permutation", "whole": "conic"}
LINES = "() => coluLab.ready.merge.lines.map(line => line.map(point => point[1]))"
ELEMENT = "() => coluLab.ready.merge.element"
SLIDERS = (("pair", "pair"), ("share of B", "share"))
SLIDER = "label:has-text('{}') input[type=range]"


def networks(unit, pair=1, task="points"):
    """The pair as models in float64, and their specification."""
    models = [merge.network(task, unit, 2 * pair + k) for k in (-2, -1)]
    return *models, trace_spec(models[0], torch.zeros(2, merge.TASKS[task][0], dtype=torch.float64))


def taken(element, unit):
    """The package's element for the page's triples: unit, turn in radians, sign."""
    order = torch.tensor([int(one[0]) for one in element])
    if unit == "relu":
        return ConicElement.from_permutation(order, 1)
    turns = [[[math.cos(t), -k * math.sin(t)], [math.sin(t), k * math.cos(t)]] for _, t, k in element]
    return ConicElement(order, torch.tensor(turns, dtype=torch.float64))


@pytest.fixture
def page(figure):
    return figure("merge")


@pytest.mark.parametrize("repaired", [False, True])
@pytest.mark.parametrize("unit", ["relu", "colu"])
def test_losses_along_the_line_are_the_packages(page, unit, repaired):
    for align, mode in WAYS.items():
        # Without turns the two groups of ReLU are one.
        for pair in (1, 2) if align == "whole" else () if unit == "relu" and align == "permutation" else (1,):
            page.open(f"unit={unit}&pair={pair}&align={align}&repair={int(repaired)}")
            naive, chosen = page.tab.evaluate(LINES)
            # The package at every fifth of the page's 41 points.
            before = merge.along(unit, pair, "naive", lambdas=9)
            after = merge.along(unit, pair, mode, repaired, lambdas=9)
            assert naive[::5] == pytest.approx(before.loss, abs=1e-6)
            assert chosen[::5] == pytest.approx(after.loss, abs=1e-6)


@pytest.mark.parametrize("unit", ["relu", "colu"])
def test_losses_and_answers_for_digits_are_the_packages(page, unit):
    digits, labels = merge.held_out("digits")
    for align, repaired, pair in (("none", True, 1), ("permutation", False, 1), ("whole", True, 3)):
        page.open(f"task=digits&unit={unit}&pair={pair}&align={align}&repair={int(repaired)}")
        naive, chosen = page.tab.evaluate(LINES)
        found = merge.along(unit, pair, WAYS[align], repaired, lambdas=9, task="digits")
        assert naive[::5] == pytest.approx(merge.along(unit, pair, "naive", lambdas=9, task="digits").loss, abs=1e-6)
        assert chosen[::5] == pytest.approx(found.loss, abs=1e-6)
        right = round(100 * found.accuracy[4])
        assert f"and {right} of 100 digits are answered right." in page.said
    # Of the last state's ends, digit by digit.
    for share, model in zip((0, 1), networks(unit, 3, "digits")[:2], strict=True):
        page.open(f"task=digits&unit={unit}&pair=3&share={share}")
        called = page.tab.evaluate("() => coluLab.ready.merge.called")
        assert called == model(digits).argmax(1).tolist()
        assert f"{(torch.tensor(called) == labels).sum()} of 100 digits" in page.said
    assert labels[:10].tolist() == list(range(10))


def test_a_line_that_is_known_is_not_computed_again(page):
    page.open("task=digits&unit=colu&align=whole&repair=1")
    page.tab.evaluate("() => { window.before = coluLab.ready.merge.lines[1]; coluLab.ready.merge.set({share: 0.2}); }")
    page.settle()
    assert page.tab.evaluate("() => coluLab.ready.merge.lines[1] === window.before")
    page.tab.evaluate("() => coluLab.ready.merge.set({repair: false})")
    page.settle()
    assert page.tab.evaluate("() => coluLab.ready.merge.lines[1] !== window.before")


@pytest.mark.parametrize("task", ["points", "digits"])
@pytest.mark.parametrize("unit", ["relu", "colu"])
def test_the_page_aligns_as_well_as_the_package(page, unit, task):
    for pair in (1, 3):
        first, second, spec = networks(unit, pair, task)
        a, b = first.state_dict(), second.state_dict()
        for align in ("permutation", "whole"):
            page.open(f"task={task}&unit={unit}&pair={pair}&align={align}")
            element = taken(page.tab.evaluate(ELEMENT), unit)
            moved = apply(spec, dict.fromkeys(spec.groups, element), b)
            reached = sum((a[name] * moved[name]).sum().item() for name in spec.touched())
            assert reached >= match_weights(spec, a, b, mode=WAYS[align]).objective - 1e-9


def test_a_network_moved_by_hand_is_the_packages(page):
    page.open("unit=colu&align=hand&u1=3&u3=1&t1=40&m1=1&t2=-75&share=0.35")
    assert page.note == ""
    first, second, spec = networks("colu")
    turn = math.pi / 180
    by_hand = [(2, 40 * turn, -1), (1, -75 * turn, 1), (0, 0.0, 1), (3, 0.0, 1), (4, 0.0, 1)]
    moved = apply(spec, dict.fromkeys(spec.groups, taken(by_hand, "colu")), second.state_dict())
    found = evaluate(first, lerp(first.state_dict(), moved, 0.35), merge.held_out("points"))
    assert page.tab.evaluate(LINES)[1][14] == pytest.approx(found.loss, abs=1e-9)
    right = round(found.accuracy * 150)
    assert f"The loss is {found.loss:.3g} nats, and {right} of 150 points are answered right." in page.said


def test_every_control_moves_by_keys(page):
    page.open("unit=colu&align=hand")
    for label, key in (*SLIDERS, ("at place 1", "u1"), ("turned by", "t1"), ("in hand", "u")):
        before, drawn = page.state, page.drawing
        page.tab.focus(f"{SLIDER.format(label)} >> visible=true")
        page.tab.keyboard.press("ArrowRight")
        page.settle()
        assert page.state[key] > before[key], key
        assert page.drawing != drawn, key
    for label, key in (("repair", "repair"), ("mirrored", "m2")):
        drawn = page.drawing
        page.tab.focus(f"label:has-text('{label}') input >> visible=true")
        page.tab.keyboard.press("Space")
        page.settle()
        assert page.state[key] is True
        assert page.drawing != drawn, key
    chosen = (("task", "task", "handwritten"), ("alignment", "align", "permutation"), ("activation", "unit", "relu"))
    for label, key, value in chosen:
        drawn = page.drawing
        page.tab.focus(f"label:has-text('{label}') select")
        page.tab.keyboard.press(value[0])
        page.settle()
        assert page.state[key] == {"handwritten": "digits"}.get(value, value)
        assert page.drawing != drawn, key
    assert page.errors == []


def test_every_control_moves_by_pointer(page):
    page.open("unit=colu&align=hand&u=3")
    for label, key in (*SLIDERS, ("at place 3", "u3"), ("turned by", "t3"), ("in hand", "u")):
        before, drawn = page.state, page.drawing
        box = page.tab.locator(f"{SLIDER.format(label)} >> visible=true").bounding_box()
        page.tab.mouse.click(box["x"] + 0.8 * box["width"], box["y"] + box["height"] / 2)
        page.settle()
        assert page.state[key] > before[key], key
        assert page.drawing != drawn, key
    for label, key in (("repair", "repair"), ("mirrored", f"m{page.state['u']}")):
        page.tab.click(f"label:has-text('{label}') >> visible=true")
        page.settle()
        assert page.state[key] is True
    drawn = page.drawing
    page.tab.select_option("label:has-text('task') select", "digits")
    page.settle()
    assert page.drawing != drawn
    assert "of 100 digits" in page.said
    page.tab.select_option("label:has-text('activation') select", "relu")
    page.tab.select_option("label:has-text('alignment') select", "none")
    page.tab.click("text=reset")
    page.settle()
    assert page.state["repair"] is False
    assert page.errors == []


def test_a_unit_that_comes_sends_the_other_back(page):
    page.open("unit=relu&align=hand&u=2")
    page.tab.fill(f"{SLIDER.format('at place 2')}", "7")
    page.settle()
    state = page.state
    assert (state["u2"], state["u7"]) == (7, 2)
    assert sorted(state[f"u{k}"] for k in range(1, 16)) == list(range(1, 16))


def test_by_hand_begins_with_the_alignment_shown(page):
    page.open("unit=colu&align=whole")
    matched = page.tab.evaluate(LINES)[1]
    page.tab.select_option("label:has-text('alignment') select", "hand")
    page.settle()
    # To whole degrees.
    assert page.tab.evaluate(LINES)[1] == pytest.approx(matched, abs=0.05)
    heights, shown = [], page.tab.evaluate(LINES)[1][20]
    for place in range(1, 6):
        before = page.state[f"t{place}"]
        page.tab.evaluate(f"() => coluLab.ready.merge.set({{t{place}: {before + (180 if before < 0 else -180)}}})")
        page.settle()
        page.tab.wait_for_function("before => coluLab.ready.merge.lines[1][20][1] !== before", arg=shown)
        shown = page.tab.evaluate(LINES)[1][20]
        heights.append(max(page.tab.evaluate(LINES)[1]))
        page.tab.evaluate(f"() => coluLab.ready.merge.set({{t{place}: {before}}})")
    # Of five cones there is one whose half turn brings much of the hump back.
    assert max(heights) > 1.5 * max(matched)


def test_the_hand_is_shown_where_it_has_something_to_do(page):
    shown = "() => [...document.querySelectorAll('.lab-controls label')].filter(one => one.checkVisibility()).length"
    counts = [page.open(query).tab.evaluate(shown) for query in ("", "align=hand", "unit=colu&align=hand&u=4")]
    assert counts == [6, 8, 10]


def test_states_to_begin_with_say_what_they_say(page):
    page.open()
    states = read_interactive(PAGES, "merge").states
    loss, found = re.compile(r"loss is ([\d.]+) nats, and (\d+)"), {}
    for link, state in enumerate(states):
        page.tab.click(f".lab-states a >> nth={link}")
        page.settle()
        assert page.note == state.says
        found[state.label] = [float(one) for one in loss.search(page.said).groups()]
        naive, chosen = (max(line) for line in page.tab.evaluate(LINES))
        found[state.label].append(chosen / naive)
    assert found["the naive mean"][1] < 120
    # "nearly gone": what is left of the hump above the ends.
    relu, naive = merge.along("relu", 1, "permutation"), merge.along("relu", 1, "naive")
    assert relu.loss_barrier < 0.15 * naive.loss_barrier
    assert found["digits in order"][1] > 90
    assert found["digits in order"][2] < 0.2
    assert merge.along("relu", 1, "naive", task="digits").accuracy[20] < 0.6
    kept = [merge.along("colu", 1, mode).loss_barrier for mode in ("naive", "permutation", "conic")]
    assert kept[2] < 0.5 * kept[1] < 0.5 * kept[0]
    assert kept[1] > 0.3 * kept[0]


def test_what_the_chapter_says_of_the_repair_holds():
    def barriers(unit, mode):
        return [merge.along(unit, 1, mode, repaired, lambdas=21).loss_barrier for repaired in (False, True)]

    in_a_good_frame, as_trained = barriers("colu", "conic"), barriers("relu", "naive")
    assert in_a_good_frame[1] < in_a_good_frame[0]
    assert as_trained[1] > as_trained[0]


def test_a_state_goes_round_by_its_address(page, figure):
    page.open("unit=colu&align=whole&share=0.3&repair=1")
    page.tab.select_option("label:has-text('alignment') select", "hand")
    page.settle()
    other = figure("merge").open(page.tab.evaluate("() => location.hash.split('?')[1]"))
    assert other.note == ""
    for key, value in page.state.items():
        assert other.state[key] == pytest.approx(value, abs=1e-4), key
    assert other.said == page.said


@pytest.mark.parametrize(
    ("query", "key", "value", "words"),
    [
        ("task=digit", "task", "digits", "There is no task “digit”"),
        ("unit=colour", "unit", "colu", "There is no unit “colour”"),
        ("align=permute", "align", "permutation", "permutation is shown"),
        ("share=3", "share", 1, "goes from 0 to 1"),
        ("pair=2.4", "pair", 2, "whole numbers"),
        ("pair=two", "pair", 1, "no number"),
        ("repair=yes", "repair", False, "0 or 1"),
        ("align=hand&u1=3", "u3", 1, "each for another unit"),
        ("unit=colu&align=hand&u=9", "u", 5, "There are 5 places"),
        ("unit=colu&align=hand&u2=9", "u2", 2, "There are 5 places"),
        ("angle=3", "pair", 1, "no “angle”"),
    ],
)
def test_a_bad_address_gives_the_nearest_state_and_says_so(page, query, key, value, words):
    page.open(query)
    assert page.state[key] == value
    assert words in page.note
    assert page.errors == []


@pytest.mark.parametrize("task", ["points", "digits"])
@pytest.mark.parametrize("width", [1000, 390])
def test_for_all_readers(figure, width, task):
    page = figure("merge", width=width).open(f"task={task}&unit=colu&align=hand")
    assert page.too_wide() == 0
    assert page.axe("light") == []
    assert page.axe("dark") == []
    print(f"a frame at {width} px: {page.tab.get_attribute('.colu-lab', 'data-frame')} ms")


def test_picture_and_finding_stand_without_scripts(figure):
    page = figure("merge", java_script_enabled=False)
    page.tab.goto(page.page)
    assert page.tab.is_visible(".twin img")
    assert "choice of coordinates" in page.tab.inner_text(".twin")
    assert not page.tab.is_visible(".live")


def test_what_the_page_loads_is_small():
    assert len(json.dumps(merge.data(), separators=(",", ":"))) < 75_000


def test_numbers_are_packed_by_three_signs():
    assert merge._packed([-20, 0, 1.5]) == "000ffkgl8"
    assert [int(code, 36) / 1000 - 20 for code in ("000", "ffk", "gl8")] == [-20, 0, 1.5]
    with pytest.raises(ValueError, match="beyond"):
        merge._packed([-20.001, 3.0])
