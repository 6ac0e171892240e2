"""Two one-class detectors, each of half of the sound objects: whichever sound photograph is asked about, one of the two
has not learnt its object. Nothing is unusual to a detector that has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anomaly_gan.core.dataset import Dataset, ImageRecord
from anomaly_gan.core.progress import track

from .interface import OneClassDetector

CHUNK = 16


@dataclass(frozen=True)
class Learnt:
    """A one-class detector that has learnt from sound photographs of a data set."""

    detector: OneClassDetector
    settings: Any
    gray: bool

    def ask(
        self, data: Dataset, images: Sequence[ImageRecord], device: str
    ) -> list[tuple[ImageRecord, float, np.ndarray]]:
        """Each photograph with its score and its map, float32 (S, S), in order.

        Args:
            data: the data set of the photographs.
            images: photographs to ask about.
            device: where to compute.
        """
        from .inspection.scoring import choose_device, score_batch
        from .synthetic_filter.learn import read_square

        found = []
        for start in track(range(0, len(images), CHUNK), "one-class maps"):
            part = images[start : start + CHUNK]
            squares = read_square(data, part, self.settings.size, flatten=False).numpy()
            scores = score_batch(self.detector, squares, choose_device(device))
            assert scores.map_BHW is not None
            found += list(zip(part, scores.image.tolist(), scores.map_BHW.numpy(), strict=True))
        return found


def halves_by_object(images: Sequence[ImageRecord], rng: np.random.Generator) -> list[list[ImageRecord]]:
    """Two halves of ``images`` that share no object."""
    groups = sorted({image.group_id for image in images})
    first = {groups[int(place)] for place in rng.permutation(len(groups))[: len(groups) // 2]}
    return [[image for image in images if (image.group_id in first) == one] for one in (True, False)]


def learn_from(
    data: Dataset, images: Sequence[ImageRecord], method: str, settings: Any, seed: int, device: str, folder: Path
) -> Learnt:
    """A one-class detector that has learnt from ``images``.

    Args:
        data: the data set of the photographs.
        images: sound photographs.
        method: a one-class detector that gives maps.
        settings: its settings.
        seed: of every random choice made here.
        device: where to compute.
        folder: where its training is kept while it runs.

    Returns:
        The detector.

    Raises:
        InputError: K5, fewer than two photographs.
    """
    from anomaly_gan.engine.loop import make_fabric

    from .synthetic_filter.learn import read_square
    from .training import build_detector, train_detector

    gray = data.gray
    detector = build_detector(method, 1 if gray else 3, settings, seed)
    train_detector(
        detector,
        read_square(data, images, settings.size, flatten=False),
        make_fabric(device),
        folder / "training",
        seed,
    )
    return Learnt(detector, settings, gray)
