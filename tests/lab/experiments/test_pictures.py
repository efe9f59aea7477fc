"""What the tasks show: named rows of equal columns, the same noise in every arm."""

import pytest
import torch
from typer.testing import CliRunner

from colu.cli import app
from colu.lab.experiments import get_experiment
from colu.lab.experiments.generative import COLUMNS
from colu.lab.results import find_pictures
from colu.lab.training import fit

ROWS = {
    "vae": {"data", "reconstructed", "sampled", "turned back", "a fifth turned", "turned"},
    "autoencoder": {"data", "principal components", "reconstructed"},
    "ddpm": {"data", "sampled", "sampled too", "great circle", "straight line"},
    "latent-diffusion": {"data", "pixels", "decoded", "sampled", "sampled too", "Gaussian", "codes", "noises"},
}
SHORT = {"latent-diffusion": {"autoencoder_steps": 3, "widths": [16]}, "ddpm": {"widths": [16]}}


@pytest.fixture(scope="module", params=ROWS)
def shown(request):
    experiment = get_experiment(request.param)
    config = experiment.config("smoke", "relu", 0, steps=2, evaluate_every=0, **SHORT.get(request.param, {}))
    task = experiment.build(config)
    model = fit(task, config.plan, seed=0).model.eval()
    return request.param, task, model, task.pictures(model)


def test_rows_are_those_that_chapters_name(shown):
    name, task, model, pictures = shown
    assert set(pictures.rows) == ROWS[name]
    assert {tuple(row.shape) for row in pictures.rows.values()} == {(COLUMNS, 1, 8, 8)}


def test_the_same_model_gives_the_same_pictures(shown):
    _, task, model, pictures = shown
    again = task.pictures(model)
    assert all(torch.equal(again[name], row) for name, row in pictures.rows.items())


def test_the_components_are_the_best_linear_code():
    experiment = get_experiment("autoencoder")
    config = experiment.config("smoke", "relu", 0, steps=2, evaluate_every=0)
    task = experiment.build(config)
    pictures = task.pictures(task.model.eval())
    assert pictures.facts["numbers"] == 8
    images = task.test.flatten(1).double()
    # No eight directions of the test set itself leave more than those of the training set do.
    least = torch.linalg.eigvalsh((images - images.mean(0)).T.cov(correction=0))[:-8].sum() / 64
    assert float(least) <= pictures.facts["pca_test_mse"] < 1.2 * float(least)


def test_the_command_keeps_pictures_in_their_folder(tmp_path):
    words = ["run", "vae", "--arms", "relu,colu", "--seeds", "0", "--set", "steps=2", "--set", "evaluate_every=0"]
    done = CliRunner().invoke(app, [*words, "--pictures", "--results", str(tmp_path)])
    assert done.exit_code == 0 and "pictures" in done.output
    found = find_pictures("vae", tmp_path)
    assert list(found) == ["colu", "relu"]
    assert torch.equal(found["colu"]["data"], found["relu"]["data"])
    refused = CliRunner().invoke(app, ["run", "rotation", "--pictures", "--results", str(tmp_path)])
    assert refused.exit_code == 2
