"""What a whole study says, a value with a type, and its rows for the CSV files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from anomaly_gan.pipeline.config import RunConfig

from ..config import MAIN, repeat_name, split_repeat
from .amount import AmountStudy, amount_study
from .cells import StudyCell
from .comparisons import (
    NONE,
    OURS,
    Comparison,
    SampleSize,
    SideBySide,
    base_method,
    by_arm,
    sample_size,
    side_by_side,
)
from .estimate import Estimate
from .gates import GateFigures, GateStudy, gate_study
from .leak import GatedStudy, LeakStudy, gated_study, leak_study
from .repeats import UNIT, over_repeats
from .resample import DrawnCell, draw_cells

LEAK, UNGATED = "leak", "ungated"
DRAWS = 1000
COMPARISON_COLUMNS = (
    "variant",
    "detector",
    "arm",
    "against",
    "kind",
    "category",
    "difference",
    "low",
    "high",
    "seeds_low",
    "seeds_high",
    "p",
    "p_holm",
    "verdict",
    "verdict_holm",
    "folds",
    "pairs",
    "unpaired",
    "objects",
    "objects_needed",
)
GATE_COLUMNS = ("detector", "level", "gate", "rho", "low", "high", "predicts", "points", "arms", "folds", "reason")
NOTES = (
    "Primary figure, chosen in advance: AP at IoU 0.5, the mean over folds of the mean over seeds; every fold is judged"
    " on its own held-out objects.",
    "Intervals are 95 % and come from drawing the test objects (not the photographs) and the seeds of each fold again,"
    " the same draw for all arms. What other training photographs would have done is not in them, but for the draw of"
    " few objects in comparisons over repeats.",
    "A verdict is better or worse only where the interval leaves out zero; otherwise no difference is shown, which is "
    "not the same as none being there.",
    "The best other arm is chosen by the very figures it is compared on: this flatters it.",
)


@dataclass(frozen=True)
class DetectorSummary:
    """What the cells of one detector say: the arms of ``main``, of every other variant, and of every variant with its
    repeats as one sample; what else was compared is None where the study has no such variant."""

    main: SideBySide
    variants: Mapping[str, SideBySide]
    repeats: Mapping[str, SideBySide]
    leak: LeakStudy | None
    ungated: GatedStudy | None
    gates: GateStudy | None
    amount: AmountStudy | None

    @property
    def first(self) -> Sequence[Comparison]:
        """The comparisons that a reader meets first: over all repeats of ``main`` where there are several."""
        return self.repeats.get(MAIN, self.main).comparisons

    @property
    def sample_size(self) -> SampleSize | None:
        return sample_size(self.main.comparisons)

    @property
    def sentences(self) -> list[str]:
        size = self.sample_size
        return [
            *(row.sentence() for row in sorted(self.first, key=lambda row: row.kind != NONE)),
            *([size.sentence()] if size else []),
            *(text for part in (self.leak, self.ungated, self.gates, self.amount) if part for text in part.sentences),
        ]

    def to_json(self) -> dict[str, object]:
        size, reached = self.sample_size, goal(self.first)
        return {
            **self.main.to_json(),
            "sample_size": size.to_json() if size else None,
            "variants": {name: of.to_json() for name, of in self.variants.items()},
            "repeats": {name: of.to_json() for name, of in self.repeats.items()},
            "leak": self.leak.to_json() if self.leak else None,
            "ungated": self.ungated.to_json() if self.ungated else None,
            "gates": self.gates.to_json() if self.gates else None,
            "amount": self.amount.to_json() if self.amount else None,
            "goal": reached.to_json() if reached else None,
            "sentences": self.sentences,
        }


@dataclass(frozen=True)
class StudySummary:
    """Everything that finished cells say, by detector."""

    draws: int
    seed: int
    detectors: Mapping[str, DetectorSummary]

    @property
    def sentences(self) -> list[str]:
        return [
            text if len(self.detectors) == 1 else f"[{name}] {text}"
            for name, part in self.detectors.items()
            for text in part.sentences
        ]

    def to_json(self) -> dict[str, object]:
        """Without NaN."""
        return {
            "metric": "map50",
            "draws": self.draws,
            "seed": self.seed,
            "notes": list(NOTES),
            "detectors": {name: part.to_json() for name, part in self.detectors.items()},
            "sentences": self.sentences,
        }


@dataclass(frozen=True)
class Goal:
    """Whether one of our arms reaches ``over_none`` points over ``none`` and ``over_best_other`` over the best other
    arm, both intervals above zero; per arm and in total."""

    over_none: float
    over_best_other: float
    arms: Mapping[str, bool]

    @property
    def reached(self) -> bool:
        return any(self.arms.values())

    def to_json(self) -> dict[str, object]:
        return asdict(self) | {"reached": self.reached}


def summarise_study(
    cells_by_variant: Mapping[str, Sequence[StudyCell]],
    *,
    gates_by_variant: Mapping[str, Sequence[GateFigures]] | None = None,
    configs: Mapping[str, RunConfig] | None = None,
    seed: int = 0,
    draws: int = DRAWS,
) -> StudySummary:
    """Everything the finished cells say; the same cells, in any order, give the same value.

    Args:
        cells_by_variant: the cells of ``main`` and of the variants, of which ``leak`` and ``ungated`` have a meaning
            (see :mod:`.leak`). Missing cells are fine: comparisons use the pairs that are there and say how many.
        gates_by_variant: what the gates measured; only ``main`` is read.
        configs: run configurations by variant: what tells amounts (see :mod:`.amount`) and data apart.
        seed: of the draws.
        draws: bootstrap draws; p-values cannot fall below 2 / (draws + 1), so 1000 carry Holm's correction for
            up to 25 arms.

    Raises:
        ValueError: fewer than 2 draws.
        InputError: K8 cells of one fold were evaluated on different objects.
    """
    if draws < 2:
        raise ValueError(f"draws: {draws} give no interval, needs at least 2")
    names = sorted({cell.detector for cells in cells_by_variant.values() for cell in cells})
    gates = (gates_by_variant or {}).get(MAIN, ())
    parts = {}
    for name in names:
        own = {
            variant: [cell for cell in cells if cell.detector == name] for variant, cells in cells_by_variant.items()
        }
        drawn = {variant: draw_cells(cells, draws, seed) for variant, cells in own.items() if cells}
        parts[name] = _detector(drawn, gates, configs or {}, seed, draws)
    return StudySummary(draws, seed, parts)


def _detector(
    drawn: Mapping[str, Sequence[DrawnCell]],
    gates: Sequence[GateFigures],
    configs: Mapping[str, RunConfig],
    seed: int,
    draws: int,
) -> DetectorSummary:
    """From the cells of one detector, by variant."""
    main, leak, ungated = (drawn.get(name, ()) for name in (MAIN, LEAK, UNGATED))
    amounts = {variant: cells for variant, cells in drawn.items() if variant not in (LEAK, UNGATED)}
    arms = by_arm(main)
    complete = {variant: with_none(variant, drawn, configs) for variant in drawn}
    return DetectorSummary(
        side_by_side(arms, seed),
        {variant: side_by_side(by_arm(cells), seed, variant) for variant, cells in complete.items() if variant != MAIN},
        {
            variant: side_by_side(by_arm(cells), seed, f"{variant}, repeats", UNIT)
            for variant, cells in over_repeats(complete).items()
        },
        leak_study(main, leak, seed),
        gated_study(main, ungated, seed),
        gate_study(arms, gates, seed, draws) if gates else None,
        amount_study(amounts, configs, seed),
    )


def with_none(
    variant: str, drawn: Mapping[str, Sequence[DrawnCell]], configs: Mapping[str, RunConfig]
) -> list[DrawnCell]:
    """A variant's cells; where it has no ``none`` of its own but the data of ``main`` (of the same repeat), with those
    of main's: ``none`` trains on real photographs, whatever a variant does with generated ones."""
    own, main = list(drawn[variant]), repeat_name(MAIN, split_repeat(variant)[1])
    if any(item.cell.arm == NONE for item in own) or _data(configs.get(variant)) != _data(configs.get(main)):
        return own
    tested = {(item.cell.fold, item.cell.objects) for item in own}
    return own + [
        item for item in drawn.get(main, ()) if item.cell.arm == NONE and (item.cell.fold, item.cell.objects) in tested
    ]


