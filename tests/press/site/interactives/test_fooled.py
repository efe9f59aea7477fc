"""Am I fooled?: papers are counted right, by the package's tests, and as often as the formulas say."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

from colu.lab.results import holm, paired_difference
from colu.press.interactive import read_interactive
from colu.press.site.interactives import fooled

BOOK = Path(__file__).resolve().parents[4] / "book"
START = {"arms": 1, "tries": 10, "seeds": 5, "effect": 0, "rule": "alone", "luck": 1, "papers": 100}
MARKS = "() => ['.dots', '.mpu', '.soft'].map(each => document.querySelectorAll('.lab-panels path' + each).length)"


@pytest.fixture
def page(figure):
    shown = figure("fooled").open()
    yield shown
    assert not shown.errors


def show(page, **state) -> str:
    """Set a state, and what the figure then says."""
    page.tab.evaluate("state => coluLab.ready.fooled.set(state)", START | state)
    page.tab.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.said


def settle(page) -> None:
    """Wait, by the page's own clock, until the address is told and the picture drawn; a busy machine takes longer."""
    frames = "requestAnimationFrame(() => requestAnimationFrame(done))"
    page.tab.evaluate(f"() => new Promise(done => setTimeout(() => {frames}, 300))")


def numbers(said: str) -> list[float]:
    """Claims, papers, false claims, where there are claims their mean and truth, and the percentage of the formula."""
    return [float(each) for each in re.findall(r"\d+(?:\.\d+)?", said)]


def normals(seed: int):
    """The page's random numbers: mulberry32, and Box and Muller."""

    def uniform() -> float:
        nonlocal state
        state = (state + 0x6D2B79F5) & 0xFFFFFFFF
        z = (state ^ state >> 15) * (state | 1) & 0xFFFFFFFF
        z ^= (z + ((z ^ z >> 7) * (z | 61) & 0xFFFFFFFF)) & 0xFFFFFFFF
        return (z ^ z >> 14) / 2**32

    state = seed
    while True:
        yield math.sqrt(-2 * math.log(1 - uniform())) * math.cos(2 * math.pi * uniform())


def package(arms, tries, seeds, effect, rule, luck, papers) -> tuple[int, int, float, float]:
    """Claims, false claims, and means of what they print and of their truth, by the package's functions."""
    source, claims = normals(luck), []
    for _ in range(papers):
        found = []
        for arm in range(arms):
            truth = 0 if arm else effect
            for _ in range(tries):
                difference = paired_difference([truth + next(source) for _ in range(seeds)], [0] * seeds)
                found.append((difference.mean / difference.standard_error, arm, truth, difference))
        table = [max((one for one in found if one[1] == arm), key=lambda one: one[0]) for arm in range(arms)]
        head = max(table, key=lambda one: one[0])
        family = {"alone": [head], "arms": table, "tries": found}[rule]
        p = holm([one[3].p_value for one in family])[family.index(head)]
        if p <= 0.05 and head[3].mean > 0:
            claims.append((head[3].mean, head[2]))
    printed, truths = zip(*claims, strict=True)
    return len(claims), sum(not each for each in truths), float(np.mean(printed)), float(np.mean(truths))


def exact(m: int, alpha: float = 0.05) -> float:
    """Of a lead among m independent p-values of nothing, by Holm: one minus the mean of 1/2 to the number rejected."""
    level = [alpha / (m - j) for j in range(m)] + [0.0]
    below: list[float] = []
    for r in range(m + 1):
        rest = [math.comb(r, k) * below[k] * (1 - level[k]) ** (r - k) for k in range(r)]
        below.append(1 - math.fsum(rest))
    rejected = [math.comb(m, k) * below[k] * (1 - level[k]) ** (m - k) for k in range(m + 1)]
    return sum(share * (1 - 0.5**k) for k, share in enumerate(rejected))


