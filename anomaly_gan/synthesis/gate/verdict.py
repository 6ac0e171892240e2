"""From a category's counts and figures to a verdict and one plain sentence."""

from __future__ import annotations

from typing import Any

from .config import GateConfig

ORDER = ("pass", "warn", "fail")


def worst(verdicts: list[str]) -> str:
    """The worst of them; ``fail`` where there are none."""
    return max(verdicts, key=ORDER.index) if verdicts else "fail"


def judge(
    name: str, counts: dict[str, Any], figures: dict[str, Any], names: dict[str, str], config: GateConfig
) -> tuple[str, str]:
    """Verdict and sentence on one category; ``figures`` are those of its ``defect`` view.

    The kernel distance decides, as it is unbiased at small N, against the 95th percentile of real against real; the
    Fréchet distance where that percentile is not positive. ``fail``: nothing accepted, above ``fail_ratio``, or not
    a number. ``warn``: above ``warn_ratio``, too few to judge, a shortfall, little diversity, or what the label
    certificate complains of. Else ``pass``.
    """
    if counts["accepted"] == 0:
        return "fail", f"{name}: none of {counts['tried']} candidates was accepted."
    complaints = []
    if counts["shortfall"]:
        complaints.append(("warn", f"{counts['shortfall']} of {counts['wanted']} wanted photographs are missing"))
    if figures.get(names["kernel"]) is None:
        complaints.append(("warn", f"too few to judge: {figures.get('reason', 'no figure')}"))
        opening = f"{name}: {counts['accepted']} accepted"
    else:
        kind = "kernel" if (figures[names["kernel"]]["real"]["p95"] or 0) > 0 else "frechet"
        ratio = figures[names[kind]]["over_p95"]
        complaints += _judge_ratio(ratio, config)
        shown = "not a number" if ratio is None else f"{ratio:.2f} times the 95th percentile of real against real"
        opening = f"{name}: {names[kind]} of generated defects is {shown} (N = {figures['n']})"
        diversity = figures[names["perceptual"]]["pairs"]["ratio"]
        if diversity is None or not diversity >= config.min_diversity:
            known = "unknown" if diversity is None else f"{diversity:.2f} of the real one"
            complaints.append(("warn", f"the diversity of generated defects is {known}"))
    complaints += judge_certificate(counts, config)
    verdict = worst([level for level, _ in complaints]) if complaints else "pass"
    return verdict, "; ".join([opening, *(text for _, text in complaints if text)]) + "."


def _judge_ratio(ratio: float | None, config: GateConfig) -> list[tuple[str, str]]:
    if ratio is None:
        return [("fail", "")]
    if not ratio <= config.fail_ratio:  # so written, a NaN fails
        return [("fail", f"above the limit of {config.fail_ratio:g}")]
    return [("warn", f"above {config.warn_ratio:g}")] if ratio > config.warn_ratio else []


def judge_certificate(figures: dict[str, Any], config: GateConfig) -> list[tuple[str, str]]:
    """Complaints about ``certificate`` and ``copies``, where ``figures`` holds them."""
    if "certificate" not in figures:
        return []
    found, complaints = figures["certificate"], []
    if figures["copies"]["threshold"] is None:
        complaints.append(
            ("warn", f"with fewer than {config.min_objects} real objects neither empty defects nor copies can be told")
        )
    if found["difference"] is None or not found["difference"] >= -config.certificate_gap:
        complaints.append(
            (
                "warn",
                f"the label certificate is {_number(found['median'])}, that of real defects "
                f"{_number(found['real_median'])}",
            )
        )
    allowed = config.max_empty + (found["real_empty_share"] or 0.0)
    if found["accepted_empty_share"] is None or not found["accepted_empty_share"] <= allowed:
        complaints.append(
            (
                "warn",
                f"{_number(found['accepted_empty_share'])} of the accepted instances are not found, "
                f"of real ones {_number(found['real_empty_share'])}",
            )
        )
    if figures["copies"]["accepted"] and config.reject_copies:
        complaints.append(("warn", f"{figures['copies']['accepted']} are copies of training defects"))
    return complaints


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"
