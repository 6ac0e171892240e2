"""Is it a defect, and no ghost of one: faint, and the sound photograph to be seen through it?"""

from __future__ import annotations

from ....core.masks import windowed
from ..candidate import Candidate, Finding, Outcome, Setting
from ..visible import shows_through, visible
from ..window import near, window_around

MEASURES = ("clearer_than", "shows_through")
FAINT, THROUGH = 0.3, 0.5
"""A ghost is fainter than all but this share of the real ones, and its finest structure correlates by more than so much
with that of the sound photograph. Chosen on magnetic tiles and screws by agreement with an eye (docs/results/eye)."""


def check(candidate: Candidate, setting: Setting) -> Outcome:
    """H7 a half-transparent instance; measured is the one that is clearer than the smallest share of real ones. Not
    asked with fewer than ``judged_objects`` real objects."""
    assert setting.reals is not None and candidate.base is not None
    names, masks = setting.reals.train.category_names(), candidate.masks
    found: list[tuple[float, float]] = []
    for at in windowed(masks):
        faintness = setting.reals.faintness(names[candidate.instances[at][0]], setting.config.judged_objects)
        if faintness is None:
            continue
        window = window_around(candidate.pixels, masks[at], masks[:at] + masks[at + 1 :])
        sound = candidate.base[near(masks[at])]
        if (point := visible(window, sound)) is not None:
            found.append((faintness.share(point), shows_through(window, sound)))
    if not found:
        return Outcome((), dict.fromkeys(MEASURES))
    ghosts = [one for one in found if one[0] < FAINT and one[1] > THROUGH]
    clearer, through = min(ghosts or found)
    words = (
        f"half transparent: clearer than {clearer:.0%} of the real ones, at least {FAINT:.0%} are needed where "
        f"the sound photograph shows through"
    )
    findings = (Finding("H7", words),) if ghosts else ()
    return Outcome(findings, {"clearer_than": round(clearer, 4), "shows_through": round(through, 4)})
