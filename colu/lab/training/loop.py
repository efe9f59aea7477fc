"""The training loop, on Lightning Fabric."""

from __future__ import annotations

import copy
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from .batches import seed_for
from .checkpoint import (
    Checkpoint,
    CheckpointError,
    latest_checkpoint,
    pack_optimiser,
    save_checkpoint,
    unpack_optimiser,
)
from .here import check_device, started_processes
from .optimisers import make_optimiser
from .plan import Plan, learning_rate
from .task import Task

__all__ = ["DivergedError", "Fit", "fit", "make_fabric"]


class DivergedError(RuntimeError):
    """The loss, or what is evaluated, is no longer finite."""


@dataclass
class Fit:
    """What a run gave.

    Attributes
    ----------
    model : torch.nn.Module
        Trained; with an average of weights, the averaged model.
    metrics : dict of str to float
        Of the last evaluation.
    curve : list of dict
        ``step``, mean ``loss`` since the entry before, and metrics where they were evaluated.
    elapsed : list of list
        Seconds of training (evaluation aside) at each entry of the curve; the only part that does not repeat.
    seconds : float
        Seconds of training in all, over all resumed parts.
    cpu_seconds : float or None
        The same of the processor, in this process; None after a checkpoint that does not say.
    resumed_from : int
        Step of the checkpoint that the run went on from; 0 for none.
    """

    model: nn.Module
    metrics: dict[str, float]
    curve: list[dict] = field(default_factory=list)
    elapsed: list[list[float]] = field(default_factory=list)
    seconds: float = 0.0
    cpu_seconds: float | None = 0.0
    resumed_from: int = 0


def make_fabric(device: str = "cpu", precision: str = "32-true"):
    """A Fabric for ``device`` (``cpu``, ``cuda``, ``mps``), with as many processes as ``torchrun`` started.

    Parameters
    ----------
    device : str
    precision : str
        Of Lightning Fabric: ``32-true``, ``bf16-mixed``, ``64-true``.

    Raises
    ------
    ValueError
        For a device that is not there.

    Examples
    --------
    >>> make_fabric("cpu").world_size
    1
    """
    Fabric = _fabric_class()
    check_device(device)
    world_size = started_processes()
    local = int(os.environ.get("LOCAL_WORLD_SIZE", world_size))
    fabric = Fabric(
        accelerator=device,
        devices=local,
        num_nodes=world_size // local,
        strategy="ddp" if world_size > 1 else "auto",
        precision=precision,
    )
    fabric.launch()
    return fabric


def _fabric_class():
    # Lightning asks torch, by a variable that it leaves set, to look for GPUs through NVML: wanted where processes
    # are forked, which nothing here does, and 150 us in each step of an optimiser where there is no GPU.
    name = "PYTORCH_NVML_BASED_CUDA_CHECK"
    before = os.environ.get(name)
    # Lightning imports all of torchmetrics, and with it torchvision and scipy.signal, to read its version for a
    # callback that nothing here uses: it takes as long as importing torch. None is the module that is not there.
    absent = "torchmetrics" not in sys.modules
    if absent:
        sys.modules["torchmetrics"] = None
    try:
        from lightning_fabric import Fabric
    finally:
        if absent:
            del sys.modules["torchmetrics"]
    if before is None:
        os.environ.pop(name, None)
    return Fabric


def _first_bad(losses: Tensor) -> int | None:
    bad = (~torch.isfinite(losses)).nonzero()
    return int(bad[0]) if len(bad) else None


