"""Masks by the ten thousand: one element each, turned, scaled, mirrored and placed, straight to COCO annotations.

The pool's items take care of borders, anchors, rules and one another; this is for when only many shapes are wanted.
All draws of a block of masks are made at once, only an element's own box is warped, and the run-lengths come from
that box. Mask i depends on the seed and i alone, not on how many are made or by how many processes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import cv2
import numpy as np
import orjson

from anomaly_gan.core.errors import InputError
from anomaly_gan.core.masks import encode_rle_box
from anomaly_gan.core.seeding import rng_for

from ..elements.real import Element

BLOCK = 256
"""Masks whose draws are made together; changing it changes every mask."""
GRID = 1024
"""Warps are rounded to 1 / GRID: OpenCV's coordinates are then exact, and a mask is the same wherever it lies."""
MARGIN = 4
"""Pixels by which a warped box is larger than the hull: rounding, and the half pixel of interpolation."""


@dataclass(frozen=True)
class Turns:
    """How masks are drawn: rotation uniform in ± degrees, scale log-uniform, half of them mirrored."""

    rotation: float = 180.0
    scale: tuple[float, float] = (0.7, 1.4)
    flip: bool = True


@dataclass(frozen=True, eq=False)
class Draws:
    """The draws of one block (all arrays of length BLOCK, or BLOCK first).

    ``element`` is the index of the element, ``inverse`` (2, 3) maps a pixel of the turned box to one of the
    element's bitmap, ``box_wh`` is the turned box' size and ``corner_xy`` its place in the frame, in pixels.
    """

    element: np.ndarray
    inverse: np.ndarray
    box_wh: np.ndarray
    corner_xy: np.ndarray
    degrees: np.ndarray
    scale: np.ndarray
    flip: np.ndarray


def hulls_of(elements: Sequence[Element]) -> np.ndarray:
    """Corners (N, K, 2) of the elements' convex hulls in pixels (x, y) of their bitmaps, the last one repeated."""
    hulls = []
    for element in elements:
        rows = np.flatnonzero(element.bitmap.any(axis=1))
        first = element.bitmap[rows].argmax(axis=1)
        last = element.bitmap.shape[1] - 1 - element.bitmap[rows, ::-1].argmax(axis=1)
        # a pixel is a square around its centre
        corners = np.array(
            [
                (x + dx, y + dy)
                for xs, dx in ((first, -0.5), (last, 0.5))
                for dy in (-0.5, 0.5)
                for x, y in zip(xs, rows, strict=True)
            ],
            np.float32,
        )
        hulls.append(cv2.convexHull(corners).reshape(-1, 2).astype(float))
    most = max(len(hull) for hull in hulls)
    return np.stack([np.pad(hull, ((0, most - len(hull)), (0, 0)), mode="edge") for hull in hulls])


def draw_block(hulls: np.ndarray, size_hw: tuple[int, int], seed: int, block: int, turns: Turns) -> Draws:
    """The draws of masks ``block * BLOCK`` and on, for elements with these hulls.

    A turned element larger than the frame is scaled down until it fits.
    """
    uniform = rng_for(seed, "many", block).random((6, BLOCK))
    element = (uniform[0] * len(hulls)).astype(int)
    degrees = np.round((2 * uniform[1] - 1) * turns.rotation, 6)
    low, high = (math.log(end) for end in turns.scale)
    scale = np.exp(low + uniform[2] * (high - low))
    flip = (uniform[3] < 0.5) & turns.flip
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    mirror, frame = np.where(flip, -1.0, 1.0), np.array(size_hw[::-1], float)
    # mirrored, then turned, then scaled; where the hull lies after that, the origin being the bitmap's first pixel
    turned = np.stack([np.stack([cos * mirror, -sin], -1), np.stack([sin * mirror, cos], -1)], 1)
    at = hulls[element] @ turned.transpose(0, 2, 1)
    first, around = at.min(axis=1), np.ptp(at, axis=1)
    scale = np.round(np.minimum(scale, ((frame - MARGIN) / around).min(axis=1)), 6)
    linear = np.rint(turned.transpose(0, 2, 1) / scale[:, None, None] * GRID) / GRID
    box_wh = np.minimum(np.ceil(around * scale[:, None]) + MARGIN - 1, frame)
    corner = np.floor(first * scale[:, None]) - 1
    shift = np.rint((linear @ corner[:, :, None]) * GRID) / GRID
    corner_xy = np.floor(uniform[4:6].T * (frame - box_wh + 1)).astype(int)
    return Draws(element, np.concatenate([linear, shift], axis=2), box_wh.astype(int), corner_xy, degrees, scale, flip)


