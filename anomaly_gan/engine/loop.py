"""The only training loop of the project, on Lightning Fabric."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from ..core.devices import place_of
from ..core.errors import ConfigError, NumericalFailure
from ..core.files import write_json
from ..core.json_files import read_as
from ..core.progress import progress_bar
from ..core.ranks import launched, shared_by
from ..core.seeding import seed_for
from ..core.stage import LOGS
from ..core.time_budget import TimeBudget
from .checkpoint import newest_checkpoint, remove_checkpoints, save_checkpoint
from .distributed import average_gradients
from .early_stopping import Plateau
from .finite_checks import check_values, check_weights, explained
from .loggers import loggers
from .loss_log import History
from .precision import decide
from .task import Task, Update, frozen, learning_rate_factor

SHARED = "ddp_spawn"
"""How Fabric starts processes that share a training. Forked ones would start sooner, but may hang on the threads of
what ran before them."""
ENDED = "ended.json"
"""Beside the losses of a training that time ended: when."""
Batches = Callable[[int], Any]
"""The batch of a step (0-based), from the step number alone; where processes share a batch, this one's part of it."""


@dataclass(frozen=True)
class Schedule:
    """How long, how often, how fast: all that ``fit`` needs to know besides the task and its data.

    ``rate``: the factor on every learning rate at a step; None: warm-up, constant, then linear to zero.
    ``budget``: the time after which the training ends, should ``steps`` not have been reached: the rate then goes by
    the share of the time that is gone where that is more than the share of the steps.
    ``until``: a hard end besides, which no rate goes by.
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
    budget: TimeBudget | None = None
    until: TimeBudget | None = None

    def factor(self, step: int, time_gone: float = 0.0) -> float:
        """``time_gone``: the share of the time budget."""
        warming = self.budget is None or step < self.warmup
        place = step if warming else max(step, min(time_gone, 1.0) * self.steps)
        if self.rate is not None:
            return self.rate(int(place))
        return learning_rate_factor(place, self.steps, self.warmup, self.constant_share)

    def time_gone(self, fabric: Fabric) -> float:
        """By the first process's watch, for all; 0 without a budget."""
        return fabric.broadcast(self.budget.share()) if self.budget else 0.0

    def ends_in(self) -> float:
        """Seconds until this process's watch ends the training."""
        return min((budget.seconds - budget.spent() for budget in (self.budget, self.until) if budget), default=inf)

    def time_up(self, fabric: Fabric) -> bool:
        """Whether the hard end has come."""
        return fabric.broadcast(self.until.over()) if self.until else False


def make_fabric(device: str, precision: str = "32-true", logs: Path | None = None) -> Fabric:
    """A launched single-device Fabric. ``device`` is ``auto``, ``cpu`` or ``cuda``; ``precision`` one of Fabric's, or
    ``auto``; ``logs``: where TensorBoard, or what ``engine.loggers`` is asked for, writes."""
    fabric = plan_fabric(device, precision, logs)
    fabric.launch()
    return fabric


def plan_fabric(device: str, precision: str = "32-true", logs: Path | None = None, devices: int = 1) -> Fabric:
    """A Fabric of one or several devices, to be started by ``distributed.launch``: gloo on CPUs, NCCL on GPUs.

    Raises:
        ConfigError: more GPUs than there are; ``torchrun`` started another number of processes.
    """
    logging.getLogger("lightning_fabric.utilities.rank_zero").setLevel(logging.WARNING)  # it announces the precision
    kind, here, strategy = place_of(device), devices, SHARED if devices > 1 else "auto"
    if launched():
        world, here = shared_by()
        strategy = "ddp" if world > 1 else "auto"
        if devices != world:
            raise ConfigError(f"devices: {devices} asked for, torchrun started {world}: say --set devices={world}")
    if kind == "cuda" and here > torch.cuda.device_count():
        raise ConfigError(f"devices: {here} asked for, {torch.cuda.device_count()} GPUs are here")
    return Fabric(
        accelerator=kind,
        devices=here,
        num_nodes=devices // here,
        strategy=strategy,
        precision=decide(precision, kind).precision,  # type: ignore[arg-type]
        loggers=loggers(logs) if logs else None,
    )


