"""Testing a trained detector on a cell's images, and, for the papers that did so, after every epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from anomaly_gan.core.files import atomic_path

from ..interface import Normals, OneClassDetector, PublishedScoring, score_all
from .metrics import figures
from .splits import Trial

BATCH = 256


def as_squares(images_NCHW: np.ndarray, size: int) -> Tensor:
    """uint8 (N, C, size, size): areas averaged where it becomes smaller, bilinear where it becomes larger."""
    images = torch.from_numpy(np.ascontiguousarray(images_NCHW))
    side = images.shape[-1]
    if side == size:
        return images
    mode: dict[str, Any] = {"mode": "area"} if size < side else {"mode": "bilinear", "align_corners": False}
    parts = [
        F.interpolate(part.float(), (size, size), **mode).round().clamp(0, 255).to(torch.uint8)
        for part in images.split(512)
    ]
    return torch.cat(parts) if parts else images.new_zeros((0, images.shape[1], size, size))


class Examiner:
    """Scores a cell's test images. Enlarged images are made batch by batch, except for the leaky scores of a paper,
    which see the whole test set."""

    def __init__(self, trial: Trial, size: int, device: torch.device, published: bool) -> None:
        self.trial, self.published = trial, published
        self._size, self.device = size, device

    def scores(self, detector: OneClassDetector) -> np.ndarray:
        """(N,) float64; those of the paper where the protocol asks for them and the detector has them."""
        if not (self.published and isinstance(detector, PublishedScoring)):
            return self.plain_scores(detector, self.trial.test_NCHW)
        with torch.no_grad():
            images = as_squares(self.trial.test_NCHW, self._size).to(self.device)
            return detector.score_published(images).detach().cpu().double().numpy()

    def plain_scores(self, detector: OneClassDetector, images_NCHW: np.ndarray) -> np.ndarray:
        """(N,) float64, each image by itself."""
        parts = [
            score_all(detector, as_squares(images_NCHW[start : start + BATCH], self._size).to(self.device)).image
            for start in range(0, len(images_NCHW), BATCH)
        ]
        return np.concatenate([part.double().numpy() for part in parts]) if parts else np.zeros(0)


class BestEpoch:
    """The leak of some papers: the epoch with the best AUROC on the test set. Survives a kill in ``path``."""

    def __init__(self, detector: OneClassDetector, examiner: Examiner, normals: Normals, path: Path) -> None:
        self._detector, self._examiner, self._normals, self._path = detector, examiner, normals, path

    def look(self, epoch: int) -> None:
        """Test after an epoch of training, and leave the nets in the modes they were in."""
        modes = [(module, module.training) for net in self._detector.nets.values() for module in net.modules()]
        self._detector.finalize(self._normals)
        scores = self._examiner.scores(self._detector)
        for module, mode in modes:
            module.training = mode
        auroc = figures(self._examiner.trial.labels, scores).auroc
        seen = {**{str(number): value for number, value in self.history() or []}, str(epoch): auroc}
        known = [value for number, value in seen.items() if value is not None and int(number) != epoch]
        picked, kept = epoch, scores
        if self.found() and not (auroc is not None and auroc > max(known, default=-1.0)):
            picked, kept = self.picked(), self.scores()
        with atomic_path(self._path) as temporary:
            np.savez(
                temporary,
                epochs=np.array([int(number) for number in seen]),
                picked=np.array(picked),
                auroc=np.array([np.nan if value is None else value for value in seen.values()]),
                scores=kept,
            )

    def found(self) -> bool:
        return self._path.is_file()

    def _read(self) -> dict[str, np.ndarray]:
        with np.load(self._path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}

    def scores(self) -> np.ndarray:
        return self._read()["scores"]

    def picked(self) -> int:
        return int(self._read()["picked"])

    def history(self) -> list[tuple[int, float | None]] | None:
        if not self.found():
            return None
        content = self._read()
        return [
            (int(epoch), None if np.isnan(value) else float(value))
            for epoch, value in zip(content["epochs"], content["auroc"], strict=True)
        ]
