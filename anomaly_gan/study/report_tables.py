"""The tables of a study's page, each from the summary's values alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from detection.evaluation.metric_names import TITLES, mean_figure
from detection.evaluation.statistics import Interval

from ..report.tables import Table, table
from .config import MAIN, StudyConfig
from .outcome import CellCount
from .plan import StudyRun
from .splits import SPLIT_COLUMNS, told_rows
from .statistics.ablated import AblatedFigure, Ablations
from .statistics.ablations import AIMS
from .statistics.amount import AmountStudy
from .statistics.comparisons import NONE, ArmFigures, Comparison, SideBySide
from .statistics.estimate import Estimate
from .statistics.gates import GateFigures, GateStudy
from .statistics.leak import LeakStudy
from .statistics.summary import StudySummary

METRICS = ("map50", "map", "miou")
SIDE_BY_SIDE = ("map50", "map50_box", "map", "miou", "image_recall_at_5")


def detector_table(summary: StudySummary) -> Table:
    """Table 5's form: every detector with what it learned from, main's arms first; empty where there is but one.

    A ``none`` that is main's has no second row."""
    rows = []
    for name, part in summary.detectors.items():
        for variant, of in ((MAIN, part.main), *part.variants.items()):
            lifts, again = of.over_none, variant != MAIN and none_of(of) == none_of(part.main)
            rows += [
                [
                    name,
                    variant,
                    arm,
                    figures.cells,
                    *(made.interval.mean if (made := figures.metrics[metric]) else None for metric in SIDE_BY_SIDE),
                    *difference(lifts.get(arm)),
                ]
                for arm, figures in of.arms.items()
                if arm != NONE or not again
            ]
    return table(
        [
            "detector",
            "variant",
            "arm",
            "cells",
            *(TITLES[metric] for metric in SIDE_BY_SIDE),
            "AP@0.5 over none",
            "verdict",
        ],
        rows if len(summary.detectors) > 1 else [],
    )


def none_of(part: SideBySide) -> Mapping[int, float] | None:
    """AP of ``none`` by fold, which tells a variant's own from main's."""
    made = part.arms[NONE].metrics["map50"] if NONE in part.arms else None
    return made.per_fold if made else None


def difference(row: Comparison | None) -> tuple[str | None, str | None]:
    """A comparison with its verdict."""
    return (spread(row.made, sign=True), row.made.verdict) if row else (None, None)


def arm_table(part: SideBySide, title: str) -> Table:
    """Mean and interval of every figure, the difference to ``none``, and how many cells stand behind it."""
    lifts = part.over_none
    rows = [
        [
            arm,
            figures.cells,
            *(spread(figures.metrics[metric]) for metric in METRICS),
            *(difference(lifts.get(arm)) if lifts else []),
        ]
        for arm, figures in part.arms.items()
    ]
    more = ["AP@0.5 over none", "verdict"] if lifts else []
    return table(["arm", "cells", *(TITLES[metric] for metric in METRICS), *more], rows, title)


def category_table(arms: Mapping[str, ArmFigures]) -> Table:
    names = sorted({name for item in arms.values() for name in item.categories})
    return table(
        ["arm", *names],
        [[arm, *(spread(item.categories.get(name)) for name in names)] for arm, item in arms.items()],
        "AP@0.5 per category",
    )


def comparison_table(rows: Sequence[Comparison], counted: str = "seed") -> Table:
    return table(
        ["arm", "against", "AP@0.5", f"over {counted}s alone", "p", "verdict", "corrected", "pairs", "objects"],
        [
            [
                row.arm,
                row.against,
                spread(row.made, sign=True),
                spread(row.made.over_seeds, sign=True),
                row.made.p,
                row.made.verdict,
                row.verdict_holm,
                row.made.pairs,
                row.objects,
            ]
            for row in rows
        ],
        f"Every comparison, paired by fold and {counted}",
    )


def gate_figure_tables(study: StudyConfig, figures: Sequence[tuple[str, GateFigures]]) -> list[Table]:
    """What the gates measured: per variant and arm, the mean over categories and folds of every figure."""
    result = []
    for variant in study.variant_names():
        own = [item for name, item in figures if name == variant]
        names = list(dict.fromkeys(name for item in own for name in item.figures))
        arms = sorted({item.arm for item in own})
        lines = [
            [arm, *(mean_figure(item.figures.get(name) for item in own if item.arm == arm) for name in names)]
            for arm in arms
        ]
        if lines:
            result.append(table(["arm", *names], lines, variant))
    return result


