"""Do the gates predict? Rank correlation of every gate figure with the lift of the detector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from anomaly_gan.core.json_files import read_as, understood
from anomaly_gan.core.seeding import rng_for
from detection.evaluation.statistics import Interval, percentile_interval

from .comparisons import NONE, ByArm
from .estimate import arm_terms, estimate, paired_terms

VIEWS = ("image", "crop", "defect")
COUNTS = frozenset(
    {"wanted", "accepted", "rejected", "tried", "accepted_at_once", "accepted_from_spares", "shortfall", "reasons"}
)
YARDSTICKS = frozenset(
    {"real", "p05", "p95", "n", "repeats", "count", "counts", "instances", "accepted", "threshold", "reason"}
)
"""Leaves that describe real photographs or sample sizes, as do those that begin with ``real_``, not what was made."""
LEAST_POINTS, LEAST_ARMS = 5, 3
LEAST_ARMS_DRAWN = 5
"""With fewer arms to draw from, too many draws hold one or two of them: an interval would be made of ties."""


@dataclass(frozen=True)
class GateFigures:
    """What the gate measured of one arm's photographs of one category in one fold, by name; ``names``: kind of
    distance (``frechet``, ``kernel``, ``perceptual``) → what it is called there."""

    arm: str
    fold: int
    category: str
    figures: Mapping[str, float]
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Point:
    """A gate figure beside the lift that followed."""

    arm: str
    fold: int
    category: str
    gate: float
    lift: float


@dataclass(frozen=True)
class Correlation:
    """Spearman's rho with its 95 % interval; ``reason``: why it, or its interval, is None."""

    points: int
    arms: int
    folds: int
    rho: float | None = None
    low: float | None = None
    high: float | None = None
    predicts: bool = False
    reason: str | None = None

    @property
    def interval(self) -> Interval | None:
        return None if self.rho is None else Interval(self.rho, self.low, self.high)


@dataclass(frozen=True)
class GateRow:
    """A gate against the lift; ``level``: what a point is, ``arms`` or ``categories`` of arms."""

    gate: str
    level: str
    of: Correlation

    def to_json(self) -> dict[str, object]:
        return {"gate": self.gate, "level": self.level, **asdict(self.of)}


@dataclass(frozen=True)
class GateStudy:
    """Every gate, those that go with the lift most first within a level; and a sentence a level."""

    rows: Sequence[GateRow]
    sentences: Sequence[str]

    def to_json(self) -> dict[str, object]:
        return {"rows": [row.to_json() for row in self.rows], "sentences": list(self.sentences)}


@dataclass(frozen=True)
class Judged:
    """What of a gate's ``metrics.json`` the statistics ask for: figures by category, and what they are called."""

    categories: dict[str, dict]
    figures: dict[str, str]


def load_gates(run: Path, fold: int, stage: str = "gate") -> list[GateFigures]:
    """The figures of every ``gate@ARM/metrics.json`` of a run (or of another stage that measures as the gate does);
    a gate that has not run is left out.

    Raises:
        InputError: FORMAT a metrics file is damaged.
    """
    result = []
    for path in sorted(run.glob(f"{stage}@*/metrics.json")):
        arm, remedy = path.parent.name.removeprefix(f"{stage}@"), "run the gate again"
        content = read_as(path, Judged, remedy)
        with understood(path, remedy):
            result += [
                GateFigures(arm, fold, name, gate_figures(item), content.figures)
                for name, item in sorted(content.categories.items())
            ]
    return result


def gate_figures(item: Mapping[str, Any]) -> dict[str, float]:
    """The gate's figures of one category under plain names; what is not a number is left out.

    Distances stand as multiples of real against real, so that categories and folds can be put side by side.
    """
    figures: dict[str, Any] = {}
    if item.get("tried"):
        figures["acceptance"] = item["accepted"] / item["tried"]
    if item.get("wanted"):
        figures["accepted at once"] = item["accepted_at_once"] / item["wanted"]
    for view in VIEWS:
        for name, value in (item.get(view) or {}).items():
            if isinstance(value, Mapping):
                figures |= {f"{view} {name} {key}": number for key, number in _distance(value, item[view]).items()}
    known = COUNTS | {*VIEWS, "objects", "metrics", "verdict", "sentence"}
    for name, value in item.items():
        if name not in known:
            figures |= dict(_leaves(name, value))
    return {name: float(value) for name, value in figures.items() if _is_number(value)}


