"""Pictures of the report: windows around defects, outlines, overlays, heat maps, and their data URIs."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..core.contact_sheet import magnify
from ..core.dataset import Annotation, Dataset, ImageRecord
from ..core.images import encode_png, to_mode

LEAST_PX = 48
"""A window shows at least this many pixels around a small defect."""
OUTLINE_RGB = (255, 64, 96)
"""A colour that neither gray metal nor any sequential colour map holds."""

FULL_COLOUR = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
WHOLE_QUALITY = 85

Window = tuple[int, int, int, int]
"""(x, y, width, height) in pixels of one image."""


@dataclass(frozen=True)
class Picture:
    """One ``<img>``: a data URI, its size in CSS pixels and its alternative text."""

    uri: str
    width: int
    height: int
    alt: str


class Album:
    """Turns arrays into pictures while the sum of their bytes stays within a budget; counts those left out.

    Whole photographs, which open at a click, have a budget of their own (``whole_bytes``).
    """

    def __init__(self, budget_bytes: int, jpeg_quality: int, whole_bytes: int = 0) -> None:
        self.budget_bytes, self.jpeg_quality, self.whole_bytes = budget_bytes, jpeg_quality, whole_bytes
        self.used_bytes = self.left_out = 0

    def photo(self, pixels: np.ndarray, alt: str) -> Picture | None:
        """A JPEG of uint8 (H, W) or (H, W, 3) RGB, colours at full resolution; None where the budget is spent."""
        return self._add(_jpeg(pixels, self.jpeg_quality), "jpeg", pixels.shape, alt)

    def whole(self, pixels: np.ndarray, alt: str) -> Picture | None:
        """A whole photograph at its own size; None where there is no room left for such, which is not counted."""
        content = _jpeg(pixels, WHOLE_QUALITY)
        size = 4 * math.ceil(len(content) / 3)
        if size > self.whole_bytes:
            return None
        self.whole_bytes -= size
        return _picture(content, "jpeg", pixels.shape, alt)

    def drawing(self, pixels: np.ndarray, alt: str) -> Picture | None:
        """A PNG: for masks, heat maps and anything with hard edges."""
        return self._add(encode_png(pixels), "png", pixels.shape, alt)

    def file_png(self, content: bytes, width: int, height: int, alt: str) -> Picture | None:
        """PNG bytes that exist already, shown at ``width`` x ``height`` CSS pixels."""
        return self._add(content, "png", (height, width), alt)

    def _add(self, content: bytes, kind: str, shape: Sequence[int], alt: str) -> Picture | None:
        text = base64.b64encode(content).decode("ascii")
        if self.used_bytes + len(text) > self.budget_bytes:
            self.left_out += 1
            return None
        self.used_bytes += len(text)
        return Picture(f"data:image/{kind};base64,{text}", int(shape[1]), int(shape[0]), alt)


def _picture(content: bytes, kind: str, shape: Sequence[int], alt: str) -> Picture:
    text = base64.b64encode(content).decode("ascii")
    return Picture(f"data:image/{kind};base64,{text}", int(shape[1]), int(shape[0]), alt)


def _jpeg(pixels: np.ndarray, quality: int) -> bytes:
    ordered = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, FULL_COLOUR]
    done, content = cv2.imencode(".jpg", ordered, settings)
    if not done:
        raise ValueError(f"cannot encode an array of shape {pixels.shape} as JPEG")
    return content.tobytes()


def load_pixels(dataset: Dataset, image: ImageRecord) -> np.ndarray | None:
    """The photograph as it is stored, gray or RGB; None where the file is gone or does not decode."""
    return load_named(dataset, image.file_name)


def load_named(dataset: Dataset, file_name: str) -> np.ndarray | None:
    """The photograph of that name in a data set's ``images/``; a name that leads out of it is not followed."""
    return load_below(dataset.folder / "images", file_name)


def load_below(folder: Path, file_name: str) -> np.ndarray | None:
    """The picture ``folder/file_name``; None where that leads out of the folder, is absent, or does not decode."""
    path = (folder / file_name).resolve()
    return load_file(path) if path.is_relative_to(folder.resolve()) else None


def load_file(path: Path) -> np.ndarray | None:
    """Pixels of a picture file, uint8 (H, W) or (H, W, 3) RGB, or None: a report shows gaps, it does not fail."""
    if not path.is_file():
        return None
    content = np.frombuffer(path.read_bytes(), np.uint8)
    flags = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(content, flags) if content.size else None
    return pixels if pixels is None or pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def union_mask(annotations: Sequence[Annotation], height: int, width: int) -> np.ndarray:
    """mask_01 (height, width) of all instances together."""
    mask = np.zeros((height, width), np.uint8)
    for annotation in annotations:
        part = annotation.mask()
        if part.shape == mask.shape:
            mask |= part
    return mask


