"""What experts said about masks: items × raters × criteria, the form that every reader and evaluation shares."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np

from anomaly_gan.core.masks import encode_rle

LOWEST, HIGHEST = 0.0, 10.0
"""Ends of the scale that every grade lies on; 0 is unreasonable, 10 perfect."""
OVERALL = "overall"
"""The one criterion of a sheet that has no criteria."""


@dataclass(frozen=True, order=True)
class RatedMask:
    """Names one mask that is rated: an expert's drawing (labelme file and index of the shape) or an item of the pool.

    ``file`` of a pool item is ``pool/CATEGORY/000001.png`` and its ``shape`` is 0. ``sha256`` ties a rating to what
    was seen (``content_hash``); empty where a sheet from elsewhere does not give it.
    """

    file: str
    shape: int
    label: str
    sha256: str = ""


@dataclass(frozen=True, eq=False)
class Ratings:
    """Grades of N masks by R raters under C criteria.

    ``grades`` is float64 (N, R, C) in [LOWEST, HIGHEST]; NaN where a rater gave none.

    Raises:
        ValueError: the array does not fit its names, or a grade is out of range.
    """

    masks: tuple[RatedMask, ...]
    raters: tuple[str, ...]
    criteria: tuple[str, ...]
    grades: np.ndarray

    def __post_init__(self) -> None:
        shape = (len(self.masks), len(self.raters), len(self.criteria))
        if self.grades.shape != shape:
            raise ValueError(f"grades are {self.grades.shape}, their names say {shape}")
        given = self.grades[~np.isnan(self.grades)]
        if given.size and not (given.min() >= LOWEST and given.max() <= HIGHEST):
            raise ValueError(f"a grade lies outside {LOWEST:g}..{HIGHEST:g}")


def content_hash(photograph_sha256: str, label: str, mask_01: np.ndarray) -> str:
    """SHA-256 of what a rater sees: the photograph, the label and every pixel of the mask (H, W)."""
    seen = json.dumps([photograph_sha256, label, encode_rle(mask_01)], sort_keys=True)
    return hashlib.sha256(seen.encode("utf-8")).hexdigest()
