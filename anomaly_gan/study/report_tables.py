"""The tables of a study's page, each from the summary's values alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from detection.evaluation.metric_names import TITLES, mean_figure

from ..report.tables import Table, table
from .config import MAIN, StudyConfig
from .plan import StudyRun
from .splits import SPLIT_COLUMNS, told_rows
from .statistics.ablated import AblatedFigure, Ablations
from .statistics.ablations import AIMS
from .statistics.comparisons import NONE

GATE_PLACE = ("variant", "arm", "fold", "category")
METRICS = ("map50", "map", "miou")
SIDE_BY_SIDE = ("map50", "map50_box", "map", "miou", "image_recall_at_5")


def detector_table(summary: Mapping[str, Any]) -> Table:
    """Table 5's form: every detector with what it learned from, main's arms first; empty where there is but one.

    A ``none`` that is main's has no second row."""
    rows = []
    for name, part in summary["detectors"].items():
        for variant, of in ((MAIN, part), *part["variants"].items()):
            lifts, again = lifts_of(of), variant != MAIN and none_of(of) == none_of(part)
            rows += [
                [
                    name,
                    variant,
                    arm,
                    of["arms"][arm]["cells"],
                    *((of["arms"][arm].get(metric) or {}).get("mean") for metric in SIDE_BY_SIDE),
                    spread(lifts.get(arm), sign=True),
                    (lifts.get(arm) or {}).get("verdict"),
                ]
                for arm in of["order"]
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
        rows if len(summary["detectors"]) > 1 else [],
    )


def none_of(part: Mapping[str, Any]) -> Mapping[str, float] | None:
    """AP of ``none`` by fold, which tells a variant's own from main's."""
    return ((part["arms"].get(NONE) or {}).get("map50") or {}).get("per_fold")


def lifts_of(part: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The comparison with ``none`` of every arm that has one."""
    return {row["arm"]: row for row in part["comparisons"] if row["kind"] == NONE}


def arm_table(part: Mapping[str, Any], title: str) -> Table:
    """Mean and interval of every figure, the difference to ``none``, and how many cells stand behind it."""
    lifts = lifts_of(part)
    rows = []
    for arm in part["order"]:
        item, lift = part["arms"][arm], lifts.get(arm)
        rows.append(
            [
                arm,
                item["cells"],
                *(spread(item.get(metric)) for metric in METRICS),
                *([spread(lift, sign=True), lift["verdict"] if lift else None] if lifts else []),
            ]
        )
    more = ["AP@0.5 over none", "verdict"] if lifts else []
    return table(["arm", "cells", *(TITLES[metric] for metric in METRICS), *more], rows, title)


def category_table(arms: Mapping[str, Any], order: Sequence[str]) -> Table:
    names = sorted({name for item in arms.values() for name in item["categories"]})
    return table(
        ["arm", *names],
        [[arm, *(spread(arms[arm]["categories"].get(name)) for name in names)] for arm in order],
        "AP@0.5 per category",
    )


def comparison_table(rows: Sequence[Mapping[str, Any]], counted: str = "seed") -> Table:
    return table(
        ["arm", "against", "AP@0.5", f"over {counted}s alone", "p", "verdict", "corrected", "pairs", "objects"],
        [
            [
                row["arm"],
                row["against"],
                spread(row, sign=True),
                spread(row["over_seeds"], sign=True),
                row["p"],
                row["verdict"],
                row["verdict_holm"],
                row["cells"],
                row["objects"],
            ]
            for row in rows
        ],
        f"Every comparison, paired by fold and {counted}",
    )


def gate_figure_tables(study: StudyConfig, rows: Sequence[Mapping[str, Any]]) -> list[Table]:
    """What the gates measured: per variant and arm, the mean over categories and folds of every figure."""
    result = []
    for variant in study.variant_names():
        own = [row for row in rows if row["variant"] == variant]
        names = list(dict.fromkeys(name for row in own for name in row if name not in GATE_PLACE))
        arms = sorted({row["arm"] for row in own})
        lines = [
            [arm, *(mean_figure(row.get(name) for row in own if row["arm"] == arm) for name in names)] for arm in arms
        ]
        if lines:
            result.append(table(["arm", *names], lines, variant))
    return result


def leak_tables(part: Mapping[str, Any]) -> list[Table]:
    return [
        table(
            ["arm", "by objects", "by photographs", "leakage is worth"],
            [
                [arm, spread(row["by_objects"]), spread(row["by_images"]), spread(row["gap"], sign=True)]
                for arm, row in part["arms"].items()
            ],
            "AP@0.5 under both splits",
        )
    ]


def gate_tables(part: Mapping[str, Any]) -> list[Table]:
    return [
        table(
            ["gate", "between", "rank correlation with the lift", "predicts", "points", "remark"],
            [
                [
                    row["gate"],
                    row["level"],
                    spread({**row, "mean": row["rho"]}, sign=True),
                    row["predicts"],
                    row["points"],
                    row.get("reason"),
                ]
                for row in part["rows"]
            ],
            "Every gate",
        )
    ]


def amount_tables(part: Mapping[str, Any]) -> list[Table]:
    shown = {
        "amounts": ("real times", "real_times", "synthetic per real", "per_real", "Amounts (Table 6)"),
        "objects": ("real objects per category", "objects", "real times", "real_times", "Real objects (Fig. 11)"),
    }
    return [
        table(
            ["variant", "arm", head, second, "AP@0.5", "over none", "verdict"],
            [
                [
                    row["variant"],
                    row["arm"],
                    row[key],
                    row[other],
                    spread(row["map50"]),
                    spread(row["lift"], sign=True),
                    (row["lift"] or {}).get("verdict"),
                ]
                for row in part[name]
            ],
            title,
        )
        for name, (head, key, second, other, title) in shown.items()
        if part[name]
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
                *(spread(row.figures[aim.name].level.to_json()) if aim.name in row.figures else None for aim in aims),
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
    return f"{spread(change.interval.to_json(), sign=True)}, {change.verdict}" if change else None


def spread(value: Mapping[str, Any] | None, sign: bool = False) -> str | None:
    """``0.412 [0.380, 0.444]``, or the mean alone where there is no interval."""
    if value is None or value.get("mean") is None:
        return None
    form = "+.3f" if sign else ".3f"
    if value.get("low") is None or value.get("high") is None:
        return f"{value['mean']:{form}}"
    return f"{value['mean']:{form}} [{value['low']:{form}}, {value['high']:{form}}]"


def split_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    return table(
        [name.replace("_", " ") for name in SPLIT_COLUMNS],
        [[row[name] for name in SPLIT_COLUMNS] for row in told_rows(rows)],
    )


def run_table(runs: Sequence[StudyRun], summary: Mapping[str, Any]) -> Table:
    """How many cells of each run are there."""
    missing: dict[str, int] = {}
    for name in summary["cells"]["missing"]:
        run = name.rpartition("/")[0]
        missing[run] = missing.get(run, 0) + 1
    rows = [
        [run.name, len(run.cells()) - missing.get(run.name, 0), len(run.cells()), run.config.data.split] for run in runs
    ]
    return table(["run", "cells finished", "cells in all", "split by"], rows)
