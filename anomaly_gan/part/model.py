"""What kind of part a data set shows, learned from its sound photographs, or that it shows a texture."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..core.masks import Axes
from .foreground import Foreground
from .frame import Frame, Kind

LOOKED_AT = 40
"""Sound photographs from which the part is learned, spread over all."""
LEAST_SHARE = 0.7
"""Least share of them that must show a part: fewer, and it is a texture whose shades sometimes look like one."""
LONG = 1.5
"""Parts longer than this many times their width are unrolled along their axis."""
ALIKE = 0.9
"""Mean overlap (IoU) of silhouettes from which on the part is taken to lie alike on all photographs."""
SILHOUETTE = 64
SYMMETRIC = 0.985
"""Correlation of a part's widths with the same from its other end, from which on its ends cannot be told apart."""
KEPT = 128

Look = Callable[[str, bool], Foreground | None]
"""File name of a photograph, and whether its defects are to be painted out -> the part on it, None where it shows none.
"""


@dataclass(frozen=True, eq=False)
class PartModel:
    """``kind`` of frame, ``widths``: how wide the part is along its axis, in the mean; ``found`` of ``looked_at``
    photographs show a part."""

    kind: Kind
    widths: np.ndarray
    symmetric: bool
    found: int
    looked_at: int
    look: Look
    _kept: OrderedDict[str, tuple[Foreground, Frame] | None] = field(default_factory=OrderedDict, repr=False)

    @classmethod
    def fit(cls, names: Sequence[str], look: Look) -> PartModel | str:
        """From sound photographs, of which ``LOOKED_AT`` are looked at; where they show no part, why."""
        names = names[:: max(1, len(names) // LOOKED_AT)][:LOOKED_AT]
        parts = [part for name in names if (part := look(name, False)) is not None]
        looked_at = len(names)
        if len(parts) < max(1, LEAST_SHARE * looked_at):
            return f"texture, no part ({len(parts)} of {looked_at} sound photographs show one)"
        kind = _kind(parts)
        widths = np.ones(1)
        if kind == "axis":
            widths = _mean_widths(parts)
        symmetric = kind == "axis" and _correlation(widths, widths[::-1]) >= SYMMETRIC
        return cls(kind, widths, symmetric, len(parts), looked_at, look)

    def on(self, name: str) -> tuple[Foreground, Frame] | None:
        """The part and its frame on a photograph, looked for once; None where it shows none."""
        if name not in self._kept:
            part = self.look(name, False)
            self._kept[name] = None if part is None else (part, self.frame(part))
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return self._kept[name]

    def frame(self, part: Foreground) -> Frame:
        """The part's frame, its axis from the same end as on the other photographs."""
        frame = Frame.of(part, self.kind)
        if self.kind != "axis" or self.symmetric:
            return frame
        ahead, back = _correlation(self.widths, frame.half), _correlation(self.widths, frame.half[::-1])
        return frame if ahead >= back else Frame.of(part, self.kind, backwards=True)

    def record(self) -> dict[str, object]:
        """For JSON."""
        return {
            "kind": self.kind,
            "symmetric": bool(self.symmetric),
            "found": self.found,
            "looked_at": self.looked_at,
            "sentence": self.sentence(),
        }

    def sentence(self) -> str:
        how = {
            "axis": "a long part, unrolled along its axis"
            + ("" if not self.symmetric else " (its ends cannot be told apart)"),
            "round": "a compact part, taken around its centre",
            "fixed": "a part that lies alike on all photographs",
        }[self.kind]
        return f"{how} ({self.found} of {self.looked_at} sound photographs show one)"


def _kind(parts: list[Foreground]) -> Kind:
    if float(np.median([Axes.of_points(part.points()).ratio for part in parts])) >= LONG:
        return "axis"
    silhouettes = [_silhouette(part) for part in parts]
    middle = np.mean(silhouettes, axis=0) >= 0.5
    overlaps = [(one & middle).sum() / max(1, (one | middle).sum()) for one in silhouettes]
    return "fixed" if float(np.mean(overlaps)) >= ALIKE and not _is_disc(middle) else "round"


def _silhouette(part: Foreground) -> np.ndarray:
    """bool (SILHOUETTE, SILHOUETTE): the part around its centre, scaled to one area."""
    points = part.points()
    scale = SILHOUETTE / 2.6 / np.sqrt(len(points)) * part.factor
    x, y = np.rint((points - points.mean(axis=0)) * scale + SILHOUETTE / 2).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < SILHOUETTE) & (y < SILHOUETTE)
    found = np.zeros((SILHOUETTE, SILHOUETTE), bool)
    found[y[inside], x[inside]] = True
    return found


def _is_disc(silhouette: np.ndarray) -> bool:
    """Whether a silhouette is a disc, so that nothing tells how it is turned."""
    points = np.argwhere(silhouette)
    reach = np.hypot(*(points - points.mean(axis=0)).T).max()
    return len(points) >= 0.93 * np.pi * reach**2


def _mean_widths(parts: list[Foreground]) -> np.ndarray:
    """The parts' widths along their axes, each from the end that agrees with those before it."""
    frames = [Frame.of(part, "axis") for part in parts]
    mean = frames[0].half / frames[0].size
    for _ in range(3):
        turned = []
        for frame in frames:
            ahead, back = frame.half / frame.size, frame.half[::-1] / frame.size
            turned.append(ahead if _correlation(mean, ahead) >= _correlation(mean, back) else back)
        mean = np.mean(turned, axis=0)
    return mean


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    if first.std() < 1e-9 or second.std() < 1e-9:
        return 1.0
    return float(np.corrcoef(first, second)[0, 1])
