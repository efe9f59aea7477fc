"""At the old address of a chapter stands a page that sends on, in every folder that has the new one."""

from types import SimpleNamespace

from colu.press.check.site import check_files
from colu.press.site import moved


def test_each_folder_with_the_page_gets_one(tmp_path, monkeypatch):
    site = tmp_path / "out"
    monkeypatch.setattr(moved, "moved_chapters", lambda project: {"32-a": "09-a"})
    for folder in ("notebooks", "sheets"):
        (site / folder).mkdir(parents=True)
        (site / folder / "09-a.html").write_text("<h1>A</h1>")
    moved.write(SimpleNamespace(builder=SimpleNamespace(name="html"), outdir=site, srcdir=tmp_path), None)
    written = sorted(path.relative_to(site).as_posix() for path in site.rglob("32-a.html"))
    assert written == ["notebooks/32-a.html", "sheets/32-a.html"]
    assert 'url=09-a.html"' in (site / written[0]).read_text()
    assert [problem for problem in check_files(site) if "32-a" in problem] == []


def test_a_page_sends_on_to_another(tmp_path, monkeypatch):
    site = tmp_path / "out"
    monkeypatch.setattr(moved, "moved_chapters", lambda project: {})
    monkeypatch.setattr(moved, "moved_pages", lambda project: {"book/old": "book/new", "book/gone": "book/absent"})
    (site / "book").mkdir(parents=True)
    (site / "book" / "new.html").write_text("<h1>N</h1>")
    moved.write(SimpleNamespace(builder=SimpleNamespace(name="html"), outdir=site, srcdir=tmp_path), None)
    assert 'url=new.html"' in (site / "book" / "old.html").read_text()
    assert not (site / "book" / "gone.html").exists()


def test_nothing_is_written_after_an_error(tmp_path):
    moved.write(SimpleNamespace(builder=SimpleNamespace(name="html"), outdir=tmp_path, srcdir=tmp_path), ValueError())
    assert list(tmp_path.iterdir()) == []
