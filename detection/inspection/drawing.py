"""A photograph with what was found in it: outlines, categories, scores."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ..dense.instances import Found

LONGEST = 1600
"""Pixels; longer photographs are shown smaller."""
COLOURS_BGR = ((60, 60, 240), (60, 200, 60), (240, 150, 40), (30, 200, 240), (220, 70, 200), (200, 200, 60))
QUALITY = 92


def draw_found(pixels: np.ndarray, found: Sequence[Found], names: Sequence[str], line: str) -> bytes:
    """JPEG bytes of the photograph (H, W[, 3]) uint8: an outline and a label for each instance, ``line`` below."""
    shrink = min(1.0, LONGEST / max(pixels.shape[:2]))
    size = max(1, round(pixels.shape[1] * shrink)), max(1, round(pixels.shape[0] * shrink))
    shown = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if shrink < 1 else pixels
    shown = cv2.cvtColor(shown, cv2.COLOR_GRAY2BGR if shown.ndim == 2 else cv2.COLOR_RGB2BGR).copy()
    for item in found:
        colour = COLOURS_BGR[(item.label - 1) % len(COLOURS_BGR)]
        outlines, _ = cv2.findContours(item.bitmap_01, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        for outline in outlines:
            moved = np.rint((outline + np.array([item.x, item.y])) * shrink).astype(np.int32)
            cv2.polylines(shown, [moved], True, colour, 1, cv2.LINE_AA)
        place = (int(item.x * shrink), max(10, int(item.y * shrink) - 4))
        _write(shown, f"{names[item.label - 1]} {item.score:.2f}", place, colour)
    footer = np.full((18, shown.shape[1], 3), 32, np.uint8)
    _write(footer, line, (3, 13), (235, 235, 235))
    done, content = cv2.imencode(".jpg", np.vstack([shown, footer]), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise ValueError(f"cannot encode an overlay of shape {shown.shape}")
    return content.tobytes()


def _write(image: np.ndarray, text: str, place_xy: tuple[int, int], colour: tuple[int, int, int]) -> None:
    x = min(place_xy[0], max(0, image.shape[1] - 6 * len(text)))
    for width, tone in ((3, (0, 0, 0)), (1, colour)):
        cv2.putText(image, text, (x, place_xy[1]), cv2.FONT_HERSHEY_SIMPLEX, 0.38, tone, width, cv2.LINE_AA)
