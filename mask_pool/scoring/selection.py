"""Which rated masks go on: the paper's "top 10 % ... unanimously approved", with its parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .ratings import RatedMask


@dataclass(frozen=True)
class Candidate:
    """One mask before the choice: its score (None: unrated), how many graded it and how many of them approve."""

    mask: RatedMask
    score: float | None
    raters: int
    approving: int


@dataclass(frozen=True)
class Choice:
    """What became of one mask.

    ``reason`` is ``approved`` or ``at_least`` for what is kept, else ``unrated``, ``too_few_raters``,
    ``not_approved`` or ``below_top``; ``detail`` says it in words.
    """

    mask: RatedMask
    kept: bool
    reason: str
    detail: str


def select(
    candidates: Sequence[Candidate], *, top: float, unanimous: float, least_raters: int = 1, at_least: int = 1
) -> tuple[Choice, ...]:
    """Choose per category (the masks' label); kept ones first, best first, then the others in the order of masks.

    A category's quota is the ``top`` share of its rated masks, rounded down, but no fewer than ``at_least``. It is
    filled with the best scores among the masks that at least ``least_raters`` graded and of whose raters at least the
    share ``unanimous`` approve. If these are fewer than ``at_least``, the best scored of the other rated masks fill
    up. Equal scores are taken in the order of file name and shape.
    """
    chosen: list[Choice] = []
    for label in sorted({candidate.mask.label for candidate in candidates}):
        chosen += _in_category(
            [one for one in candidates if one.mask.label == label], top, unanimous, least_raters, at_least
        )
    return tuple(sorted(chosen, key=lambda choice: not choice.kept))


def _in_category(
    own: Sequence[Candidate], top: float, unanimous: float, least_raters: int, at_least: int
) -> list[Choice]:
    ranked = sorted((one for one in own if one.score is not None), key=lambda one: (-(one.score or 0.0), one.mask))
    quota = max(at_least, math.floor(top * len(ranked) + 1e-9))
    faults = {one.mask: _fault(one, unanimous, least_raters) for one in own}
    sound = [one for one in ranked if faults[one.mask] is None]
    spare = [one for one in ranked if faults[one.mask] is not None][: max(0, at_least - len(sound))]
    kept = [
        Choice(one.mask, True, "approved", f"number {place} of {len(ranked)}")
        for place, one in enumerate(sound[:quota], 1)
    ]
    kept += [Choice(one.mask, True, "at_least", (faults[one.mask] or ("", ""))[1]) for one in spare]
    taken = {choice.mask for choice in kept}
    left = [
        Choice(
            one.mask,
            False,
            *(faults[one.mask] or ("below_top", f"{len(sound)} were approved, {quota} of {len(ranked)} are kept")),
        )
        for one in sorted(own, key=lambda one: one.mask)
        if one.mask not in taken
    ]
    return kept + left


def _fault(one: Candidate, unanimous: float, least_raters: int) -> tuple[str, str] | None:
    if one.score is None:
        return "unrated", "nobody graded it"
    if one.raters < least_raters:
        return "too_few_raters", f"{one.raters} graded it, needs {least_raters}"
    if one.approving < unanimous * one.raters - 1e-9:
        return "not_approved", f"{one.approving} of {one.raters} raters approve"
    return None
