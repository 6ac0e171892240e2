"""The part on a photograph: what stands out from an even ground as one piece with a sharp outline, or nothing.

Otsu's threshold always finds two classes, on a texture too. So its answer must look like a part: two well separated
levels, one piece, no piece of that level elsewhere, and an outline that is steeper than anything on the ground.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

LARGEST_PX = 512 * 512
"""Photographs of more pixels are reduced before they are looked at, so that a line scan costs no more."""
LOOKED_AT_PX = 256 * 256
"""The size at which a found part is put to the test."""
BLUR = 1.5
RIM = 0.02
"""Width of the photograph's rim, from which the ground is known, as a share of the shorter side."""
SEPARATED = 0.7
"""Least share of the variance that lies between the two levels (Otsu 1979, eta)."""
ONE_PIECE = 0.9
"""Least share of what stands out that is in its largest piece."""
ELSEWHERE = 0.02
"""Most of the ground, away from the part, that is on the part's side of the threshold."""
AREA = (0.005, 0.7)
AT_RIM = 0.3
"""Most of the rim that the part may take (one that runs through the photograph)."""
STEEP = 1.0
"""Least ratio of the outline's median gradient to the 95th percentile of the ground's."""
LEVELS, LEAST_LEFT = 8, 0.35
"""Levels tried to leave out a shadow, and the least share of Otsu's part that must be left."""
CRUMB, THICK_PX, TOUCH_PX = 0.02, 2, 3
"""A piece cut off is a crumb up to this share of the part; what is thinner than so many pixels is none, nor what lies
farther from the cut (as the part is looked at)."""
HOLE = 0.01
"""Holes smaller than this share of the part are highlights, and filled."""


