"""Contact sheets, to look at what was rendered."""

from __future__ import annotations

import cv2
import numpy as np

TRUTH = (0, 90, 255)  # BGR


def outlined(pixels: np.ndarray, mask_01: np.ndarray) -> np.ndarray:
    """A gray photograph (S, S) as BGR with the outline of its mask drawn on it."""
    picture = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
    outlines, _ = cv2.findContours(mask_01.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, outlines, -1, TRUTH, 1)
    return picture


def tiled(pictures: list[np.ndarray], columns: int, side: int) -> np.ndarray:
    """Pictures (gray or BGR) side by side, ``columns`` to the row, each ``side`` pixels square, as one BGR picture."""
    cells = [
        cv2.resize(
            p if p.ndim == 3 else cv2.cvtColor(p, cv2.COLOR_GRAY2BGR), (side, side), interpolation=cv2.INTER_AREA
        )
        for p in pictures
    ]
    cells += [np.zeros((side, side, 3), np.uint8)] * (-len(cells) % columns)
    rows = [
        np.hstack(
            [
                cv2.copyMakeBorder(cell, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(255, 255, 255))
                for cell in cells[k : k + columns]
            ]
        )
        for k in range(0, len(cells), columns)
    ]
    return np.vstack(rows)
