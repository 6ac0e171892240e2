"""Does each defect lie where real ones of its category do: on its part, or on the photograph?"""

from __future__ import annotations

from ..candidate import Candidate, Outcome, Setting
from ..poses import PLACE
from .pose import compare

MEASURES = ("place_likelihood",)


def check(candidate: Candidate, setting: Setting) -> Outcome:
    """H11 an instance whose place is less likely than ``least_likely`` times that of the least likely real one; not
    asked with fewer than ``verdict_objects`` real objects."""
    return compare(candidate, setting, PLACE, "lies where no real one does")
