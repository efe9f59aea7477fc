"""A formula that is not yet set keeps about its room."""

import re

import pytest

from colu.press.site.formulas import FONTS, reserved, width_of

SPAN = '<span class="math notranslate nohighlight">\\({}\\)</span>'


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ("x", "xy"),
        ("x^2", "x2"),
        (r"\tfrac12", "12"),
        (r"\frac{a + b}{c}", "a + b + c"),
        (r"\operatorname{Re}", "abcd"),
        (r"\alpha", r"\alpha\beta"),
        (r"a\,b", "a=b"),
        ("a &lt; b", "a + b + c"),
        (r"\sin x", "abcdef"),
    ],
)
def test_the_guess_orders_formulas_by_what_is_seen(narrow, wide):
    assert 0 < width_of(narrow) < width_of(wide)


def test_a_page_with_formulas_reserves_their_room_and_loads_their_type():
    page = f"<head><title>T</title></head><p>{SPAN.format('x')} and {SPAN.format('x + y')}</p>"
    done = reserved(page, "../")
    assert done.count("--room: ") == 2 and f"--room: {width_of('x + y'):.1f}em" in done
    assert all(f'href="../_static/mathjax/output/chtml/fonts/woff-v2/{name}.woff"' in done for name in FONTS)
    assert reserved(done, "../") == done, "once"


def test_no_line_begins_with_the_mark_behind_a_formula():
    page = f"<head><title>T</title></head><p>{SPAN.format('x')}. A ({SPAN.format('y')}), {SPAN.format('z')} b.</p>"
    done = reserved(page, "")
    assert re.findall(r'<span class="with-mark"><span class="math[^>]*>\\\((.)\\\)</span>(\W+)</span>', done) == [
        ("x", "."),
        ("y", "),"),
    ]
    assert done.count("with-mark") == 2


def test_a_page_without_formulas_stays():
    page = "<head><title>T</title></head><p>x</p>"
    assert reserved(page, "") == page
