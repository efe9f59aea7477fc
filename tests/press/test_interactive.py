"""What stands about an interactive figure is read strictly: each mistake is named."""

from pathlib import Path

import pytest
import yaml

from colu.press.interactive import FOLDER, interactive_names, read_interactive
from colu.press.project import BookError

PAGES = Path(__file__).resolve().parents[2] / "book"
STATE = {"label": "a point outside", "address": "x=-1", "says": "It goes to the edge."}
GOOD = {"title": "Drag", "question": "What?", "alt": "A cone.", "finding": "It is a cone.\n", "states": [STATE]}


@pytest.fixture
def written(tmp_path):
    """Write an entry, and return the folder of pages."""
    (tmp_path / FOLDER).mkdir()

    def write(entry, name="cone"):
        text = entry if isinstance(entry, str) else yaml.safe_dump(entry)
        (tmp_path / FOLDER / f"{name}.yml").write_text(text)
        return tmp_path

    return write


def test_reads_what_is_written(written):
    figure = read_interactive(written(GOOD), "cone")
    assert (figure.name, figure.title, figure.finding) == ("cone", "Drag", "It is a cone.")
    assert figure.states[0].address == "x=-1"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("a: [", "is no YAML"),
        ("- one", "wanted title, question"),
        ("", "wanted title, question"),
        ({**GOOD, "colour": "red"}, "colour"),
        ({key: GOOD[key] for key in GOOD if key != "alt"}, "wanted title, question, alt"),
        ({**GOOD, "question": ""}, "question is ''"),
        ({**GOOD, "question": 3}, "question is 3"),
        ({**GOOD, "states": "none"}, "wanted a list"),
        ({**GOOD, "states": []}, r"states is \[\]"),
        ({**GOOD, "states": [STATE, {"label": "x"}]}, "state 2 has label"),
        ({**GOOD, "states": [{**STATE, "says": None}]}, "state 1: says is None"),
    ],
)
def test_names_what_is_wrong(written, entry, message):
    with pytest.raises(BookError, match=message):
        read_interactive(written(entry), "cone")


def test_names_the_figures_that_there_are(written):
    written(GOOD)
    pages = written(GOOD, "hue")
    assert interactive_names(pages) == ["cone", "hue"]
    with pytest.raises(BookError, match="'cube'; there are cone, hue"):
        read_interactive(pages, "cube")


def test_every_figure_of_the_book_has_a_page_of_its_own_in_the_contents():
    listed = (PAGES.parent / "_toc.yml").read_text()
    for name in interactive_names(PAGES):
        figure, page = read_interactive(PAGES, name), PAGES / FOLDER / f"{name}.md"
        assert f"```{{interactive}} {name}" in page.read_text(encoding="utf8")
        assert f"- file: book/{FOLDER}/{name}\n" in listed
        assert figure.question.endswith("?") and 2 <= len(figure.states) <= 4
        for text in (figure.finding, figure.alt, *(state.says for state in figure.states)):
            assert text.endswith("."), text
