"""The files around the project say what they must, and agree with each other."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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
        excluded = set(re.findall(r"[\w]+", " ".join(re.findall(r":without:(.*)", text))))
        for name in re.findall(r"reference:: (\S+)", text):
            module = importlib.import_module(name)
            for public in set(module.__all__) - excluded:
                described = getattr(module, public)
                if hasattr(described, "__qualname__"):
                    pages.setdefault(f"{described.__module__}.{described.__qualname__}", []).append(page.name)
    assert len(pages) > 200
    assert {name: where for name, where in pages.items() if len(where) > 1} == {}


#: Tests of no single file, or of a package's own ``__init__``.
OF_THE_WHOLE = {"test_crash.py", "test_habits.py", "test_imports.py", "test_pages.py", "test_windows.py"}
OF_THE_WHOLE |= {"test_atlas_pages.py", "lab/test_init.py", "nn/test_init.py"}


def without_subject(tests: Path, package: Path) -> set[str]:
    """Test files ``a/test_b.py`` for which there is no ``a/b.py``, ``a/_b.py`` or ``a/b.js``, and no folder ``a/b``."""
    found = set()
    for test in tests.rglob("test_*.py"):
        place = test.relative_to(tests)
        name = place.stem.removeprefix("test_")
        homes = (package / place.parent / home for home in (f"{name}.py", f"_{name}.py", f"{name}.js", name))
        if not any(home.exists() for home in homes):
            found.add(place.as_posix())
    return found


def test_the_tests_mirror_the_package_file_by_file():
    assert without_subject(ROOT / "tests", ROOT / "colu") == OF_THE_WHOLE


def test_a_test_that_is_elsewhere_than_its_subject_is_seen(tmp_path):
    for name in ("colu/nn/conic.py", "colu/nn/_hidden.py", "colu/nn/parts/one.py", "tests/nn/conftest.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in ("nn/test_conic", "nn/test_hidden", "nn/test_parts", "test_conic", "nn/test_conic_values"):
        (tmp_path / "tests" / f"{name}.py").touch()
    assert without_subject(tmp_path / "tests", tmp_path / "colu") == {"test_conic.py", "nn/test_conic_values.py"}


def _locked(name: str) -> dict[str, list]:
    """The requirements of a lock by name, each with its checksums."""
    text = (ROOT / name).read_text(encoding="utf8").replace("\\\n", " ")
    found: dict[str, list] = {}
    for line in text.splitlines():
        if line and not line.startswith(("#", "--")):
            requirement, *hashes = re.split(r"\s+--hash=sha256:", line)
            made = Requirement(requirement)
            found.setdefault(canonicalize_name(made.name), []).append((made, hashes))
    return found


def test_the_lock_has_every_dependency_at_one_version_with_its_checksums():
    locked = _locked("requirements.txt")
    for name, entries in locked.items():
        for requirement, hashes in entries:
            (pin,) = requirement.specifier
            assert pin.operator == "==" and hashes and all(re.fullmatch("[0-9a-f]{64}", one) for one in hashes), name
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    wanted += [text for extra in project["project"]["optional-dependencies"].values() for text in extra]
    for requirement in map(Requirement, wanted):
        for pinned, _ in locked.get(canonicalize_name(requirement.name), [(None, None)]):
            if requirement.name != "colu":
                version = next(iter(pinned.specifier)).version if pinned else "absent"
                assert requirement.specifier.contains(version), f"{requirement} is {version} in the lock"


def test_the_lock_installs_on_every_system_that_the_readme_names():
    # Of what is needed on one system alone: pip refuses a lock with checksums that leaves out any.
    locked = {name: entries[0][0].marker for name, entries in _locked("requirements.txt").items()}
    here = {"python_full_version": "3.11.0", "python_version": "3.11", "implementation_name": "cpython"}
    linux = here | {"sys_platform": "linux", "os_name": "posix", "platform_machine": "x86_64"}
    mac = here | {"sys_platform": "darwin", "os_name": "posix", "platform_machine": "arm64"}
    windows = here | {"sys_platform": "win32", "os_name": "nt", "platform_machine": "AMD64"}
    only = {"appnope": [mac], "colorama": [windows], "triton": [linux], "pexpect": [linux, mac], "torch": [linux, mac]}
    for name, systems in only.items():
        marker = locked[name]
        for system in (linux, mac, windows):
            assert (marker is None or marker.evaluate(system)) == (system in systems or name == "torch"), (name, system)
    # The oldest Python of the README, and no newer one.
    for entries in _locked("requirements.txt").values():
        for system in (linux, mac):
            assert sum(made.marker is None or made.marker.evaluate(system) for made, _ in entries) <= 1


def test_the_lock_without_cuda_is_the_lock_with_other_builds_of_torch():
    usual, cpu = _locked("requirements.txt"), _locked("requirements-cpu.txt")
    gone = {name for name in usual if name.startswith(("nvidia-", "cuda-")) or name == "triton"}
    assert len(gone) > 10 and set(cpu) == set(usual) - gone
    for name, entries in cpu.items():
        local = "+cpu" if name in ("torch", "torchvision") else ""
        assert [str(made) for made, _ in entries] == [
            str(made).replace(str(made.specifier), f"{made.specifier}{local}") for made, _ in usual[name]
        ]
        assert not any(hashes for _, hashes in entries)


def _workflows():
    return {path.stem: _load(f".github/workflows/{path.name}") for path in (ROOT / ".github/workflows").glob("*.yml")}


def test_actions_are_pinned_by_commit_and_say_their_version():
    assert {"test", "publish", "audit"} <= set(_workflows())
    for path in (ROOT / ".github/workflows").glob("*.yml"):
        for line in re.findall(r"uses:(.*)", path.read_text()):
            assert re.fullmatch(r" [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_what_runs_our_code_may_not_publish():
    for name, workflow in _workflows().items():
        assert "permissions" in workflow, name
        for title, job in workflow["jobs"].items():
            rights = job.get("permissions", workflow["permissions"])
            steps = job["steps"]
            if any("run" in step for step in steps) and (name, title) != ("publish", "deploy"):
                assert rights == {"contents": "read"}, name
                checkouts = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
                assert all(step["with"]["persist-credentials"] is False for step in checkouts)
    deploy = _workflows()["publish"]["jobs"]["deploy"]
    assert deploy["permissions"] == {"actions": "read", "contents": "write"} and deploy["needs"] == "build"
    (step,) = deploy["steps"]
    commands = {line.split()[0] for line in step["run"].splitlines()}
    assert "uses" not in step and commands == {"gh", "mkdir", "tar", "touch", "cd", "git"}, "it runs nothing of ours"


def test_the_site_is_published_on_the_branch_that_the_buttons_name():
    from colu.press.site.finish import PAGES

    assert _workflows()["publish"]["jobs"]["deploy"]["env"]["BRANCH"] == PAGES


@pytest.mark.parametrize(
    "options, lock",
    [([], "requirements.txt"), (["TORCH=cpu"], "requirements-cpu.txt"), (["TORCH=default"], "requirements.txt")],
)
def test_make_takes_the_lock_that_was_asked_for(tmp_path, options, lock):
    for name in ("Makefile", "requirements.txt", "requirements-cpu.txt", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    make = ["make", "-n", "-C", str(tmp_path), "setup", "VENV=.venv"]
    (tmp_path / ".venv").mkdir()
    planned = subprocess.run([*make, *options], capture_output=True, text=True, check=True).stdout
    wanted = lock if sys.platform == "linux" else "requirements.txt"
    assert f"pip install --quiet -r {wanted}\n" in planned
    assert ("/.torch-cpu" in planned) == (wanted == "requirements-cpu.txt")
    # The choice is kept until another one is made.
    (tmp_path / ".venv" / ".torch-cpu").touch()
    again = subprocess.run([*make, *options], capture_output=True, text=True, check=True).stdout
    kept = "requirements-cpu.txt" if sys.platform == "linux" and options != ["TORCH=default"] else "requirements.txt"
    assert f"pip install --quiet -r {kept}\n" in again
    wrong = subprocess.run([*make, "TORCH=gpu"], capture_output=True, text=True)
    assert wrong.returncode != 0 and "TORCH=gpu is unknown: use cpu or default" in wrong.stderr


def test_jupyterlab_is_held_to_the_versions_of_the_lock_without_its_checksums():
    (line,) = re.findall(r"^\t@(sed .*) > \$\(VENV\)/\.versions$", (ROOT / "Makefile").read_text(), re.M)
    done = subprocess.run(line.replace("$$", "$"), shell=True, cwd=ROOT, capture_output=True, text=True, check=True)
    held = [Requirement(line) for line in done.stdout.splitlines() if line and not line.startswith("#")]
    assert {canonicalize_name(each.name) for each in held} >= {"torch", "ipykernel", "nbformat"}
    assert all(str(each.specifier).startswith("==") for each in held) and len(held) > 100
    assert "-c $(VENV)/.versions" in (ROOT / "Makefile").read_text()


def test_the_hostile_machine_is_part_of_continuous_integration():
    script = ROOT / ".ci" / "hostile"
    assert subprocess.run(["bash", "-n", str(script)]).returncode == 0 and os.access(script, os.X_OK)
    assert "step .ci/hostile" in (ROOT / ".ci" / "run").read_text()
