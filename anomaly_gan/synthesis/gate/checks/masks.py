"""Are there masks, none too small to be a defect, and all of them no more than a part of the photograph?"""

from __future__ import annotations

import numpy as np

from ....core.masks import union
from ..candidate import Candidate, Finding, Outcome, Setting

MEASURES = ("area_px", "area_share", "instances")


def check(candidate: Candidate, setting: Setting) -> Outcome:
    """B7 no instance; B9 one below ``min_area_px``; B8 together above ``max_area_share``."""
    height, width = candidate.pixels.shape[:2]
    areas = [int(np.count_nonzero(mask)) for mask in candidate.masks]
    share = float(np.count_nonzero(union(candidate.masks, height, width)) / (height * width))
    least, findings = setting.config.min_area_px, []
    if not areas:
        findings.append(Finding("B7", "no instance is left in the frame"))
    elif min(areas) < least:
        findings.append(Finding("B9", f"an instance of {min(areas)} pixels, at least {least} are needed"))
    if share > setting.config.max_area_share:
        findings.append(Finding("B8", f"the masks cover {share:.0%} of the photograph"))
    return Outcome(tuple(findings), dict(zip(MEASURES, (sum(areas), round(share, 6), len(areas)), strict=True)))
