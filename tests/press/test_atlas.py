"""The pages of the atlas are read strictly: what is wrong is named with its page, its field and what was wanted."""

from __future__ import annotations

import pytest
import yaml

from colu.press.atlas import RULES, AtlasPage, atlas_pages, chapters_by_topic, parse_page, read_page
from colu.press.project import BookError

GOOD = {
    "year": 2013,
    "purpose": "Units that are negative keep a slope.\nIt costs one comparison.",
    "smoothness": "kink",
    "monotone": True,
    "bounded": "none",
    "gated": False,
    "parts": {"negative_slope": 0.1},
    "wrong": [{"text": "A sentence."}],
    "torch": "torch.nn.functional.leaky_relu(x, 0.01)",
    "own": True,
    "chapters": ["a-short-history"],
    "relatives": {"relu": "slope 0 below 0"},
}


def _page(tmp_path, text, name="leaky-relu"):
    folder = tmp_path / "book" / "atlas"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.md"
    path.write_text(text)
    return path


def _block(entry, name="leaky-relu"):
    return f"# Leaky ReLU\n\n```{{atlas}} {name}\n{yaml.safe_dump(entry)}```\n"


def test_a_page_is_its_title_and_fields(tmp_path):
    title, page = read_page(_page(tmp_path, _block(GOOD)))
    assert title == "Leaky ReLU" and isinstance(page, AtlasPage)
    assert page.name == "leaky-relu" and page.wrong == ("A sentence.",) and page.chapters == ("a-short-history",)
    assert {field: getattr(page, field) for field in ("year", "monotone", "parts", "relatives")} == {
        field: GOOD[field] for field in ("year", "monotone", "parts", "relatives")
    }
    assert list(atlas_pages(tmp_path)) == ["leaky-relu"]


@pytest.mark.parametrize("field", RULES)
def test_a_missing_field_is_named_with_what_is_wanted(field):
    rest = {key: value for key, value in GOOD.items() if key != field}
    with pytest.raises(BookError, match=rf"here\.md: the field '{field}' is missing, wanted .+"):
        parse_page("leaky-relu", yaml.safe_dump(rest), page="here.md")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("year", "2013"), ("year", True), ("year", 20130), ("purpose", ""), ("purpose", 3), ("smoothness", "C3"),
        ("monotone", "yes"), ("bounded", None), ("gated", None), ("parts", []), ("parts", {"a": "b"}),
        ("parts", {"a": True}), ("wrong", ["A"]), ("wrong", [{"text": "A", "more": "B"}]), ("wrong", None),
        ("torch", "two\nlines"), ("own", "true"), ("chapters", []), ("chapters", "a"), ("relatives", {"relu": None}),
        ("relatives", ["relu"]),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_refused(field, value):
    with pytest.raises(BookError, match=f"{field} is .*, wanted "):
        parse_page("leaky-relu", yaml.safe_dump(GOOD | {field: value}))


def test_an_unknown_field_is_refused_with_the_nearest():
    with pytest.raises(BookError, match="'smothness' is unknown; did you mean smoothness"):
        parse_page("leaky-relu", yaml.safe_dump(GOOD | {"smothness": "kink"}))


@pytest.mark.parametrize("value", [None, 2013])
def test_what_has_no_source_has_no_year(value):
    assert parse_page("x", yaml.safe_dump(GOOD | {"year": value, "monotone": None})).year == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# A\n\nWords.\n", "is not a title and one block"),
        (_block(GOOD) + "\nMore.\n", "is not a title and one block"),
        (_block(GOOD, "relu"), "has the block of 'relu', wanted 'leaky-relu'"),
        ("# A\n\n```{atlas} leaky-relu\na: [b\n```\n", "is no YAML"),
        ("# A\n\n```{atlas} leaky-relu\n- a\n```\n", "holds list, wanted the fields year"),
    ],
)
def test_a_page_of_another_form_is_refused(tmp_path, text, said):
    with pytest.raises(BookError, match=said):
        read_page(_page(tmp_path, text))


def test_chapters_are_found_by_topic(tmp_path):
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: i\nparts:\n- caption: A\n  chapters:\n  - file: notebooks/03-a-short-history\n"
    )
    assert chapters_by_topic(tmp_path) == {"a-short-history": "03-a-short-history"}
