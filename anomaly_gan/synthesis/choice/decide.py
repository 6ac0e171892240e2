"""From what was measured of each method to one of them, or none, and why."""

from __future__ import annotations

from collections.abc import Sequence

from ..methods.best import NONE
from .config import ChooseConfig
from .result import Choice, Trial


def decide(category: str, trials: Sequence[Trial]) -> Choice:
    """The first method of ``trials``, unless the AUROC of another is lower, by the margin; or ``none``."""
    least, all_of_them = ChooseConfig.least_accepted, tuple(trials)
    usable = [trial for trial in trials if trial.accepted >= least]
    if not usable:
        return Choice(category, NONE, f"under {least:.0%} of every method's photographs pass the checks", all_of_them)
    known = [trial for trial in usable if trial.auroc is not None]
    if not known:
        taken = max(usable, key=lambda trial: trial.accepted)
        return Choice(category, taken.method, "too few objects for a probe, most of it passes the checks", all_of_them)
    best = min(trial.told for trial in known)
    taken = next(trial for trial in known if trial.told <= best + ChooseConfig.margin)
    return Choice(category, taken.method, _why(taken, known), all_of_them)


def _why(taken: Trial, known: Sequence[Trial]) -> str:
    before = known[: known.index(taken)]
    if before:
        return f"its AUROC is lower than that of {before[0].method}, by {before[0].told - taken.told:.2f}"
    if len(known) == 1:
        return "the only one that passes the checks and can be put to the probe"
    return f"the AUROC of no other is lower by more than {ChooseConfig.margin:g}"


def sentence(choice: Choice) -> str:
    """The choice, its reason and the figures of each method."""
    taken = "nothing is generated" if choice.method == NONE else choice.method
    title = "AUROC real against painted: " if any(trial.auroc is not None for trial in choice.trials) else ""
    figures = f" ({title}{'; '.join(trial.words() for trial in choice.trials)})" if choice.trials else ""
    return f"{choice.category}: {taken}; {choice.why}{figures}"
