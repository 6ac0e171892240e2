"""The only training loop of the project, on Lightning Fabric."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from lightning.fabric.loggers import TensorBoardLogger

from ..core.errors import NumericalFailure
from ..core.files import write_text
from ..core.progress import progress_bar
from ..core.seeding import seed_for
from .checkpoint import newest_checkpoint, remove_checkpoints, save_checkpoint
from .task import Task, Update, frozen, learning_rate_factor


@dataclass(frozen=True)
class Schedule:
    """How long, how often, how fast: all that ``fit`` needs to know besides the task and its data.

    ``rate``: the factor on every learning rate at a step; None: warm-up, constant, then linear to zero.
    """

    steps: int
    seed: int
    log_every: int = 10
    checkpoint_every: int = 100
    sample_every: int = 0
    warmup: int = 0
    constant_share: float = 0.5
    clip_norm: float | None = None
    label: str = "train"
    rate: Callable[[int], float] | None = None

    def factor(self, step: int) -> float:
        if self.rate is not None:
            return self.rate(step)
        return learning_rate_factor(step, self.steps, self.warmup, self.constant_share)


@dataclass
class History:
    """Mean of every loss term over each logging interval, as rows for ``losses.csv``."""

    rows: list[dict[str, float]] = field(default_factory=list)
    pending: list[dict[str, float]] = field(default_factory=list)

    def add(self, values: dict[str, float]) -> None:
        self.pending.append(values)

    def close_interval(self, step: int) -> dict[str, float]:
        names = sorted({name for values in self.pending for name in values})
        means = {name: sum(v[name] for v in self.pending if name in v) / sum(name in v for v in self.pending)
                 for name in names}
        self.pending = []
        self.rows.append({"step": float(step), **means})
        return means

    def write(self, path: Path) -> None:
        names = ["step", *sorted({name for row in self.rows for name in row if name != "step"})]
        text = io.StringIO()
        table = csv.DictWriter(text, names, lineterminator="\n")
        table.writeheader()
        for row in self.rows:
            table.writerow({name: f"{value:.6g}" for name, value in row.items()})
        write_text(path, text.getvalue())


def make_fabric(device: str, precision: str = "32-true", logs: Path | None = None) -> Fabric:
    """A launched single-device Fabric. ``device`` is ``auto``, ``cpu`` or ``cuda``; ``logs`` receives TensorBoard."""
    for part in ("fabric", "pytorch"):  # whichever was imported last announces the precision on stderr
        logging.getLogger(f"lightning.{part}.utilities.rank_zero").setLevel(logging.WARNING)
    loggers = [TensorBoardLogger(root_dir=str(logs), name="", version="")] if logs else None
    fabric = Fabric(accelerator="cuda" if device == "auto" and torch.cuda.is_available() else
                    "cpu" if device == "auto" else device, devices=1, precision=precision, loggers=loggers)  # type: ignore[arg-type]
    fabric.launch()
    return fabric


def fit(task: Task, batches: Callable[[int], Any], schedule: Schedule, fabric: Fabric, folder: Path,
        on_sample: Callable[[int], None] | None = None) -> History:
    """Train ``task`` for ``schedule.steps`` steps, going on from the newest checkpoint in ``folder``.

    ``batches(step)`` gives the batch of a step (0-based) from the step number alone, so an interrupted training
    that resumes takes the same steps as an uninterrupted one. The global torch stream, which third-party nets
    draw from, is seeded anew from (seed, step) at each step for the same reason.

    Raises:
        NumericalFailure: a loss became NaN or infinite; the step is withheld and the last checkpoint stays.
    """
    for net in task.nets.values():
        net.to(fabric.device)
    updates = task.updates()
    base_rates = [[float(group["lr"]) for group in update.optimizer.param_groups] for update in updates]
    checkpoints = folder / "checkpoints"
    start, history = _restore(task, updates, checkpoints)
    with progress_bar(schedule.label, schedule.steps, start) as bar:
        for step in range(start, schedule.steps):
            _set_rates(updates, base_rates, schedule.factor(step))
            torch.manual_seed(seed_for(schedule.seed, "step", step) % 2**32)
            history.add(train_step(task, updates, batches(step), fabric, step, schedule.clip_norm))
            task.after_step(step)
            done = step + 1
            bar.update()
            if done % schedule.log_every == 0 or done == schedule.steps:
                means = history.close_interval(done)
                bar.set_postfix({name.split("/")[-1]: f"{value:.3g}" for name, value in list(means.items())[:4]})
                if fabric.loggers:
                    fabric.log_dict(means, step=done)
            if on_sample and schedule.sample_every and (done % schedule.sample_every == 0 or done == schedule.steps):
                on_sample(done)
            if done % schedule.checkpoint_every == 0 and done < schedule.steps:
                history.write(folder / "losses.csv")
                save_checkpoint(checkpoints, done, _state(task, updates, done, history))
    history.write(folder / "losses.csv")
    return history


def finish(folder: Path) -> None:
    """Drop the checkpoints of a training whose results have been saved."""
    remove_checkpoints(folder / "checkpoints")


def train_step(task: Task, updates: list[Update], batch: Any, fabric: Fabric, step: int = 0,
               clip_norm: float | None = None) -> dict[str, float]:
    """One forward and the updates that run at ``step``; the value of every loss term, as ``update/term``.

    The device is asked once an update: for all its losses together.

    Raises:
        NumericalFailure: a loss or, where it is clipped, a gradient is not finite; that update is not taken.
    """
    values: dict[str, float] = {}
    with fabric.autocast():
        outputs = task.forward(batch)
    for update in updates:
        if not update.runs_at(step):
            continue
        with frozen(update.held_still):
            with fabric.autocast():
                losses = update.losses(outputs)
            stacked = torch.stack([value.float() for value in losses.values()])
            measured = dict(zip(losses, stacked.tolist(), strict=True))
            bad = [name for name, value in measured.items() if not abs(value) < float("inf")]
            if bad:
                raise NumericalFailure(f"{update.name}: {', '.join(bad)} is not finite at step {step}; "
                                       "lower the learning rate, or run again from the last checkpoint")
            update.optimizer.zero_grad(set_to_none=True)
            fabric.backward(stacked.sum())
        if clip_norm is not None:
            parameters = [p for group in update.optimizer.param_groups for p in group["params"]]
            if not torch.isfinite(torch.nn.utils.clip_grad_norm_(parameters, clip_norm)):
                raise NumericalFailure(f"{update.name}: the gradient is not finite at step {step}; "
                                       "lower the learning rate, or run again from the last checkpoint")
        update.optimizer.step()
        values |= {f"{update.name}/{name}": value for name, value in measured.items()}
    return values


def _set_rates(updates: list[Update], base_rates: list[list[float]], factor: float) -> None:
    for update, rates in zip(updates, base_rates, strict=True):
        for group, rate in zip(update.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * factor


def _state(task: Task, updates: list[Update], step: int, history: History) -> dict[str, Any]:
    return {
        "step": step,
        "nets": {name: net.state_dict() for name, net in task.nets.items()},
        "optimizers": {update.name: update.optimizer.state_dict() for update in updates},
        "history": {"rows": history.rows, "pending": history.pending},
    }


def _restore(task: Task, updates: list[Update], checkpoints: Path) -> tuple[int, History]:
    state = newest_checkpoint(checkpoints)
    if state is None:
        return 0, History()
    for name, net in task.nets.items():
        net.load_state_dict(state["nets"][name])
    for update in updates:
        update.optimizer.load_state_dict(state["optimizers"][update.name])
    return int(state["step"]), History(**state["history"])
