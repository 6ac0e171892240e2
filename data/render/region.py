"""Simulated regions: where in the view a caught object may hang, as a person would outline it."""

from __future__ import annotations

import numpy as np
from expert import Drawing, labelme

INSETS = {"cloth_strips": (0.035, 0.08), "paper_scraps": (0.09, 0.11)}
"""Per category the distance of the outline from the view's border and the cut at its corners, as shares of the side:
drawn after looking at the training photographs and at the experts' plausible drawings. Screws have seats instead."""


def regions(photograph: str, size: int) -> dict:
    """A labelme document of ``legal:CATEGORY`` polygons for every photograph of ``size`` pixels squared."""
    return labelme(
        [
            Drawing(f"legal:{name}", _octagon(*inset, size), 10.0, "simulated: hangs within this outline")
            for name, inset in INSETS.items()
        ],
        photograph,
        size,
    )


def _octagon(inset: float, cut: float, size: int) -> np.ndarray:
    near, far, across = inset, 1 - inset, (inset + cut, 1 - inset - cut)
    points = [
        (across[0], near),
        (across[1], near),
        (far, across[0]),
        (far, across[1]),
        (across[1], far),
        (across[0], far),
        (near, across[1]),
        (near, across[0]),
    ]
    return np.round(np.array(points) * size, 2)
