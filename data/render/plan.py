"""What is photographed: objects, photographs of each, fold and file name; rendering one by one, in any order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from camera import Photograph, photograph
from scene import CATEGORIES, build

from anomaly_gan.core.seeding import rng_for

COUNTS = {  # photographs to be taken: {folder: (training, test)}
    "sample": {"normal": (48, 16), **dict.fromkeys(CATEGORIES, (14, 20))},
    "paper": {
        "normal": (450, 150),
        "cloth_strips": (123, 41),
        "screws_A": (103, 35),
        "screws_B": (105, 35),
        "paper_scraps": (147, 49),
    },  # Liu et al. 2023, Table 3
}
TWICE = 3  # every third training object is photographed twice


@dataclass(frozen=True)
class Shot:
    """One photograph to take. ``fold`` is 1 for training, 0 for test; ``shot`` 0 or 1 of ``item``."""

    folder: str
    number: int
    fold: int
    item: int
    shot: int

    @property
    def group(self) -> str:
        """The physical scene: photographs of one group never lie in different folds."""
        return f"{self.folder}-{'train' if self.fold else 'test'}-{self.item:03d}"

    @property
    def stem(self) -> str:
        return f"{self.folder}/{self.number:03d}"


def shots(counts: dict[str, tuple[int, int]]) -> Iterator[Shot]:
    """All photographs of a set, folder by folder, training first; what a scene shows depends on its own name alone."""
    for folder, (training, test) in counts.items():
        pairs = [(item, shot) for item in range(training) for shot in range(2 if item % TWICE == 0 else 1)][:training]
        yield from (Shot(folder, number, 1, *pair) for number, pair in enumerate(pairs))
        yield from (Shot(folder, training + item, 0, item, 0) for item in range(test))


def take(shot: Shot, seed: int, size: int) -> Photograph:
    """Render one photograph of ``size`` squared from its name and the seed alone.

    A scene whose defect the camera does not see (covered, out of frame) is built anew.
    """
    fold = "train" if shot.fold else "test"
    category = None if shot.folder == "normal" else shot.folder
    for attempt in range(20):
        scene_rng = rng_for(seed, shot.folder, fold, shot.item, attempt)
        scene = build(category, scene_rng, 2 * size)
        quarter = int(scene_rng.integers(4))
        taken = [
            photograph(scene, rng_for(seed, shot.folder, fold, shot.item, attempt, k), size, quarter, k > 0)
            for k in range(2 if shot.fold and shot.item % TWICE == 0 else 1)
        ]
        if category is None or all(_all_seen(scene.instances, photo) for photo in taken):
            return taken[shot.shot]
    raise RuntimeError(f"{shot.stem}: no scene shows its defect")


def _all_seen(instances: list[np.ndarray], photo: Photograph) -> bool:
    """Whether every defect shows at least 0.12 % of the frame."""
    least = 0.0012 * photo.pixels.size
    return bool(instances) and len(photo.masks) == len(instances) and all(m.sum() >= least for m in photo.masks)
