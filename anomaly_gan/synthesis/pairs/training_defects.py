"""What a generator knows of the training defects when it paints: how severe they are, and what they look like."""

from __future__ import annotations

from copy import copy

import numpy as np

from ...core.dataset import Dataset
from ...losses.severity import severity
from .exemplar import Exemplar, as_bank
from .windows import Framing, PairSource, to_pixels


def training_defects(
    source: PairSource, train: Dataset, draws: int = 64
) -> tuple[dict[str, list[list[float]]], dict[str, list[Exemplar]]]:
    """Real training defects of each category, as generation draws them: their severities, as the generator will be
    asked for (two numbers each), and, in the same order, their windows, turned as they were photographed: light falls
    from its side, and brush lines keep to the surface's."""
    source = copy(source)
    source.flips = False
    names = [category.name for category in train.categories]
    measured: dict[str, list[list[float]]] = {name: [] for name in names}
    exemplars: dict[str, list[Exemplar]] = {name: [] for name in names}
    for step in range(max(1, draws * len(names) // source.batch_size)):
        batch = source.batch(-2 - step)
        values = severity(batch.abnormal_BCHW, batch.abnormal_mask_B1HW)
        for row, index in enumerate(batch.category_B.tolist()):
            measured[names[index]].append([round(number, 5) for number in values[row].tolist()])
            mask_01 = batch.abnormal_mask_B1HW[row, 0].numpy().astype(np.uint8)
            exemplars[names[index]].append(Exemplar(to_pixels(batch.abnormal_BCHW[row]), mask_01))
    return measured, {name: as_bank(bank) for name, bank in exemplars.items()}


def exemplar_windows(
    split: Dataset, pool: Dataset, framing: Framing, seed: int, gray: bool, draws: int = 64
) -> tuple[dict[str, list[list[float]]], dict[str, list[Exemplar]]]:
    """``training_defects`` of a split that no generator was trained on; only what is needed of it is decoded.

    Args:
        split: photographs whose defects are taken.
        pool: the mask pool, for its categories.
        framing: how a window is cut.
        seed: of every random choice made here.
        gray: whether photographs are read as gray.
        draws: windows drawn per defect.

    Returns:
        By category: severities, and exemplars.
    """
    firsts = {image.extra["category"]: image for image in reversed(pool.images)}
    kept = {image.id for image in firsts.values()}
    part = pool.select(lambda image: image.id in kept)
    names, defective = {image.extra["normal_file"] for image in firsts.values()}, set(split.by_image())
    shown = split.select(lambda image: image.id in defective or image.file_name in names)
    return training_defects(PairSource(shown, part, framing, 16, seed, gray), split, draws)
