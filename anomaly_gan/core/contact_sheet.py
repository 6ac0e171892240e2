"""Contact sheets: a grid of small pictures with a header, as one uint8 array. Nothing on them is ever shrunk."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .images import to_mode

GAP = 4
HEADER_HEIGHT = 20
PAPER, INK = 255, 0
LARGEST_CELL = 512
"""Of a picture with a longer side its middle is shown."""


def contact_sheet(rows: Sequence[Sequence[np.ndarray]], header: Sequence[str] = (), cell: int = 96) -> np.ndarray:
    """Lay pictures out in rows of square cells.

    Args:
        rows: pictures, each uint8 (H, W) or (H, W, 3); rows may be of unlike length, missing cells stay paper white.
        header: one label per column, drawn above the first row (no labels: no header band).
        cell: least side of a cell in pixels. Cells are as large as the largest picture, up to ``LARGEST_CELL``; a
            smaller picture is magnified by a whole factor and stands in the middle of its cell.

    Returns:
        uint8 (H, W) where every picture is gray, else (H, W, 3) RGB. The same pictures give the same bytes.

    Raises:
        ValueError: ``cell`` is below 1, or a picture is not uint8 with two or three axes, or has no pixels.
    """
    if cell < 1:
        raise ValueError(f"cell: must be at least 1 pixel, is {cell}")
    sides = [max(picture.shape[:2]) for row in rows for picture in row if picture.size]
    cell = max(cell, min(LARGEST_CELL, max(sides, default=0)))
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
    """The picture in a square of ``cell`` pixels: every pixel a square of whole ones, or the middle at its own size."""
    if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or picture.size == 0:
        raise ValueError(f"a picture must be uint8 (H, W) or (H, W, 3), is {picture.dtype} {picture.shape}")
    top, left = (max(0, (size - cell) // 2) for size in picture.shape[:2])
    fitted = magnify(picture[top : top + cell, left : left + cell], cell)
    return to_mode(fitted, "RGB") if colour else fitted


def magnify(pixels: np.ndarray, cell_px: int) -> np.ndarray:
    """Every pixel as a square of a whole number of pixels, so many that the longer side comes up to ``cell_px``; as it
    is where it is larger already: nothing is ever shrunk or smoothed."""
    factor = max(1, cell_px // max(pixels.shape[:2]))
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)


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
