"""The loop: what it computes, how it resumes, where it stops."""

import json
import os
import subprocess
import sys
import textwrap

import pytest
import torch
from torch import nn

from colu.lab import data
from colu.lab.models import MLP
from colu.lab.training import (
    DivergedError,
    ImageBatches,
    MatrixMuon,
    Plan,
    Task,
    fit,
    latest_checkpoint,
    make_fabric,
)
from colu.lab.training.checkpoint import CheckpointError


class Digits:
    """A small classifier with dropout, so that torch's own generator takes part."""

    def __init__(self, seed=0, batch_size=32, dropout=0.2, norm=True):
        torch.manual_seed(seed)
        layers = [nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, 10)]
        if norm:
            layers.insert(2, nn.BatchNorm1d(16))
        self.model = nn.Sequential(*layers)
        train, self.test = data.load("digits", "train"), data.load("digits", "test")
        self.batches = ImageBatches(train.images, train.labels, batch_size, seed=seed, top=train.top, crop=1)

    def batch(self, step, rank=0, world_size=1):
        return self.batches.at(step, rank, world_size)

    def loss(self, model, batch):
        return nn.functional.cross_entropy(model(batch[0]), batch[1])

    def evaluate(self, model):
        hits = model(self.batches.normalise(self.test.images)).argmax(1) == self.test.labels
        return {"accuracy": hits.double().mean()}


PLAN = Plan(
    steps=60,
    batch_size=32,
    learning_rate=2e-2,
    schedule="cosine",
    warmup=5,
    clip_norm=1.0,
    ema_decay=0.9,
    log_every=7,
    evaluate_every=20,
    checkpoint_every=9,
)


def weights(model):
    return torch.cat([v.double().flatten() for v in model.state_dict().values()])


@pytest.fixture(scope="module")
def whole():
    return fit(Digits(), PLAN)


def test_digits_is_a_task():
    assert isinstance(Digits(), Task)


def test_the_loop_learns(whole):
    assert whole.metrics["accuracy"] > 0.5
    assert whole.curve[-1]["loss"] < whole.curve[0]["loss"]


def test_the_same_run_twice_is_the_same_run(whole):
    again = fit(Digits(), PLAN)
    assert torch.equal(weights(again.model), weights(whole.model))
    assert again.curve == whole.curve


def test_a_run_started_where_gradients_are_off_is_the_same_run(whole):
    with torch.no_grad():
        again = fit(Digits(), PLAN)
    assert torch.equal(weights(again.model), weights(whole.model)) and again.curve == whole.curve


def test_another_seed_is_another_run(whole):
    assert not torch.equal(weights(fit(Digits(seed=1), PLAN, seed=1).model), weights(whole.model))


@pytest.mark.parametrize("optimiser", ["adam", "adamw", "muon", "sgd"])
def test_the_loop_is_the_plain_loop(optimiser):
    """Written out by hand with torch alone, the same weights come out."""
    plan = Plan(steps=12, batch_size=32, learning_rate=1e-2, optimiser=optimiser, weight_decay=1e-3, clip_norm=0.5)
    task = Digits(dropout=0.0)
    made = {
        "adam": lambda p: torch.optim.Adam(p, lr=1e-2, weight_decay=1e-3),
        "adamw": lambda p: torch.optim.AdamW(p, lr=1e-2, weight_decay=1e-3),
        "muon": lambda p: MatrixMuon(p, lr=1e-2, weight_decay=1e-3, momentum=0.9),
        "sgd": lambda p: torch.optim.SGD(p, lr=1e-2, weight_decay=1e-3, momentum=0.9, nesterov=True),
    }[optimiser](task.model.parameters())
    for step in range(12):
        loss = task.loss(task.model, task.batch(step))
        made.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([p for group in made.param_groups for p in group["params"]], 0.5)
        made.step()
    assert torch.equal(weights(fit(Digits(dropout=0.0), plan).model), weights(task.model))


def test_curve_holds_the_means_of_the_losses():
    task, losses = Digits(dropout=0.0), []
    inner = task.loss
    task.loss = lambda model, batch: losses.append(inner(model, batch)) or losses[-1]
    curve = fit(task, Plan(steps=10, batch_size=32, learning_rate=1e-3, log_every=4)).curve
    assert [entry["step"] for entry in curve] == [4, 8, 10]
    means = [torch.stack(losses[a:b]).detach().double().mean() for a, b in ((0, 4), (4, 8), (8, 10))]
    assert [entry["loss"] for entry in curve] == [float(m) for m in means]


def test_the_global_generator_is_put_back():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit(Digits(), Plan(steps=2, batch_size=32, learning_rate=1e-3), seed=3)
    torch.manual_seed(5)
    task = Digits  # building a task seeds; fitting must not
    state = torch.get_rng_state()
    assert torch.equal(torch.rand(3), expected)
    torch.set_rng_state(state)
    built = task(seed=9)
    before = torch.get_rng_state()
    fit(built, Plan(steps=2, batch_size=32, learning_rate=1e-3))
    assert torch.equal(torch.get_rng_state(), before)


def test_bfloat16_trains():
    result = fit(Digits(), PLAN, fabric=make_fabric("cpu", "bf16-mixed"))
    assert result.metrics["accuracy"] > 0.4
    assert next(result.model.parameters()).dtype == torch.float32


def test_an_average_of_weights_is_what_is_evaluated(whole):
    plain = fit(Digits(), Plan(**{**PLAN.__dict__, "ema_decay": None}))
    assert not torch.equal(weights(plain.model), weights(whole.model))
    assert plain.metrics != whole.metrics


class Stop(Exception):
    pass


