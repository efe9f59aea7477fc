"""From a record to the command beside it, and back to the same configuration."""

import dataclasses
import shlex

import pytest
from typer.testing import CliRunner

from colu.cli import app
from colu.commands.training import _changes
from colu.lab.experiments import get_experiment, is_current, rerun_commands, run_arms
from colu.lab.experiments.sweep import parse_seeds
from colu.lab.results import find_records, results_root, write_record


def records(**changes):
    return run_arms("mnist-mlp", arms=["relu", "colu"], seeds=[0, 2], **{"steps": 2, **changes})


def configurations(command, device):
    """What the command would run, as hashes of configurations, on a machine with this device."""
    words = shlex.split(command)
    words = words[words.index("run") + 1 :]
    name, options = words[0], dict(zip(words[1::2], words[2::2], strict=True))
    settings = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
    experiment = get_experiment(name)
    preset = options.get("--preset", "smoke")
    chosen = experiment.presets[preset]
    arms = options["--arms"].split(",") if "--arms" in options else chosen.arms
    seeds = parse_seeds(options["--seeds"]) if "--seeds" in options else range(chosen.seeds)
    changes = {"device": device, **_changes(settings)}
    return {experiment.config(preset, arm, seed, **changes).hash for arm in arms for seed in seeds}


@pytest.mark.parametrize("changes", [{}, {"hidden": [64]}, {"betas": [0.8, 0.99], "clip_norm": 1.0, "train_size": 200}])
def test_the_command_makes_the_configurations_of_the_records(changes):
    made = records(**changes)
    (command,) = rerun_commands(made)
    assert configurations(command, "cpu") == {r.config_hash for r in made}


def test_the_command_runs_although_there_is_a_record(tmp_path, monkeypatch):
    (record,) = run_arms("rotation", arms=["relu"], seeds=[0], steps=2)
    write_record(record, tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLU_RESULTS", str(tmp_path / "results"))
    (command,) = rerun_commands([record])
    done = CliRunner().invoke(app, shlex.split(command)[1:])
    assert done.exit_code == 0 and "recorded before" not in done.output
    assert (tmp_path / "mine" / "rotation" / f"{record.stem}.json").is_file()


def test_arms_with_other_seeds_get_a_command_of_their_own():
    made = records()
    commands = rerun_commands(made[:-1])
    assert len(commands) == 2
    assert set.union(*(configurations(c, "cpu") for c in commands)) == {r.config_hash for r in made[:-1]}


def test_nothing_is_said_that_the_preset_says():
    config = get_experiment("vae").config("laptop", "relu", 0, device="cuda").to_dict()
    record = dataclasses.replace(records()[0], experiment="vae", preset="laptop", config=config)
    command = "colu run vae --preset laptop --arms relu --seeds 0"
    assert rerun_commands([record]) == [f"{command} --results mine"]
    on_cpu = dataclasses.replace(record, config={**config, "device": "cpu"})
    assert rerun_commands([on_cpu]) == [f"{command} --set device=cpu --results mine"]


def test_an_altered_configuration_is_not_current():
    record = records()[0]
    assert is_current(record)
    options = {**record.config["options"], "forgotten": 1}
    assert not is_current(dataclasses.replace(record, config={**record.config, "options": options}))
    assert not is_current(dataclasses.replace(record, config_hash="0" * 64))


def test_every_recorded_run_can_be_asked_for_again():
    names = [folder.name for folder in results_root().iterdir() if list(folder.glob("*.json"))]
    found = [record for name in names for record in find_records(name)]
    stale = [record.stem for record in found if not is_current(record)]
    assert not stale