class _Run:
    """The parts of a run that change, and their way into a checkpoint and back."""

    def __init__(self, task: Task, plan: Plan, fabric, seed: int, run_hash: str) -> None:
        self.task, self.plan, self.fabric, self.seed, self.run_hash = task, plan, fabric, seed, run_hash
        self.model = task.model
        self.average = copy.deepcopy(self.model).requires_grad_(False) if plan.ema_decay else None
        self.optimiser = make_optimiser(self.model, plan)
        self.losses = torch.zeros(min(plan.log_every, plan.steps), device=next(self.model.parameters()).device)
        self.step = 0
        self.curve: list[dict] = []
        self.elapsed: list[list[float]] = []
        self.seconds = 0.0
        self.cpu_seconds: float | None = 0.0

    @property
    def evaluated(self) -> nn.Module:
        return self.average if self.average is not None else self.model

    def checkpoint(self) -> Checkpoint:
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        if self.average is not None:
            tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        tensors |= pack_optimiser(self.optimiser)
        # Copies, because safetensors refuses tensors that share memory, as tied weights do.
        tensors = {name: tensor.detach().clone() for name, tensor in tensors.items()}
        tensors["losses"] = self.losses
        facts = {"curve": self.curve, "elapsed": self.elapsed, "run": self.run_hash}
        facts |= {"seconds": self.seconds, "cpu_seconds": self.cpu_seconds}
        return Checkpoint(self.step, tensors, facts)

    def restore(self, saved: Checkpoint) -> None:
        if saved.facts["run"] != self.run_hash:
            raise CheckpointError(
                f"the checkpoint belongs to run {saved.facts['run']!r}, this is {self.run_hash!r}: use another folder"
            )

        def part(prefix: str) -> dict[str, Tensor]:
            return {k.removeprefix(prefix): v for k, v in saved.tensors.items() if k.startswith(prefix)}

        self.model.load_state_dict(part("model."))
        if self.average is not None:
            self.average.load_state_dict(part("average."))
        unpack_optimiser(self.optimiser, saved.tensors)
        self.losses.copy_(saved.tensors["losses"])
        self.step, self.curve, self.elapsed = saved.step, saved.facts["curve"], saved.facts["elapsed"]
        self.seconds, self.cpu_seconds = saved.facts["seconds"], saved.facts.get("cpu_seconds")

    def update_average(self) -> None:
        if self.average is None:
            return
        # Early on the average follows closely, else it would hold the initial weights for long.
        decay = min(self.plan.ema_decay, (1 + self.step) / (10 + self.step))
        ours, theirs = list(self.average.parameters()), list(self.model.parameters())
        torch._foreach_lerp_(ours, [p.detach() for p in theirs], 1 - decay)
        for mine, new in zip(self.average.buffers(), self.model.buffers(), strict=True):
            mine.copy_(new)

    def evaluate(self) -> dict[str, float]:
        model = self.evaluated
        was_training = model.training
        model.eval()
        with torch.no_grad(), self.fabric.autocast():
            metrics = {name: float(value) for name, value in self.task.evaluate(model).items()}
        model.train(was_training)
        if bad := {name: value for name, value in metrics.items() if not math.isfinite(value)}:
            raise DivergedError(f"of the evaluation after step {self.step}, not finite: {bad}; lower the learning rate")
        return metrics


def fit(
    task: Task,
    plan: Plan,
    *,
    seed: int = 0,
    fabric=None,
    folder: str | Path | None = None,
    run_hash: str = "",
    progress: Callable[[int, int, dict], None] | None = None,
    say: Callable[[str], None] = print,
) -> Fit:
    """Train ``task.model`` by ``plan``; go on from the newest whole checkpoint in ``folder`` if there is one.

    On one device, with one number of threads and processes, weights, metrics and curve are bit by bit those of a run
    that was never stopped: order, augmentation and torch's global generator are set anew from seed and step.
    The global generator's state is put back at the end.

    Parameters
    ----------
    task : Task
    plan : Plan
    seed : int
    fabric : lightning_fabric.Fabric, optional
        By default :func:`colu.lab.training.make_fabric` for the model's device.
    folder : path, optional
        Where checkpoints lie; without it the run cannot be resumed.
    run_hash : str
        Names the run; a checkpoint of another is refused.
    progress : callable, optional
        Called with step, steps and the newest entry of the curve.
    say : callable
        Told what a person should know, such as a refused checkpoint.

    Returns
    -------
    Fit

    Raises
    ------
    DivergedError
        When the loss is not finite: says the step and the last good checkpoint, which is kept.
    CheckpointError
        When the checkpoint belongs to another run.
    """
    device = next(task.model.parameters()).device
    fabric = fabric or make_fabric(device.type)
    run = _Run(task, plan, fabric, seed, run_hash)
    resumed_from = 0
    if folder is not None and (saved := latest_checkpoint(Path(folder), say)) is not None:
        run.restore(saved)
        resumed_from = run.step
        say(f"goes on from step {run.step} of {plan.steps}")
    model = torch.compile(run.model) if plan.compile else run.model
    model, optimiser = fabric.setup(model, run.optimiser)
    state = torch.get_rng_state()
    try:
        _steps(run, model, optimiser, None if folder is None else Path(folder), progress)
    finally:
        torch.set_rng_state(state)
    metrics = {k: v for k, v in run.curve[-1].items() if k not in ("step", "loss")}
    return Fit(run.evaluated.eval(), metrics, run.curve, run.elapsed, run.seconds, run.cpu_seconds, resumed_from)