def stopping(step, how):
    task = Digits()
    inner = task.batch

    def batch(at, rank=0, world_size=1):
        if at == step:
            how()
        return inner(at, rank, world_size)

    task.batch = batch
    return task


def raises():
    raise Stop


@pytest.mark.parametrize("step", [0, 8, 9, 10, 31, 59])
def test_a_stopped_run_goes_on_bit_by_bit(tmp_path, whole, step):
    with pytest.raises(Stop):
        fit(stopping(step, raises), PLAN, folder=tmp_path, say=lambda _: None)
    said = []
    result = fit(Digits(), PLAN, folder=tmp_path, say=said.append)
    assert result.resumed_from == step // 9 * 9
    assert bool(said) == (step >= 9)
    assert torch.equal(weights(result.model), weights(whole.model))
    assert result.curve == whole.curve
    assert result.metrics == whole.metrics


@pytest.mark.parametrize("harm", ["truncated", "altered", "seal", "gone"])
def test_a_damaged_checkpoint_is_refused_by_name_and_the_one_before_is_used(tmp_path, whole, harm):
    with pytest.raises(Stop):
        fit(stopping(40, raises), PLAN, folder=tmp_path, say=lambda _: None)
    newest = sorted(tmp_path.glob("checkpoint-*.safetensors"))[-1]
    raw = newest.read_bytes()
    if harm == "truncated":
        newest.write_bytes(raw[:-10])
    elif harm == "altered":
        newest.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    elif harm == "seal":
        newest.with_suffix(".json").write_text("{")
    else:
        newest.unlink()
    said = []
    result = fit(Digits(), PLAN, folder=tmp_path, say=said.append)
    assert newest.stem in said[0] and "refused" in said[0]
    assert result.resumed_from == 27
    assert torch.equal(weights(result.model), weights(whole.model))


def test_two_checkpoints_are_kept_and_no_temporary_file(tmp_path):
    fit(Digits(), PLAN, folder=tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        f"checkpoint-000000{s}.{e}" for s in (45, 54) for e in ("json", "safetensors")
    ]


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    fit(Digits(), PLAN, folder=tmp_path, run_hash="one")
    with pytest.raises(CheckpointError, match="'one'.*'two'"):
        fit(Digits(), PLAN, folder=tmp_path, run_hash="two")


def test_a_loss_that_is_not_finite_stops_the_run_and_names_step_and_checkpoint(tmp_path):
    task = Digits()
    inner = task.loss
    calls = []

    def loss(model, batch):
        calls.append(0)
        return inner(model, batch) * (float("nan") if len(calls) == 32 else 1.0)

    task.loss = loss
    with pytest.raises(DivergedError, match="step 32 of 60; the last good checkpoint, step 27"):
        fit(task, PLAN, folder=tmp_path)
    kept = latest_checkpoint(tmp_path)
    assert kept.step == 27 and all(torch.isfinite(t).all() for t in kept.tensors.values())


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="tpu"):
        make_fabric("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="not on this machine"):
            make_fabric("cuda")


TWO = """
import json, sys
sys.path.insert(0, {here!r})
import test_loop as t, torch
from colu.lab.training import make_fabric
fabric = make_fabric("cpu")
plan = t.Plan(**{{**t.PLAN.__dict__}})
result = t.fit(t.Digits(dropout=0.0, norm=False), plan, fabric=fabric, folder={folder!r})
if fabric.global_rank == 0:
    with open({folder!r} + "/result.json", "w") as stream:
        found = {{"world": fabric.world_size, "curve": result.curve, "weights": t.weights(result.model).tolist()}}
        json.dump(found, stream)
"""


@pytest.mark.long
def test_two_processes_train_as_one(tmp_path):
    script = tmp_path / "two.py"
    script.write_text(textwrap.dedent(TWO.format(here=os.path.dirname(__file__), folder=str(tmp_path))))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads((tmp_path / "result.json").read_text())
    alone = fit(Digits(dropout=0.0, norm=False), PLAN)
    assert result["world"] == 2
    # The mean of two half batches is the mean of the batch, up to rounding.
    assert torch.allclose(torch.tensor(result["weights"]), weights(alone.model).float(), atol=2e-4)
    assert [e["loss"] for e in result["curve"]] == pytest.approx([e["loss"] for e in alone.curve], rel=1e-3)


def test_the_fabric_has_one_process_without_torchrun():
    assert make_fabric("cpu").world_size == 1


def test_a_compiled_model_trains_and_is_saved_under_plain_names(tmp_path):
    plan = Plan(steps=4, batch_size=32, learning_rate=1e-3, compile=True, checkpoint_every=2)
    task = Digits(dropout=0.0)
    torch.compiler.reset()
    try:
        fit(task, plan, folder=tmp_path)
    except Exception as error:  # no C++ compiler on this machine
        if "compiler" in str(error).lower():
            pytest.skip(f"torch.compile has no compiler here: {error}")
        raise
    assert "model.1.weight" in latest_checkpoint(tmp_path).tensors


def test_mlp_of_the_package_is_accepted():
    task = Digits()
    task.model = MLP(64, [16], 10, activation="colu")
    assert fit(task, PLAN).metrics["accuracy"] > 0.5


def test_making_a_fabric_imports_no_torchmetrics_and_leaves_it_importable_and_the_environment_as_it_was():
    program = """
import os, sys
from colu.lab.training import make_fabric
before = dict(os.environ)
make_fabric("cpu")
print([k for k, v in os.environ.items() if before.get(k) != v])
print([name for name in ("torchmetrics", "torchvision", "scipy.signal") if name in sys.modules])
import torchmetrics
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "[]"]
