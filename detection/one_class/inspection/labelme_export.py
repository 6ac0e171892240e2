"""Defects found, as labelme files beside copies of their photographs: input of ``ingest`` and so of the mask pool."""

from __future__ import annotations

from collections import Counter
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from anomaly_gan.core.files import write_bytes, write_json
from anomaly_gan.core.images import encode_png
from anomaly_gan.ingestion.formats.labelme_files import label_content, mask_shape
from anomaly_gan.ingestion.photographs import Photograph

CATEGORY = "found"
GOOD = "good"
"""Folder of the photographs without alarm; ``ingest`` takes those in it as normal."""


def places(map_SS: np.ndarray, threshold: float, size_hw: tuple[int, int]) -> list[np.ndarray]:
    """Masks mask_01 (H, W) of what lies above the threshold in a map (S, S) spread over a photograph, one for each part
    that hangs together (corners count), largest first. Parts smaller than one pixel of the map are left out."""
    height, width = size_hw
    above = (cv2.resize(map_SS, (width, height), interpolation=cv2.INTER_LINEAR) > threshold).astype(np.uint8)
    least = height * width / map_SS.size
    count, labels, stats, _ = cv2.connectedComponentsWithStats(above, connectivity=8)
    sizes = [(int(stats[part, cv2.CC_STAT_AREA]), part) for part in range(1, count)]
    return [
        (labels == part).astype(np.uint8)
        for area, part in sorted(sizes, key=lambda item: (-item[0], item[1]))
        if area >= least
    ]


class Finds:
    """Writes photographs into ``folder``; ``files``: all that will be written, so that no two names collide."""

    def __init__(self, folder: Path, files: list[str]) -> None:
        self._folder = folder
        self._stems = Counter(_stem(file) for file in files)

    def write(self, photograph: Photograph, masks: list[np.ndarray], detector: str, score: float) -> None:
        """The photograph and its label file, with one shape of the category ``found`` for each mask."""
        path = self._copy(photograph, self._folder)
        label = (
            path.with_suffix(".json")
            if self._stems[_stem(photograph.file)] < 2
            else path.with_name(path.name + ".json")
        )
        height, width = photograph.pixels.shape[:2]
        shapes = [mask_shape(CATEGORY, mask_01, f"{detector}, score {score:.6g}") for mask_01 in masks]
        write_json(label, label_content(path.name, (height, width), shapes))

    def write_good(self, photograph: Photograph) -> None:
        self._copy(photograph, self._folder / GOOD)

    def _copy(self, photograph: Photograph, folder: Path) -> Path:
        """The file's own bytes where they hold the pixels as seen, else a PNG."""
        if not photograph.converted:
            path = folder / photograph.file
            write_bytes(path, photograph.content)
        else:
            path = folder / f"{photograph.file}.png"
            write_bytes(path, encode_png(photograph.pixels))
        return path


def _stem(file: str) -> str:
    return str(PurePosixPath(file).with_suffix("")).casefold()
