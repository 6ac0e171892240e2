"""Was the generator trained long enough, and did the training come to something?"""

from __future__ import annotations

import math

from ..advice import Advice
from ..facts import Facts

SHORT = 500
"""A generator of fewer steps has seen too little to be evaluated by."""


def cut_short(facts: Facts) -> list[Advice]:
    """Ended by its time budget before nine tenths of the planned steps."""
    training = facts.training
    if training is None or training.ended_by != "time" or training.steps >= 0.9 * training.planned:
        return []
    remedy = "raise train.time_budget"
    if training.minutes is not None and training.steps:
        minutes = training.minutes * training.planned / training.steps
        length = f"{max(5, 5 * math.ceil(minutes / 5))} minutes" if minutes <= 120 else f"{minutes / 60:.0f} hours"
        remedy = f"give it {length} (train.time_budget), or a faster machine"
    return [Advice("cut_short", "", f"trained {training.steps:,} of {training.planned:,} steps, ended by time", remedy)]


def ended(facts: Facts) -> list[Advice]:
    """What else time ended."""
    remedy = "give the run more time, or run it again without --time-budget: it goes on with what is missing"
    return [Advice("ended", "", f"{what}, for the time was over", remedy) for what in facts.ended]


def few_steps(facts: Facts) -> list[Advice]:
    training = facts.training
    if training is None or training.ended_by == "time" or training.steps >= SHORT:
        return []
    return [Advice("few_steps", "", f"trained {training.steps:,} steps only", "set train.steps: 2000 or more")]


def collapsed(facts: Facts) -> list[Advice]:
    """Its own signs that it came to nothing: what it paints is one level, or always the same, or nothing judges it."""
    if facts.training is None:
        return []
    remedy = "train with another seed, or lower train.learning_rate"
    return [Advice("collapsed", "", f"in the training {sentence}", remedy) for sentence in facts.training.warnings]
