"""Is each defect turned as real ones of its category are?"""

from __future__ import annotations

from ..candidate import Candidate, Outcome, Setting
from ..poses import DIRECTION
from .pose import compare

MEASURES = ("direction_likelihood",)


def check(candidate: Candidate, setting: Setting) -> Outcome:
    """H11 an instance whose direction is less likely than ``least_likely`` times that of the least likely real one.

    Directions are against the part's own where the photographs show one. Nothing is asked where fewer than
    ``verdict_objects`` real objects have a direction, or fewer than half of the real defects.
    """
    return compare(candidate, setting, DIRECTION, "turned as no real one is")
