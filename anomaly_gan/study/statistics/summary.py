"""A whole study in one JSON value, and its rows for the CSV files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..config import MAIN, repeat_name, split_repeat
from .amount import amount_study
from .cells import StudyCell
from .comparisons import NONE, OURS, base_method, by_arm, main_comparisons, sample_size, side_by_side
from .gates import GateFigures, gate_study
from .leak import gated_against_ungated, leak_gap
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


def summarise_study(
    cells_by_variant: Mapping[str, Sequence[StudyCell]],
    *,
    gates_by_variant: Mapping[str, Sequence[GateFigures]] | None = None,
    configs: Mapping[str, Mapping[str, Any]] | None = None,
    seed: int = 0,
    draws: int = DRAWS,
) -> dict[str, Any]:
    """Everything the finished cells say. JSON-able without NaN; the same cells, in any order, give the same value.

    Args:
        cells_by_variant: the cells of ``main`` and of the variants; see :mod:`.leak` and :mod:`.amount` for the names
            with a meaning. Missing cells are fine: comparisons use the pairs that are there and say how many.
        gates_by_variant: what the gates measured; only ``main`` is read.
        configs: resolved run configurations by variant.
        draws: bootstrap draws; p-values cannot fall below 2 / (draws + 1), so 1000 carry Holm's correction for
            up to 25 arms.

    Raises:
        ValueError: fewer than 2 draws.
        InputError: K8 cells of one fold were judged on different objects.
    """
    if draws < 2:
        raise ValueError(f"draws: {draws} give no interval, needs at least 2")
    detectors = sorted({cell.detector for cells in cells_by_variant.values() for cell in cells})
    parts = {
        name: _detector(cells_by_variant, name, (gates_by_variant or {}).get(MAIN, ()), configs or {}, seed, draws)
        for name in detectors
    }
    return {
        "metric": "map50",
        "draws": draws,
        "seed": seed,
        "notes": list(NOTES),
        "detectors": parts,
        "sentences": [
            text if len(parts) == 1 else f"[{name}] {text}"
            for name, part in parts.items()
            for text in part["sentences"]
        ],
    }


def _detector(
    cells_by_variant: Mapping[str, Sequence[StudyCell]],
    name: str,
    gates: Sequence[GateFigures],
    configs: Mapping[str, Mapping[str, Any]],
    seed: int,
    draws: int,
) -> dict[str, Any]:
    drawn: dict[str, list[DrawnCell]] = {}
    for variant, cells in cells_by_variant.items():
        chosen = [cell for cell in cells if cell.detector == name]
        if chosen:
            drawn[variant] = draw_cells(chosen, draws, seed)
    arms = by_arm(drawn.get(MAIN, ()))
    main = side_by_side(arms, seed)
    size = sample_size(main["comparisons"])
    leak = leak_gap(drawn[MAIN], drawn[LEAK], seed) if MAIN in drawn and LEAK in drawn else None
    gated = gated_against_ungated(drawn[MAIN], drawn[UNGATED], seed) if MAIN in drawn and UNGATED in drawn else None
    gate = gate_study(arms, gates, seed, draws) if gates else None
    amount = amount_study(
        {variant: cells for variant, cells in drawn.items() if variant not in (LEAK, UNGATED)}, configs, seed
    )
    complete = {variant: with_none(variant, drawn, configs) for variant in drawn}
    repeats = {
        variant: side_by_side(by_arm(cells), seed, f"{variant}, repeats", UNIT)
        for variant, cells in over_repeats(complete).items()
    }
    # what a reader meets first: over all repeats of the main variant, where there are several
    first = main_comparisons(main | {"repeats": repeats})
    sentences = [row["sentence"] for row in sorted(first, key=lambda row: row["kind"] != "none")]
    sentences += [size["sentence"]] if size else []
    for part in (leak, gated):
        sentences += part["sentences"] if part else []
    sentences += gate.sentences if gate else []
    sentences += amount["sentences"] if amount else []
    return {
        **main,
        "sample_size": size,
        "variants": {
            variant: side_by_side(by_arm(cells), seed, variant)
            for variant, cells in complete.items()
            if variant != MAIN
        },
        "repeats": repeats,
        "leak": leak,
        "ungated": gated,
        "gates": gate.to_json() if gate else None,
        "amount": amount,
        "goal": goal(first),
        "sentences": sentences,
    }


def with_none(
    variant: str, drawn: Mapping[str, Sequence[DrawnCell]], configs: Mapping[str, Mapping[str, Any]]
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


def _data(config: Mapping[str, Any] | None) -> dict[str, object]:
    return {name: value for name, value in ((config or {}).get("data") or {}).items() if name != "fold"}


def goal(rows: Sequence[Mapping[str, Any]], over_none: float = 0.10, over_best: float = 0.05) -> dict[str, Any] | None:
    """Whether one of our arms reaches +10 points over ``none`` and +5 over the best other arm, both intervals above
    zero; per arm and in total. None where none of ours was compared with both."""
    arms: dict[str, dict[str, bool]] = {}
    for row in rows:
        if base_method(row["arm"]) in OURS and row["kind"] in (NONE, "best_other"):
            least = over_none if row["kind"] == NONE else over_best
            arms.setdefault(row["arm"], {})[row["kind"]] = bool(row["verdict"] == "better" and row["mean"] >= least)
    reached = {arm: all(kinds.values()) for arm, kinds in arms.items() if len(kinds) == 2}
    return (
        {"over_none": over_none, "over_best_other": over_best, "arms": reached, "reached": any(reached.values())}
        if reached
        else None
    )


def comparison_rows(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of ``comparisons.csv``, columns ``COMPARISON_COLUMNS``: each comparison, then each of its categories.

    A variant's arms are compared with each other, never with main's; ``NAME, all repeats`` counts repeats."""
    rows: list[dict[str, Any]] = []
    of_variants = [
        (detector, variant, of)
        for detector, part in summary["detectors"].items()
        for variant, of in (
            (MAIN, part),
            *part["variants"].items(),
            *((f"{name}, all repeats", of) for name, of in part["repeats"].items()),
        )
    ]
    for detector, variant, part in of_variants:
        for item in part["comparisons"]:
            common = {
                "variant": variant,
                "detector": detector,
                **{name: item[name] for name in ("arm", "against", "kind")},
            }
            rows += [common | row for row in _of_comparison(item)]
    return [{name: row.get(name) for name in COMPARISON_COLUMNS} for row in rows]


AS_THEY_ARE = ("p", "p_holm", "verdict", "verdict_holm", "folds", "unpaired", "objects", "objects_needed")
"""Figures of a comparison that are columns under their own names."""


def _of_comparison(item: Mapping[str, Any]) -> list[dict[str, object]]:
    """Its own row, and one for each category."""
    whole = {
        "category": None,
        **_difference(item),
        "seeds_low": item["over_seeds"]["low"],
        "seeds_high": item["over_seeds"]["high"],
        **{name: item[name] for name in AS_THEY_ARE},
    }
    categories = sorted((name, value) for name, value in item["categories"].items() if value is not None)
    return [whole, *({"category": name, **_difference(value), "folds": value["folds"]} for name, value in categories)]


def _difference(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "difference": figures["mean"],
        "low": figures["low"],
        "high": figures["high"],
        "pairs": figures["cells"],
    }


def gate_rows(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of ``gates.csv``, columns ``GATE_COLUMNS``; none where no gate was looked at."""
    return [
        {name: row.get(name) for name in GATE_COLUMNS}
        for detector, part in summary["detectors"].items()
        for item in (part["gates"] or {"rows": []})["rows"]
        for row in [{"detector": detector, **item}]
    ]