def _data(config: RunConfig | None) -> dict[str, object]:
    return config.data.model_dump(exclude={"fold"}) if config else {}


def goal(rows: Sequence[Comparison], over_none: float = 0.10, over_best: float = 0.05) -> Goal | None:
    """None where none of our arms was compared with both."""
    least = {NONE: over_none, "best_other": over_best}
    arms: dict[str, dict[str, bool]] = {}
    for row in rows:
        if base_method(row.arm) in OURS and row.kind in least:
            reached = row.made.verdict == "better" and row.made.interval.mean >= least[row.kind]
            arms.setdefault(row.arm, {})[row.kind] = reached
    both = {arm: all(kinds.values()) for arm, kinds in arms.items() if len(kinds) == 2}
    return Goal(over_none, over_best, both) if both else None


def comparison_rows(summary: StudySummary) -> list[dict[str, object]]:
    """Rows of ``comparisons.csv``, columns ``COMPARISON_COLUMNS``: each comparison, then each of its categories.

    A variant's arms are compared with each other, never with main's; ``NAME, all repeats`` counts repeats."""
    rows = [
        {"variant": variant, "detector": detector, "arm": item.arm, "against": item.against, "kind": item.kind} | row
        for detector, part in summary.detectors.items()
        for variant, of in (
            (MAIN, part.main),
            *part.variants.items(),
            *((f"{name}, all repeats", of) for name, of in part.repeats.items()),
        )
        for item in of.comparisons
        for row in _of_comparison(item)
    ]
    return [{name: row.get(name) for name in COMPARISON_COLUMNS} for row in rows]


def _of_comparison(item: Comparison) -> list[dict[str, object]]:
    """Its own row, and one for each category."""
    whole = {
        "category": None,
        **_difference(item.made),
        "seeds_low": item.made.over_seeds.low,
        "seeds_high": item.made.over_seeds.high,
        "p": item.made.p,
        "p_holm": item.p_holm,
        "verdict": item.made.verdict,
        "verdict_holm": item.verdict_holm,
        "unpaired": item.unpaired,
        "objects": item.objects,
        "objects_needed": item.objects_needed,
    }
    categories = sorted((name, made) for name, made in item.categories.items() if made is not None)
    return [whole, *({"category": name, **_difference(made)} for name, made in categories)]


def _difference(made: Estimate) -> dict[str, object]:
    of = made.interval
    return {
        "difference": of.mean,
        "low": of.low,
        "high": of.high,
        "folds": len(made.per_fold),
        "pairs": made.pairs,
    }


def gate_rows(summary: StudySummary) -> list[dict[str, object]]:
    """Rows of ``gates.csv``, columns ``GATE_COLUMNS``; none where no gate was looked at."""
    return [
        {name: content.get(name) for name in GATE_COLUMNS}
        for detector, part in summary.detectors.items()
        if part.gates
        for row in part.gates.rows
        for content in [{"detector": detector, **row.to_json()}]
    ]