def recombine_many(
    elements: Sequence[Element],
    count: int,
    size_hw: tuple[int, int],
    seed: int,
    turns: Turns | None = None,
    *,
    category_id: int = 1,
    start: int = 0,
    executor: Executor | None = None,
) -> list[bytes]:
    """``count`` masks in frames of ``size_hw`` pixels, each as the JSON of one COCO annotation (no line end in it).

    Args:
        elements: what is drawn from, each with equal chance; every one must fit the frame as it is.
        count: number of masks.
        size_hw: height and width of the frame in pixels.
        seed: of every random choice; a mask depends on it and on its index alone.
        turns: rotation, scale and mirroring; None: as the paper has them.
        category_id: of the annotations.
        start: index of the first mask; its annotation has id and image id ``start + 1``.
        executor: where to work; None is here. The result is the same.

    Returns:
        Annotations with ``segmentation``, ``bbox``, ``area`` and the ``provenance`` that the pool's have, in order.

    Raises:
        InputError: there is no element, or one is larger than the frame.
    """
    turns = turns or Turns()
    if not elements:
        raise InputError("masks", "E7", "there is no element to recombine", "label or draw at least one mask")
    for element in elements:
        if element.bitmap.shape[0] > size_hw[0] or element.bitmap.shape[1] > size_hw[1] or min(size_hw) <= MARGIN:
            raise InputError(
                f"{element.parent_image}[{element.parent}]",
                "H9",
                f"a mask of {element.bitmap.shape} pixels does not fit a frame of {size_hw}",
                "use a larger frame, or leave it out",
            )
    hulls = hulls_of(elements)
    blocks = range(start // BLOCK, -(-(start + count) // BLOCK))
    spans = [(max(start, block * BLOCK), min(start + count, (block + 1) * BLOCK)) for block in blocks]
    if executor is None:
        made = [_span(elements, hulls, span, size_hw, seed, turns, category_id) for span in spans]
    else:
        tasks = [executor.submit(_span, elements, hulls, span, size_hw, seed, turns, category_id) for span in spans]
        made = [task.result() for task in tasks]
    return [line for lines in made for line in lines]


def _span(
    elements: Sequence[Element],
    hulls: np.ndarray,
    span: tuple[int, int],
    size_hw: tuple[int, int],
    seed: int,
    turns: Turns,
    category_id: int,
) -> list[bytes]:
    """The annotations of masks ``span[0]`` to ``span[1] - 1``, which lie in one block."""
    draws = draw_block(hulls, size_hw, seed, span[0] // BLOCK, turns)
    chosen = draws.element.tolist()
    boxes, corners = draws.box_wh.tolist(), draws.corner_xy.tolist()
    affines = forward(draws, np.array([element.box[:2] for element in elements], float)).tolist()
    grey = {number: elements[number].bitmap * np.uint8(255) for number in set(chosen)}
    kin = {number: _kin(elements[number]) for number in grey}
    angles, scales, flips = draws.degrees.tolist(), draws.scale.tolist(), draws.flip.tolist()
    lines = []
    for index in range(*span):
        at = index % BLOCK
        number, (x, y) = chosen[at], corners[at]
        warped = cv2.warpAffine(grey[number], draws.inverse[at], boxes[at], flags=INVERSE_LINEAR)
        bitmap = cv2.threshold(warped, 127, 1, cv2.THRESH_BINARY)[1]
        left, top, w, h = cv2.boundingRect(bitmap)
        affine, done = affines[at], {"rotation_deg": angles[at], "scale": scales[at], "flip": flips[at]}
        if w == 0:  # thin lines vanish when shrunk: the element as it is
            own = elements[number]
            bitmap, (h, w), left, top = own.bitmap, own.bitmap.shape, 0, 0
            x, y = min(x, size_hw[1] - w), min(y, size_hw[0] - h)
            affine = [[1.0, 0.0, float(x - own.box[0])], [0.0, 1.0, float(y - own.box[1])]]
            done = {"rotation_deg": 0.0, "scale": 1.0, "flip": False}
        inner = bitmap[top : top + h, left : left + w]
        x, y = x + left, y + top
        lines.append(
            orjson.dumps(
                {
                    "id": index + 1,
                    "image_id": index + 1,
                    "category_id": category_id,
                    "iscrowd": 0,
                    "segmentation": encode_rle_box(inner, x, y, size_hw),
                    "bbox": [x, y, w, h],
                    "area": cv2.countNonZero(inner),
                    "provenance": {**kin[number], "affine": affine, "transforms": done, "seed": seed},
                }
            )
        )
    return lines


INVERSE_LINEAR = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


def forward(draws: Draws, corners_xy: np.ndarray) -> np.ndarray:
    """Affines (BLOCK, 2, 3), parent photograph pixel -> frame pixel; ``corners_xy`` (N, 2) are the elements' own."""
    linear = np.linalg.inv(draws.inverse[:, :, :2])
    from_box = draws.corner_xy - np.einsum("nij,nj->ni", linear, draws.inverse[:, :, 2] + corners_xy[draws.element])
    return np.round(np.concatenate([linear, from_box[:, :, None]], axis=2), 9)


def _kin(element: Element) -> dict[str, object]:
    return {
        "kind": element.kind,
        "parent": element.parent,
        "parent_image": element.parent_image,
        "parent_group": element.parent_group,
        "expert_score": None if element.score is None else round(element.score, 6),
        "raters": {name: round(mean, 6) for name, mean in sorted(element.raters.items())},
    }


def as_coco(lines: Sequence[bytes], size_hw: tuple[int, int], category: str, category_id: int = 1) -> bytes:
    """The annotations as one COCO file, a frame (``000001.png`` ...) for each; the frames themselves are not made."""
    images = [
        {"id": number, "file_name": f"{number:06d}.png", "width": size_hw[1], "height": size_hw[0]}
        for number in (json.loads(line)["id"] for line in lines)
    ]
    head = orjson.dumps({"categories": [{"id": category_id, "name": category}], "images": images})
    return head[:-1] + b',"annotations":[\n' + b",\n".join(lines) + b"\n]}\n"
