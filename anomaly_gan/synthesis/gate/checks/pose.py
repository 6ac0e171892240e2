"""How a candidate's defects lie, for the checks that compare it with real ones."""

from __future__ import annotations

from ....core.masks import windowed
from ..candidate import Candidate, Finding, Outcome, Setting
from ..defects import RealDefects
from ..poses import Aspect, Pose


def poses_of(candidate: Candidate, real_defects: RealDefects) -> list[tuple[str, Pose]]:
    """(category, pose) of every instance, splinters left out: where it lies on the untouched photograph's part, where
    that is known. None where the data set shows a part and the photograph shows none. Computed once a candidate."""
    return real_defects.posed(candidate, lambda: _poses_of(candidate, real_defects))


def _poses_of(candidate: Candidate, real_defects: RealDefects) -> list[tuple[str, Pose]]:
    names = real_defects.train.category_names()
    part = real_defects.part_on(candidate.pixels if candidate.base is None else candidate.base)
    if real_defects.part is not None and part is None:
        return []
    found = [candidate.instances[at] for at in windowed(candidate.masks)]
    return [(names[number], Pose.of(mask, part)) for number, mask in found]


def compare(candidate: Candidate, setting: Setting, aspect: Aspect, what: str) -> Outcome:
    """Of the instance that is least likely under the real ones its likelihood over that of the least likely real one,
    as ``ASPECT_likelihood``; H11 where that is below ``least_likely``."""
    assert setting.real_defects is not None
    ratios = []
    for category, pose in poses_of(candidate, setting.real_defects):
        found, value = (
            setting.real_defects.likelihood(aspect, category, setting.config.verdict_objects),
            aspect.of(pose),
        )
        if found is not None and value is not None:
            ratios.append(found.ratio(value))
    if not ratios:
        return Outcome((), {f"{aspect.name}_likelihood": None})
    worst = min(ratios)
    words = f"{what}: {worst:.2g} times as likely as the least likely real one"
    findings = (Finding("H11", words),) if worst < setting.config.least_likely else ()
    return Outcome(findings, {f"{aspect.name}_likelihood": round(worst, 4)})
