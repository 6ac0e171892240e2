"""A photograph with its heat map, coloured on the scale of the calibration."""

from __future__ import annotations

import cv2
import numpy as np

LONGEST = 1024
"""Pixels; longer photographs are shown smaller."""
OPAQUE = 0.65
QUALITY = 90


def draw_overlay(pixels: np.ndarray, map_SS: np.ndarray, scale: tuple[float, float], threshold: float) -> bytes:
    """JPEG bytes of the photograph (H, W[, 3]) uint8 under its map (S, S).

    The colour runs from none at ``scale[0]`` over green to red at ``scale[1]``, the same for every photograph; a white
    line goes round what lies above ``threshold``.
    """
    shrink = min(1.0, LONGEST / max(pixels.shape[:2]))
    size = max(1, round(pixels.shape[1] * shrink)), max(1, round(pixels.shape[0] * shrink))
    shown = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if shrink < 1 else pixels
    shown = cv2.cvtColor(shown, cv2.COLOR_GRAY2BGR if shown.ndim == 2 else cv2.COLOR_RGB2BGR)
    values = cv2.resize(map_SS, size, interpolation=cv2.INTER_LINEAR)
    heat = ((values - scale[0]) / (scale[1] - scale[0])).clip(0, 1)
    colour = cv2.applyColorMap(np.rint(heat * 255).astype(np.uint8), cv2.COLORMAP_TURBO)
    weight = (heat * OPAQUE)[..., None]
    mixed = np.rint(shown * (1 - weight) + colour * weight).astype(np.uint8)
    outlines, _ = cv2.findContours((values > threshold).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(mixed, outlines, -1, (255, 255, 255), 1)
    done, content = cv2.imencode(".jpg", mixed, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise ValueError(f"cannot encode an overlay of shape {mixed.shape}")
    return content.tobytes()
