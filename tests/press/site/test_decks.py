"""Slides and sheets belong to the site alone, and the list of decks links to what there is."""

from types import SimpleNamespace

import pytest
from sphinx.errors import SphinxParallelError

from colu.press.site import decks


@pytest.mark.parametrize(("builder", "written"), [("html", {"10-a": "slides"}), ("epub", None)])
def test_only_the_site_gets_decks(tmp_path, monkeypatch, builder, written):
    found = []
    monkeypatch.setattr(decks, "toc_chapters", lambda root: [SimpleNamespace(name=name) for name in ("10-a", "11-b")])
    monkeypatch.setattr(decks, "write_decks", lambda site, chapters: found.append(chapters))
    for name in ("notebooks/10-a.html", "trees/slides/10-a"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("slides")
    # Sphinx calls the format of an EPUB html, too.
    app = SimpleNamespace(
        builder=SimpleNamespace(name=builder, format="html"),
        outdir=tmp_path,
        srcdir=tmp_path,
        doctreedir=tmp_path / "trees",
        parallel=1,
    )
    decks.write(app, None)
    assert found == ([] if written is None else [written])


def test_several_processes_write_them_all_and_a_failure_in_one_is_seen(tmp_path, monkeypatch):
    names = [f"1{number}-a" for number in range(5)]
    monkeypatch.setattr(decks, "toc_chapters", lambda root: [SimpleNamespace(name=name) for name in names])
    (tmp_path / "notebooks").mkdir()
    for name in names:
        (tmp_path / "notebooks" / f"{name}.html").touch()
    app = SimpleNamespace(
        builder=SimpleNamespace(name="html", format="html"),
        outdir=tmp_path,
        srcdir=tmp_path,
        doctreedir=tmp_path,
        parallel=2,
    )
    monkeypatch.setattr(decks, "write_decks", lambda site, names: [(site / name).touch() for name in names])
    decks.write(app, None)
    assert all((tmp_path / name).is_file() for name in names)

    def fail(site, names):
        if "13-a" in names:
            raise ValueError("on purpose")

    monkeypatch.setattr(decks, "write_decks", fail)
    with pytest.raises(SphinxParallelError, match="on purpose"):
        decks.write(app, None)
