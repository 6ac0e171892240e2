"""Filling the pool by plausibility: of several candidates for an item, the one that the plausibility model prefers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from anomaly_gan.core.config import build, kept_config
from anomaly_gan.core.dataset import Dataset, load_dataset
from anomaly_gan.core.errors import ConfigError
from anomaly_gan.core.images import read_record, read_verified
from anomaly_gan.core.masks import decode_rle
from anomaly_gan.core.resources import expand

from ..elements.expert import gather_experts
from ..elements.real import Element
from ..placement.real_masks import Scenes
from ..plausibility.calibration import MIN_RATED
from ..plausibility.model import Plausibility, PlausibilityModel, presort
from ..rating.items import MASKS, load
from .config import PoolConfig
from .items import CategoryBuilder, Item

ROUNDS = 5
"""Times an item is made anew before the best that was seen is taken, however little the model thinks of it."""


def open_plausibility(
    config: PoolConfig, ingest: Dataset, seed: int, scenes: Scenes | None = None
) -> PlausibilityModel:
    """The model of the training split, calibrated against the experts' scores where these are asked for and given.

    Raises:
        InputError: a photograph, a drawing or the score sheet cannot be read.
    """
    model = PlausibilityModel.fit(ingest, config.plausibility, seed, scenes)
    by_category = rated_by_category(config, ingest) if config.plausibility.calibrate else {}
    rated = [element for own in by_category.values() for element in own]
    if len(rated) < MIN_RATED:
        return model
    scenes = scenes or Scenes(ingest)
    parts = [model.parts(scenes.gray(one.parent_image), one.full_mask(), one.category) for one in rated]
    return model.calibrated(np.stack(parts), np.array([one.score for one in rated], float))


def rated_by_category(config: PoolConfig, ingest: Dataset) -> dict[str, list[Element]]:
    """Every usable drawing with its experts' score, good or poor; none where nobody drew or rated."""
    if config.expert_dir is None or config.expert_scores is None:
        return {}
    everything = config.evaluate.model_copy(update={"top": 1.0, "unanimous": 0.0, "bootstrap": 0})
    found = gather_experts(
        expand(config.expert_dir),
        expand(config.expert_scores),
        ingest,
        evaluate=everything,
        line_width=config.line_width,
    )
    return {name: [one for one in own if one.score is not None] for name, own in found.kept.items()}


def most_plausible(
    builder: CategoryBuilder, model: PlausibilityModel, index: int, train: Dataset
) -> tuple[Item, list[Plausibility]]:
    """Item ``index`` with what the model says of each of its elements; an item is as plausible as its worst element.

    Raises:
        InputError: no element fits any of the normals tried, or a photograph cannot be read.
    """
    best: tuple[tuple[float, float], Item, list[Plausibility]] | None = None
    for attempt in range(model.config.candidates):
        item = builder.item(index, attempt)
        gray = read_record(train, item.normal, gray=True)
        rated = [model.score(gray, placed.full_mask(*gray.shape), builder.category) for placed in item.placed]
        worth = min(one.score for one in rated), min(one.plausibility for one in rated)
        if best is None or worth > best[0]:
            best = worth, item, rated
    assert best is not None
    return best[1], best[2]


def priorities(run: Path, what: str, drawings: Path | None, seed: int) -> Mapping[tuple[str, int], float]:
    """(file, shape) -> priority for the rating page: what the model finds most plausible comes first.

    Raises:
        ConfigError: real and generated photographs cannot be presorted.
        InputError: the run cannot be read.
    """
    if what not in MASKS:
        raise ConfigError(f"--presort: {what} are shown at random")
    config = build(PoolConfig, kept_config(run / "pool"), str(run / "pool" / "config.yaml"))
    model = open_plausibility(config, load_dataset(run / "ingest"), seed)
    found = {
        (item.mask.file, item.mask.shape): (
            read_verified(item.photograph, item.photograph_sha256, gray=True),
            decode_rle(item.rle),
            item.mask.label,
        )
        for item in load(run, what, drawings).items
    }
    return {key: -float(rank) for key, rank in presort(model, found).items()}
