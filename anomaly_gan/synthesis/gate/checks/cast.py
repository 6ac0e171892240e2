"""Does a gray photograph, stored in three channels, stay gray under the paint?"""

from __future__ import annotations

import numpy as np

from ....core.images import looks_gray
from ..candidate import Candidate, Finding, Outcome, Setting

MEASURES = ("cast_levels",)
MOST = 6.0
"""Grey levels by which the channels may come apart under a mask; JPEG alone leaves up to 3."""


def check(candidate: Candidate, setting: Setting) -> Outcome:
    """H7 a colour cast on a gray photograph: the largest mean distance between channels under a mask, beyond what the
    photograph has there itself."""
    assert candidate.base is not None
    if candidate.pixels.ndim == 2 or not looks_gray(candidate.base):
        return Outcome((), {"cast_levels": 0.0})
    apart = [np.ptp(pixels.astype(np.int16), axis=2) for pixels in (candidate.pixels, candidate.base)]
    casts = [float((apart[0] - apart[1])[mask != 0].mean()) for mask in candidate.masks if mask.any()]
    cast = round(max(casts, default=0.0), 4)
    findings = (Finding("H7", f"a colour cast of {cast:.0f} grey levels on a gray photograph"),) if cast > MOST else ()
    return Outcome(findings, {"cast_levels": cast})
