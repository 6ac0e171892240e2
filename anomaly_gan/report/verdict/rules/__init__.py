"""What the verdict can say, as a table in the order of importance. A new sentence is one function and one row."""

from __future__ import annotations

from ..advice import Advice, Rule
from ..facts import Facts
from . import data, detector, masks, painting, training

RULES: tuple[Rule, ...] = (
    Rule("nothing_passed", detector.nothing_passed),
    Rule("cut_short", training.cut_short),
    Rule("few_steps", training.few_steps),
    Rule("collapsed", training.collapsed),
    Rule("ended", training.ended),
    Rule("few_parts", data.few_parts),
    Rule("direction", masks.direction, ("direction",)),
    Rule("tone", painting.tone, ("tone",)),
    Rule("colour", painting.colour, ("colour",)),
    Rule("size", masks.size, ("size",)),
    Rule("place", masks.place, ("place",)),
    Rule("look", painting.look, ("defects",)),
    Rule("refused", painting.refused, ("accepted",)),
    Rule("variety", painting.variety, ("diversity",)),
    Rule("labels", painting.labels, ("label", "empty")),
    Rule("copies", painting.copies, ("copies",)),
    Rule("around", painting.around, ("crops", "photographs")),
    Rule("others", painting.others),
    Rule("blind", detector.blind),
    Rule("thin", detector.thin),
    Rule("few_test_parts", data.few_test_parts),
    Rule("one_seed", detector.one_seed),
    Rule("no_sound", data.no_sound),
)


def advise(facts: Facts) -> list[Advice]:
    """Everything the table says of an arm, in its order."""
    return [advice for rule in RULES for advice in rule.function(facts)]
