"""Can the detector show a difference at all?"""

from __future__ import annotations

from detection.scale import LEAST_WIDTH_PX

from ..advice import Advice
from ..facts import Facts

BLIND_AP = 0.05
"""A detector below this AP@0.5 finds next to nothing: no difference of it means anything."""


def thin(facts: Facts) -> list[Advice]:
    """The median defect is thinner than a mask can be told at the detector's scale."""
    if facts.image_size is None:
        remedy = "photographs at a higher resolution are needed"
    elif facts.size_chosen:
        remedy = "set compare.detect.detector: dense or compare.detect.view: tiles, which see photographs as they are"
    else:
        remedy = "leave compare.detect.image_size out so that it is chosen, or set compare.detect.detector: dense"
    return [
        Advice(
            "thin",
            category.name,
            f"the median defect is {category.width_px:.1f} px wide as the detector sees it"
            + (f" (image_size {facts.image_size})" if facts.image_size else "")
            + f"; below {LEAST_WIDTH_PX:g} px mask figures mean little",
            remedy,
        )
        for category in facts.categories
        if facts.compared and category.width_px is not None and category.width_px < LEAST_WIDTH_PX
    ]


def blind(facts: Facts) -> list[Advice]:
    """With real photographs alone, and with these, it finds next to nothing."""
    length = "raise compare.detect.exposures (or iterations)"
    found = [
        Advice(
            "blind",
            category.name,
            f"the detector hardly finds it: AP@0.5 {category.ap_real:.3f} with real photographs alone, "
            f"{category.ap:.3f} with these",
            length,
        )
        for category in facts.categories
        if category.ap_real is not None and category.ap is not None and max(category.ap_real, category.ap) < BLIND_AP
    ]
    if len(found) > 1 and len(found) == len(facts.categories):
        cause = f"the detector hardly finds anything: AP@0.5 {facts.ap_real or 0:.3f} with real photographs alone"
        return [Advice("blind", "", cause, length)]
    return found


def one_seed(facts: Facts) -> list[Advice]:
    if not facts.compared or facts.seeds != 1:
        return []
    return [Advice("one_seed", "", "one training of each kind says nothing of chance", "set compare.seeds: 3")]


def nothing_passed(facts: Facts) -> list[Advice]:
    if not facts.nothing_passed:
        return []
    return [Advice("nothing_passed", "", "nothing passed the gate, so no detector was trained with it")]
