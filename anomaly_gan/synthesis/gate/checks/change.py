"""Is there a defect at all: has every instance changed enough, and by more than its texture?"""

from __future__ import annotations

import numpy as np

from ....core.channels import change_of
from ....core.masks import mask_box_xywh
from ..candidate import Candidate, Finding, Outcome, Setting
from ..config import GateConfig

TEXTURE_PX = 7
"""Distance in pixels at which the photograph's own texture is compared with itself."""
MEASURES = ("contrast", "shift", "fill", "texture")


def check(candidate: Candidate, setting: Setting) -> Outcome:
    """H7 an instance changed too little; measured is the instance of least contrast."""
    assert candidate.base is not None
    change = change_of(candidate.pixels, candidate.base)
    signed = candidate.pixels.astype(np.int16) - candidate.base.astype(np.int16)
    measures = [
        measure(change, signed, candidate.base, mask, setting.config.changed_by)
        for mask in candidate.masks
        if mask.any()
    ]
    findings = [finding for one in measures for finding in _too_little(one, setting.config)][:1]
    weakest = min(measures, key=lambda one: one["contrast"], default={})
    return Outcome(tuple(findings), {name: round(value, 4) for name, value in weakest.items()})


def measure(
    change: np.ndarray, signed: np.ndarray, base: np.ndarray, mask_01: np.ndarray, changed_by: float
) -> dict[str, float]:
    """Of one instance, in grey levels: mean absolute change (``contrast``), change of the mean (``shift``), how far
    the photograph's own pixels around it differ at a few pixels' distance (``texture``); and the share ``fill`` of
    its pixels that changed by more than ``changed_by``."""
    x, y, width, height = mask_box_xywh(mask_01)
    box = slice(y, y + height), slice(x, x + width)
    inside, change, signed = mask_01[box] != 0, change[box], signed[box]
    near = base[max(0, y - TEXTURE_PX) : y + height + TEXTURE_PX, max(0, x - TEXTURE_PX) : x + width + TEXTURE_PX]
    near = near.astype(np.int16)
    steps = [np.abs(near[TEXTURE_PX:] - near[:-TEXTURE_PX]), np.abs(near[:, TEXTURE_PX:] - near[:, :-TEXTURE_PX])]
    return {
        "contrast": float(change[inside].mean()),
        "shift": float(np.abs(signed[inside].mean(axis=0)).max()),
        "fill": float((change[inside] > changed_by).mean()),
        "texture": float(np.mean([step.mean() for step in steps if step.size] or [0.0])),
    }


def _too_little(one: dict[str, float], config: GateConfig) -> list[Finding]:
    contrast, texture, least = one["contrast"], one["texture"], config.min_contrast
    if contrast < least:
        return [Finding("H7", f"an instance changed by {contrast:.1f} grey levels, at least {least:g} are needed")]
    if one["fill"] < config.min_fill:
        words = f"{one['fill']:.0%} of an instance changed, at least {config.min_fill:.0%} are needed"
        return [Finding("H7", words)]
    if contrast < config.over_texture * texture and one["shift"] < least:
        words = (
            f"an instance changed by {contrast:.1f} grey levels, no more than the texture around it "
            f"({texture:.1f}), and its mean by {one['shift']:.1f}"
        )
        return [Finding("H7", words)]
    return []
