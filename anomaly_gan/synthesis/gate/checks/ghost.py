"""Is it a defect, and no ghost of one: faint, the sound photograph to be seen through it, and nothing sharp in it?"""

from __future__ import annotations

from ....core.masks import windowed
from ..candidate import Candidate, Finding, Outcome, Setting
from ..visible import own_structure, shows_through, visible
from ..window import near, window_around

MEASURES = ("clearer_than", "shows_through", "own_structure")
FAINT, THROUGH, SHARP = 0.3, 0.5, 0.5
"""A ghost is fainter than all but this share of the real ones, its finest structure correlates by more than so much
with that of the sound photograph, and what it adds to it (in logarithms) is less than so much: 1.65 times as much is a
line of its own. Chosen by agreement with an eye, the first two on magnetic tiles and screws, the third on the 186 crops
judged first (docs/results/eye)."""


def is_ghost(clearer: float, through: float, own: float) -> bool:
    """Of one instance by its ``MEASURES``."""
    return clearer < FAINT and through > THROUGH and own < SHARP


def check(candidate: Candidate, setting: Setting) -> Outcome:
    """H7 a half-transparent instance; measured is the one that is clearer than the smallest share of real ones. Not
    asked with fewer than ``verdict_objects`` real objects."""
    assert setting.real_defects is not None and candidate.base is not None
    names, masks = setting.real_defects.train.category_names(), candidate.masks
    found: list[tuple[float, float, float]] = []
    for at in windowed(masks):
        faintness = setting.real_defects.faintness(names[candidate.instances[at][0]], setting.config.verdict_objects)
        if faintness is None:
            continue
        window = window_around(candidate.pixels, masks[at], masks[:at] + masks[at + 1 :])
        sound = candidate.base[near(masks[at])]
        if (point := visible(window, sound)) is not None:
            found.append((faintness.share(point), shows_through(window, sound), own_structure(window, sound)))
    if not found:
        return Outcome((), dict.fromkeys(MEASURES))
    ghosts = [one for one in found if is_ghost(*one)]
    measured = min(ghosts or found)
    words = (
        f"half transparent: clearer than {measured[0]:.0%} of the real ones, at least {FAINT:.0%} are needed where "
        f"the sound photograph shows through"
    )
    findings = (Finding("H7", words),) if ghosts else ()
    return Outcome(findings, {name: round(value, 4) for name, value in zip(MEASURES, measured, strict=True)})
