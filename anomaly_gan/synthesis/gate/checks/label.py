"""Do segmenters that know real defects only find each instance where its mask is, and is none a copy?"""

from __future__ import annotations

from ..candidate import Candidate, Outcome, Setting

MEASURES = ("label_iou", "label_ious", "category_right", "seams", "copy_ratio", "nearest")


def check(candidate: Candidate, setting: Setting) -> Outcome:
    """H7 an instance that is not found; H6 one nearer to a training defect than real ones are to each other."""
    assert setting.inspector is not None
    findings, measures = setting.inspector.inspect(candidate)
    return Outcome(tuple(findings), measures)
