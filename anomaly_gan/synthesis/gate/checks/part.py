"""Is as much of each defect on the part as of real ones?"""

from __future__ import annotations

from ..candidate import Candidate, Finding, Outcome, Setting
from .pose import poses_of

MEASURES = ("on_part",)
SLACK = 0.05
"""By so much less of a mask may be on the part than of the real one that is least on it: outlines are found to a few
pixels."""


def check(candidate: Candidate, setting: Setting) -> Outcome:
    """H11 an instance of which less is on the part than of any real one; measured is the least share. Not asked where
    the photographs show no part, or fewer than ``verdict_objects`` real objects the defect."""
    assert setting.real_defects is not None
    shares, findings = [], []
    for category, pose in poses_of(candidate, setting.real_defects):
        real = [(group, one.share) for group, one in setting.real_defects.poses(category) if one.share is not None]
        if pose.share is None:
            continue
        shares.append(pose.share)
        if not setting.config.least_likely or len({group for group, _ in real}) < setting.config.verdict_objects:
            continue
        least = min(share for _, share in real)
        if pose.share < least - SLACK:
            words = f"{pose.share:.0%} of a mask is on the part, of every real one at least {least:.0%}"
            findings.append(Finding("H11", words))
    return Outcome(tuple(findings[:1]), {"on_part": round(min(shares), 4) if shares else None})
