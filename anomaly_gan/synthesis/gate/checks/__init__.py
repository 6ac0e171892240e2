"""The checks of one synthetic photograph, as a table: is the label true? A new check is one file here and one row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..candidate import Candidate, Outcome, Setting
from . import cast, change, direction, edge, form, ghost, label, masks, outside, part, place, repeated


@dataclass(frozen=True)
class Check:
    """A row of the table.

    ``function`` neither changes the candidate nor raises for a bad one; it gives ``measures`` (or a part of them, where
    it rejects). ``needs_base``: it compares with the untouched photograph, and is left out where there is none.
    ``needs_real_defects``, ``needs_inspector``: likewise for what the setting may lack. ``decides``: where it finds
    something, nothing further is asked. ``costly``: asked only of what nothing was found against so far.
    """

    name: str
    function: Callable[[Candidate, Setting], Outcome]
    measures: tuple[str, ...] = ()
    needs_base: bool = False
    needs_real_defects: bool = False
    needs_inspector: bool = False
    decides: bool = False
    costly: bool = False

    def applies(self, candidate: Candidate, setting: Setting) -> bool:
        return (
            (not self.needs_base or (candidate.base is not None and bool(candidate.instances)))
            and (not self.needs_real_defects or setting.real_defects is not None)
            and (not self.needs_inspector or setting.inspector is not None)
        )


CHECKS: tuple[Check, ...] = (
    Check("form", form.check, decides=True),
    Check("masks", masks.check, masks.MEASURES),
    Check("repeated", repeated.check),
    Check("outside", outside.check, outside.MEASURES, needs_base=True),
    Check("change", change.check, change.MEASURES, needs_base=True),
    Check("ghost", ghost.check, ghost.MEASURES, needs_base=True, needs_real_defects=True),
    Check("cast", cast.check, cast.MEASURES, needs_base=True),
    Check("part", part.check, part.MEASURES, needs_base=True, needs_real_defects=True),
    Check("direction", direction.check, direction.MEASURES, needs_base=True, needs_real_defects=True),
    Check("place", place.check, place.MEASURES, needs_base=True, needs_real_defects=True),
    Check("edge", edge.check, edge.MEASURES, needs_base=True, needs_real_defects=True),
    Check("label", label.check, label.MEASURES, needs_inspector=True, costly=True),
)


def check(candidate: Candidate, setting: Setting, checks: tuple[Check, ...] = CHECKS) -> Outcome:
    """All reasons to reject the candidate (none: it is accepted), and everything that was measured."""
    total = Outcome()
    for row in checks:
        if not row.applies(candidate, setting) or (row.costly and total.findings):
            continue
        found = row.function(candidate, setting)
        total = Outcome((*total.findings, *found.findings), {**total.measures, **found.measures})
        if row.decides and found.findings:
            break
    return total
