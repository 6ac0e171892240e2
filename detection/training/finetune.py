"""Fine-tuning a detector with the project's one training loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from anomaly_gan.core.dataset import Dataset
from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.seeding import rng_for, seed_for
from anomaly_gan.engine.task import Losses, Update

from ..data import CategoryMap, Example, Examples, augment, boxes_xyxy, cut_tile, load_examples
from ..detectors.config import DetectConfig
from ..detectors.registry import detector
from .report import TrainingReport
from .sampling import BatchSampler, exposure
from .schedule import schedule, tenths

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Batch = tuple[list[Tensor], list[dict[str, Tensor]]]


@dataclass(frozen=True)
class Trained:
    """A trained net, whose labels ``categories`` explains, and what its training looked at. ``held_out``: what of the
    training side it was not trained on."""

    net: nn.Module
    categories: CategoryMap
    report: TrainingReport
    held_out: Dataset | None = None


class DetectorTask:
    """A detector as a task of the training loop: its own losses, summed, in one update."""

    def __init__(self, net: nn.Module, config: DetectConfig) -> None:
        self.nets: dict[str, nn.Module] = {"detector": net.train()}
        self._config = config

    def forward(self, batch: Batch) -> Losses:
        images, targets = batch
        return self.nets["detector"](images, targets)

    def updates(self) -> list[Update]:
        config = self._config
        groups: dict[str, list[nn.Parameter]] = {"backbone.body": [], "": []}
        for name, parameter in self.nets["detector"].named_parameters():
            if parameter.requires_grad:
                groups["backbone.body" if name.startswith("backbone.body.") else ""].append(parameter)
        optimizer = torch.optim.AdamW(
            [
                {"params": groups["backbone.body"], "lr": config.lr * config.backbone_lr_factor},
                {"params": groups[""], "lr": config.lr},
            ],
            weight_decay=config.weight_decay,
        )
        return [Update("detector", optimizer, losses=lambda outputs: outputs)]

    def after_step(self, step: int) -> None:
        pass


def image_tensor(pixels: np.ndarray) -> Tensor:
    """(3, H, W) in [0, 1] of uint8 (H, W) or (H, W, 3); gray becomes three equal channels."""
    image = torch.from_numpy(np.ascontiguousarray(pixels)).float() / 255
    return image.expand(3, *image.shape).contiguous() if image.ndim == 2 else image.permute(2, 0, 1).contiguous()


def target_tensors(example: Example) -> dict[str, Tensor]:
    """boxes float (N, 4) x1 y1 x2 y2 in pixels, labels (N,), masks uint8 (N, H, W); N may be 0."""
    masks = np.stack(example.masks) if example.masks else np.zeros((0, *example.pixels.shape[:2]), np.uint8)
    return {
        "boxes": torch.from_numpy(boxes_xyxy(example.masks)),
        "masks": torch.from_numpy(masks),
        "labels": torch.tensor(example.labels, dtype=torch.int64),
    }


@dataclass(frozen=True)
class Batches:
    """The batch of a step, from (seed, step) alone."""

    examples: Examples
    sampler: BatchSampler
    config: DetectConfig
    seed: int
    device: torch.device

    def __call__(self, step: int) -> Batch:
        images, targets = [], []
        for slot, index in enumerate(self.sampler.batch(step)):
            rng, example = rng_for(self.seed, "augment", step, slot), self.examples.items[index]
            if self.config.view == "tiles":
                example = cut_tile(example, self.config.longest, rng)
            example = augment(example, self.config.flip, self.config.gamma, rng)
            images.append(image_tensor(example.pixels).to(self.device))
            targets.append({name: value.to(self.device) for name, value in target_tensors(example).items()})
        return images, targets


def build_net(categories: int, config: DetectConfig, seed: int) -> nn.Module:
    """The net with pretrained backbone; its new layers are drawn from ``seed``, the global stream is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(seed, "detector", "init") % 2**32)
        return detector(config.detector).build(categories, config)


