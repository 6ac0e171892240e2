"""Is it, pixel by pixel, a photograph that was trained on or accepted before?"""

from __future__ import annotations

from ..candidate import Candidate, Finding, Outcome, Setting, pixels_key


def check(candidate: Candidate, setting: Setting) -> Outcome:
    """H6 the same pixels as another photograph."""
    owner = setting.seen.owners.get(pixels_key(candidate.pixels))
    return Outcome() if owner is None else Outcome((Finding("H6", f"the same pixels as {owner}"),))
