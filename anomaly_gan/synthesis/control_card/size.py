"""Size on the card: the same mask smaller and larger (``--scale``), and how large a defect the pictures then show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...core.channels import change_of
from ...core.errors import InputError
from ...core.progress import track
from ...core.seeding import rng_for, seed_for
from ..paint.placement import Placement, place
from ..paint.stage import paint_instances
from .config import CardConfig
from .statistics import TARGET, Row, by_category, over_masks, rho
from .subjects import LEAST_PX, Model, Subject, cut, first_of_each

FEWEST = 3
"""A mask that fits its photograph at fewer scales is left out."""


def evaluate_sizes(
    model: Model, subjects: Sequence[Subject], config: CardConfig
) -> tuple[dict[str, object], list[list[np.ndarray]]]:
    """Per category and over all: Spearman's rho of the label's area with that of the visible change, over all masks of
    a category together (``pooled``) and mask by mask (``within``), with intervals over masks; and the median of their
    ratio. Then a sheet: each normal, and its mask painted at every scale (the normal where it does not fit)."""
    rows, sheet = [], []
    shown = {subject.name for subject in first_of_each(subjects, config.sheet_rows)}
    for subject in track(subjects, "size"):
        row, pictures = _sweep(model, subject, config)
        rows += [row] if len(row["label_px"]) >= FEWEST else []
        sheet += [pictures] if subject.name in shown else []
    if not rows:
        return {"masks": 0}, sheet
    of_category = by_category(rows)
    pooled, within = (
        over_masks(list(of_category.values()), measure, config.draws // 5, rng_for(model.seed, "size", name))
        for name, measure in (("pooled", _pooled), ("within", _within))
    )
    return {
        "target": TARGET,
        "masks": len(rows),
        "scales": list(config.scales),
        "pooled": pooled,
        "within": within,
        "ratio": _ratio(rows),
        "met": pooled["rho"] >= TARGET,
        "categories": {
            name: {
                "masks": len(chosen),
                "pooled": round(_pooled(chosen), 4),
                "within": round(_within(chosen), 4),
                "ratio": _ratio(chosen),
            }
            for name, chosen in of_category.items()
        },
    }, sheet


def _sweep(model: Model, subject: Subject, config: CardConfig) -> tuple[Row, list[np.ndarray]]:
    """One mask at all scales at which it stays whole in its photograph: areas of label and visible change in pixels;
    and the normal and its paintings, cut alike. Severities are left to the model."""
    label, visible = [], []
    widest, pictures = subject.mask_01, [subject.base]
    for scale in config.scales:
        pictures.append(subject.base)
        try:
            placed = place(
                subject.name,
                [(subject.category, subject.mask_01)],
                subject.mask_01.shape,
                Placement(scale=scale),
                rng_for(model.seed, "size", subject.name),
            )
        except InputError:  # it would leave the photograph, or nothing would be left of it
            continue
        mask_01 = placed[0][1]
        if mask_01.sum() < LEAST_PX:
            continue
        pictures[-1], _ = paint_instances(
            model.brush, model.channels, subject.base, placed, None, seed_for(model.seed, "sized", subject.name)
        )
        label.append(int(mask_01.sum()))
        visible.append(int((change_of(pictures[-1], subject.base) > config.changed_by).sum()))
        widest = max(widest, mask_01, key=np.count_nonzero)
    row = {"category": subject.category, "label_px": label, "visible_px": visible}
    return row, [cut(pixels, widest) for pixels in pictures]


def _pooled(rows: Sequence[Row]) -> float:
    return rho([area for row in rows for area in row["label_px"]], [area for row in rows for area in row["visible_px"]])


def _within(rows: Sequence[Row]) -> float:
    return float(np.mean([rho(row["label_px"], row["visible_px"]) for row in rows]))


def _ratio(rows: Sequence[Row]) -> float:
    """Median of visible area over the label's."""
    return round(
        float(
            np.median(
                [seen / area for row in rows for seen, area in zip(row["visible_px"], row["label_px"], strict=True)]
            )
        ),
        4,
    )