def train_detector(
    dataset: Dataset,
    config: DetectConfig,
    fabric: Fabric,
    folder: Path,
    *,
    seed: int,
    where: str = "training split",
    on_step: Callable[[], None] = lambda: None,
    bank: Path | None = None,
    priors: Path | None = None,
    start: Path | None = None,
    drawn: bool = False,
) -> Trained:
    """Train a detector on ``dataset``; checkpoints and ``losses.csv`` go to ``folder``.

    The same arguments give the same weights, bit for bit, on a CPU with the same number of threads. Detectors that
    choose their own crops take further: a ``bank`` of synthetic crops, added to every batch; ``priors``, a folder of
    one-class maps; ``start``, a model whose weights they begin from; ``drawn``, defects drawn by rule on the sound
    photographs where no other is to be had.

    Args:
        dataset: photographs and labels.
        config: of the detector.
        fabric: device and precision to compute with.
        folder: folder of the training; what is there is gone on with.
        seed: of every random choice made here.
        where: what messages call the data set.
        on_step: called after each step.
        bank: folder of painted crops to draw from beside the photographs; None: none.
        priors: folder of the photographs' one-class maps; None: the net has no such input.
        start: folder of a model whose weights the training begins from; None: none.
        drawn: draw defects by rule on the sound photographs, where no other is to be had.

    Returns:
        Net, categories, and what training looked at.

    Raises:
        InputError: no category (K4), no real photograph with a defect (K8), a bank made from other objects (E4).
        ConfigError: a bank, priors or a start for a detector that takes none.
        NumericalFailure: a loss became NaN or infinite.
    """
    row = detector(config.detector)
    common = {"seed": seed, "where": where, "on_step": on_step}
    if row.trainer:
        more = {"bank": bank, "priors": priors, "start": start, "drawn": drawn}
        return row.train(dataset, config, fabric, folder, **common, **more)
    if bank or priors or start or drawn:
        raise ConfigError(
            f"detector: {config.detector} takes no bank, no one-class maps, no start and no drawn defects; use dense"
        )
    return _train_on_photographs(dataset, config, fabric, folder, seed, where, on_step)


def _train_on_photographs(
    dataset: Dataset,
    config: DetectConfig,
    fabric: Fabric,
    folder: Path,
    seed: int,
    where: str,
    on_step: Callable[[], None],
) -> Trained:
    from anomaly_gan.engine.loop import finish, fit

    categories = CategoryMap.of(dataset.categories)
    if not categories.ids:
        raise InputError(where, "K4", "the data set declares no category", "label some defects, then run ingest")
    categories.check(dataset, where)
    examples = load_examples(dataset, categories, None if config.view == "tiles" else config.longest)
    kinds = {
        "real_defect": examples.indices("real", True),
        "real_normal": examples.indices("real", False),
        "synthetic": examples.indices("synthetic"),
    }
    steps = config.steps(len(kinds["real_defect"]))
    # dealt before the first step: arms of one seed are shown the same real photographs in the same order
    sampler = BatchSampler(
        **kinds,
        batch=config.batch,
        real_share=config.real_share,
        normal_share=config.normal_share,
        seed=seed,
        mixed_steps=config.mixed_iterations(steps),
    )
    task = DetectorTask(build_net(len(categories), config, seed), config)
    batches = Batches(examples, sampler, config, seed, fabric.device)

    def next_batch(step: int) -> Batch:
        on_step()
        return batches(step)

    rate = tenths(steps, config.warmup) if config.schedule == "steps" else None
    history = fit(task, next_batch, schedule(config, steps, seed, rate, config.warmup), fabric, folder)
    finish(folder)
    shows = {index: {categories.names[label - 1] for label in item.labels} for index, item in enumerate(examples.items)}
    kind_of = {index: kind for kind, indices in kinds.items() for index in indices}
    report = TrainingReport(
        exposure(sampler, history.steps, kind_of, shows),
        dict(sorted(examples.dropped.items())),
        history.steps,
        history.ended_by == "time",
    )
    return Trained(task.nets["detector"].eval(), categories, report)
