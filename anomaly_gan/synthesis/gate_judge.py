"""From a category's counts and figures to a verdict and one plain sentence."""

from __future__ import annotations

from typing import Any

from .gate_config import GateConfig

ORDER = ("pass", "warn", "fail")


def worst(verdicts: list[str]) -> str:
    """The worst of them; ``fail`` where there are none."""
    return max(verdicts, key=ORDER.index) if verdicts else "fail"


def judge(name: str, counts: dict[str, Any], crop: dict[str, Any], names: dict[str, str],
          config: GateConfig) -> tuple[str, str]:
    """Verdict and sentence on one category.

    ``fail``: nothing accepted, or the Fréchet distance on crops is above ``fail_ratio`` times the yardstick or not a
    number. ``warn``: above ``warn_ratio``, too few to judge, a shortfall, or little diversity. Else ``pass``.
    """
    if counts["accepted"] == 0:
        return "fail", f"{name}: none of {counts['tried']} candidates was accepted."
    complaints = []
    if counts["shortfall"]:
        complaints.append(("warn", f"{counts['shortfall']} of {counts['wanted']} wanted photographs are missing"))
    figure = crop.get(names["frechet"])
    if figure is None:
        complaints.append(("warn", f"too few to judge: {crop.get('reason', 'no figure')}"))
        opening = f"{name}: {counts['accepted']} accepted"
    else:
        ratio = figure["ratio"]
        complaints += _judge_ratio(ratio, config)
        shown = "not a number" if ratio is None else f"{ratio:.2f} times"
        opening = (f"{name}: {names['frechet']} of generated defect crops is {shown} that of real against real "
                   f"(N = {crop['n']})")
        diversity = crop[names["perceptual"]]["pairs"]["ratio"]
        if diversity is None or diversity < config.min_diversity:
            known = "unknown" if diversity is None else f"{diversity:.2f} of the real one"
            complaints.append(("warn", f"the diversity of generated crops is {known}"))
    verdict = worst([level for level, _ in complaints]) if complaints else "pass"
    return verdict, "; ".join([opening, *(text for _, text in complaints if text)]) + "."


def _judge_ratio(ratio: float | None, config: GateConfig) -> list[tuple[str, str]]:
    if ratio is None or not ratio <= config.fail_ratio:
        return [("fail", f"above the limit of {config.fail_ratio:g}" if ratio is not None else "")]
    if ratio > config.warn_ratio:
        return [("warn", f"above {config.warn_ratio:g}")]
    return []
