"""Stage ``train@METHOD``: from the training split and the pool to a generator on disk."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import gcd
from pathlib import Path

import torch
from lightning_fabric import Fabric

from ...core.cards import Card, write_card
from ...core.dataset import Dataset, load_dataset
from ...core.durations import seconds_of
from ...core.errors import ConfigError
from ...core.files import write_json
from ...core.images import write_png
from ...core.progress import say
from ...core.ranks import follows
from ...core.seeding import seed_for
from ...core.stage import LOGS, Context
from ...core.time_budget import Clock, TimeBudget
from ...engine.checkpoint import save_weights
from ...engine.distributed import launch, looks_across_rows
from ...engine.early_stopping import Measure, Plateau
from ...engine.loop import Schedule, finish, fit, plan_fabric
from ...engine.loss_log import History
from ...engine.precision import decide, resolve
from ...ingestion.reading import ReadingConfig
from ...metrics.backbones import embedded_backbone
from ...nets.aware import AwareNet
from ...nets.image_pool import ImageHistory
from ..interface.task import MethodTask
from ..methods.anomaly_gan.aware import prepare_aware
from ..methods.anomaly_gan.config import AnomalyGanConfig
from ..methods.config import TaskSetup, TrainConfig
from ..methods.painting.networks import build_framing
from ..pairs.exemplar import FILE as EXEMPLARS_FILE
from ..pairs.exemplar import save_exemplars
from ..pairs.training_defects import training_defects
from ..pairs.windows import Batch, PairSource
from ..registry import method
from ..relighting.fit import fit_light
from ..relighting.model import FILE as LIGHT_FILE
from .collapse import signs
from .crop_kid import CropQuality
from .pretraining import Pretraining
from .previews import previews, sample_grid
from .snapshots import keep_snapshot

AWARE_SHARE = 0.2
"""The most of a time budget that the aware network's own training may use up."""


def run(config: TrainConfig, context: Context, out: Path, clock: Clock = time.monotonic) -> dict[str, object]:
    """Train and write the method's nets (``generator.safetensors`` ...), ``model.json``, ``losses.csv``,
    ``samples/*.png``, ``snapshots/*.safetensors``, ``quality.csv`` where it may stop early; TensorBoard's files lie in
    ``logs/``. Every method gets the same batches. ``clock`` is what a time budget goes by; without one the training
    ends where the run's time does, with the rate as it is."""
    budget = TimeBudget(seconds_of(config.time_budget), clock) if config.time_budget else None
    label = f"train {config.method}"
    choice = (
        decide(config.precision, context.device) if follows() else resolve(config.precision, context.device, out, label)
    )
    precision = choice.precision
    fabric = plan_fabric(context.device, precision, out / LOGS, config.devices)
    return {**launch(_train, fabric, config, context, out, budget), "precision": precision}


def _train(
    fabric: Fabric, config: TrainConfig, context: Context, out: Path, budget: TimeBudget | None
) -> dict[str, object]:
    """In every process that shares the training; the first one writes, and alone knows where to."""
    out = Path(fabric.broadcast(str(out)))  # plain text: what is sent is unpickled
    if config.threads:
        torch.set_num_threads(config.threads)
    train = load_dataset(context.inputs["ingest"]).split("train")
    pool = load_dataset(context.inputs["pool"])
    channels = _channels(config, train)
    seed = seed_for(context.seed, "train", *([config.repeat] if config.repeat else []))
    framing, recipe = build_framing(config), config.recipe
    more = {"paint_out": recipe.paints_out, "exemplars": recipe.exemplars}
    source = PairSource(train, pool, framing, config.batch, seed, channels == 1, config.flips, **more)
    light = fit_light(train, config.exposures, seed) if config.exposures else None  # first: it may refuse
    row, until, aware, origin = method(config.method), None if budget else context.deadline, None, None
    if row.aware:
        aware, origin = _aware(config, source, channels, len(train.categories), seed, fabric, out, budget, until)
    setup = TaskSetup(config, channels, len(train.categories), aware, seed_for(seed, "nets"), fabric.device)
    task = row.build(setup)
    if fabric.world_size > 1:
        check_shareable(task, config)
    schedule = Schedule(
        config.steps,
        seed,
        checkpoint_every=config.checkpoint_every,
        sample_every=gcd(config.sample_every, config.keep_every),
        label=f"train {config.method}",
        budget=budget,
        until=until,
    )
    course = Pretraining(source, config.pretrain_steps)

    def batches(step: int) -> Batch:
        batch = course.batch(step)
        if fabric.world_size > 1:
            batch = batch.part(fabric.global_rank, fabric.world_size)
        return batch.to(fabric.device)

    plateau = _plateau(task, source, train, config, fabric)
    history = fit(
        task, batches, schedule, fabric, out, _sampler(task, source, config, fabric, out), plateau, course.names
    )
    if fabric.is_global_zero:
        _save(task, config, channels, train, source, out)
        if light:
            light.save(out / LIGHT_FILE)
        finish(out)
    warnings = _warnings(config, task, source, history) if fabric.is_global_zero else {}
    return {**_metrics(config, channels, origin, task, history, plateau), **warnings}


def _channels(config: TrainConfig, train: Dataset) -> int:
    """Raises ConfigError where colour photographs are to be painted in gray."""
    gray = train.gray if config.channels == "auto" else config.channels == 1
    if gray and not train.gray:
        raise ConfigError("train: channels: the photographs are in colour; 1 channel cannot paint them")
    return 1 if gray else 3


