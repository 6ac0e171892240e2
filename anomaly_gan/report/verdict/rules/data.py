"""Are there parts enough to learn from, and to judge on?"""

from __future__ import annotations

from ..advice import Advice
from ..facts import Facts

LEAST_TEST_OBJECTS = 5
"""Test objects of a category below which no difference is believed."""


def few_parts(facts: Facts) -> list[Advice]:
    """The gate says "too few to say"."""
    found = []
    for category in facts.categories:
        if category.gate is None or category.gate.level != "too_few":
            continue
        short = [item for item in category.gate.metrics.values() if item.level == "too_few" and item.need]
        if not short:  # time was over, which has a rule of its own
            continue
        least = max(short, key=lambda item: (item.of == "objects", (item.need or 0) - (item.have or 0)))
        need, have = least.need or 0, least.have or 0
        what = "parts" if least.of == "objects" else "photographs"
        cause = f"too few to say ({have} of {need} {what} with this defect)"
        remedy = (
            f"label {need - have} more"
            if least.of == "objects"
            else f"generate at least {need} (generate.count), or label more parts"
        )
        found.append(Advice("few_parts", category.name, cause, remedy))
    return found


def few_test_parts(facts: Facts) -> list[Advice]:
    return [
        Advice(
            "few_test_parts",
            category.name,
            f"{category.test_objects} {'part' if category.test_objects == 1 else 'parts'} with this defect to test on, "
            f"at least {LEAST_TEST_OBJECTS} are needed",
            f"label {LEAST_TEST_OBJECTS - category.test_objects} more that are held out, or raise data.test_share",
        )
        for category in facts.categories
        if facts.compared and category.test_objects < LEAST_TEST_OBJECTS
    ]


def no_sound(facts: Facts) -> list[Advice]:
    if facts.sound_test is None or facts.sound_test > 0:
        return []
    cause = "no sound photograph to test on, so nothing is known of false alarms"
    return [Advice("no_sound", "", cause, "add photographs of sound parts (data.normal)")]
