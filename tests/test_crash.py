"""A build, a run and a sweep that fail at any write, rename or spawn leave the old or the new state, and go on."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import colu

HERE = Path(__file__).parent
PACKAGE = Path(colu.__file__).parent
#: What a build, a run and a sweep consist of.
MODULES = (
    "commands/fuse.py",
    "files.py",
    "fusion/stored.py",
    "programs.py",
    "kernels/_build.py",
    "press/build/*.py",
    "lab/experiments/run.py",
    "lab/experiments/sweep.py",
    "lab/experiments/estimates.py",
    "lab/results/*.py",
    "lab/training/*.py",
    "lab/catalogue/*.py",
)
#: Calls that write, rename, remove or start something: by their last name, and by the whole one.
NAMES = set(
    "chmod copy copyfile copytree end_program held mkdir mkdtemp mkstemp Popen put_in_place rmdir "
    "rmtree run_program start_program submit symlink_to TemporaryDirectory touch unlink write_atomically write_bytes "
    "write_text".split()
)
WHOLE = {"os.open", "os.rename", "os.replace", "os.write", "os.fsync", "os.remove", "subprocess.run"}
#: Calls that no scenario reaches, each with the reason; another one is a test that is missing.
UNREACHED = {
    ("programs.py", "end_program"): "ends what is started, writes nothing",
    ("press/build/execute.py", "end_program"): "ends what is started, writes nothing",
    ("files.py", "put_in_place(Path(stream.name), path)"): "the second of two is for Windows alone",
    ("press/build/execute.py", "start_program"): "the toy's workers are forked, at the same place",
    ("press/build/entrust.py", "os.open"): "opens a folder to read it",
    ("press/build/preload.py", ""): "for more notebooks than the toy has; nothing of it outlasts the build",
    ("press/build/worker.py", "run_program"): "lists the machine's fonts, into a folder that is kept",
    ("lab/experiments/sweep.py", "client.submit"): "the workers of a cluster are started and ended by it",
    ("kernels/_build.py", "TemporaryDirectory"): "where the cache cannot be written: a library of one process",
    ("lab/experiments/run.py", "held(lock, wait=True)"): "reached by the twin alone, who is not asked for his points",
}


def written(module: Path) -> list[tuple[int, int, str]]:
    """The calls of a module that write, rename, remove or start something: first line, last line, text."""
    found = []
    for node in ast.walk(ast.parse(module.read_text(encoding="utf8"))):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        opens = name == "open" and len(node.args) > 1 and set(ast.unparse(node.args[1])) & set("wax+")
        if opens or name in WHOLE or name.rpartition(".")[2] in NAMES:
            found.append((node.lineno, node.end_lineno, ast.unparse(node)))
    return found


def unvisited(modules: list[Path], lines: set[tuple[str, int]], package: Path) -> list[str]:
    """The calls that no scenario reached and that no reason excuses."""
    missing = []
    for module in modules:
        file = module.relative_to(package).as_posix()
        for first, last, text in written(module):
            excused = any(file == where and what in text for where, what in UNREACHED)
            if not excused and not any((file, line) in lines for line in range(first, last + 1)):
                missing.append(f"{file}:{first}: {text}")
    return missing


def harness(folder: Path, *scenarios: str) -> dict:
    """What the harness finds: by scenario, and for planted faults."""
    if sys.platform != "linux":
        pytest.skip("processes are forked and looked at as on Linux")
    answer = folder / "answer.json"
    command = [sys.executable, str(HERE / "crash.py"), str(answer), *scenarios]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(answer.read_text())


#: Those of an ordinary run; builds, with more points than all of them, are for a long one.
QUICK = (
    "abandoned build", "run", "diverging run", "sweep", "seals", "pictures", "archive", "fusion", "catalogue", "library"
)
SCENARIOS = "build", "chapter", "broken chapter", *QUICK


@pytest.fixture(scope="module")
def some(tmp_path_factory):
    return harness(tmp_path_factory.mktemp("crash"), *QUICK)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return harness(tmp_path_factory.mktemp("crash"))


@pytest.mark.slow
@pytest.mark.parametrize("scenario", QUICK)
def test_after_a_fault_at_any_point_there_is_the_old_or_the_new_state_and_the_next_try_ends_in_the_new(some, scenario):
    result = some[scenario]
    assert result["cases"] > 0 and result["wrong"] == [], "\n\n".join(result["wrong"][:10])


@pytest.mark.long
def test_after_a_fault_at_any_point_of_a_build_there_is_the_old_or_the_new_book(found):
    assert all(found[scenario]["cases"] > 0 for scenario in SCENARIOS)
    wrong = [one for scenario in SCENARIOS for one in found[scenario]["wrong"]]
    assert wrong == [], "\n\n".join(wrong[:10])


@pytest.mark.long
def test_every_call_that_writes_renames_or_starts_is_failed_at(found):
    lines = {tuple(line) for name in SCENARIOS for line in found[name]["lines"]}
    modules = [path for pattern in MODULES for path in sorted(PACKAGE.glob(pattern))]
    assert unvisited(modules, lines, PACKAGE) == []


def test_a_call_that_no_scenario_reaches_is_seen(tmp_path):
    module = tmp_path / "new.py"
    module.write_text("import os\n\n\nopen(path, 'w')\nopen(path)\nos.replace(\n    path, path)\n")
    assert [line.split()[0] for line in unvisited([module], set(), tmp_path)] == ["new.py:4:", "new.py:6:"]
    assert unvisited([module], {("new.py", 4), ("new.py", 7)}, tmp_path) == []


@pytest.mark.long
def test_faults_that_are_planted_are_found(found):
    assert len(found["planted"]) >= 4
    assert [name for name, problem in found["planted"].items() if not problem] == []


@pytest.mark.parametrize(("passed", "chance"), [([1, 1, 1], False), ([1, 1, 0], True), ([0], True)])
def test_a_point_that_every_run_passes_has_to_be_failed_at(passed, chance):
    from .crash import Harness

    harness, runs = Harness.__new__(Harness), iter(passed)
    harness.scenario = SimpleNamespace(act=None)
    harness.restore = lambda: None
    harness.do = lambda _: [{"point": "here"}] * next(runs) + [{"point": "there"}]
    assert harness.by_chance("here") is chance
