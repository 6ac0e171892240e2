"""Severity on the card: each mask painted from the faintest to the strongest, and what the pictures then show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...core.channels import change_of
from ...core.progress import track
from ...core.seeding import rng_for, seed_for
from ..methods.painting.severity_scale import SeverityScale
from .config import CardConfig
from .statistics import TARGET, Row, by_category, over_masks, rho
from .subjects import Model, Subject, first_of_each


def sweep(model: Model, subjects: Sequence[Subject], config: CardConfig) -> tuple[list[Row], list[list[np.ndarray]]]:
    """One row per mask, each figure a list over the severities; and the pictures of the masks on a sheet.

    ``contrast``: the picture's log ratio along the category's side; ``first``: that of the generator asked once;
    ``visible_px``: mask pixels that changed visibly; ``asked``: the contrast that was wanted.
    """
    grid = np.linspace(0, 1, config.levels)
    scales = {name: SeverityScale.of(bank) for name, bank in model.brush.severities.items()}
    rows: list[Row] = []
    pictures: list[list[np.ndarray]] = []
    shown = {subject.name for subject in first_of_each(subjects, config.sheet_rows)}
    for subject in track(subjects, "severity"):
        scale, seed = scales[subject.category], seed_for(model.seed, "severity", subject.name)
        filled = [model.fill(subject, seed, wanted=scale.at(float(place))) for place in grid]
        inside = subject.mask_01 != 0
        rows.append(
            {
                "mask": subject.name,
                "category": subject.category,
                "area_px": int(inside.sum()),
                "asked": [round(scale.sign * scale.at(float(place))[0], 4) for place in grid],
                "contrast": [round(scale.sign * one.shown, 4) for one in filled],
                "first": [round(scale.sign * one.first, 4) for one in filled],
                "visible_px": [
                    int((change_of(one.pixels, subject.base)[inside] > config.changed_by).sum()) for one in filled
                ],
                "passes": [one.passes for one in filled],
            }
        )
        if subject.name in shown:
            pictures.append([one.pixels for one in filled])
    return rows, pictures


def figures(rows: list[Row], config: CardConfig, seed: int) -> dict[str, object]:
    """Per category and over all: Spearman's rho of the asked severity with each measured figure, over all masks of a
    category together (``pooled``) and mask by mask (``within``), with intervals over masks."""
    of_category = by_category(rows)
    result: dict[str, Any] = {"target": TARGET, "levels": config.levels, "categories": {}}
    for name, chosen in of_category.items():
        result["categories"][name] = {
            "masks": len(chosen),
            **{
                figure: {
                    "pooled": _interval([chosen], figure, pooled, config, seed),
                    "within": _interval([chosen], figure, within, config, seed),
                }
                for figure in ("contrast", "first", "visible_share")
            },
            "asked": [round(float(value), 4) for value in np.mean([row["asked"] for row in chosen], axis=0)],
            "shown": [round(float(value), 4) for value in np.mean([row["contrast"] for row in chosen], axis=0)],
            "missed_by": round(
                float(np.mean([np.abs(np.subtract(row["asked"], row["contrast"])) for row in chosen])), 4
            ),
            "passes": round(float(np.mean([row["passes"] for row in chosen])), 2),
        }
    groups = list(of_category.values())
    result["all"] = {
        figure: {
            "pooled": _interval(groups, figure, pooled, config, seed),
            "within": _interval(groups, figure, within, config, seed),
        }
        for figure in ("contrast", "first", "visible_share")
    }
    result["met"] = result["all"]["contrast"]["pooled"]["rho"] >= TARGET
    return result


def _table(rows: Sequence[Row], figure: str) -> np.ndarray:
    """(masks, severities)"""
    if figure == "visible_share":
        return np.array([np.divide(row["visible_px"], row["area_px"]) for row in rows])
    return np.array([row[figure] for row in rows], float)


def pooled(table: np.ndarray) -> float:
    """Spearman's rho of severity and figure over all masks (M, levels) together."""
    return rho(np.tile(np.linspace(0, 1, table.shape[1]), len(table)), table.ravel())


def within(table: np.ndarray) -> float:
    """The mean of the masks' own rhos."""
    grid = np.linspace(0, 1, table.shape[1])
    return float(np.mean([rho(grid, row) for row in table]))


def _interval(
    groups: list[list[Row]], figure: str, measure: Callable[[np.ndarray], float], config: CardConfig, seed: int
) -> dict[str, float]:
    return over_masks(
        groups,
        lambda rows: measure(_table(rows, figure)),
        config.draws // 5,
        rng_for(seed, "rho", figure, measure.__name__),
    )
