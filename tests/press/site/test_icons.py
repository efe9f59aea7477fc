"""Sheet and fonts keep the icons that pages, scripts and other rules show, and no other."""

from fontTools.fontBuilder import FontBuilder
from fontTools.ttLib import TTFont

from colu.press.site.icons import FONTS, NAME, THEME, codes, lighten, trimmed

FACE = (
    "@font-face{src:url(../vendor/fontawesome/webfonts/fa-solid-900.woff2) format(\"woff2\"),"
    "url(../vendor/fontawesome/webfonts/fa-solid-900.ttf) format(\"truetype\")}"
)
ICONS = {"bars": "f0c9", "sun": "f185", "moon": "f186", "bell": "f0f3", "bug": "f188"}
SHEET = FACE + "".join(f'.fa-{name}:before{{content:"\\{code}"}}' for name, code in ICONS.items()) + "p{color:red}"


def _site(root):
    static = root / "_static"
    (static / FONTS).mkdir(parents=True)
    (static / THEME.parent).mkdir()
    (static / THEME).write_text(SHEET + ':root{--icon:"\uf0f3"}')
    (static / "ours.css").write_text(".box::after{content:'\\f188'}")
    (static / "theme.js").write_text("icon.classList.add('fa-moon')")
    (static / "fontawesome.js").write_text("'fa-sun'")
    glyphs = [".notdef", *ICONS]
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder(glyphs)
    font.setupCharacterMap({int(code, 16): name for name, code in ICONS.items()})
    font.setupGlyf({name: _square() for name in glyphs})
    font.setupHorizontalMetrics({name: (1000, 0) for name in glyphs})
    font.setupHorizontalHeader()
    font.setupNameTable({"familyName": "Reserved", "styleName": "Solid", "licenseDescription": "OFL"})
    font.setupOS2()
    font.setupPost()
    font.save(static / FONTS / "fa-solid-900.ttf")
    (static / FONTS / "fa-solid-900.woff2").write_bytes(b"all")
    (root / "page.html").write_text('<i class="fa-solid fa-bars"></i>')
    lighten(static, [root / "page.html"])
    return static


def _square():
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 500), (500, 500), (500, 0)):
        pen.lineTo(corner)
    pen.closePath()
    return pen.glyph()


def test_what_is_used_anywhere_stays_and_the_rest_goes(tmp_path):
    static = _site(tmp_path)
    sheet = (static / THEME).read_text()
    assert ".fa-bars" in sheet and ".fa-moon" in sheet and "p{color:red}" in sheet
    assert ".fa-sun" not in sheet and ".fa-bug" not in sheet
    assert 'url(../vendor/fontawesome/webfonts/fa-solid-900.woff) format("woff")}' in sheet
    assert [path.name for path in (static / FONTS).iterdir()] == ["fa-solid-900.woff"]
    font = TTFont(static / FONTS / "fa-solid-900.woff")
    # Of a page, of a script, of another sheet, and of a variable.
    assert set(font.getBestCmap()) == {0xF0C9, 0xF186, 0xF188, 0xF0F3}


def test_the_subset_has_another_name_and_keeps_its_licence(tmp_path):
    names = TTFont(_site(tmp_path) / FONTS / "fa-solid-900.woff")["name"]
    assert names.getDebugName(1) == NAME and names.getDebugName(13) == "OFL"
    assert not any("Reserved" in str(entry) for entry in names.names)


def test_the_same_site_gives_the_same_bytes(tmp_path):
    one, two = ((_site(tmp_path / name) / FONTS / "fa-solid-900.woff").read_bytes() for name in ("one", "two"))
    assert one == two


def test_a_sheet_without_icons_stays_as_it_is():
    assert trimmed("p{content:'\\201c'}", set()) == "p{content:'\\201c'}" and codes("p{content:'\\201c'}") == {0x201C}
