"""Words of the search lead to pages and sections that there are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from colu.press.site.glossary import glossary_terms
from colu.press.site.names import activation_named
from colu.press.site.words import search_words

ROOT = Path(__file__).resolve().parents[3]


def test_every_word_leads_to_one_page_of_the_book():
    listed = search_words(ROOT)
    words = [word for each in listed.values() for word in each]
    assert sorted(words) == sorted(set(words)) and words == [word.lower() for word in words]
    terms = {term.lower() for term in glossary_terms(ROOT / "book/glossary.md")}
    assert not [word for word in words if word in terms or activation_named(word)], "these have a place by themselves"
    for place in listed:
        page = place.partition("#")[0]
        assert (ROOT / f"{page}.md").is_file() or (ROOT / f"{page}.ipynb").is_file(), place


def _build(folder: Path, target: str) -> subprocess.CompletedProcess:
    (folder / "book").mkdir(exist_ok=True)
    (folder / "conf.py").write_text('extensions = ["myst_parser", "colu.press.site.words"]\nroot_doc = "book/index"\n')
    (folder / "book/index.md").write_text("# All\n\n## Some part\n\nText.\n")
    (folder / "book/search.yml").write_text(f"book/index{target}: [gpu, git rebasin]\n")
    command = [sys.executable, "-m", "sphinx", "-q", "-a", "-E", str(folder), str(folder / "out")]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def test_words_are_main_entries_of_the_search_at_their_section(tmp_path):
    assert _build(tmp_path, "#some-part").returncode == 0
    index = (tmp_path / "out/searchindex.js").read_text().replace('"', "")
    assert "git rebasin: [[0, some-part, true]]" in index and "gpu: [[0, some-part, true]]" in index


def test_a_section_that_is_gone_is_named(tmp_path):
    done = _build(tmp_path, "#gone")
    assert "book/search.yml leads to #gone, and the page has no such section" in done.stderr