@dataclass(frozen=True, eq=False)
class Foreground:
    """The part as mask_01 (h, w) of a photograph that was reduced by ``factor`` (<= 1)."""

    mask_01: np.ndarray
    factor: float

    def under(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """bool (N,): which pixels of the photograph lie on the part; those beyond its border do not."""
        found, (inside, y, x) = np.zeros(len(rows), bool), self._as_looked_at(rows, columns)
        found[inside] = self.mask_01[y, x] > 0
        return found

    def _as_looked_at(self, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """bool (N,): which pixels of the photograph lie in it; rows and columns of these in ``mask_01``."""
        height, width = self.mask_01.shape
        y, x = (rows * self.factor).astype(int), (columns * self.factor).astype(int)
        inside = (rows >= 0) & (columns >= 0) & (y < height) & (x < width)
        return inside, y[inside], x[inside]

    def window(self, rows: slice, columns: slice) -> np.ndarray:
        """bool: which pixels of a window of the photograph, which may reach beyond it, lie on the part."""
        y, x = np.mgrid[rows, columns]
        return self.under(y.ravel(), x.ravel()).reshape(y.shape)

    def leaves_a_crumb(self, bitmap: np.ndarray, x: int, y: int) -> bool:
        """Whether a bitmap, its corner at pixel (x, y) of the photograph, cuts a small piece off the part: the end of a
        tip, which would hang in the air beside a broken one."""
        rows, columns = np.nonzero(bitmap)
        _, *at = self._as_looked_at(rows + y, columns + x)
        cut = np.zeros_like(self.mask_01)
        cut[*at] = 1
        left = cv2.morphologyEx(self.mask_01 & (1 - cut), cv2.MORPH_OPEN, np.ones((THICK_PX, THICK_PX), np.uint8))
        _, pieces, stats, _ = cv2.connectedComponentsWithStats(left, connectivity=8)
        beside = cv2.dilate(cut, np.ones((2 * TOUCH_PX + 1, 2 * TOUCH_PX + 1), np.uint8)) != 0
        touching = stats[np.setdiff1d(np.unique(pieces[beside]), [0]), cv2.CC_STAT_AREA]
        return bool((touching <= CRUMB * np.count_nonzero(self.mask_01)).any())

    def without_holes(self) -> Foreground:
        """With all that it surrounds."""
        lines, _ = cv2.findContours(self.mask_01, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        return Foreground(cv2.drawContours(self.mask_01.copy(), lines, -1, 1, cv2.FILLED), self.factor)

    def joined(self, other: Foreground) -> Foreground:
        """With what is on another part of the same photograph."""
        return Foreground(self.mask_01 | other.mask_01, self.factor)

    def points(self) -> np.ndarray:
        """(N, 2) of the part's pixels as (x, y) in pixels of the photograph."""
        rows, columns = np.nonzero(self.mask_01)
        return (np.stack([columns, rows], axis=1) + 0.5) / self.factor - 0.5


def as_foreground(allowed: np.ndarray) -> Foreground:
    """A part that is known: bool (H, W)."""
    factor = min(1.0, (LARGEST_PX / allowed.size) ** 0.5)
    return Foreground((_reduced(allowed.astype(np.float32), factor) >= 0.5).astype(np.uint8), factor)


def find_foreground(pixels: np.ndarray) -> Foreground | None:
    """The part of a photograph (H, W) or (H, W, 3) uint8; None where it shows none."""
    factor = min(1.0, (LARGEST_PX / (pixels.shape[0] * pixels.shape[1])) ** 0.5)
    away = _from_ground(_reduced(pixels, factor))
    level, split = cv2.threshold(np.clip(away, 0, 255).astype(np.uint8), 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    piece = _largest(split)
    if piece is None or not _is_part(away, split, piece, level):
        return None
    return Foreground(_filled(_sharpest(away, piece, level)), factor)


def _sharpest(away: np.ndarray, piece: np.ndarray, level: float) -> np.ndarray:
    """The piece at the level, from Otsu's to the part's own, where its outline is steepest: without its shadow."""
    factor = min(1.0, (LOOKED_AT_PX / away.size) ** 0.5)
    small, within = _reduced(away, factor), (_reduced(piece.astype(np.float32), factor) >= 0.5).astype(np.uint8)
    steep = np.hypot(cv2.Sobel(small, cv2.CV_32F, 1, 0), cv2.Sobel(small, cv2.CV_32F, 0, 1))
    best, chosen = -1.0, level
    for at in np.linspace(level, float(np.median(small[within > 0])), LEVELS, endpoint=False):
        tried = _largest((small > at).astype(np.uint8) & within)
        if tried is None or np.count_nonzero(tried) < LEAST_LEFT * np.count_nonzero(within):
            break
        tried = _filled(tried)
        outline = cv2.morphologyEx(tried, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
        sharp = float(steep[outline].mean())
        if sharp > best:
            best, chosen = sharp, float(at)
    found = _largest((away > chosen).astype(np.uint8) & piece)
    return piece if found is None else found


def _reduced(pixels: np.ndarray, factor: float) -> np.ndarray:
    if factor == 1.0:
        return pixels
    size = max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def _from_ground(pixels: np.ndarray) -> np.ndarray:
    """How far each pixel is from the rim's median, in grey levels (colours: in CIE Lab)."""
    smooth = cv2.GaussianBlur(pixels, (0, 0), BLUR)
    if smooth.ndim == 2:
        level = np.median(_rim(smooth), axis=0)
        return np.abs(smooth.astype(np.float32) - np.float32(level))
    lab = cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB).astype(np.float32)
    return np.linalg.norm(lab - np.median(_rim(lab), axis=0), axis=2).astype(np.float32)


def _rim(image: np.ndarray) -> np.ndarray:
    """The pixels of the rim, (N,) or (N, 3)."""
    wide = max(2, round(RIM * min(image.shape[:2])))
    sides = (image[:wide], image[-wide:], image[:, :wide], image[:, -wide:])
    return np.concatenate([side.reshape(-1, *image.shape[2:]) for side in sides])


def _largest(split: np.ndarray) -> np.ndarray | None:
    number, labels, stats, _ = cv2.connectedComponentsWithStats(split, connectivity=8)
    return (labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))).astype(np.uint8) if number > 1 else None


def _is_part(away: np.ndarray, split: np.ndarray, piece: np.ndarray, level: float) -> bool:
    """Whether what Otsu's threshold found is a part (see above)."""
    share, area = float(split.mean()), float(piece.mean())
    between = float(away[split > 0].mean() - away[split == 0].mean())
    separated = share * (1 - share) * between**2 / max(float(away.var()), 1e-6)
    if separated < SEPARATED or not AREA[0] <= area <= AREA[1] or area < ONE_PIECE * share:
        return False
    if float(_rim(piece).mean()) > AT_RIM:
        return False
    factor = min(1.0, (LOOKED_AT_PX / away.size) ** 0.5)
    away, piece = _reduced(away, factor), (_reduced(piece.astype(np.float32), factor) >= 0.5).astype(np.uint8)
    ground = cv2.dilate(piece, np.ones((9, 9), np.uint8)) == 0
    outline = cv2.morphologyEx(piece, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    wide = max(2, round(RIM * min(away.shape)))
    outline[:wide] = outline[-wide:] = outline[:, :wide] = outline[:, -wide:] = False
    if not (ground.any() and outline.any()):
        return False
    steep = np.hypot(cv2.Sobel(away, cv2.CV_32F, 1, 0), cv2.Sobel(away, cv2.CV_32F, 0, 1))
    steep_ground = float(np.quantile(steep[ground], 0.95)) + 1.0
    return (
        float((away[ground] > level).mean()) <= ELSEWHERE and float(np.median(steep[outline])) >= STEEP * steep_ground
    )


def _filled(piece: np.ndarray) -> np.ndarray:
    """The piece without its small holes."""
    number, labels, stats, _ = cv2.connectedComponentsWithStats(1 - piece, connectivity=4)
    least = HOLE * np.count_nonzero(piece)
    small = [
        at for at in range(1, number) if stats[at, cv2.CC_STAT_AREA] < least and not _touches_rim(stats[at], piece)
    ]
    return (piece | np.isin(labels, small)).astype(np.uint8)


def _touches_rim(stats: np.ndarray, piece: np.ndarray) -> bool:
    x, y, width, height = stats[:4]
    return bool(x == 0 or y == 0 or x + width == piece.shape[1] or y + height == piece.shape[0])