def leak_tables(part: LeakStudy) -> list[Table]:
    return [
        table(
            ["arm", "by objects", "by photographs", "leakage is worth"],
            [
                [arm, spread(row.ap50.by_objects), spread(row.ap50.by_images), spread(row.ap50.gap, sign=True)]
                for arm, row in part.arms.items()
            ],
            "AP@0.5 under both splits",
        )
    ]


def gate_tables(part: GateStudy) -> list[Table]:
    return [
        table(
            ["gate", "between", "rank correlation with the lift", "predicts", "points", "remark"],
            [
                [
                    row.gate,
                    row.level,
                    spread(row.of.interval, sign=True),
                    row.of.predicts,
                    row.of.points,
                    row.of.reason,
                ]
                for row in part.rows
            ],
            "Every gate",
        )
    ]


def amount_tables(part: AmountStudy) -> list[Table]:
    """Table 6 and Fig. 11, as far as the study has them."""
    shown = (
        (part.amounts, "real_times", "per_real", "Amounts (Table 6)"),
        (part.objects, "objects", "real_times", "Real objects (Fig. 11)"),
    )
    heads = {
        "real_times": "real times",
        "per_real": "synthetic per real",
        "objects": "real objects per category",
    }
    return [
        table(
            ["variant", "arm", heads[key], heads[other], "AP@0.5", "over none", "verdict"],
            [
                [
                    row.variant,
                    row.arm,
                    getattr(row.amount, key),
                    getattr(row.amount, other),
                    spread(row.map50),
                    spread(row.lift, sign=True),
                    row.lift.verdict if row.lift else None,
                ]
                for row in rows
            ],
            title,
        )
        for rows, key, other, title in shown
        if rows
    ]


def ablation_tables(part: Ablations) -> list[Table]:
    """Per arm: every variant's figures, and its differences to main with their verdicts; * marks the primary ones."""
    tables = []
    for arm, variants in part.arms.items():
        aims = [aim for aim in AIMS if any(aim.name in row.figures for row in variants)]
        titles = [aim.title + (" *" if aim.primary else "") for aim in aims]
        levels = [
            [
                row.variant,
                row.changed,
                row.trainings,
                row.verdict,
                row.verdict_holm,
                *(spread(row.figures[aim.name].level) if aim.name in row.figures else None for aim in aims),
            ]
            for row in variants
        ]
        changes = [
            [row.variant, *(ablation_change(row.figures.get(aim.name)) for aim in aims)]
            for row in variants
            if row.variant != MAIN
        ]
        tables += [
            table(
                ["variant", "what it changes", "trainings", "verdict", "corrected", *titles],
                levels,
                f"{arm}: every variant",
            ),
            table(["variant", *titles], changes, f"{arm}: differences to main, paired by fold and seed"),
        ]
    return tables


def ablation_change(figure: AblatedFigure | None) -> str | None:
    change = figure.change if figure else None
    return f"{spread(change.interval, sign=True)}, {change.verdict}" if change else None


def spread(of: Estimate | Interval | None, sign: bool = False) -> str | None:
    """``0.412 [0.380, 0.444]``, or the mean alone where there is no interval."""
    if of is None:
        return None
    interval = of.interval if isinstance(of, Estimate) else of
    form = "+.3f" if sign else ".3f"
    if interval.low is None or interval.high is None:
        return f"{interval.mean:{form}}"
    return f"{interval.mean:{form}} [{interval.low:{form}}, {interval.high:{form}}]"


def split_table(rows: Sequence[Mapping[str, object]]) -> Table:
    return table(
        [name.replace("_", " ") for name in SPLIT_COLUMNS],
        [[row[name] for name in SPLIT_COLUMNS] for row in told_rows(rows)],
    )


def run_table(runs: Sequence[StudyRun], cells: CellCount) -> Table:
    """How many cells of each run are there."""
    missing: dict[str, int] = {}
    for name in cells.missing:
        run = name.rpartition("/")[0]
        missing[run] = missing.get(run, 0) + 1
    rows = [
        [run.name, len(run.cells()) - missing.get(run.name, 0), len(run.cells()), run.config.data.split] for run in runs
    ]
    return table(["run", "cells finished", "cells in all", "split by"], rows)
