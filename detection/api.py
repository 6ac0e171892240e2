"""The public functions of the detectors of labelled defects. Nothing here imports torch until it is used.

They are thin: the same configuration, folders and files as ``anomaly-gan detect``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from anomaly_gan.core.errors import InputError
from anomaly_gan.core.stage_calls import Device, Pixels

if TYPE_CHECKING:
    import torch

    from anomaly_gan.core.dataset import Dataset

    from .detectors.config import DetectConfig
    from .inspection.one_class_score import OneClassScore
    from .training.checkpoint import Model


@dataclass(frozen=True)
class Instance:
    """One defect found in a photograph.

    ``score`` in [0, 1]. ``bitmap_01`` is uint8 (h, w), whose corner lies at the pixel (``x``, ``y``) of the photograph.
    """

    category: str
    score: float
    x: int
    y: int
    bitmap_01: Pixels

    @property
    def bbox(self) -> tuple[int, int, int, int]:
        """x, y, width and height in pixels, as COCO has them."""
        return self.x, self.y, int(self.bitmap_01.shape[1]), int(self.bitmap_01.shape[0])

    def mask(self, height: int, width: int) -> Pixels:
        """The instance as uint8 (height, width), 0 or 1, in a photograph of that size."""
        full = np.zeros((height, width), np.uint8)
        full[self.y : self.y + self.bitmap_01.shape[0], self.x : self.x + self.bitmap_01.shape[1]] = self.bitmap_01
        return full


@dataclass(frozen=True)
class Inspection:
    """What a detector says of one photograph.

    ``score``: how likely it shows a defect, in [0, 1]. ``alarm``: whether the score exceeds the detector's threshold;
    None where the detector has none. ``instances``: best first.
    """

    score: float
    alarm: bool | None
    instances: tuple[Instance, ...]


@dataclass(frozen=True)
class Detector:
    """A trained detector, ready to inspect: what ``folder`` holds, its nets on ``device``."""

    folder: Path
    model: Model
    device: torch.device
    one_class_score: OneClassScore | None = None

    @property
    def categories(self) -> tuple[str, ...]:
        return self.model.categories.names

    @cached_property
    def threshold(self) -> float | None:
        """Score above which a photograph raises an alarm; None where too few sound photographs could be held out."""
        from .inspection.alarm import SoundScores

        try:
            return SoundScores.from_json(self.model.sound).threshold(self.model.false_alarm).value
        except InputError:
            return None

    def inspect(self, photo: Pixels, *, min_score: float | None = None) -> Inspection:
        """Look at one photograph.

        Args:
            photo: uint8 (H, W) or (H, W, 3), RGB, at its own size.
            min_score: leave out instances below this score; None: each category's own, chosen on held-out objects.
        """
        from anomaly_gan.core.images import to_mode

        from .evaluation.reading import inspect_pixels
        from .inspection.one_class_score import photograph_score

        least = self.model.least if min_score is None else (min_score,) * len(self.model.least)
        pixels = to_mode(photo, self.model.reading.mode)
        seen = inspect_pixels(self.model.net, pixels, self.model.config.longest, self.device)
        kept = tuple(
            Instance(self.categories[one.label - 1], one.score, one.x, one.y, one.bitmap_01)
            for one in seen.found
            if one.score >= least[one.label - 1]
        )
        score = photograph_score(seen, pixels, self.one_class_score)
        threshold = self.threshold
        return Inspection(score, None if threshold is None else score > threshold, kept)


def train_detector(
    data: Dataset | str | Path,
    out: str | Path,
    *,
    config: DetectConfig | None = None,
    false_alarm: float = 0.05,
    seed: int = 0,
    device: Device = "auto",
) -> Detector:
    """Train on the split ``train`` of a data set, real photographs and generated ones, and set an alarm threshold.

    A finished training of the same inputs is opened, one that was cut off is gone on with.

    Args:
        data: what ``anomaly_gan.ingest`` or ``anomaly_gan.export`` gave, or such a folder.
        out: folder to write (``model.safetensors``, ``model.json``, ``losses.csv``, ``metrics.json``).
        config: which detector, how long; None: ``dense`` with its defaults.
        false_alarm: share of sound photographs that may raise an alarm, in (0, 1); the threshold is set on whole sound
            objects that are held out of the training.
        seed: of weights and batches.
        device: where to train.

    Returns:
        The detector; its ``threshold`` is None where too few sound objects could be held out.

    Raises:
        InputError: no training photographs; J6, ``out`` holds other work.
        ConfigError: ``false_alarm`` is no share.
    """
    from .commands import detect_train
    from .detectors.config import DetectConfig

    detect_train(_folder(data), Path(out), config or DetectConfig(), seed, device, false_alarm)
    return load_detector(out, device)


def load_detector(folder: str | Path, device: Device = "auto") -> Detector:
    """Open a trained detector.

    Raises:
        InputError: a file is missing or not one of ours; A13, the weights are not those that were written.
    """
    from .inspection.one_class_score import read_one_class_score
    from .one_class.inspection.scoring import choose_device
    from .training.checkpoint import read_model

    chosen = choose_device(device)
    model = read_model(Path(folder), chosen)
    return Detector(Path(folder), model, chosen, read_one_class_score(Path(folder), model.one_class_score, chosen))


def evaluate(
    detector: Detector | str | Path,
    data: Dataset | str | Path,
    out: str | Path,
    *,
    split: str = "test",
    device: Device = "auto",
) -> dict[str, object]:
    """Measure a detector on one split of a data set.

    Args:
        detector: what :func:`train_detector` or :func:`load_detector` gave, or its folder.
        data: a data set of the same categories, or its folder.
        out: folder for ``metrics.json`` and ``detections.json``.
        split: ``test`` or ``train``.
        device: where to compute.

    Returns:
        ``map50`` (AP at IoU 0.5), ``map`` (the COCO mean over 0.5 to 0.95), ``miou``, ``image_auroc`` and others, all
        in [0, 1] and None where undefined; ``categories`` has them by category.

    Raises:
        InputError: no photograph in that split; K4, other categories than the detector's.
    """
    from .commands import detect_eval

    folder = detector.folder if isinstance(detector, Detector) else Path(detector)
    return detect_eval(folder, _folder(data), Path(out), split, device)


def _folder(data: Dataset | str | Path) -> Path:
    return Path(data) if isinstance(data, str | Path) else data.folder