def _distance(value: Mapping[str, Any], view: Mapping[str, Any]) -> dict[str, object]:
    """One distance of a view, as :mod:`anomaly_gan.synthesis.gate.distances` writes it."""
    result: dict[str, Any] = {}
    if "over_p95" in value:
        result = {"over p95": value["over_p95"], "ratio": value.get("ratio")}
    if "pairs" in value:
        result = {
            "diversity": value["pairs"].get("ratio"),
            "nearest real": _over(value.get("nearest_real")),
            "random real": _over(value.get("random_real")),
        }
        if _is_number(value.get("near_copies")) and view.get("generated"):
            result["near copies"] = value["near_copies"] / view["generated"]
    return result


def _over(pair: Mapping[str, Any] | None) -> float | None:
    pair = pair or {}
    return pair["generated"] / pair["real"] if _is_number(pair.get("generated")) and pair.get("real") else None


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        if _is_number(value.get("median")) and value.get("real_median"):
            yield f"{name} over real", value["median"] / value["real_median"]
        for key, inner in value.items():
            if key not in YARDSTICKS and not key.startswith("real_"):
                yield from _leaves(f"{name} {key}", inner)
    else:
        yield name, value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))


def gate_study(arms: ByArm, gates: Sequence[GateFigures], seed: int, draws: int) -> GateStudy | None:
    """Spearman's rho of every gate with the lift in AP at IoU 0.5 over ``none``, sorted by its size.

    Two levels. ``arms``: one point per arm and fold (the gate's mean over categories, the arm's whole lift), ranked
    over all. ``categories``: one point per arm, fold and category, ranked among the arms of the same fold and
    category, so that an easy category cannot pass for a good gate. None without gates or lifts.
    """
    lifts = _lifts(arms, sorted({item.category for item in gates}))
    names = sorted({name for item in gates for name in item.figures})
    rows = []
    for level in ("arms", "categories"):
        for name in names:
            points = _points(gates, lifts, name, level)
            if points:
                rows.append(GateRow(name, level, correlation(points, level == "categories", seed, draws)))
    if not rows:
        return None
    rows.sort(key=lambda row: (row.level, -abs(row.of.rho if row.of.rho is not None else 0), row.gate))
    return GateStudy(rows, [_sentence(rows, level) for level in ("arms", "categories")])


def _lifts(arms: ByArm, categories: Sequence[str]) -> dict[tuple[str, int, str], float]:
    """(arm, fold, category or "" for the whole) -> mean over seeds of the paired difference to ``none``."""
    result = {}
    for arm in [name for name in arms if name != NONE and NONE in arms]:
        for category in [None, *categories]:
            made = estimate(paired_terms(arm_terms(arms[arm], category), arm_terms(arms[NONE], category)), 0)
            for fold, value in (made.per_fold if made else {}).items():
                result[arm, fold, category or ""] = value
    return result


def _points(
    gates: Sequence[GateFigures], lifts: Mapping[tuple[str, int, str], float], name: str, level: str
) -> list[Point]:
    if level == "categories":
        return [
            Point(item.arm, item.fold, item.category, item.figures[name], lifts[key])
            for item in gates
            if name in item.figures and (key := (item.arm, item.fold, item.category)) in lifts
        ]
    values: dict[tuple[str, int], list[float]] = {}
    for item in gates:
        if name in item.figures:
            values.setdefault((item.arm, item.fold), []).append(item.figures[name])
    return [
        Point(arm, fold, "", float(np.mean(of)), lifts[arm, fold, ""])
        for (arm, fold), of in sorted(values.items())
        if (arm, fold, "") in lifts
    ]


