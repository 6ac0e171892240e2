"""Checks of one synthetic photograph: is the label true? Pixels decide, nothing is estimated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...core.files import sha256_bytes
from ...core.masks import grow, mask_box_xywh, union
from .config import GateConfig

TEXTURE_PX = 7
"""Distance in pixels at which the photograph's own texture is compared with itself."""


@dataclass(frozen=True)
class Finding:
    """A reason to reject: the fault's code (FAULTS.md) and one plain sentence."""

    code: str
    reason: str


@dataclass(frozen=True)
class Candidate:
    """One attempt at one pool item, as it would be accepted.

    ``base`` is the untouched photograph, which may have changed only within ``support_px`` of the masks; None where
    every pixel may have changed. ``ancestors`` are the objects each instance's mask or texture came from, as far as
    known; ``pasted``: the method lays training defects into photographs, so copies are its purpose.
    """

    pixels: np.ndarray
    instances: list[tuple[int, np.ndarray]]
    base: np.ndarray | None
    support_px: int
    ancestors: tuple[str | None, ...] = ()
    pasted: bool = False


@dataclass
class Seen:
    """Pixels accepted or trained on so far, by hash: a synthetic photograph must be none of them."""

    owners: dict[str, str] = field(default_factory=dict)

    def add(self, pixels: np.ndarray, owner: str) -> None:
        self.owners.setdefault(pixels_key(pixels), owner)


def pixels_key(pixels: np.ndarray) -> str:
    """Hash of shape and pixels, whatever file they came from."""
    return sha256_bytes(f"{pixels.shape}{pixels.dtype}".encode() + np.ascontiguousarray(pixels).tobytes())


def check(candidate: Candidate, config: GateConfig, seen: Seen) -> tuple[list[Finding], dict[str, Any]]:
    """All reasons to reject the candidate (none: it is accepted), and what was measured."""
    findings = _check_form(candidate)
    if findings:
        return findings, {}
    masks = [mask for _, mask in candidate.instances]
    findings, measures = _check_masks(masks, candidate.pixels.shape[:2], config)
    owner = seen.owners.get(pixels_key(candidate.pixels))
    if owner is not None:
        findings.append(Finding("H6", f"the same pixels as {owner}"))
    if candidate.base is not None and masks:
        more, changes = _check_change(candidate, masks, config)
        findings += more
        measures |= changes
    return findings, measures


def _check_form(candidate: Candidate) -> list[Finding]:
    pixels = candidate.pixels
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3):
        return [Finding("H8", f"pixels are {pixels.dtype} of shape {pixels.shape}, not an 8-bit photograph")]
    if candidate.base is not None and pixels.shape != candidate.base.shape:
        return [Finding("H8", f"shape {pixels.shape}, its photograph has {candidate.base.shape}")]
    wrong = [mask.shape for _, mask in candidate.instances if mask.shape != pixels.shape[:2]]
    return [Finding("B1", f"a mask of shape {wrong[0]} on a photograph of {pixels.shape[:2]}")] if wrong else []


def _check_masks(
    masks: list[np.ndarray], shape: tuple[int, ...], config: GateConfig
) -> tuple[list[Finding], dict[str, Any]]:
    areas = [int(np.count_nonzero(mask)) for mask in masks]
    share = float(np.count_nonzero(union(masks, *shape[:2])) / (shape[0] * shape[1]))
    findings = []
    if not masks:
        findings.append(Finding("B7", "no instance is left in the frame"))
    elif min(areas) < config.min_area_px:
        findings.append(Finding("B9", f"an instance of {min(areas)} pixels, at least {config.min_area_px} are needed"))
    if share > config.max_area_share:
        findings.append(Finding("B8", f"the masks cover {share:.0%} of the photograph"))
    return findings, {"area_px": sum(areas), "area_share": round(share, 6), "instances": len(masks)}


def _check_change(
    candidate: Candidate, masks: list[np.ndarray], config: GateConfig
) -> tuple[list[Finding], dict[str, Any]]:
    """Nothing may have changed beyond the support (H7); every instance must have changed enough (H7)."""
    assert candidate.base is not None
    signed = candidate.pixels.astype(np.int16) - candidate.base.astype(np.int16)
    change = np.abs(signed) if signed.ndim == 2 else np.abs(signed).max(axis=2)
    support = grow(union(masks, *change.shape), candidate.support_px)
    outside = int(np.count_nonzero(change[support == 0]))
    findings = [Finding("H7", f"{outside} pixels changed outside the mask")] if outside else []
    measures = [_measure(change, signed, candidate.base, mask, config) for mask in masks if mask.any()]
    findings += [finding for one in measures for finding in _too_little(one, config)][:1]
    weakest = min(measures, key=lambda one: one["contrast"], default={})
    return findings, {"outside_px": outside, **{name: round(value, 4) for name, value in weakest.items()}}


def _measure(
    change: np.ndarray, signed: np.ndarray, base: np.ndarray, mask_01: np.ndarray, config: GateConfig
) -> dict[str, float]:
    """Of one instance, in grey levels: mean absolute change (``contrast``), change of the mean (``shift``), how far
    the photograph's own pixels around it differ at a few pixels' distance (``texture``); and the share ``fill``."""
    inside = mask_01 != 0
    x, y, width, height = mask_box_xywh(mask_01)
    near = base[max(0, y - TEXTURE_PX) : y + height + TEXTURE_PX, max(0, x - TEXTURE_PX) : x + width + TEXTURE_PX]
    near = near.astype(np.int16)
    steps = [np.abs(near[TEXTURE_PX:] - near[:-TEXTURE_PX]), np.abs(near[:, TEXTURE_PX:] - near[:, :-TEXTURE_PX])]
    return {
        "contrast": float(change[inside].mean()),
        "shift": float(np.abs(signed[inside].mean(axis=0)).max()),
        "fill": float((change[inside] > config.changed_by).mean()),
        "texture": float(np.mean([step.mean() for step in steps if step.size] or [0.0])),
    }


def _too_little(measure: dict[str, float], config: GateConfig) -> list[Finding]:
    contrast, texture = measure["contrast"], measure["texture"]
    if contrast < config.min_contrast:
        return [
            Finding(
                "H7", f"an instance changed by {contrast:.1f} grey levels, at least {config.min_contrast:g} are needed"
            )
        ]
    if measure["fill"] < config.min_fill:
        return [
            Finding("H7", f"{measure['fill']:.0%} of an instance changed, at least {config.min_fill:.0%} are needed")
        ]
    if contrast < config.over_texture * texture and measure["shift"] < config.min_contrast:
        return [
            Finding(
                "H7",
                f"an instance changed by {contrast:.1f} grey levels, no more than the texture around it "
                f"({texture:.1f}), and its mean by {measure['shift']:.1f}",
            )
        ]
    return []
