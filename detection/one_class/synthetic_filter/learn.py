"""One-class detectors on the normals of a run's training split: whole objects held out, thresholds calibrated."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anomaly_gan.core.dataset import Dataset, ImageRecord
from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.images import read_record
from anomaly_gan.core.seeding import rng_for, seed_for
from anomaly_gan.core.time_budget import TimeBudget
from anomaly_gan.engine.loop import make_fabric
from anomaly_gan.ingestion.reading import ReadingConfig

from ..inspection.calibration import calibrate
from ..inspection.checkpoint import FLATTENED, SQUARE, Model, load_model, save_model
from ..inspection.images import to_square
from ..inspection.scoring import choose_device
from ..interface import Scores, score_all
from ..registry import one_class
from ..training import precision_of, ready_detector, train_detector
from .config import OneClassStageConfig


@dataclass(frozen=True)
class Normal:
    """The training split's normal photographs: those to learn from and those of other objects, held out."""

    learn: list[ImageRecord]
    held_out: list[ImageRecord]

    def held_out_groups(self) -> list[str]:
        return [image.group_id for image in self.held_out]


def part_normals(ingest: Dataset, share: float, seed: int) -> Normal:
    """Hold out ``share`` of the objects that normal training photographs show, at least one, whole.

    Raises:
        InputError: K5, normals of fewer than two objects.
    """
    normals = ingest.split("train").normals()
    groups = sorted({image.group_id for image in normals})
    if len(groups) < 2:
        raise InputError(
            str(ingest.folder),
            "K5",
            f"the training split has normals of {len(groups)} objects, 2 are needed",
            "photograph more good parts, or set one_class.detectors=[]",
        )
    count = min(len(groups) - 1, max(1, math.floor(share * len(groups) + 0.5)))
    chosen = {groups[i] for i in rng_for(seed, "one_class", "held out").permutation(len(groups))[:count]}
    return Normal(
        [image for image in normals if image.group_id not in chosen],
        [image for image in normals if image.group_id in chosen],
    )


def read_square(dataset: Dataset, images: Sequence[ImageRecord], size: int, flatten: bool) -> torch.Tensor:
    """uint8 (N, C, size, size) of photographs of a data set, gray or RGB as it says."""
    gray = dataset.gray
    squares = [to_square(read_record(dataset, image, gray), size, flatten) for image in images]
    return (
        torch.from_numpy(np.stack(squares))
        if squares
        else torch.zeros(0, 1 if gray else 3, size, size, dtype=torch.uint8)
    )


def learn(
    name: str,
    ingest: Dataset,
    normal: Normal,
    config: OneClassStageConfig,
    seed: int,
    device: str,
    folder: Path,
    until: TimeBudget | None = None,
) -> Model:
    """Train one detector, calibrate it, save it in ``folder``; a saved one is read, a cut-off training goes on.

    Args:
        name: row of the table of one-class detectors.
        ingest: the ingested data set.
        normal: sound photographs, and which are held out.
        config: the section of the configuration.
        seed: of every random choice made here.
        device: ``auto``, ``cpu`` or ``cuda``.
        folder: folder of the model.
        until: when the work must end; None: never.

    Returns:
        The calibrated model.

    Raises:
        InputError: K5, too few held-out normals for the false-alarm rate.
    """
    # stopped between saving and clearing: only the clearing is left to do
    if (folder / "model.json").is_file():
        _clear(folder)
        return load_model(folder, choose_device(device))
    settings = one_class(name).configure(config.preset, config.settings.get(name))
    if settings.frame != "square" or settings.region:
        raise ConfigError(f"one_class.settings.{name}: frame and region are of `one-class train`, not of a run")
    gray = ingest.gray
    detector, settings = ready_detector(name, 1 if gray else 3, settings, seed)
    learned = read_square(ingest, normal.learn, settings.size, config.flatten)
    precision = precision_of(settings, device, folder / "training", f"one_class {name}")
    train_detector(
        detector,
        learned,
        make_fabric(device, precision),
        folder / "training",
        seed_for(seed, "one_class", name),
        until=until,
    )
    held_out = read_square(ingest, normal.held_out, settings.size, config.flatten)
    scores = score_all(detector, held_out.to(choose_device(device)), 64)
    groups = normal.held_out_groups()
    map_threshold, map_scale = _map_figures(scores, config, groups)
    model = Model(
        detector,
        name,
        settings,
        channels=1 if gray else 3,
        reading=ReadingConfig.of_dataset(ingest),
        threshold=calibrate(scores.image.numpy(), config.false_alarm, groups),
        held_out=scores.image.numpy().astype(np.float64),
        held_out_groups=tuple(groups),
        preprocess=FLATTENED if config.flatten else SQUARE,
        map_threshold=map_threshold,
        map_scale=map_scale,
        precision=precision,
    )
    save_model(folder, model)
    _clear(folder)
    return model


def _map_figures(scores: Scores, config: OneClassStageConfig, groups: list[str]) -> tuple[Any, Any]:
    """The threshold for a map's greatest value, and (a typical value, that threshold) as the scale of the map."""
    if scores.map_BHW is None:
        return None, None
    threshold = calibrate(scores.map_BHW.amax(dim=(1, 2)).numpy(), config.false_alarm, groups)
    return threshold, (float(np.median(scores.map_BHW.numpy())), threshold.value)


def _clear(folder: Path) -> None:
    """Drop the states between the phases of a training whose model is saved; its losses stay."""
    for path in sorted((folder / "training").rglob("trained.safetensors")):
        path.unlink()


def threshold_words(models: Mapping[str, Model]) -> dict[str, dict[str, object]]:
    """What was calibrated, by detector, as JSON."""
    return {
        name: {
            "image": vars(model.threshold) if model.threshold else None,
            "map": vars(model.map_threshold) if model.map_threshold else None,
        }
        for name, model in models.items()
    }
