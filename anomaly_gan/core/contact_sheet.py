"""Contact sheets: a grid of small pictures with a header, as one uint8 array."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

GAP = 4
HEADER_HEIGHT = 20
PAPER, INK = 255, 0


def contact_sheet(rows: Sequence[Sequence[np.ndarray]], header: Sequence[str] = (), cell: int = 96) -> np.ndarray:
    """Lay pictures out in rows of square cells.

    Args:
        rows: pictures, each uint8 (H, W) or (H, W, 3); rows may be of unlike length, missing cells stay paper white.
        header: one label per column, drawn above the first row (no labels: no header band).
        cell: side of a cell in pixels; a picture keeps its aspect ratio and is centred in it.

    Returns:
        uint8 (H, W) where every picture is gray, else (H, W, 3) RGB. The same pictures give the same bytes.

    Raises:
        ValueError: ``cell`` is below 1, or a picture is not uint8 with two or three axes, or has no pixels.
    """
    if cell < 1:
        raise ValueError(f"cell: must be at least 1 pixel, is {cell}")
    columns = max([len(row) for row in rows] + [len(header), 1])
    colour = any(picture.ndim == 3 for row in rows for picture in row)
    top = HEADER_HEIGHT if header else 0
    height, width = top + GAP + len(rows) * (cell + GAP), GAP + columns * (cell + GAP)
    sheet = np.full((height, width, 3) if colour else (height, width), PAPER, np.uint8)
    for column, label in enumerate(header):
        _write_label(sheet, label, GAP + column * (cell + GAP), cell)
    for line, row in enumerate(rows):
        for column, picture in enumerate(row):
            fitted = _fit(picture, cell, colour)
            y = top + GAP + line * (cell + GAP) + (cell - fitted.shape[0]) // 2
            x = GAP + column * (cell + GAP) + (cell - fitted.shape[1]) // 2
            sheet[y : y + fitted.shape[0], x : x + fitted.shape[1]] = fitted
    return sheet


def _fit(picture: np.ndarray, cell: int, colour: bool) -> np.ndarray:
    """The picture scaled to fit a square of ``cell`` pixels: area average down, nearest up (pixels stay honest)."""
    if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or picture.size == 0:
        raise ValueError(f"a picture must be uint8 (H, W) or (H, W, 3), is {picture.dtype} {picture.shape}")
    height, width = picture.shape[:2]
    scale = cell / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    fitted = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST)
    return cv2.cvtColor(fitted, cv2.COLOR_GRAY2RGB) if colour and fitted.ndim == 2 else fitted


def _write_label(sheet: np.ndarray, label: str, x: int, width: int) -> None:
    """Draw ``label`` in its column's part of the header, shrunk to fit; OpenCV's font knows ASCII alone, else ``?``."""
    text = "".join(letter if " " <= letter <= "~" else "?" for letter in label)
    if not text:
        return
    natural = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.42, 1)[0][0]
    strip = np.full((HEADER_HEIGHT, width), PAPER, np.uint8)
    cv2.putText(
        strip,
        text,
        (0, HEADER_HEIGHT - 5),
        cv2.FONT_HERSHEY_SIMPLEX,
        0.42 * min(1.0, width / max(natural, 1)),
        INK,
        1,
        cv2.LINE_AA,
    )
    sheet[:HEADER_HEIGHT, x : x + width] = strip if sheet.ndim == 2 else strip[..., None]