def _aware(
    config: TrainConfig,
    source: PairSource,
    channels: int,
    categories: int,
    seed: int,
    fabric: Fabric,
    out: Path,
    budget: TimeBudget | None,
    until: TimeBudget | None,
) -> tuple[AwareNet, str]:
    own = config.own(AnomalyGanConfig)
    return prepare_aware(
        source,
        channels,
        categories,
        own.aware_width,
        own.aware_size,
        own.steps_before,
        seed_for(seed, "aware"),
        fabric,
        out,
        budget.part(AWARE_SHARE) if budget else None,
        until,
    )


def _warnings(config: TrainConfig, task: MethodTask, source: PairSource, history: History) -> dict[str, object]:
    """``warnings``: signs that the training came to nothing (G11), said aloud too; no such key where all is well."""
    updates = task.updates()
    judging = updates[1].name if len(updates) > 1 else "no discriminators"
    device = next(task.products()["generator"].parameters()).device
    found = signs(history.rows, judging, previews(task, source.batch(-1).to(device)))
    for sentence in found:
        say(f"train {config.method}: G11: {sentence}")
    return {"warnings": found} if found else {}


def _sampler(
    task: MethodTask, source: PairSource, config: TrainConfig, fabric: Fabric, out: Path
) -> Callable[[int, bool], None]:
    """What is written while the training goes on: sample sheets, and snapshots."""
    shown = source.batch(-1).to(fabric.device)

    def on_sample(step: int, last: bool) -> None:
        if config.sample_every and (step % config.sample_every == 0 or last):
            write_png(out / "samples" / f"step-{step:06d}.png", sample_grid(task, shown))
        if config.keep_every and step % config.keep_every == 0:
            keep_snapshot(task.products()["generator"], step, out)

    if config.keep_every and fabric.is_global_zero:
        keep_snapshot(task.products()["generator"], 0, out)  # fit has not yet restored anything: these are the first
    return on_sample


def _plateau(
    task: MethodTask, source: PairSource, train: Dataset, config: TrainConfig, fabric: Fabric
) -> Plateau | None:
    if not config.early_stop:
        return None
    measure: Measure = dict  # of the processes that do not measure
    if fabric.is_global_zero:
        names = [category.name for category in train.categories]
        backbone = embedded_backbone(fabric.device.type)
        measure = CropQuality(task, source, names, config.early_stop_windows, backbone, fabric.device)
    return Plateau(config.early_stop_every, config.early_stop, measure, task.products, after=config.pretrain_steps)


def check_shareable(task: MethodTask, config: TrainConfig) -> None:
    """Raises:
    ConfigError: what a net says of a row depends on the batch's other rows, or on what one process saw before.
    """
    bad = {
        name: "batch norm" if looks_across_rows(net) else "a history of its pictures"
        for name, net in task.nets.items()
        if looks_across_rows(net) or isinstance(net, ImageHistory)
    }
    if bad:
        said = ", ".join(f"{name} has {reason}" for name, reason in bad.items())
        raise ConfigError(
            f"train: devices: {config.method} cannot share a batch between {config.devices} processes: "
            f"{said}; use one device, or where it is batch norm another norm"
        )


def _save(task: MethodTask, config: TrainConfig, channels: int, train: Dataset, source: PairSource, out: Path) -> None:
    for name, net in task.products().items():
        save_weights(net, out / f"{name}.safetensors")
    severities, exemplars = training_defects(source, train)
    if source.exemplars:
        save_exemplars(exemplars, out / EXEMPLARS_FILE)
    write_json(
        out / "model.json",
        {
            "config": config.model_dump(mode="json"),
            "channels": channels,
            "reading": ReadingConfig.of_dataset(train).model_dump(mode="json"),
            "categories": [category.name for category in train.categories],
            "severity": severities,
        },
    )
    write_card(out, _card(task, config, channels, train))


def _card(task: MethodTask, config: TrainConfig, channels: int, train: Dataset) -> Card:
    """``README.md`` of a generator."""
    defects = train.by_image()
    generator = task.products()["generator"]
    return Card(
        "model",
        f"Defect generator ({config.method})",
        "image-to-image",
        "Paints labelled defects into photographs of sound parts, under a given mask.",
        {
            "categories": [category.name for category in train.categories],
            "photographs": "grey" if channels == 1 else "colour",
            "learned from": f"{len(defects)} photographs with a defect, {len(train.images) - len(defects)} without, of "
            f"{len({image.group_id for image in train.images})} physical objects",
            "preset": config.preset,
            "side of the painted window, px": config.size,
            "parameters of the generator": sum(parameter.numel() for parameter in generator.parameters()),
        },
        [
            f"anomaly-gan generate --run RUN --method {config.method} --count 100",
            "anomaly-gan paint PHOTO --mask MASK --model THIS_FOLDER --out painted",
        ],
        [
            "What it paints resembles the defects it learned from, on photographs of the same part, light and camera.",
            "A photograph of it is worth something only once `anomaly-gan gate` has let it pass, and a detector only "
            "once it has been evaluated on held-out real parts.",
        ],
        ["gan", "synthetic-defects"],
    )


def _metrics(
    config: TrainConfig, channels: int, origin: str | None, task: MethodTask, history: History, plateau: Plateau | None
) -> dict[str, object]:
    sizes = {name: sum(parameter.numel() for parameter in net.parameters()) for name, net in task.nets.items()}
    about_aware = {"aware_network": origin} if origin else {}
    ending = {} if history.ended_by == "steps" else {"ended_by": history.ended_by, "planned_steps": config.steps}
    best = {"best": {name: round(value, 6) for name, value in plateau.best.items()}} if plateau else {}
    return {
        "method": config.method,
        "preset": config.preset,
        "steps": history.steps,
        **ending,
        **best,
        "channels": channels,
        **about_aware,
        "parameters": sizes,
        "last_losses": {name: round(value, 5) for name, value in history.rows[-1].items()},
    }
