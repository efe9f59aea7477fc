"""What README, *Install and use the package* and *Projects* tell a reader to type runs as it stands, in their order."""

import re
import shlex
import sys
from pathlib import Path

import pytest
import yaml
from safetensors.torch import save_file
from typer.testing import CliRunner

from colu.cli import app

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("page", ["README.md", "book/use.md"])
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for library in ("torchvision", "timm", "transformers", "diffusers"):
        pytest.importorskip(library)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf8"), re.DOTALL)
    assert blocks
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, page, "exec"), names)
        report = names.get("report")
        assert report is None or (report.changed and "rows" in report.proofs and not report.unproved), block
    if "fused" in names:
        naive, aligned = (names["fused"].report["curves"][way]["loss_barrier"] for way in ("naive", "aligned"))
        assert aligned < naive / 5, "the page says that the mean of the aligned networks is nearly as good as they are"


PROJECTS = (ROOT / "book/projects.md").read_text(encoding="utf8")
BRIEFS = {brief.partition("\n")[0]: brief for brief in re.split(r"^### ", PROJECTS, flags=re.MULTILINE)[1:]}


def first_lines(title):
    (code,) = re.findall(r"```(?:python|bash)\n(.*?)```", BRIEFS[title], re.DOTALL)
    return code


def test_every_part_has_two_projects_with_all_that_a_brief_has():
    parts = re.split(r"^## (?=Part )", PROJECTS, flags=re.MULTILINE)[1:]
    named = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf8"))["parts"]
    captions = [part["caption"] for part in named if part["caption"].startswith("Part ")]
    assert [part.partition("\n")[0] for part in parts] == captions
    assert [part.count("\n### ") for part in parts] == [2] * len(parts) and len(BRIEFS) == 2 * len(parts)
    for title, brief in BRIEFS.items():
        assert first_lines(title)
        for part in ("Goal", "Data", "Steps", "Hours", "The matter", "A good result", "Pitfalls"):
            assert f"**{part}" in brief, (title, part)


@pytest.mark.slow
@pytest.mark.parametrize("title", BRIEFS)
def test_the_first_lines_of_every_project_run(title):
    first = first_lines(title)
    if "colu verify" in first:
        assert {line.split()[0] for line in first.splitlines()} == {".venv/bin/colu"}
    else:
        exec(compile(first, title, "exec"), {})


def test_the_commands_that_fuse_networks_run(tmp_path, monkeypatch):
    models = pytest.importorskip("torchvision").models
    text = (ROOT / "book/use.md").read_text(encoding="utf8")
    section = text.split("\n## Fuse your own networks\n")[1].split("\n## ")[0]
    (mine,) = re.findall(r":caption: mine.py\n\n(.*?)```", section, re.DOTALL)
    commands = [line for block in re.findall(r"```bash\n(.*?)```", section, re.DOTALL) for line in block.splitlines()]
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("mine.py").write_text(mine)
    nets = {}
    exec(compile(mine, "mine.py", "exec"), nets)
    resnet = {"one": lambda: models.resnet18(num_classes=10), "two": lambda: models.resnet18(num_classes=10)}
    for name, make in ({"a": nets["net"], "b": nets["net"]} | resnet).items():
        save_file(make().state_dict(), f"{name}.safetensors")
    for command in commands:
        program, *words = shlex.split(command)
        assert program == "colu" and words[0] == "fuse", command
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
    assert len(commands) == 2 and all(Path(f"ab.{end}").exists() for end in ("safetensors", "json", "html"))
    sys.modules.pop("mine", None)
