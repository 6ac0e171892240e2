"""What the defects of a category are made of, learned from its real ones.

Two things that are easily taken for one: how far a defect's brightness follows that of its surroundings, and whether
the surface's structure goes on in it. A washer is as bright as the steel around it, and hides what it lies on.

What a label's rim foretells of the surface under it (inpainting) is compared with what is seen there. On sound surface
the one goes with the other by so much, which is measured beside every label on a ring that is taken for unknown; where
the same goes on inside, the surface shows through, and where nothing of it does, it is hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ...core.channels import one_channel
from ...core.masks import Axes
from ...part.lines import lines_in

BELIEVED = 0.04
"""Sum of squares by which a slope of 1 is believed in before any is seen: two defects on surfaces 15 % apart."""
SMOOTH_PX = 1.2
"""Grain is blurred away by so much before structure is compared."""
FORETOLD_PX, LEAST_PX = 10, 12
"""So deep in a label its rim foretells the surface; so many pixels must be there."""
BELIEVED_STRUCTURE = 0.0006
"""Sum of variances by which a defect is believed to let structure through before any is seen: one surface of 2.5 %."""
HIDDEN = 0.4, 0.65
"""Up to so much of sound surface's slope all of it is hidden, and from so much on none: of 16 categories of five data
sets eleven have 0.11 to 0.44 and five 0.51 and more; sound texture under the same labels has 0.68 to 1.7 in 14."""
LEAST_LINES, KEPT, ALONG = 5, 0.8, 0.5
"""Defects with lines (half as many with a direction of their label) from which on it is asked whether the lines keep to
one of the photograph: the least mean resultant length of their directions, and how far they may run along their
labels (mean cosine of twice the angle between) before these explain them."""
ELONGATED = 1.5
"""Labels less long than this many times their width have no direction."""
TIGHT = 0.78
"""From such a mean alpha of the outermost pixels of the median label on, labels end where their defects do: of 16
categories of five data sets nine have 0.79 to 0.91, breaks, frays and `uneven` 0.44 to 0.74."""


@dataclass(frozen=True)
class Substance:
    """Both in [0, 1]: how far the defects' brightness ``follows`` that of their surroundings, and how much of the
    surface's structure goes ``through`` them. ``upright``: lines in them keep to one direction of the photograph
    whatever their labels' (brush lines). ``tight``: their labels end where they do. ``reshapes``: they change the
    part's outline, so that a label shows what is behind the part, too (a tip broken off)."""

    follows: float = 1.0
    through: float = 1.0
    upright: bool = False
    tight: bool = False
    reshapes: bool = False

    @property
    def opaque(self) -> bool:
        """Whether they hide most of what they lie on."""
        return self.through < 0.5


OF_THE_SURFACE = Substance()


@dataclass(frozen=True)
class Evidence:
    """Of one real defect: logarithms of its mean grey level and of that of the ring around it; ``under`` it and
    ``beside`` it, what it and sound surface share with what their rims foretell (``shared``). ``lines`` in it and the
    ``axis`` of its label, as unit vectors at twice their angle; 0 where there are none. ``rim``: mean alpha of the
    label's outermost pixels."""

    inside: float
    around: float
    under: tuple[float, float]
    beside: tuple[float, float]
    lines: complex
    axis: complex
    rim: float


def learn_substance(seen: Sequence[Evidence | None]) -> Substance:
    """What a category's defects are made of, from its real ones."""
    known = [one for one in seen if one is not None]
    tight = bool(known) and float(np.median([one.rim for one in known])) >= TIGHT
    return Substance(_follows(known), _through(known), _upright(known), tight)


def shared(shown: np.ndarray, foretold: np.ndarray, where: np.ndarray) -> tuple[float, float]:
    """Covariance of what is seen somewhere with what was foretold, and the variance of that; 0 where hardly anything
    is seen. Logarithms (H, W) or (H, W, 3). A slope is taken from both: light that falls from one side makes one on
    anything, be it a surface or an opaque bolt on it."""
    if np.count_nonzero(where) < LEAST_PX:
        return 0.0, 0.0
    rows, columns = np.nonzero(where)
    slope = np.stack([np.ones(len(rows)), rows - rows.mean(), columns - columns.mean()], axis=1)
    smooth = [cv2.GaussianBlur(one_channel(plane), (0, 0), SMOOTH_PX)[where] for plane in (shown, foretold)]
    seen, said = (values - slope @ np.linalg.lstsq(slope, values, rcond=None)[0] for values in smooth)
    return float((seen * said).mean()), float((said * said).mean())


def directions(gray: np.ndarray, mask_01: np.ndarray) -> tuple[complex, complex]:
    """Unit vectors at twice the angle of the lines in a mask, and of the mask itself; 0 where there are none."""
    found, main = lines_in(gray, mask_01), Axes.of(mask_01)
    lines = np.exp(2j * found.angle) if found is not None and found.seen else 0
    return complex(lines), complex(np.exp(2j * np.radians(main.degrees)) if main.ratio >= ELONGATED else 0)


def depth(mask_01: np.ndarray) -> np.ndarray:
    """(H, W) distance of a mask's pixels to its outline; a window's border is none."""
    padded = np.pad((mask_01 != 0).astype(np.uint8), 1, mode="edge")
    return cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]


def step(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below ``low``, 1 above ``high``, smooth between."""
    share = np.clip((values - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def _follows(seen: Sequence[Evidence]) -> float:
    """The slope of the defects' brightness over that of their surroundings, which counts as 1 until real ones show
    otherwise (``BELIEVED``)."""
    if len(seen) < 2:
        return 1.0
    levels = np.array([(one.inside, one.around) for one in seen])
    inside, around = (levels - levels.mean(axis=0)).T
    return float(np.clip((inside @ around + BELIEVED) / (around @ around + BELIEVED), 0, 1))


def _through(seen: Sequence[Evidence]) -> float:
    """The slope of what is seen under labels over what their rims foretell, as a share of sound surface's; it counts as
    1 until real ones show otherwise (``BELIEVED_STRUCTURE``)."""
    if not seen:
        return 1.0
    covered, under = np.sum([one.under for one in seen], axis=0)
    sound, beside = np.sum([one.beside for one in seen], axis=0)
    usual = (sound + BELIEVED_STRUCTURE) / (beside + BELIEVED_STRUCTURE)
    slope = (covered + BELIEVED_STRUCTURE) / (under + BELIEVED_STRUCTURE)
    return float(step(np.array(slope / max(usual, HIDDEN[0])), *HIDDEN))


def _upright(seen: Sequence[Evidence]) -> bool:
    """Whether lines in the defects keep to a direction, and not because their labels do."""
    lines = np.array([one.lines for one in seen if one.lines])
    against = np.array([one.lines * np.conj(one.axis) for one in seen if one.lines and one.axis])
    if len(lines) < LEAST_LINES or len(against) < LEAST_LINES // 2:
        return False
    return bool(abs(lines.mean()) >= KEPT and against.mean().real <= ALONG)
