"""Is it a photograph of the right kind and size, and do its masks fit it?"""

from __future__ import annotations

import numpy as np

from ..candidate import Candidate, Finding, Outcome, Setting


def check(candidate: Candidate, setting: Setting) -> Outcome:
    """H8 the pixels are no 8-bit photograph of the base's shape; B1 a mask of another size."""
    pixels = candidate.pixels
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3):
        reason = f"pixels are {pixels.dtype} of shape {pixels.shape}, not an 8-bit photograph"
        return Outcome((Finding("H8", reason),))
    if candidate.base is not None and pixels.shape != candidate.base.shape:
        return Outcome((Finding("H8", f"shape {pixels.shape}, its photograph has {candidate.base.shape}"),))
    wrong = [mask.shape for mask in candidate.masks if mask.shape != pixels.shape[:2]]
    if wrong:
        return Outcome((Finding("B1", f"a mask of shape {wrong[0]} on a photograph of {pixels.shape[:2]}"),))
    return Outcome()