def test_p_values_are_the_packages(page):
    generator = np.random.default_rng(0)
    for seeds in (2, 3, 4, 5, 6, 9, 20):
        values = generator.normal(generator.uniform(-2, 2, (20, 1)), 1, (20, seeds))
        found = page.tab.evaluate("all => all.map(one => coluLab.ready.fooled.compare(one))", values.tolist())
        for one, row in zip(found, values, strict=True):
            wanted = paired_difference(row, np.zeros(seeds))
            assert one["p"] == pytest.approx(wanted.p_value, abs=1e-9)
            assert one["lead"] == pytest.approx(wanted.mean, abs=1e-12)


def test_decisions_are_those_of_holms_procedure(page):
    generator = np.random.default_rng(1)
    ask = """all => all.map(ps => ps.map(({p, lead}, k) => {
      const family = ps.map(one => ({...one}));
      return coluLab.ready.fooled.holm(family, family[k]);
    }))"""
    families = [
        [
            {"p": p, "lead": lead}
            for p, lead in zip(generator.uniform(0, 0.06, m), generator.normal(size=m), strict=True)
        ]
        for m in (1, 2, 3, 5, 9)
        for _ in range(40)
    ]
    for family, found in zip(families, page.tab.evaluate(ask, families), strict=True):
        corrected = holm([one["p"] for one in family])
        assert found == [p <= 0.05 and one["lead"] > 0 for p, one in zip(corrected, family, strict=True)]


@pytest.mark.parametrize("rule", ["alone", "arms", "tries"])
def test_papers_are_those_of_the_package(page, rule):
    state = START | {"arms": 3, "tries": 4, "effect": 0.8, "rule": rule, "luck": 7, "papers": 60}
    claims, false, printed, truth = package(**state)
    found = numbers(show(page, **state))
    assert found[:3] == [claims, 60, false]
    assert found[3:5] == pytest.approx([printed, truth], abs=0.00501)
    assert page.tab.evaluate(MARKS) == [60 - claims, false, claims - false]


def test_noise_wins_as_often_as_the_formula_says(page):
    cases = [(1, 1, "alone", fooled.chance(1, 1)), (1, 10, "alone", fooled.chance(10, 1))]
    cases += [(9, 1, "arms", exact(9)), (2, 3, "tries", exact(6)), (9, 5, "arms", fooled.chance(45, 9))]
    for arms, tries, rule, wanted in cases:
        said = [numbers(show(page, arms=arms, tries=tries, rule=rule, luck=k, papers=250)) for k in range(8)]
        share = sum(each[0] for each in said) / 2000
        assert abs(share - wanted) < 4 * math.sqrt(wanted * (1 - wanted) / 2000), (arms, tries, rule, share, wanted)
        assert said[0][-1] == round(100 * wanted, 1)
        assert all(each[0] == each[2] for each in said)


def test_what_the_formula_leaves_out_is_small():
    assert exact(1) == pytest.approx(0.025)
    assert all(0 <= exact(m) - fooled.chance(m, m) < 4e-4 for m in (1, 2, 3, 10, 30))


def test_the_finding_has_the_numbers_of_the_formula():
    finding = read_interactive(BOOK, "fooled").finding
    for number in (fooled.chance(1, 1), fooled.chance(10, 1)):
        assert f"{100 * number:.1f} %" in finding
    assert f"{fooled.chance(10, 10):.1%}" == "2.5%"


def test_sliders_are_moved_by_keys_and_by_pointer(page):
    sliders = page.tab.locator("input[type=range]")
    for number, (key, step) in enumerate([("arms", 1), ("tries", 1), ("seeds", 1), ("effect", 0.1)]):
        before, drawing = page.state[key], page.drawing
        sliders.nth(number).focus()
        page.tab.keyboard.press("ArrowRight")
        settle(page)
        assert page.state[key] == pytest.approx(before + step) and page.drawing != drawing
        assert f"{key}=" in page.tab.url
        box = sliders.nth(number).bounding_box()
        page.tab.mouse.click(box["x"] + box["width"] * 0.7, box["y"] + box["height"] / 2)
        settle(page)
        assert page.state[key] > before + step
    page.tab.click("button:has-text('reset')")
    settle(page)
    assert page.state == START


