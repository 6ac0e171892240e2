"""Is each defect as far from the photograph's border as real ones of its category are?"""

from __future__ import annotations

from ..candidate import Candidate, Outcome, Setting
from ..poses import EDGE
from .pose import compare

MEASURES = ("edge_likelihood",)


def check(candidate: Candidate, setting: Setting) -> Outcome:
    """H11 an instance whose distance to the border is less likely than ``least_likely`` times that of the least likely
    real one: a break in the middle of a tile. Asked where the photographs show no part, with ``verdict_objects`` real
    objects or more."""
    return compare(candidate, setting, EDGE, "as far from the photograph's border as no real one is")
