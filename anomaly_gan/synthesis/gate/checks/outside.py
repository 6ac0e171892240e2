"""Has anything changed where nothing may have, beyond the support of the masks?"""

from __future__ import annotations

import numpy as np

from ....core.channels import change_of
from ....core.masks import grow, union
from ..candidate import Candidate, Finding, Outcome, Setting

MEASURES = ("outside_px",)


def check(candidate: Candidate, setting: Setting) -> Outcome:
    """H7 pixels changed outside the mask."""
    assert candidate.base is not None
    change = change_of(candidate.pixels, candidate.base)
    support = grow(union(candidate.masks, *change.shape), candidate.support_px)
    outside = int(np.count_nonzero(change[support == 0]))
    findings = (Finding("H7", f"{outside} pixels changed outside the mask"),) if outside else ()
    return Outcome(findings, {"outside_px": outside})
