"""A mask moved as a stamp: where, turned how far, how large, and how many of it. Pixels are never lost in silence."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import cv2
import numpy as np

from ...core.errors import ConfigError, InputError
from ...core.masks import grow, mask_box_xywh, union
from ..relighting.model import NUMBER

DRAWS = 300
APART_PX = 6
"""Free pixels between copies, so that neither paints into the other's surroundings."""
MOST = 200

Instances = list[tuple[str, np.ndarray]]
"""(category name, mask_01 (H, W)) of each instance."""


@dataclass(frozen=True)
class Placement:
    """``at_xy``: where the centre of the mask's box goes, in pixels of the photograph; None leaves it. ``turn_deg``:
    counter-clockwise as seen, None turns each copy anyhow. Copies after the first go to free places."""

    at_xy: tuple[float, float] | None = None
    turn_deg: float | None = 0.0
    scale: float = 1.0
    number: int = 1

    @property
    def still(self) -> bool:
        """Whether the mask stays as it was drawn, pixel for pixel."""
        return self == Placement()


def parse_at(text: str | None) -> tuple[float, float] | None:
    """``120,80`` as (x, y).

    Raises:
        ConfigError: no two numbers.
    """
    if text is None:
        return None
    found = re.fullmatch(rf"\s*({NUMBER})\s*,\s*({NUMBER})\s*", text)
    if not found:
        raise ConfigError(f"--at {text}: write x,y in pixels from the upper left corner, for example 120,80")
    return float(found[1]), float(found[2])


def parse_turn(text: str) -> float | None:
    """Degrees, or None for ``any``.

    Raises:
        ConfigError: neither.
    """
    if text == "any":
        return None
    if not re.fullmatch(NUMBER, text):
        raise ConfigError(f"--turn {text}: write degrees, counter-clockwise, or any")
    return float(text)


def place(
    where: str, instances: Instances, size_hw: tuple[int, int], placement: Placement, rng: np.random.Generator
) -> Instances:
    """The instances of all copies, in a frame of ``size_hw``. The instances' own frame may be another, unless the
    mask stays where it is.

    Raises:
        InputError: B1 the mask's frame is not the photograph's and nobody says where it goes, C7 it would leave the
            photograph, H9 there is no room for all copies.
    """
    frame = instances[0][1].shape
    if frame != size_hw and placement.at_xy is None:
        raise InputError(
            where,
            "B1",
            f"the mask is {frame[1]}x{frame[0]}, the photograph {size_hw[1]}x{size_hw[0]}",
            "draw it at the photograph's size, or say where it goes with --at x,y",
        )
    if placement.still:
        return instances
    x, y, width, height = mask_box_xywh(union([mask for _, mask in instances], *frame))
    centre = (x + width / 2, y + height / 2) if placement.at_xy is None else placement.at_xy
    placed: Instances = []
    taken = np.zeros(size_hw, np.uint8)
    for copy in range(placement.number):
        for _ in range(DRAWS if copy else 1):
            turn = placement.turn_deg if placement.turn_deg is not None else float(rng.uniform(0, 360))
            goal = centre if not copy else (float(rng.uniform(0, size_hw[1])), float(rng.uniform(0, size_hw[0])))
            stamps, lost = _stamped(where, instances, (x, y, width, height), goal, turn, placement.scale, size_hw)
            # the first goes where it was asked for, or nowhere; the others may try again elsewhere
            if copy == 0 and lost:
                raise InputError(
                    where,
                    "C7",
                    f"placed there, {lost} pixels of the mask leave the photograph of {size_hw[1]}x{size_hw[0]}",
                    "choose another place, or a smaller --scale",
                )
            if not lost and not (taken & union([mask for _, mask in stamps], *size_hw)).any():
                break
        else:
            raise InputError(
                where, "H9", f"there is room for {copy} of {placement.number} copies only", "lower --number or --scale"
            )
        placed += stamps
        taken |= grow(union([mask for _, mask in stamps], *size_hw), APART_PX)
    return placed


def _stamped(
    where: str,
    instances: Instances,
    box_xywh: tuple[int, int, int, int],
    goal_xy: tuple[float, float],
    turn_deg: float,
    scale: float,
    size_hw: tuple[int, int],
) -> tuple[Instances, int]:
    """The instances around ``goal_xy``, and how many pixels of them lie outside."""
    x, y, width, height = box_xywh
    stamps, lost = [], 0
    for name, mask in instances:
        stamp = turned(mask[y : y + height, x : x + width], turn_deg, scale)
        if not stamp.any():
            raise InputError(where, "B9", f"at --scale {scale:g} nothing of the mask is left", "choose a larger scale")
        left, top = (round(goal - side / 2) for goal, side in zip(goal_xy, stamp.shape[::-1], strict=True))
        moved = np.zeros(size_hw, np.uint8)
        rows, columns = np.nonzero(stamp)
        inside = (rows + top >= 0) & (rows + top < size_hw[0]) & (columns + left >= 0) & (columns + left < size_hw[1])
        moved[rows[inside] + top, columns[inside] + left] = 1
        lost += int((~inside).sum())
        stamps.append((name, moved))
    return stamps, lost


def turned(mask_01: np.ndarray, turn_deg: float, scale: float) -> np.ndarray:
    """The mask turned counter-clockwise about its centre and scaled, in a frame that holds all of it.

    Whole quarter turns without scaling keep every pixel; else a pixel is set where at least half of it is covered.
    """
    quarters = turn_deg / 90
    if scale == 1 and quarters == round(quarters):
        return np.ascontiguousarray(np.rot90(mask_01, round(quarters)))
    height, width = mask_01.shape
    angle = math.radians(turn_deg)
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    out_w = math.ceil(abs(width * cos) + abs(height * sin)) + 2
    out_h = math.ceil(abs(width * sin) + abs(height * cos)) + 2
    # y points down: counter-clockwise as seen
    matrix = np.array([[cos, sin, 0.0], [-sin, cos, 0.0]])
    matrix[:, 2] = np.array([(out_w - 1) / 2, (out_h - 1) / 2]) - matrix[:, :2] @ [(width - 1) / 2, (height - 1) / 2]
    cover = cv2.warpAffine((mask_01 != 0).astype(np.float32), matrix, (out_w, out_h), flags=cv2.INTER_LINEAR)
    return (cover >= 0.5).astype(np.uint8)