def test_papers_are_written_by_keys_and_by_pointer(page):
    first = page.tab.evaluate(MARKS)
    page.tab.click("button:has-text('write a paper')")
    settle(page)
    assert page.state["papers"] == 101 and sum(page.tab.evaluate(MARKS)) == 101
    page.tab.focus("button:has-text('a hundred papers')")
    for _ in range(3):
        page.tab.keyboard.press("Enter")
    settle(page)
    assert page.state["papers"] == 300 and "of 300 papers" in page.said
    # The first hundred are the same as before.
    show(page)
    assert page.tab.evaluate(MARKS) == first


def test_test_and_luck_are_chosen_by_keys_and_by_pointer(page):
    before = page.tab.evaluate(MARKS)
    page.tab.focus("select")
    page.tab.keyboard.press("End")
    settle(page)
    assert page.state["rule"] == "tries" and page.tab.evaluate(MARKS)[1] < before[1]
    page.tab.select_option("select", "arms")
    # With one arm there is nothing to correct for.
    settle(page)
    assert page.tab.evaluate(MARKS) == before
    drawing = page.drawing
    page.tab.click("input[type=number]")
    page.tab.keyboard.press("ArrowUp")
    settle(page)
    assert page.state["luck"] == 2 and page.drawing != drawing


def test_presets_show_what_they_say(page):
    found = []
    for number, state in enumerate(read_interactive(BOOK, "fooled").states):
        page.tab.click(f".lab-states a >> nth={number}")
        settle(page)
        # The beginning is named without its values.
        assert page.note == state.says
        found.append(numbers(page.said))
    one, ten, weak = found
    assert one[-1] == 2.5 and ten[-1] == 22.4 and ten[0] > one[0]
    assert weak[2] == 0 and weak[3] > 1.5 * weak[4] == 0.75


def test_no_claim_is_said_plainly(page):
    assert "on average" not in show(page, tries=1, papers=1)
    assert "Claims: 0 of 1 papers, 0 false." in page.said


def test_a_state_survives_its_address(page, figure):
    show(page, arms=4, tries=3, seeds=8, effect=0.7, rule="tries", luck=12, papers=131)
    settle(page)
    again = figure("fooled")
    again.tab.goto(page.tab.url)
    again.tab.wait_for_selector(".colu-lab.ready")
    assert again.settle().state == page.state and again.said == page.said and again.drawing == page.drawing


def test_bad_addresses_give_the_nearest_state_and_say_so(page):
    page.open("arms=0&tries=3.4&seeds=many&effect=-1&rule=bonferroni&papers=2000&honest=1")
    assert page.state == START | {"tries": 3, "papers": 300, "rule": page.state["rule"]}
    assert page.state["rule"] in ("alone", "arms", "tries")
    for part in ("from 1 to 10", "3 is shown", "“many” is no number", "from 0 to 2", "“bonferroni”", "no “honest”"):
        assert part in page.note


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_no_serious_finding_of_axe(figure, mode):
    assert not figure("fooled").open().axe(mode)


def test_it_fits_a_telephone(figure):
    page = figure("fooled", width=390).open()
    assert page.too_wide() <= 0
    times = []
    for luck in range(9):
        show(page, luck=luck)
        times.append(float(page.tab.get_attribute(".colu-lab", "data-frame")))
    print(f"a frame of fooled: {sorted(times)[4]} ms")


def test_picture_and_finding_stand_without_scripts(figure):
    page = figure("fooled", java_script_enabled=False)
    page.tab.goto(page.page)
    assert page.tab.is_visible(".twin img") and not page.tab.is_visible(".live")
    assert "22.4 % do" in page.tab.inner_text(".twin")
    assert len(fooled.twin()) < 60_000