def fit(
    task: Task,
    batches: Batches,
    schedule: Schedule,
    fabric: Fabric,
    folder: Path,
    on_sample: Callable[[int, bool], None] | None = None,
    plateau: Plateau | None = None,
    describe: Callable[[int], Sequence[str]] = lambda step: (),
) -> History:
    """Train ``task`` for ``schedule.steps`` steps, going on from the newest checkpoint in ``folder``.

    An interrupted training that resumes takes the same steps as an uninterrupted one, because a batch depends on its
    step alone. The global torch stream, which third-party nets draw from, is seeded anew from (seed, step) at each
    step for the same reason. A time budget ends the training earlier, and so does a ``plateau``, which leaves the nets
    it watches with their best weights. ``on_sample`` is told the steps taken and whether they were the last;
    ``describe(step)`` says what is in each row of a batch.

    Args:
        task: nets, losses and updates.
        batches: step -> batch; the same step, the same batch.
        schedule: steps, logging, checkpoints, time budget.
        fabric: device and precision to compute with.
        folder: folder of the training; what is there is gone on with.
        on_sample: called with (step, whether it is the last) every ``sample_every`` steps.
        plateau: ends the training once a measure no longer falls; None: never.
        describe: step -> what the progress line adds.

    Returns:
        What was logged, and why the training ended.

    Raises:
        NumericalFailure: a loss, a gradient or a weight became NaN or infinite; the step is withheld, the last
            checkpoint stays, the message names the batch.
    """
    for net in task.nets.values():
        net.to(fabric.device)
    updates = task.updates()
    base_rates = [[float(group["lr"]) for group in update.optimizer.param_groups] for update in updates]
    checkpoints = folder / "checkpoints"
    history = _restore(task, updates, checkpoints, schedule.budget, plateau)
    start, gone = history.steps, schedule.time_gone(fabric)
    with progress_bar(schedule.label, schedule.steps, start, "steps") as bar:
        bar.ends_in = schedule.ends_in if schedule.budget or schedule.until else None
        for step in range(start, schedule.steps):
            _set_rates(updates, base_rates, schedule.factor(step, gone))
            # chance depends on seed, step and rank alone: a resumed training draws what an uninterrupted one would
            torch.manual_seed(_stream(schedule.seed, step, fabric.global_rank))
            try:
                history.add(train_step(task, updates, batches(step), fabric, step, schedule.clip_norm))
                task.after_step(step)
                history.steps = done = step + 1
                if done == schedule.steps or done % schedule.checkpoint_every == 0:
                    check_weights(task.nets, done)
            except NumericalFailure as failure:
                logs = folder / LOGS if fabric.is_global_zero else None
                raise explained(failure, describe(step), checkpoints, logs) from failure
            bar.update()
            gone = schedule.time_gone(fabric)
            last = _ends(history, schedule, gone, plateau, fabric, folder)
            if done % schedule.log_every == 0 or last:
                means = history.close_interval(done)
                bar.set_postfix({name.split("/")[-1]: f"{value:.3g}" for name, value in list(means.items())[:4]})
                if fabric.loggers:
                    fabric.log_dict(means, step=done)
            if fabric.is_global_zero:
                if on_sample and schedule.sample_every and (done % schedule.sample_every == 0 or last):
                    on_sample(done, last)
                if done % schedule.checkpoint_every == 0 and not last:
                    history.write(folder / "losses.csv")
                    save_checkpoint(checkpoints, done, _state(task, updates, history, schedule.budget, plateau))
            if last:
                break
    if plateau:
        plateau.finalize()
    if fabric.is_global_zero:
        for logger in fabric.loggers:
            logger.finalize("success")
        history.write(folder / "losses.csv")
        if history.ended_by == "time":
            write_json(folder / ENDED, {"ended_by": "time", "steps": history.steps, "planned_steps": schedule.steps})
    return history


def _ends(
    history: History, schedule: Schedule, time_gone: float, plateau: Plateau | None, fabric: Fabric, folder: Path
) -> bool:
    """Whether the step just taken was the last one, and, where it was, why; the plateau looks when it is its turn."""
    last = history.steps == schedule.steps
    if not last and (time_gone >= 1 or schedule.time_up(fabric)):
        last, history.ended_by = True, "time"
    if plateau and (last or plateau.due(history.steps)):
        if plateau.look(history.steps, fabric) and not last:
            last, history.ended_by = True, "plateau"
        if fabric.is_global_zero:
            plateau.write(folder / "quality.csv")
    return last


