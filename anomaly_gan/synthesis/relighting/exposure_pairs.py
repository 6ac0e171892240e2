"""Photographs of one object under different exposures, laid over each other.

Crops of the same object differ by a shift: it is found by correlating the fine structure, which a change of light
leaves alone. Pairs that do not correlate are none.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import cv2
import numpy as np

from ...core.dataset import Dataset, ImageRecord
from ...core.images import read_record
from ...core.progress import track
from ...core.seeding import rng_for

REACH_PX = 24
LEAST_CORRELATION = 0.6
"""Registered magnetic tiles correlate at 0.85 to 0.95, other tiles at 0.12 at the most."""
NEIGHBOURS = 5


@dataclass(frozen=True)
class Pair:
    """Two exposures of one object, cut to what both show; uint8 (H, W)."""

    first: np.ndarray
    second: np.ndarray
    exposures: tuple[str, str]
    group: str
    files: tuple[str, str]
    shift_yx: tuple[int, int]
    correlation: float


def find_pairs(dataset: Dataset, pattern: str, most: int, seed: int) -> tuple[list[Pair], int]:
    """At most ``most`` registered pairs, drawn from all by ``seed``, and the number of candidates looked at.

    A candidate: two photographs of one group with unlike exposures, near each other in the order of what else their
    names say. A pair that does not register is dropped.
    """
    candidates = _candidates(dataset, pattern)
    order = rng_for(seed, "pairs").permutation(len(candidates))
    pairs: list[Pair] = []
    tried = 0
    for index in track(order, "exposure pairs"):
        if len(pairs) == most:
            break
        tried += 1
        pair = _register_pair(dataset, *candidates[index])
        pairs += [pair] if pair else []
    return sorted(pairs, key=lambda pair: pair.files), tried


def _candidates(dataset: Dataset, pattern: str) -> list[tuple[ImageRecord, ImageRecord, str, str]]:
    sequences: dict[tuple[str, str], list[tuple[Any, str, ImageRecord]]] = defaultdict(list)
    for image in dataset.images:
        path = PurePosixPath(image.file_name)
        found = re.search(pattern, path.name)
        if found:
            rest = path.name[: found.start()] + path.name[found.end() :]
            natural = [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", rest)]
            sequences[image.group_id, str(path.parent)].append((natural, found[1], image))
    rows = []
    for sequence in sequences.values():
        ordered = sorted(sequence, key=lambda row: (row[0], row[1], row[2].file_name))
        for at, (_, own, image) in enumerate(ordered):
            rows += [
                (image, other, own, name) for _, name, other in ordered[at + 1 : at + 1 + NEIGHBOURS] if name != own
            ]
    return rows


def _register_pair(dataset: Dataset, first: ImageRecord, second: ImageRecord, own: str, other: str) -> Pair | None:
    a, b = (read_record(dataset, image, gray=True) for image in (first, second))
    down, right, correlation = register(a, b)
    if correlation < LEAST_CORRELATION:
        return None
    top, left = max(0, -down), max(0, -right)
    bottom, end = min(a.shape[0], b.shape[0] - down), min(a.shape[1], b.shape[1] - right)
    return Pair(
        a[top:bottom, left:end],
        b[top + down : bottom + down, left + right : end + right],
        (own, other),
        first.group_id,
        (first.file_name, second.file_name),
        (down, right),
        round(correlation, 4),
    )


def register(first: np.ndarray, second: np.ndarray, reach_px: int = REACH_PX) -> tuple[int, int, float]:
    """(down, right, correlation): pixel (y, x) of ``first`` shows what (y + down, x + right) of ``second`` does.

    The middle of ``first`` is sought in ``second`` by normalised correlation of their high-passed logarithms; a
    correlation of -1 where the sizes rule it out.
    """
    fine, other = _fine(first), _fine(second)
    height, width = first.shape
    top, left = min(height // 5, 2 * reach_px), min(width // 5, 2 * reach_px)
    middle = fine[top : height - top, left : width - left]
    field = cv2.copyMakeBorder(other, reach_px, reach_px, reach_px, reach_px, cv2.BORDER_CONSTANT, value=0)
    if middle.shape[0] > field.shape[0] or middle.shape[1] > field.shape[1]:
        return 0, 0, -1.0
    _, best, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(field, middle, cv2.TM_CCOEFF_NORMED))
    return y - reach_px - top, x - reach_px - left, float(best)


def _fine(pixels: np.ndarray) -> np.ndarray:
    logs = np.log(pixels.astype(np.float32) + 8)
    return logs - cv2.GaussianBlur(logs, (0, 0), 6)


def groups_of(pairs: Sequence[Pair]) -> list[str]:
    """The objects shown, sorted."""
    return sorted({pair.group for pair in pairs})
