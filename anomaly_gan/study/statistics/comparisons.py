"""Arms of one detector: their means, and the paired comparisons with a plain sentence each."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from anomaly_gan.synthesis.registry import METHODS
from detection.evaluation.metric_names import METRICS
from detection.evaluation.statistics import verdict

from ..config import MAIN
from .estimate import Estimate, arm_terms, estimate, paired_terms
from .resample import DrawnCell
from .verdicts import LEVEL, holm, holm_verdict, objects_needed

NONE = "none"
PAPER = "anomaly_gan_paper"
OURS = ("anomaly_gan", PAPER, "hybrid", "best")
POINTS = 0.05
"""The difference whose sample size is told: 5 points of AP."""
PAIR = ("pair of trainings", "pairs of trainings")
"""What a comparison counts, one and several."""
ByArm = Mapping[str, Sequence[DrawnCell]]


def base_method(arm: str) -> str:
    """``METHOD`` of ``METHOD@VARIANT``."""
    return arm.partition("@")[0]


def arm_order(arm: str) -> tuple[int, str]:
    """``none`` first, then as in the table of methods, then by name."""
    known = [NONE, *METHODS]
    method = base_method(arm)
    return (known.index(method) if method in known else len(known)), arm


def by_arm(cells: Sequence[DrawnCell]) -> dict[str, list[DrawnCell]]:
    arms: dict[str, list[DrawnCell]] = {}
    for item in sorted(cells, key=lambda item: (arm_order(item.cell.arm), item.cell.fold, item.cell.seed)):
        arms.setdefault(item.cell.arm, []).append(item)
    return arms


def side_by_side(arms: ByArm, seed: int, stream: str = "main", unit: tuple[str, str] = PAIR) -> dict[str, Any]:
    """The arms in their order, the figures of each, and every comparison of two."""
    return {"order": list(arms), "arms": arm_figures(arms, seed, stream), "comparisons": comparisons(arms, seed, unit)}


def categories_of(cells: Sequence[DrawnCell]) -> list[str]:
    return sorted({name for item in cells for name in item.per_category})


def arm_figures(arms: ByArm, seed: int, stream: str) -> dict[str, Any]:
    """Per arm: every metric's mean and interval, AP at IoU 0.5 per category, and how many cells stand behind it.

    Only ``map50``, chosen in advance, has intervals over objects and gets verdicts; the others have one over seeds.
    """
    result = {}
    for arm, cells in arms.items():
        figures: dict[str, Any] = {}
        for metric in METRICS:
            made = estimate(arm_terms(cells, metric=metric), seed, stream)
            figures[metric] = made.to_json() if made else None
        categories = {name: _short(estimate(arm_terms(cells, name), seed, stream)) for name in categories_of(cells)}
        result[arm] = {
            **figures,
            "categories": categories,
            "cells": len(cells),
            "folds": sorted({item.cell.fold for item in cells}),
            "seeds": sorted({item.cell.seed for item in cells}),
        }
    return result


def comparisons(arms: ByArm, seed: int, unit: tuple[str, str]) -> list[dict[str, object]]:
    """Every arm against ``none`` (with Holm's correction over these), each of ``OURS`` against the best other arm and
    the paper's losses at the study's size, and ``METHOD@VARIANT`` against its method; ``unit`` is what the sentences
    call one cell against another."""
    rows = [
        row
        for arm in arms
        if arm != NONE and NONE in arms
        if (row := compare(arms, arm, NONE, "none", seed)) is not None
    ]
    adjusted = holm([row["p"] for row in rows])
    tested = sum(value is not None for value in adjusted)
    for row, value in zip(rows, adjusted, strict=True):
        row |= {"p_holm": value, "holm_of": tested, "verdict_holm": holm_verdict(row["verdict"], value)}
    for arm in arms:
        method = base_method(arm)
        wanted = {
            "best_other": best_rival(arms, arm, seed) if method in OURS else None,
            "paper": PAPER if arm in OURS else None,
            "shared_pool": method,
        }
        rows += [
            row
            for kind, against in wanted.items()
            if against
            and against in arms
            and against != arm
            and (row := compare(arms, arm, against, kind, seed)) is not None
        ]
    for row in rows:
        row["sentence"] = sentence(row, unit)
    return rows


def main_comparisons(part: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Of a detector's part of the summary the comparisons that a reader meets first: over all repeats of ``main``
    where there are several."""
    return list(part["repeats"].get(MAIN, part)["comparisons"])


def best_rival(arms: ByArm, arm: str, seed: int) -> str | None:
    """The other arm of highest mean AP on the (fold, seed) cells that ``arm`` and all others have.

    Others are neither ``none`` nor of ``OURS``. Where no cell is common to all, only those with the most cells in
    common with ``arm`` are looked at. Picking the best by the very figures it is compared on flatters the rival:
    the comparison is conservative for ``arm``.
    """
    rivals = [name for name in arms if name != NONE and base_method(name) not in OURS]
    places = {name: {(item.cell.fold, item.cell.seed) for item in arms[name]} for name in (arm, *rivals)}
    common = set.intersection(*places.values())
    if not common:
        most = max((len(places[arm] & places[name]) for name in rivals), default=0)
        rivals = [name for name in rivals if most and len(places[arm] & places[name]) == most]
    means = {}
    for name in rivals:
        keep = common or places[arm] & places[name]
        made = estimate([t for t in arm_terms(arms[name]) if (t.fold, t.seed) in keep], seed)
        if made is not None:
            means[name] = made.interval.mean
    return max(means, key=lambda name: means[name]) if means else None


def compare(arms: ByArm, arm: str, against: str, kind: str, seed: int) -> dict[str, Any] | None:
    """``arm`` - ``against`` over the (fold, seed) pairs that both have; None where they have none."""
    first, second = arm_terms(arms[arm]), arm_terms(arms[against])
    made = estimate(paired_terms(first, second), seed)
    if made is None:
        return None
    # cells that only one of the two arms has enter nothing; how many there are is said
    places = {(term.fold, term.seed) for term in first}, {(term.fold, term.seed) for term in second}
    objects = defective_objects(arms[arm], made)
    needed = objects_needed(made.sd_objects, objects, POINTS) if made.sd_objects is not None and objects else None
    categories = {
        name: _short(estimate(paired_terms(arm_terms(arms[arm], name), arm_terms(arms[against], name)), seed))
        for name in categories_of(arms[arm])
    }
    other = {
        metric: made_other.over_seeds.to_json()
        for metric in METRICS
        if metric != "map50"
        if (
            made_other := estimate(
                paired_terms(arm_terms(arms[arm], metric=metric), arm_terms(arms[against], metric=metric)), seed
            )
        )
        is not None
    }
    return {
        "arm": arm,
        "against": against,
        "kind": kind,
        **made.to_json(),
        "verdict": verdict(made.interval),
        "p_holm": None,
        "holm_of": None,
        "verdict_holm": None,
        "unpaired": len(places[0] ^ places[1]),
        "objects": objects,
        "objects_needed": needed,
        "categories": categories,
        "other_metrics": other,
    }


def defective_objects(cells: Sequence[DrawnCell], made: Estimate) -> int:
    """How many test objects with a defect stand behind an estimate: the sum over its folds."""
    per_fold = {
        item.cell.fold: sum(
            any(m.positives[unit] for m in item.cell.matches.values()) for unit in range(len(item.cell.objects))
        )
        for item in cells
        if item.cell.fold in made.per_fold
    }
    return sum(per_fold.values())


def sample_size(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The sample-size note from the comparisons against ``none``: the median over arms, and the range."""
    known = [row for row in rows if row["kind"] == "none" and row["objects_needed"] is not None]
    if not known:
        return None
    needed = [row["objects_needed"] for row in known]
    middle, have = round(statistics.median(needed)), max(row["objects"] for row in known)
    spread = f" ({min(needed)} to {max(needed)} by arm)" if len(needed) > 1 else ""
    return {
        "points": POINTS,
        "power": 0.8,
        "level": LEVEL,
        "needed": middle,
        "least": min(needed),
        "most": max(needed),
        "objects": have,
        "sentence": f"From the spread over test objects, showing a true difference of {POINTS * 100:.0f} points (80 % "
        f"power, 5 % level) needs about {middle} defective test objects{spread}; there "
        f"are {have}. Training noise comes on top; only more seeds reduce it.",
    }


def sentence(row: Mapping[str, Any], unit: tuple[str, str] = PAIR) -> str:
    """One comparison in plain words; it claims no more than the interval carries."""
    word = row["verdict"]
    head = {"better": f"better than {row['against']}", "worse": f"worse than {row['against']}"}.get(
        word, f"no difference to {row['against']} shown"
    )
    text = f"{row['arm']}: {head}: AP@0.5 {signed(row)} over {_behind(row, unit)}"
    if row["kind"] == "none" and row["p_holm"] is not None and row["holm_of"] > 1:
        kept = {"better": "still better", "worse": "still worse"}.get(row["verdict_holm"], "not shown")
        if word in ("better", "worse"):
            text += f"; {kept} after Holm's correction for {row['holm_of']} comparisons"
    if row["kind"] == "best_other":
        text += f"; {row['against']} is the best other arm by these same figures, which flatters it"
    return text + "."


def signed(row: Mapping[str, Any]) -> str:
    """``+0.120 [+0.030, +0.210]``."""
    bounds = "" if row["low"] is None or row["high"] is None else f" [{row['low']:+.3f}, {row['high']:+.3f}]"
    return f"{row['mean']:+.3f}{bounds}"


def _behind(row: Mapping[str, Any], unit: tuple[str, str]) -> str:
    folds, cells = row["folds"], row["cells"]
    text = f"{folds} fold{'s' if folds != 1 else ''}, {cells} {unit[cells != 1]}"
    if row["objects"]:
        text += f", {row['objects']} defective test objects"
    if row["unpaired"]:
        text += f" ({row['unpaired']} training{'s' if row['unpaired'] != 1 else ''} without a partner left out)"
    if not row["seeds_drawn"]:
        text += " (one seed: the interval knows nothing of training noise)"
    return text


def _short(made: Estimate | None) -> dict[str, object] | None:
    return {**made.interval.to_json(), "folds": len(made.per_fold), "cells": made.pairs} if made else None
