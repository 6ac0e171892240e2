"""How far generated pictures lie from real ones, beside how far real ones of other objects do.

The kernel distance decides, as it is unbiased at small N, against the 95th percentile of real against real; the Fréchet
distance where that percentile is not positive. Of the defects alone it may fail a category. Crops and whole photographs
hold the part around the defect, which differs from real to generated for reasons of its own (generated defects lie on
other photographs than real ones): these warn, and only beyond the limit at which a defect fails.

Of nearly equal real defects that percentile is next to nothing. So a category that would fail is held against real ones
of its own pasted on other parts (``gate.pasted``), too: where these would fail themselves, the limit counts from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..distances import Figures
from ..results import Level, MetricResult
from .data import CategoryData


def defects(data: CategoryData) -> MetricResult | None:
    return _measure(data, "defects", "defect", "generated defects", data.config.warn_ratio, data.config.fail_ratio)


def crops(data: CategoryData) -> MetricResult | None:
    return _measure(data, "crops", "crop", "defects with what is around them", data.config.fail_ratio, None)


def photographs(data: CategoryData) -> MetricResult | None:
    return _measure(data, "photographs", "image", "whole photographs", data.config.fail_ratio, None)


def _measure(
    data: CategoryData, name: str, view: str, words: str, warn: float, fail: float | None
) -> MetricResult | None:
    figures: Figures = data.figures.get(view) or {}
    if not figures or data.counts.accepted == 0:
        return None
    kernel = figures.get(data.names["kernel"])
    if kernel is None:
        sentence = f"too few to compare: {figures.get('reason', 'no figure')}"
        return _too_few(data, name, sentence, figures.get("n", 0), data.config.min_n)
    if figures["n"] < data.config.verdict_n:
        words = f"{figures['n']} photographs on either side decide nothing"
        return _too_few(data, name, words, figures["n"], data.config.verdict_n)
    kind = "kernel" if (kernel["real"]["p95"] or 0) > 0 else "frechet"
    ratio = figures[data.names[kind]]["over_p95"]
    detail = {"kind": kind, "n": figures["n"]}
    opening = f"{data.names[kind]} of {words} is"
    if ratio is None:
        level: Level = "warn" if fail is None else "fail"
        return MetricResult(name, level, f"{opening} not a number", limit=fail or warn, detail=detail)
    said = f"{opening} {ratio:.2f} times the 95th percentile of real against real (N = {figures['n']}"
    said = f"{said}{''.join(_beside(figures, data.names, kind)) if fail is not None else ''})"
    pasted = (data.figures.get("pasted") or {}).get("over_p95") if kind == "kernel" else None
    if fail is not None and pasted is not None and pasted > fail:
        said += f", that of real ones pasted on other parts {pasted:.2f} times"
        fail, detail = round(fail * pasted, 2), {**detail, "pasted": pasted}
    if fail is not None and not ratio <= fail:  # so written, a NaN fails
        return MetricResult(name, "fail", f"{said}, above the limit of {fail:g}", ratio, 1.0, fail, detail=detail)
    if not ratio <= warn:
        limit = fail if "pasted" in detail else warn
        return MetricResult(name, "warn", f"{said}, above {warn:g}", ratio, 1.0, limit, detail=detail)
    return MetricResult(name, "pass", said, ratio, 1.0, fail or warn, detail=detail)


def _beside(figures: Mapping[str, Any], names: Mapping[str, str], kind: str) -> Iterator[str]:
    """``; FID 41.2, real against real up to 40.1; LPIPS to the nearest real one 0.31, of real ones 0.29``: what stands
    beside the distance that decides, each with what real defects of other objects reach."""
    frechet = figures.get(names["frechet"]) or {}
    if kind != "frechet" and frechet.get("generated"):
        limit = f"real against real up to {frechet['real']['p95']:.3g}"
        yield f"; {names['frechet']} {frechet['generated']['mean']:.3g}, {limit}"
    nearest = (figures.get(names["perceptual"]) or {}).get("nearest_real")
    if nearest and nearest["generated"] is not None:
        yield f"; {names['perceptual']} to the nearest real one {nearest['generated']:.3g}, of real ones "
        yield f"{nearest['real']:.3g}" if nearest["real"] is not None else "unknown"


def _too_few(data: CategoryData, name: str, words: str, count: int, need: int) -> MetricResult:
    """N on either side is the smaller of what was accepted and half of the real photographs, by object: what is short
    is named, so that nobody generates more where real parts are missing."""
    if count and data.counts.accepted > count:
        more = -(-data.objects * need // count)  # objects whose halves hold ``need`` photographs
        return MetricResult(name, "too_few", words, have=data.objects, need=more, detail={"n": count})
    return MetricResult(name, "too_few", words, have=count, need=need, of="photographs", detail={"n": count})
