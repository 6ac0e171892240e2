"""How good a generator is while it learns: its defects' kernel distance (KID) to the real training defects.

Always the same pool masks, normals, real defects and noises, drawn as training batches are, and never a photograph
of the test split. Each defect stands alone (``masked_crop``) before the embedded network, as in the gate's ``defect``
view.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ...engine.ema import average_paints
from ...metrics.crops import masked_crop
from ...metrics.features import Backbone, pooled_features
from ...metrics.kernel import kernel_distance
from ..interface.task import MethodTask
from ..pairs.windows import Batch, PairSource
from .previews import previews, to_pixels

FIRST_BATCH = -1_000_000
"""Counted down from here: batches that no step and no sample sheet shows."""


class CropQuality:
    """Called, it paints ``windows`` defects with the net that would be kept, and gives ``KID-LABEL``, the mean over
    the categories, then each category's own (NaN where fewer than two defects are there to compare)."""

    def __init__(
        self,
        task: MethodTask,
        source: PairSource,
        names: Sequence[str],
        windows: int,
        backbone: Backbone,
        device: torch.device,
    ) -> None:
        self.task, self.names, self.backbone, self.device = task, names, backbone, device
        self.source, self.count = source, math.ceil(windows / source.batch_size)

    @cached_property
    def batches(self) -> list[Batch]:
        return [self.source.batch(FIRST_BATCH - index) for index in range(self.count)]

    @cached_property
    def real(self) -> list[list[np.ndarray | None]]:
        return [self._features(batch.abnormal_BCHW, batch.abnormal_mask_B1HW) for batch in self.batches]

    def __call__(self) -> dict[str, float]:
        made = [self._features(*self._painted(batch)) for batch in self.batches]
        labels = np.concatenate([batch.category_B.numpy() for batch in self.batches])
        distances = {
            name: _distance(*(_of(side, labels == index) for side in (made, self.real)))
            for index, name in enumerate(self.names)
        }
        shown = [distance for name, distance in distances.items() if (labels == self.names.index(name)).sum() > 1]
        return {
            f"KID-{self.backbone.label}": float(np.mean(shown)) if shown else math.nan,
            **{f"category {name}": distance for name, distance in distances.items()},
        }

    def _painted(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Pictures and their masks; a method that makes its own masks shows them."""
        with average_paints(self.task.nets), torch.random.fork_rng():
            torch.manual_seed(0)  # for a generator that draws while it paints
            columns = previews(self.task, batch.to(self.device))
        return columns["generated"], (columns["mask"] > 0).float()

    def _features(self, images_BCHW: Tensor, masks_B1HW: Tensor) -> list[np.ndarray | None]:
        """A row of features per picture; None where its mask is empty."""
        pictures = [
            (to_pixels(image), mask[0].cpu().numpy().astype(np.uint8))
            for image, mask in zip(images_BCHW, masks_B1HW, strict=True)
        ]
        return [pooled_features([masked_crop(*one)], self.backbone)[0] if one[1].any() else None for one in pictures]


def _of(batches: Sequence[Sequence[np.ndarray | None]], chosen: np.ndarray) -> list[np.ndarray]:
    rows = [row for batch in batches for row in batch]
    return [row for row, wanted in zip(rows, chosen, strict=True) if wanted and row is not None]


def _distance(made: list[np.ndarray], real: list[np.ndarray]) -> float:
    return kernel_distance(np.stack(made), np.stack(real)) if min(len(made), len(real)) > 1 else math.nan