def largest(annotations: Sequence[Annotation]) -> Annotation:
    """The instance with the most pixels, the first of equals."""
    return max(annotations, key=lambda annotation: annotation.area)


def window_around(mask_01: np.ndarray, margin: float = 0.75, least_px: int = 48) -> Window:
    """A square window around the mask with ``margin`` box sides of surrounding, clipped to the image.

    An empty mask gives the whole image.
    """
    height, width = mask_01.shape
    rows, columns = np.flatnonzero(mask_01.any(axis=1)), np.flatnonzero(mask_01.any(axis=0))
    if rows.size == 0:
        return 0, 0, width, height
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    side = max(round(max(bottom - top, right - left) * (1 + margin)), least_px)
    wide, high = min(side, width), min(side, height)
    x = min(max((left + right - wide) // 2, 0), width - wide)
    y = min(max((top + bottom - high) // 2, 0), height - high)
    return x, y, wide, high


def native_window(mask_01: np.ndarray, cell_px: int, margin: float = 0.5, cells: int = 2) -> Window:
    """A window around the mask to be shown at native scale, or enlarged by a whole factor to ``cell_px``.

    It is never larger than this many cells: of a longer defect it shows the piece around the mask pixel that is nearest
    to its middle. An empty mask gives the middle of the image.
    """
    height, width = mask_01.shape
    y, x = np.nonzero(mask_01)
    if len(y) == 0:
        y, x = np.array([height // 2]), np.array([width // 2])
    box = int(max(np.ptp(y), np.ptp(x))) + 1
    wanted = max(round(box * (1 + 2 * margin)), LEAST_PX)
    side = cell_px // max(1, cell_px // wanted) if wanted <= cell_px else min(wanted, cells * cell_px)
    middle = (int(y.min()) + int(y.max())) / 2, (int(x.min()) + int(x.max())) / 2
    if box > side:
        at = int(np.argmin((y - y.mean()) ** 2 + (x - x.mean()) ** 2))
        middle = float(y[at]), float(x[at])
    wide, high = min(side, width), min(side, height)
    left = min(max(round(middle[1] - wide / 2), 0), width - wide)
    top = min(max(round(middle[0] - high / 2), 0), height - high)
    return left, top, wide, high


def cut(pixels: np.ndarray, window: Window) -> np.ndarray:
    x, y, width, height = window
    return pixels[y : y + height, x : x + width]


def enlarge(pixels: np.ndarray, side_px: int, smooth: bool = True) -> np.ndarray:
    """Scale so that the longer side is ``side_px``: averages going down; cubic (or nearest, for masks) going up."""
    height, width = pixels.shape[:2]
    scale = side_px / max(height, width)
    upward = cv2.INTER_CUBIC if smooth else cv2.INTER_NEAREST
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else upward)


def outlined(pixels: np.ndarray, mask_01: np.ndarray, side_px: int) -> np.ndarray:
    """The picture, magnified to ``side_px`` where it is smaller, with the contour of the mask on it: RGB uint8."""
    picture = magnify(pixels, side_px)
    picture = to_mode(picture, "RGB").copy()
    mask = magnify((mask_01 != 0).astype(np.uint8), side_px)
    contours, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, contours, -1, OUTLINE_RGB, 1)
    return picture


def outlines(mask_01: np.ndarray, side_px: int) -> Sequence[np.ndarray]:
    """The mask's contours at ``side_px``; it is scaled up first, so that one-pixel defects stay visible."""
    scaled = enlarge(mask_01 * 255, side_px, smooth=False)
    contours, _ = cv2.findContours((scaled > 0).astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    return contours


def heat_map(masks_01: Sequence[np.ndarray], side_px: int = 168, grid: int = 32) -> np.ndarray | None:
    """Where masks lie: the mean of all masks on one normalised square frame, brightest = most often. RGB, or None."""
    if not masks_01:
        return None
    total = np.zeros((grid, grid), np.float64)
    for mask in masks_01:
        total += cv2.resize(mask.astype(np.float32), (grid, grid), interpolation=cv2.INTER_AREA)
    peak = total.max()
    if peak == 0:
        return None
    scaled = np.rint(255 * total / peak).astype(np.uint8)
    coloured = cv2.applyColorMap(scaled, cv2.COLORMAP_VIRIDIS)
    return enlarge(cv2.cvtColor(coloured, cv2.COLOR_BGR2RGB), side_px, smooth=False)