def _stream(seed: int, step: int, rank: int) -> int:
    """Seed of the torch stream: processes that share a batch draw different numbers for different rows."""
    return seed_for(seed, "step", step, *(["rank", rank] if rank else [])) % 2**32


@dataclass(frozen=True)
class Ended:
    """Of a training that time ended."""

    steps: int
    planned_steps: int


def time_ended(folder: Path) -> dict[str, object]:
    """``ended_by``, ``steps`` and ``planned_steps`` of all trainings below ``folder`` that time ended, together; empty
    where none was."""
    found = [vars(read_as(path, Ended)) for path in sorted(folder.rglob(ENDED))]
    if not found:
        return {}
    return {"ended_by": "time", **{name: min(item[name] for item in found) for name in ("steps", "planned_steps")}}


def finish(folder: Path) -> None:
    """Drop the checkpoints of a training whose results have been saved."""
    remove_checkpoints(folder / "checkpoints")


def train_step(
    task: Task, updates: list[Update], batch: Any, fabric: Fabric, step: int = 0, clip_norm: float | None = None
) -> dict[str, float]:
    """One forward and the updates that run at ``step``; the value of every loss term, as ``update/term``.

    The device is asked once an update: for all its losses and the norm of its gradient together. Processes that share
    a batch get the same values and take the same steps.

    Args:
        task: nets, losses and updates.
        updates: those of the task.
        batch: what the task reads.
        fabric: device and precision to compute with.
        step: number of the step, from 0.
        clip_norm: greatest norm of a gradient; None: not clipped.

    Returns:
        Value of every loss term by ``update/term``.

    Raises:
        NumericalFailure: a loss or a gradient is not finite; that update is not taken.
    """
    values: dict[str, float] = {}
    with fabric.autocast():
        outputs = task.forward(batch)
    for update in updates:
        if not update.runs_at(step):
            continue
        with frozen(update.frozen):
            with fabric.autocast():
                losses = update.losses(outputs)
            stacked = torch.stack([value.float() for value in losses.values()])
            update.optimizer.zero_grad(set_to_none=True)
            fabric.backward(stacked.sum())
        parameters = [p for group in update.optimizer.param_groups for p in group["params"]]
        stacked = average_gradients(parameters, stacked.detach(), fabric)
        norm = _gradient_norm(parameters, clip_norm)
        *numbers, gradient = torch.cat([stacked, norm.float().reshape(1)]).tolist()
        measured = dict(zip(losses, numbers, strict=True))
        check_values(update.name, measured, gradient, step)
        update.optimizer.step()
        values |= {f"{update.name}/{name}": value for name, value in measured.items()}
    return values


def _gradient_norm(parameters: list[torch.nn.Parameter], clip_norm: float | None) -> torch.Tensor:
    """The norm over all gradients together, which are clipped to ``clip_norm`` where it is given."""
    if clip_norm is not None:
        return torch.nn.utils.clip_grad_norm_(parameters, clip_norm)
    return torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])


def _set_rates(updates: list[Update], base_rates: list[list[float]], factor: float) -> None:
    for update, rates in zip(updates, base_rates, strict=True):
        for group, rate in zip(update.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * factor


def _state(
    task: Task, updates: list[Update], history: History, budget: TimeBudget | None, plateau: Plateau | None
) -> dict[str, object]:
    return {
        "step": history.steps,
        "nets": {name: net.state_dict() for name, net in task.nets.items()},
        "optimizers": {update.name: update.optimizer.state_dict() for update in updates},
        "history": {"rows": history.rows, "pending": history.pending},
        **({"seconds": budget.spent()} if budget else {}),
        **({"plateau": plateau.state()} if plateau else {}),
    }


def _restore(
    task: Task, updates: list[Update], checkpoints: Path, budget: TimeBudget | None, plateau: Plateau | None
) -> History:
    state = newest_checkpoint(checkpoints)
    if state is None:
        return History()
    for name, net in task.nets.items():
        net.load_state_dict(state["nets"][name])
    for update in updates:
        update.optimizer.load_state_dict(state["optimizers"][update.name])
    if budget:
        budget.before = state["seconds"]
    if plateau:
        plateau.restore(state["plateau"])
    return History(**state["history"], steps=int(state["step"]))
