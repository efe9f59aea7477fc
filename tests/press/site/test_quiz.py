"""Questions stand before the summary, their answers behind one line, and a script asks them and tells nobody."""

from __future__ import annotations

import re

import pytest
from bs4 import BeautifulSoup

from colu.press.check.browser import ARGUMENTS, TIMEOUT, find_chromium, served
from colu.press.layers import ANSWERS
from colu.press.site.quiz import ASSETS, FILES

QUESTIONS = r"""
- id: twice
  ask: What is *twice* $2$?
  options:
    - wrong: Three, by {glue:text}`../notebooks/10-a.ipynb::half:.1f`.
      why: That adds one.
    - right: Four.
      why: Two *and* two.
- id: thrice
  ask: And thrice?
  options:
    - right: Six.
      why: Thrice two.
    - wrong: Eight.
      why: That doubles again.
"""
TEXT = "# Second\n\nText.\n\n## Summary\n\nSo."


@pytest.fixture(scope="module")
def asked(new_book):
    book = new_book("asked")
    conf = book.folder / "conf.py"
    conf.write_text(conf.read_text().replace('"myst_nb", ', '"myst_nb", "colu.press.site.quiz", '))
    book.notebook("11-b", book.markdown(TEXT, "title"))
    (book.folder / "expectations" / "11-b.yml").unlink()
    book.page("book/quizzes/11-b.yml", QUESTIONS)
    result = book.build()
    assert result.returncode == 0, result.stderr
    return book


@pytest.fixture
def page(asked):
    return BeautifulSoup(asked.html("notebooks/11-b.html"), "html.parser")


def test_questions_and_options_can_be_read_without_a_script_and_the_answers_are_folded(page):
    assert [heading.contents[0] for heading in page.select("article h2")] == ["Check yourself", "Summary"]
    first, second = page.select(".quiz > .quiz-question")
    assert first["id"] == "quiz-twice" and first["data-right"] == "1" and second["data-right"] == "0"
    assert first.p.text.startswith("1. What is twice") and first.p.em and first.select("span.math")
    assert [item.text.strip() for item in first.select("ol.upperalpha > li")] == ["Three, by 0.5.", "Four."]
    assert not page.select(".quiz :is(form, input, button)")
    fold = page.select_one(f".quiz > details.fold-{ANSWERS}")
    assert not fold.has_attr("open") and fold.summary.text == "The answers"
    assert [line.text for line in fold.select("p > strong")] == ["1. B is right.", "2. A is right."]
    assert [item.text.strip() for item in fold.select("ol li")][1:3] == ["Two and two.", "Thrice two."]


def test_the_answers_do_not_open_with_the_code(asked):
    script = (asked.out / "_static/layers.js").read_text()
    assert "details.fold:not(.fold-hint, .fold-answers)" in script


def test_only_pages_that_ask_load_the_script(asked):
    for name in FILES:
        assert f"_static/{name}" in asked.html("notebooks/11-b.html")
        assert f"_static/{name}" not in asked.html("notebooks/10-a.html")
        assert (asked.out / "_static" / name).read_text() == (ASSETS / name).read_text()


def test_the_script_is_small_keeps_nothing_and_asks_no_host():
    script = (ASSETS / "quiz.js").read_text()
    assert len(script) < 5000
    assert not re.search(r"Storage|cookie|fetch|XMLHttp|sendBeacon|https?:|import|\.src\b|indexedDB", script)


def test_a_faulty_file_breaks_the_build_and_is_named(small_book):
    conf = small_book.folder / "conf.py"
    conf.write_text(conf.read_text().replace('"myst_nb", ', '"myst_nb", "colu.press.site.quiz", '))
    small_book.page("book/quizzes/11-b.yml", QUESTIONS.replace("right: Six", "wrong: Six"))
    result = small_book.build()
    assert result.returncode != 0 and "question 2: 0 of its options are right" in result.stderr


@pytest.fixture(scope="module")
def tab(asked):
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with served(asked.out) as address, sync_playwright() as tools:
        chromium = tools.chromium.launch(executable_path=program, args=ARGUMENTS)
        tab = chromium.new_page()
        tab.set_default_timeout(TIMEOUT)
        tab.address = f"{address}/notebooks/11-b.html"
        yield tab
        chromium.close()


def said(tab, question):
    return tab.inner_text(f"#quiz-{question} [role=status]")


def test_a_question_is_answered_by_pointer_and_every_try_gets_its_reason(tab):
    tab.goto(tab.address, wait_until="load")
    first = tab.locator("#quiz-twice")
    first.locator("button").click()
    assert said(tab, "twice") == "Choose an answer first."
    first.locator("label", has_text="Three").click()
    assert said(tab, "twice") == ""
    first.locator("button").click()
    assert said(tab, "twice") == "Not quite. That adds one."
    first.locator("label", has_text="Four").click()
    first.locator("button").click()
    assert said(tab, "twice") == "Right. Two and two."
    assert first.locator("label").all_inner_texts()[1].endswith("✓ right")
    assert tab.inner_text(".quiz-tally") == "What you choose is neither kept nor sent."
    tab.locator("#quiz-thrice label", has_text="Six").click()
    tab.locator("#quiz-thrice button").click()
    assert tab.inner_text(".quiz-tally") == "All answered, 1 of 2 at the first try."


def test_keys_alone_choose_and_check_and_nothing_is_said_before(tab):
    tab.goto(tab.address, wait_until="load")
    tab.focus("#quiz-twice input >> nth=0")
    tab.keyboard.press("Space")
    tab.keyboard.press("ArrowDown")
    assert said(tab, "twice") == ""
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Check"
    tab.keyboard.press("Enter")
    assert said(tab, "twice") == "Right. Two and two."
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.name") == "quiz-thrice"


def test_each_question_is_a_named_group_and_a_new_load_has_forgotten_everything(tab):
    asked_for = []
    tab.goto(tab.address, wait_until="load")
    kept = "() => [document.cookie, location.href, JSON.stringify(localStorage), JSON.stringify(sessionStorage)]"
    before = tab.evaluate(kept)
    tab.on("request", lambda request: asked_for.append(request.url))
    group = tab.get_by_role("group", name="And thrice?")
    group.get_by_role("radio", name="Six").check()
    group.locator("..").get_by_role("button", name="Check").click()
    assert said(tab, "thrice").startswith("Right.") and asked_for == []
    assert tab.evaluate(kept) == before
    tab.reload(wait_until="load")
    assert not tab.locator("#quiz-thrice input:checked").count() and said(tab, "thrice") == ""
