"""Stage ``train@METHOD``: from the training split and the pool to a generator on disk."""

from __future__ import annotations

from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..core.errors import ConfigError
from ..core.files import write_json
from ..core.images import write_png
from ..core.manifest import Context
from ..core.records import Dataset, load_dataset
from ..core.seeding import seed_for
from ..core.sheets import contact_sheet
from ..engine.loop import History, Schedule, finish, fit, make_fabric
from ..losses.severity import severity
from .aware_training import prepare_aware
from .build import build_framing
from .config import TrainConfig
from .moments import keep_moment, save_weights
from .pretraining import Pretraining
from .registry import method
from .task import MethodTask
from .windows import Batch, PairSource

SAMPLE_ROWS = 8


def run(config: TrainConfig, context: Context, out: Path) -> dict[str, Any]:
    """Train and write the method's nets (``generator.safetensors`` ...), ``model.json``, ``losses.csv``,
    ``samples/*.png``, ``moments/*.safetensors``; TensorBoard's files lie in ``logs/``. Every method gets the same
    batches."""
    if config.threads:
        torch.set_num_threads(config.threads)
    train = load_dataset(context.inputs["ingest"]).split("train")
    pool = load_dataset(context.inputs["pool"])
    gray = train.info.get("mode", "L") == "L" if config.channels == "auto" else config.channels == 1
    if gray and train.info.get("mode", "L") != "L":
        raise ConfigError("train: channels: the photographs are in colour; 1 channel cannot paint them")
    channels = 1 if gray else 3
    seed = seed_for(context.seed, "train", *([config.repeat] if config.repeat else []))
    fabric = make_fabric(context.device, config.precision, out / "logs")
    source = PairSource(train, pool, build_framing(config), config.batch, seed, gray, config.flips,
                        paint_out=config.paired > 0)
    row, aware, origin = method(config.method), None, None
    if row.aware:
        aware, origin = prepare_aware(source, channels, len(train.categories), config.aware_width, config.aware_size,
                                      config.aware_steps if config.aware else 0, seed_for(seed, "aware"), fabric, out)
    task = row.build(config, channels, len(train.categories), aware, seed_for(seed, "nets"), fabric.device)
    schedule = Schedule(config.steps, seed, checkpoint_every=config.checkpoint_every,
                        sample_every=gcd(config.sample_every, config.keep_every), label=f"train {config.method}")
    shown = source.batch(-1).to(fabric.device)

    def on_sample(step: int) -> None:
        if config.sample_every and (step % config.sample_every == 0 or step == config.steps):
            write_png(out / "samples" / f"step-{step:06d}.png", sample_grid(task, shown))
        if config.keep_every and step % config.keep_every == 0:
            keep_moment(task.products()["generator"], step, out)

    if config.keep_every:
        keep_moment(task.products()["generator"], 0, out)  # fit has not yet restored anything: these are the first
    course = Pretraining(source, config.pretrain_steps)
    history = fit(task, lambda step: course.batch(step).to(fabric.device), schedule, fabric, out,
                  on_sample)
    _save(task, config, channels, train, source, out)
    finish(out)
    return _metrics(config, channels, origin, task, history)


def sample_grid(task: MethodTask, batch: Batch) -> np.ndarray:
    """Contact sheet of fixed pairs, in the task's own columns: normal, mask, generated ..."""
    rows = min(SAMPLE_ROWS, len(batch.category_B))
    part = batch.rows(0, rows)
    modes = {name: net.training for name, net in task.nets.items()}
    with torch.no_grad():
        for net in task.nets.values():
            net.eval()  # a picture must not move the running statistics of batch norm
        columns = task.previews(part)
    for name, net in task.nets.items():
        net.train(modes[name])
    pictures = [[_to_pixels(column[row]) for column in columns.values()] for row in range(rows)]
    return contact_sheet(pictures, list(columns), cell=96)


def _to_pixels(image_CHW: torch.Tensor) -> np.ndarray:
    pixels = ((image_CHW.float().cpu().numpy() + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
    return pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0))


def measure_severity(source: PairSource, train: Dataset, draws: int = 64) -> dict[str, list[list[float]]]:
    """Severity of real training defects per category, as the generator will be asked for (two numbers each)."""
    measured: dict[str, list[list[float]]] = {category.name: [] for category in train.categories}
    names = [category.name for category in train.categories]
    for step in range(max(1, draws * len(names) // source.batch_size)):
        batch = source.batch(-2 - step)
        values = severity(batch.abnormal_BCHW, batch.abnormal_mask_B1HW)
        for index, value in zip(batch.category_B.tolist(), values.tolist(), strict=True):
            measured[names[index]].append([round(number, 5) for number in value])
    return measured


def _save(task: MethodTask, config: TrainConfig, channels: int, train: Dataset, source: PairSource,
          out: Path) -> None:
    for name, net in task.products().items():
        save_weights(net, out / f"{name}.safetensors")
    write_json(out / "model.json", {
        "config": config.model_dump(mode="json"), "channels": channels,
        "categories": [category.name for category in train.categories],
        "severity": measure_severity(source, train),
    })


def _metrics(config: TrainConfig, channels: int, origin: str | None, task: MethodTask,
             history: History) -> dict[str, Any]:
    sizes = {name: sum(parameter.numel() for parameter in net.parameters()) for name, net in task.nets.items()}
    about_aware = {"aware_network": origin} if origin else {}
    return {"method": config.method, "preset": config.preset, "steps": config.steps, "channels": channels,
            **about_aware, "parameters": sizes,
            "last_losses": {name: round(value, 5) for name, value in history.rows[-1].items()}}
