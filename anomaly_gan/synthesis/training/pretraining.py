"""Pseudo-defects: what a generator may learn painting from before it sees the few real ones.

A normal photograph, a mask of the pool, and something rendered inside it: another tone (scratches and blobs, as the
mask is long or round), a patch of another normal photograph, or a coarse grain (after CutPaste, Li et al. 2021, and
DRAEM, Zavrtanik et al. 2021, who train detectors this way). Not in the paper. Such a defect has a clean picture of
the very same place, so the pairs that ``TrainConfig.paired`` asks for are exact.
"""

from __future__ import annotations

import cv2
import numpy as np

from ...core.channels import over_channels
from ...core.seeding import rng_for
from ..pairs.windows import Batch, PairSource, Row, Window, stack, to_signed


class Pretraining:
    """The batches of a training whose first ``steps`` steps show pseudo-defects in the place of real ones.

    A batch depends on the source's seed and the step alone. No photograph with a defect enters those of the first
    ``steps``. (The abnormal aware network is another training: it knows real crops from the start.)
    """

    def __init__(self, source: PairSource, steps: int) -> None:
        self.source, self.steps = source, steps

    def batch(self, step: int) -> Batch:
        """The batch of a step (0-based)."""
        return stack(self._rows(step)) if 0 <= step < self.steps else self.source.batch(step)

    def names(self, step: int) -> list[str]:
        """What is in each row of the batch of a step: photographs and masks, for a message."""
        return [row.name for row in self._rows(step)] if 0 <= step < self.steps else self.source.names(step)

    def _rows(self, step: int) -> list[Row]:
        rng = rng_for(self.source.seed, "pseudo", step)
        return [self._row(rng) for _ in range(self.source.batch_size)]

    def _row(self, rng: np.random.Generator) -> Row:
        index = int(rng.integers(len(self.source.categories)))
        category = self.source.categories[index]
        normal, clean, donor = (self.source.normal_window(category, rng) for _ in range(3))
        defect = pseudo_defect(clean.pixels, clean.mask_1HW[0].astype(np.uint8), donor.pixels, rng)
        columns = (
            to_signed(normal.pixels),
            normal.mask_1HW,
            to_signed(defect),
            clean.mask_1HW,
            np.array(index),
            self.source.noise(rng),
            to_signed(clean.pixels),
            *self.source.warped(normal, Window(defect, clean.mask_1HW, clean.name), clean.pixels),
        )
        return Row(columns, f"a pseudo-defect on {clean.name} with {normal.name}")


def pseudo_defect(pixels: np.ndarray, mask_01: np.ndarray, donor: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """``pixels`` (uint8 (H, W) or (H, W, 3)) with something else under the mask; every other pixel stays.

    ``donor``: a normal window of the same size, for patches.
    """
    kind = rng.integers(3)
    below = pixels.astype(np.float32)
    if kind == 0:
        inside = below + rng.choice([-1, 1]) * rng.uniform(25, 110) * (1 + 0.4 * _grain(pixels.shape, 3.0, rng))
    elif kind == 1:
        patch = np.rot90(donor, int(rng.integers(4))).astype(np.float32)
        middle = patch.mean((0, 1))
        inside = middle + (patch - middle) * rng.uniform(1, 2) + rng.choice([-1, 1]) * rng.uniform(10, 60)
    else:
        inside = below + rng.uniform(15, 60) * _grain(pixels.shape, float(rng.choice([0.7, 1.5, 3.0])), rng)
    if pixels.ndim == 3:
        inside = inside + rng.uniform(-12, 12, 3)
    alpha = mask_01 * (0.5 + 0.5 * cv2.GaussianBlur(mask_01.astype(np.float32), (0, 0), 1.0))
    alpha = over_channels(alpha, pixels)
    return (below * (1 - alpha) + inside * alpha).round().clip(0, 255).astype(np.uint8)


def _grain(shape: tuple[int, ...], sigma_px: float, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise of mean 0 and spread 1, the same in all channels."""
    noise = cv2.GaussianBlur(rng.standard_normal(shape[:2]).astype(np.float32), (0, 0), sigma_px)
    noise = (noise - noise.mean()) / max(float(noise.std()), 1e-6)
    return noise if len(shape) == 2 else noise[:, :, None]
