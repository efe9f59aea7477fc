"""Powers of ten are written as such in prose, quantities are not parted, and code stays as it is."""

import re

import pytest

from colu.press.site.formulas import reserved
from colu.press.site.typography import kept_together, powers_on, with_powers


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1e-12", "10⁻¹²"),
        ("-1e-3.", "-10⁻³."),
        ("2.5e+08", "2.5\xa0×\xa010⁸"),
        ("(3e-05)", "(3\xa0×\xa010⁻⁵)"),
        ("1e10", "10¹⁰"),
    ],
)
def test_a_number_with_an_exponent_is_a_power(text, wanted):
    assert with_powers(text) == wanted


@pytest.mark.parametrize("text", ["e-12", "relu1e-3", "a1e5", "1e-12.5", "0x1e5", "silu-seed0-1e5f21beda", "1e", "1.5"])
def test_what_is_no_such_number_stays(text):
    assert with_powers(text) == text


def test_prose_is_written_so_and_code_is_not(small_book, text_of):
    conf = small_book.folder / "conf.py"
    conf.write_text(conf.read_text().replace('"myst_nb", ', '"myst_nb", "colu.press.site.typography", '))
    (small_book.folder / "expectations/11-b.yml").write_text(
        "even: {expected: 1, tolerance: 1.0e-12, source: arithmetic}\n"
    )
    small_book.notebook(
        "11-b",
        small_book.markdown("# Second\n\n:::{claim} even\nTo 1e-12, `1e-12`.\n:::", "title"),
        small_book.code('claims.check("even", 1e-3)', "check", small_book.recorded("even", 1), tags=["claim"]),
    )
    assert small_book.build().returncode == 0
    said = text_of(small_book.html("notebooks/11-b.html"))
    assert "To 10⁻¹², 1e-12. Expected 1 ± 10⁻¹²; measured 1: ✓ holds." in said and "1e-3" in said


def test_tables_that_a_cell_wrote_have_powers_and_their_code_does_not():
    page = r'<td data-a="1e-3">1e-3</td><code>1e-3</code> \(1e-3\) <script>x = 1e-3</script>'
    assert powers_on(page) == page.replace(">1e-3</td>", ">10⁻³</td>")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("3.1 %", "3.1_%"),
        ("within .02 nats.", "within .02_nats."),
        ("−0.3 ± 0.12 points", "−0.3_±_0.12_points"),
        ("5 % ± 1 %", "5_%_±_1_%"),
        ("1.5 GB in 20 ms", "1.5_GB in 20_ms"),
        ("(n = 5)", "(n_=_5)"),
        ("p &lt; .05", "p_&lt;_.05"),
        ("4.7\xa0×\xa010⁻¹⁶ s", "4.7\xa0×\xa010⁻¹⁶_s"),
        ("<span>3.1</span> <em>%</em>", "<span>3.1</span>_<em>%</em>"),
        ("at\n12\n%", "at\n12_%"),
        ("8 × 8 pixels", "8_×_8_pixels"),
        ("95 % t-intervals", '95_% <span class="with-mark">t-intervals</span>'),
        (r"<span>\(\log 50\)</span> nats", r"<span>\(\log 50\)</span>_nats"),
    ],
)
def test_no_line_ends_inside_a_quantity(text, wanted):
    assert kept_together(text) == wanted.replace("_", "\xa0")


@pytest.mark.parametrize(
    "text",
    [
        "3 seeds",
        "of 5 sets",
        "16 x16 hidden",
        "chapter 3 has",
        "a = b",
        "well-known, self-dual, CoLU-4, S-1",
        "<td>3</td> <td>%</td>",
        "<code>n = 5</code>",
        "<pre>3 s</pre>",
        r"\(n = 5\)",
        '<img alt="n = 5"/>',
    ],
)
def test_other_spaces_can_end_a_line(text):
    assert kept_together(text) == text


def test_a_formula_keeps_its_unit_on_its_line():
    page = kept_together(r'<p><span class="math notranslate nohighlight">\(\log 50\)</span> nats.</p>')
    assert re.search(r'<span class="with-mark"><span class="math.*</span>\xa0nats\.</span></p>', reserved(page, ""))


def test_a_value_from_a_notebook_keeps_its_unit(small_book):
    (small_book.folder / "expectations/11-b.yml").write_text("even: {expected: 3, tolerance: 1, source: arithmetic}\n")
    small_book.notebook(
        "11-b",
        small_book.markdown("# Second\n\nIt is {glue:text}`even:.1f` % (n = 5).\n\n:::{claim} even\nSo.\n:::", "title"),
        small_book.code('claims.check("even", 3)', "check", small_book.recorded("even", 3), tags=["claim"]),
    )
    conf = small_book.folder / "conf.py"
    conf.write_text(conf.read_text().replace('"myst_nb", ', '"myst_nb", "colu.press.site.finish", '))
    result = small_book.build()
    assert result.returncode == 0, result.stderr
    assert re.search("3.0(</span>)*\xa0% \\(n\xa0=\xa05\\)", small_book.html("notebooks/11-b.html"))