def correlation(points: Sequence[Point], within: bool, seed: int, draws: int) -> Correlation:
    """Spearman's rho with a 95 % interval; ``within`` ranks inside each (fold, category) only.

    Points of one arm, and of one fold, are no independent witnesses: arms and folds are both drawn again with
    replacement and a point counts the product ("pigeonhole bootstrap", Owen 2007, Ann. Appl. Stat. 1(2)), which
    errs to the wide side.
    """
    arms, arm_of = np.unique([point.arm for point in points], return_inverse=True)
    folds, fold_of = np.unique([point.fold for point in points], return_inverse=True)
    counted = Correlation(len(points), len(arms), len(folds))
    if len(points) < LEAST_POINTS or len(arms) < LEAST_ARMS:
        return replace(counted, reason=f"{len(points)} points of {len(arms)} arms carry no correlation")
    strata = [(point.fold, point.category) if within else () for point in points]
    gate, lift = np.array([point.gate for point in points]), np.array([point.lift for point in points])
    rho = float(rank_correlation(gate, lift, strata, np.ones((1, len(points))))[0])
    if not np.isfinite(rho):
        return replace(counted, reason="the gate or the lift is the same everywhere")
    if len(arms) < LEAST_ARMS_DRAWN:
        return replace(counted, rho=rho, reason=f"{len(arms)} arms carry no interval")
    # arms and folds are drawn, not points: points of one arm are no independent evidence
    rng = rng_for(seed, "study", "gates", *arms, *folds)
    weights = (
        rng.multinomial(len(arms), np.full(len(arms), 1 / len(arms)), size=draws)[:, arm_of]
        * rng.multinomial(len(folds), np.full(len(folds), 1 / len(folds)), size=draws)[:, fold_of]
    )
    drawn = rank_correlation(gate, lift, strata, weights)
    interval = percentile_interval(rho, list(drawn[np.isfinite(drawn)]))
    predicts = interval.excludes_zero()
    return replace(counted, rho=interval.mean, low=interval.low, high=interval.high, predicts=predicts)


def rank_correlation(first: np.ndarray, second: np.ndarray, strata: Sequence[Any], weights: np.ndarray) -> np.ndarray:
    """Spearman's rho of (N,) and (N,) for each row of ``weights`` (draws, N), how often a point counts; (draws,).

    Ranks are taken and centred inside each stratum, ties at their middle rank, and then correlated over all: with
    one stratum and weights of one it is the common rho. NaN where one side does not vary.
    """
    _, stratum = np.unique([repr(item) for item in strata], return_inverse=True)
    same = stratum[:, None] == stratum[None]
    weights = np.asarray(weights, np.float64)
    share = np.maximum(weights @ same, 1e-300)  # weight of a point's stratum

    def ranks(values: np.ndarray) -> np.ndarray:
        lower, equal = values[None] < values[:, None], values[None] == values[:, None]
        rank = weights @ (same * (lower + 0.5 * equal)).T / share
        return rank - (weights * rank) @ same / share

    one, other = ranks(first), ranks(second)
    spread = np.sqrt((weights * one * one).sum(axis=1) * (weights * other * other).sum(axis=1))
    known = spread > 1e-12
    return np.where(known, (weights * one * other).sum(axis=1) / np.where(known, spread, 1.0), np.nan)


def _sentence(rows: Sequence[GateRow], level: str) -> str:
    tested = [row for row in rows if row.level == level and row.of.low is not None]
    where = "over arms and folds" if level == "arms" else "among the arms of one fold and category"
    if not tested:
        return f"Gates {where}: too few arms to tell whether any of them predicts the lift."
    found = [row for row in tested if row.of.predicts]
    if not found:
        return f"Gates {where}: none of {len(tested)} is shown to predict the lift."
    listed = ", ".join(f"{row.gate} (rho {_signed(row.of)})" for row in found)
    return (
        f"Gates {where}: {len(found)} of {len(tested)} go with the lift: {listed}. By chance alone about "
        f"{0.05 * len(tested):.1f} of {len(tested)} would."
    )


def _signed(of: Correlation) -> str:
    return f"{of.rho:+.2f} [{of.low:+.2f}, {of.high:+.2f}]"
