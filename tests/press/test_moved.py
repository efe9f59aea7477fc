"""Old addresses lead to the chapter that has the topic now, and a list that cannot be followed is refused."""

import pytest

from colu.press.moved import MOVED, lint_moved, moved_chapters, moved_pages, topic
from colu.press.project import BookError, Project


@pytest.fixture
def project(tmp_path):
    chapters = "".join(f"  - file: notebooks/{name}\n" for name in ("09-fair-tests", "10-cones"))
    (tmp_path / "_toc.yml").write_text(
        f"format: jb-book\nroot: book/index\nparts:\n- caption: One\n  chapters:\n{chapters}"
    )
    (tmp_path / "book").mkdir()
    return Project(tmp_path)


def _write(project, text):
    (project.pages / MOVED).write_text(text)


def test_a_topic_is_found_under_its_number_of_today(project):
    assert moved_chapters(project) == {}
    _write(project, "32-fair-tests: fair-tests\n14-skew: cones\n")
    assert moved_chapters(project) == {"32-fair-tests": "09-fair-tests", "14-skew": "10-cones"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("32-fair-tests: fair-test", "topic of no chapter; did you mean fair-tests"),
        ("10-cones: cones", "10-cones is a chapter and has not moved"),
        ("- 32-fair-tests", "maps the old names"),
        ("a: [b", "is no YAML"),
    ],
)
def test_a_list_that_cannot_be_followed_is_refused(project, text, said):
    _write(project, text)
    with pytest.raises(BookError, match=said):
        moved_chapters(project)
    assert len(lint_moved(project, ["09-fair-tests", "10-cones"])) == 1


def test_topics_are_unique(project):
    assert lint_moved(project, ["09-fair-tests", "10-cones"]) == []
    assert "have one topic" in lint_moved(project, ["09-cones", "10-cones"])[0]
    assert topic("53-latent-diffusion") == "latent-diffusion"


def test_a_page_leads_to_the_page_that_has_what_it_had(project):
    assert moved_pages(project) == {}
    _write(project, "32-fair-tests: fair-tests\nbook/old: book/index\n")
    assert moved_pages(project) == {"book/old": "book/index"}
    assert moved_chapters(project) == {"32-fair-tests": "09-fair-tests"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("book/old: book/indx", "which is no page; did you mean book/index"),
        ("book/index: notebooks/10-cones", "book/index is a page and has not moved"),
    ],
)
def test_a_page_that_leads_nowhere_is_refused(project, text, said):
    _write(project, text)
    with pytest.raises(BookError, match=said):
        moved_pages(project)
    assert said in lint_moved(project, ["09-fair-tests", "10-cones"])[0]
