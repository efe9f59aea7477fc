"""A toy protocol whose runs take seconds, and a folder of records in which all of it was done."""

import shutil
from types import SimpleNamespace

import pytest
import yaml

from colu.lab.results import records
from colu.lab.verdicts import load_protocols, run_missing
from colu.lab.verdicts.statements import Statement

PROTOCOL = {
    "question": "Is GELU more accurate than ReLU?",
    "task": {"experiment": "mnist-mlp", "preset": "smoke", "settings": {"steps": 12, "evaluate_every": 0}},
    "arms": ["relu", "gelu"],
    "tuning": {
        "learning_rates": [1e-5, 3e-3, 10.0],
        "seeds": [100],
        "settings": {"holdout": 300},
        "metric": "validation_accuracy",
    },
    "seeds": [0, 1, 2, 3, 4],
    "comparison": "paired",
    "shares": "everything but the activation",
    "tests": [
        {"statement": "gelu-leads", "arm": "gelu", "baseline": "relu", "metric": "test_accuracy", "margin": 10.0}
    ],
    "gates": [],
    "spread": {"sd": 3.0, "measured": "a guess"},
    "stopping": "all runs",
    "cost": {"core_hours": 0.01, "measured": "a guess"},
}
STATEMENTS = {
    "gelu-leads": Statement(
        id="gelu-leads", statement="GELU leads.", source="hendrycks2016gelu", where="nowhere", says="higher",
        printed={"arm": 90.0, "baseline": 70.0},
    )
}  # fmt: skip


def write(root, name="toy", **changes):
    (root / "protocols").mkdir(parents=True, exist_ok=True)
    (root / "protocols" / f"{name}.yml").write_text(yaml.safe_dump({**PROTOCOL, **changes}))
    return load_protocols(root, [name])[name]


@pytest.fixture(scope="session")
def done(tmp_path_factory):
    """A folder in which every run of the toy protocol was done, from a clean tree."""
    root = tmp_path_factory.mktemp("protocols")
    protocol = write(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "commit_here", lambda: ("a" * 40, False))
        assert run_missing([protocol], root, budget=600) == 16
    return root


@pytest.fixture
def copy(done, tmp_path):
    """The same, to be spoilt."""
    shutil.copytree(done, tmp_path / "results")
    return tmp_path / "results"


def fake(arm, seed, processor="one", **metrics):
    """What gates look at of a record."""
    return SimpleNamespace(arm=arm, seed=seed, metrics=metrics, device={"type": "cpu", "name": processor})