@torch.enable_grad()
def _steps(run: _Run, model, optimiser, folder: Path | None, progress) -> None:
    plan, task, fabric = run.plan, run.task, run.fabric
    rank, world_size = fabric.global_rank, fabric.world_size
    groups = run.optimiser.param_groups
    model.train()
    began, began_cpu = time.perf_counter(), time.process_time()
    while run.step < plan.steps:
        step = run.step
        _seed_step(seed_for(run.seed, "step", step, rank), fabric.device)
        for group in groups:
            group["lr"] = learning_rate(plan, step)
        loss = task.loss(model, task.batch(step, rank, world_size))
        optimiser.zero_grad()
        fabric.backward(loss)
        if plan.clip_norm is not None:
            fabric.clip_gradients(model, optimiser, max_norm=plan.clip_norm, error_if_nonfinite=False)
        optimiser.step()
        run.losses[step % plan.log_every] = loss.detach()
        run.step += 1
        run.update_average()
        done = run.step
        last = done == plan.steps
        if done % plan.log_every and not last and not _due(done, plan.evaluate_every, plan.checkpoint_every):
            continue
        filled = (done - 1) % plan.log_every + 1
        _check_finite(run, filled, folder)
        run.seconds += _lap(began, fabric.device)
        if run.cpu_seconds is not None:
            run.cpu_seconds += time.process_time() - began_cpu
        if done % plan.log_every == 0 or last or _due(done, plan.evaluate_every):
            _log(run, filled, last or _due(done, plan.evaluate_every))
            if progress is not None and rank == 0:
                progress(done, plan.steps, run.curve[-1])
        if folder is not None and _due(done, plan.checkpoint_every) and not last:
            if rank == 0:
                save_checkpoint(folder, run.checkpoint())
            fabric.barrier()
        model.train()
        began, began_cpu = time.perf_counter(), time.process_time()


def _seed_step(seed: int, device: torch.device) -> None:
    # torch.manual_seed also looks for every accelerator, which on a CPU takes longer than a small step.
    (torch.default_generator if device.type == "cpu" else torch).manual_seed(seed)


def _due(step: int, *every: int) -> bool:
    return any(interval and step % interval == 0 for interval in every)


def _lap(began: float, device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


def _log(run: _Run, filled: int, evaluate: bool) -> None:
    loss = run.fabric.all_reduce(run.losses[:filled].double().mean(), reduce_op="mean")
    entry = {"step": run.step, "loss": float(loss)}
    if evaluate:
        entry |= run.evaluate()
    run.curve.append(entry)
    run.elapsed.append([run.step, run.seconds])


def _check_finite(run: _Run, filled: int, folder: Path | None) -> None:
    first = _first_bad(run.losses[:filled])
    flag = torch.tensor(math.inf if first is None else float(first), device=run.losses.device)
    if run.fabric.world_size > 1:
        flag = run.fabric.all_reduce(flag, reduce_op="min")
    if math.isinf(float(flag)):
        return
    step = run.step - filled + int(flag) + 1
    good = latest_checkpoint(folder, lambda _: None) if folder is not None else None
    kept = f"the last good checkpoint, step {good.step} in {folder}, is kept" if good else "there is no checkpoint"
    raise DivergedError(f"the loss is not finite at step {step} of {run.plan.steps}; {kept}; lower the learning rate")
