"""The questions on the built site: keys and pointer answer them, axe finds nothing, and nothing is sent."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

from colu.press.check.browser import ARGUMENTS, TIMEOUT, find_chromium, served
from colu.press.quiz import quiz_path, read_quiz

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "_build" / "html"
CHAPTERS = sorted(path.stem for path in (ROOT / "book" / "quizzes").glob("*.yml"))
#: The script and the style are one for all: browser and axe go over a share of the chapters.
SHARE = CHAPTERS[::8]
#: In either mode, with every verdict shown; formulas are MathJax's own.
AXE = """async () => (await axe.run(
  {include: [[".quiz"]], exclude: [["mjx-container"]]}, {resultTypes: ["violations"]})).violations
  .map(found => found.id + ': ' + found.nodes.slice(0, 3).map(node => node.target.join(' ')).join(', '))"""
WIDER = "() => document.documentElement.scrollWidth > innerWidth"
#: A file that the site's pages load; an address with a question in it would carry something away.
OWN = re.compile(r"/_(static|images)/[^?]+")
STILL = "*, *::before, *::after { transition: none !important; }"

pytestmark = pytest.mark.skipif(find_chromium() is None, reason="no Chromium (Debian: apt-get install chromium)")


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    with served(SITE) as address, sync_playwright() as tools:
        chromium = tools.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        chromium.address = address
        yield chromium
        chromium.close()


@pytest.fixture
def tab(chromium):
    tab = chromium.new_page(viewport={"width": 390, "height": 1000})
    tab.set_default_timeout(TIMEOUT)
    tab.address = chromium.address
    yield tab
    tab.close()


def by_keys(tab, question, number):
    """Choose an option and check it without a pointer."""
    tab.focus(f"#quiz-{question.id} input >> nth=0")
    tab.keyboard.press("Space")
    for _ in range(number):
        tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")


def by_pointer(tab, question, number):
    """Choose an option and check it by clicks."""
    tab.locator(f"#quiz-{question.id} label").nth(number).click()
    tab.locator(f"#quiz-{question.id} button").click()


def test_every_page_has_its_questions():
    for chapter in CHAPTERS:
        page = (SITE / "notebooks" / f"{chapter}.html").read_text(encoding="utf8")
        missing = [one.id for one in read_quiz(quiz_path(ROOT / "book", chapter)) if f'id="quiz-{one.id}"' not in page]
        assert missing == [], chapter


@pytest.mark.parametrize("chapter", SHARE)
def test_every_question_says_right_where_it_is_and_why_not_elsewhere(tab, chapter):
    questions = read_quiz(quiz_path(ROOT / "book", chapter))
    tab.goto(f"{tab.address}/notebooks/{chapter}.html", wait_until="load")
    tab.evaluate("() => window.MathJax && MathJax.startup && MathJax.startup.promise.then(() => true)")
    sent = []
    tab.on("request", lambda request: sent.append(request))
    assert tab.locator(".quiz-question").count() == len(questions)
    for answer in (by_keys, by_pointer):
        for question in questions:
            for number, option in enumerate(question.options):
                answer(tab, question, number)
                said = tab.inner_text(f"#quiz-{question.id} [role=status]")
                assert said.startswith("Right. " if option.right else "Not quite. ") and len(said) > 20, question.id
                assert (number == question.answer) == option.right
    assert "All answered" in tab.inner_text(".quiz-tally")
    # The site's own files may come late, such as a figure that scrolling reaches or a font for an answer's formulas.
    told = [one.url for one in sent if not (one.method == "GET" and OWN.fullmatch(one.url.removeprefix(tab.address)))]
    assert told == []
    assert not tab.evaluate(WIDER)


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("chapter", SHARE)
def test_axe_finds_nothing_when_all_is_answered(tab, chapter, mode):
    questions = read_quiz(quiz_path(ROOT / "book", chapter))
    tab.goto(f"{tab.address}/notebooks/{chapter}.html", wait_until="load")
    tab.evaluate("() => window.MathJax && MathJax.startup && MathJax.startup.promise.then(() => true)")
    tab.add_style_tag(content=STILL)
    tab.evaluate("mode => Object.assign(document.documentElement.dataset, {theme: mode, mode: mode})", mode)
    for question in questions:
        for number in range(len(question.options)):
            by_pointer(tab, question, number)
    tab.add_script_tag(path=str(files("axe_playwright_python") / "axe.min.js"))
    assert tab.evaluate(AXE) == []
