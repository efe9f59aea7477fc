"""Powers of ten are written as such in prose, and code stays as it is."""

import pytest

from colu.press.site.typography import powers_on, with_powers


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
