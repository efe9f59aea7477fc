"""Hints stand under their exercise, each behind its own line, and the switch for code leaves them shut."""

from __future__ import annotations

from bs4 import BeautifulSoup

TEXT = "# Second\n\n```{hints}\nA *nudge* of {glue:text}`half:.1f`.\n\n---\n\nA push.\n\nA shove.\n```\n\nThe end."


def test_each_hint_is_behind_its_own_line(small_book):
    conf = small_book.folder / "conf.py"
    conf.write_text(conf.read_text().replace('"myst_nb", ', '"myst_nb", "colu.press.site.hints", '))
    text = TEXT.replace("`half", "`../notebooks/10-a.ipynb::half")
    small_book.notebook("11-b", small_book.markdown(text, "title"))
    (small_book.folder / "expectations" / "11-b.yml").unlink()
    result = small_book.build()
    assert result.returncode == 0, result.stderr
    folds = BeautifulSoup(small_book.html("notebooks/11-b.html"), "html.parser").select("details.fold-hint")
    assert [fold.summary.text for fold in folds] == ["Hint 1 of 2", "Hint 2 of 2"]
    assert folds[0].em.text == "nudge" and "0.5" in folds[0].text and "push" not in folds[0].text
    assert [part.text for part in folds[1].find_all("p")] == ["A push.", "A shove."]
    assert not any(fold.has_attr("open") or fold.details for fold in folds)
    script = (small_book.out / "_static/layers.js").read_text()
    assert 'querySelectorAll("article details.fold:not(.fold-hint, .fold-answers)")' in script
