"""The files around the project say what they must, and agree with each other."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
from datetime import date
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]


def _load(name: str):
    return yaml.safe_load((ROOT / name).read_text(encoding="utf8"))


def test_citation_file_is_valid_and_agrees_with_the_package():
    citation = _load("CITATION.cff")
    wanted = {"cff-version", "message", "title", "authors", "version", "date-released", "license", "repository-code"}
    assert wanted <= set(citation)
    assert citation["cff-version"] == "1.2.0" and citation["type"] in ("software", "dataset")
    assert all(set(author) & {"name", "family-names"} for author in citation["authors"])
    assert isinstance(citation["date-released"], date)
    package = (ROOT / "pyproject.toml").read_text()
    assert re.search(r'^version = "(.+)"', package, re.M)[1] == citation["version"]
    assert re.search(r'^license = "(.+)"', package, re.M)[1] == citation["license"]
    assert citation["version"] in (ROOT / "book/index.md").read_text()


@pytest.mark.parametrize("name", ["number-differs", "notebook-broken", "erratum"])
def test_issue_templates_ask_for_something(name):
    form = _load(f".github/ISSUE_TEMPLATE/{name}.yml")
    assert {"name", "description", "body"} <= set(form)
    identifiers = [part["id"] for part in form["body"]]
    assert len(set(identifiers)) == len(identifiers)
    assert any(part.get("validations", {}).get("required") for part in form["body"])
    for part in form["body"]:
        assert part["type"] in ("input", "textarea", "dropdown") and part["attributes"]["label"]


def test_hooks_before_a_commit_use_the_project_tools():
    (repository,) = _load(".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    assert [hook["id"] for hook in repository["hooks"]] == ["ruff", "notebooks"]
    for hook in repository["hooks"]:
        assert hook["language"] == "system" and hook["entry"].startswith(".venv/bin/")


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_release_script_parses_and_refuses_a_dirty_tree(tmp_path):
    script = ROOT / ".ci" / "release"
    assert subprocess.run(["bash", "-n", str(script)]).returncode == 0
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "release").write_text(script.read_text())
    (tmp_path / "pyproject.toml").write_text('version = "1"\n')
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "x"], check=True)
    (tmp_path / "pyproject.toml").write_text('version = "2"\n')
    done = subprocess.run(["bash", str(tmp_path / ".ci" / "release")], capture_output=True, text=True)
    assert done.returncode == 1 and "commit or stash" in done.stderr


def test_contributing_tells_the_four_steps():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    steps = text.partition("## Add an activation, in four steps")[2].partition("\n## ")[0]
    assert re.findall(r"^(\d)\.", steps, re.M) == ["1", "2", "3", "4"]
    assert "## Add a chapter" in text and "## Record a run" in text


def test_the_references_can_be_read():
    from pybtex.database import parse_file

    # Two branches that both add at the end leave an entry open when they are joined.
    entries = parse_file(ROOT / "book" / "references.bib").entries
    assert len(entries) == len(re.findall(r"^@(?!comment)", (ROOT / "book/references.bib").read_text(), re.M))


def test_every_public_object_is_described_on_one_page_only():
    pages: dict[str, list[str]] = {}
    for page in sorted((ROOT / "book" / "api").glob("*.md")):
        text = page.read_text(encoding="utf8")
        excluded = set(re.findall(r"[\w]+", " ".join(re.findall(r":exclude-members:(.*)", text))))
        for name in re.findall(r"automodule:: (\S+)", text):
            module = importlib.import_module(name)
            for public in set(module.__all__) - excluded:
                described = getattr(module, public)
                if hasattr(described, "__qualname__"):
                    pages.setdefault(f"{described.__module__}.{described.__qualname__}", []).append(page.name)
    assert len(pages) > 200
    assert {name: where for name, where in pages.items() if len(where) > 1} == {}


def test_the_hostile_machine_is_part_of_continuous_integration():
    script = ROOT / ".ci" / "hostile"
    assert subprocess.run(["bash", "-n", str(script)]).returncode == 0 and os.access(script, os.X_OK)
    assert "step .ci/hostile" in (ROOT / ".ci" / "run").read_text()
