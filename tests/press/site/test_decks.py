"""Slides and sheets belong to the site alone."""

from types import SimpleNamespace

import pytest

from colu.press.site import decks


@pytest.mark.parametrize(("builder", "written"), [("html", ["10-a"]), ("epub", None)])
def test_only_the_site_gets_decks(tmp_path, monkeypatch, builder, written):
    found = []
    monkeypatch.setattr(decks, "toc_chapters", lambda root: [SimpleNamespace(name=name) for name in ("10-a", "11-b")])
    monkeypatch.setattr(decks, "write_decks", lambda site, names: found.append(names))
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "10-a.html").touch()
    # Sphinx calls the format of an EPUB html, too.
    app = SimpleNamespace(builder=SimpleNamespace(name=builder, format="html"), outdir=tmp_path, srcdir=tmp_path)
    decks.write(app, None)
    assert found == ([] if written is None else [written])
