"""How well the plausibility model does: rank correlation with experts, and real against shuffled masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from anomaly_gan.core.dataset import Dataset
from anomaly_gan.core.files import write_json, write_text
from anomaly_gan.core.tables import records_csv
from anomaly_gan.statistics.ranks import auroc

from ..elements.expert import PASSABLE
from ..elements.real import Element
from ..placement.real_masks import Scenes
from ..plausibility.config import PlausibilityConfig
from ..plausibility.model import PlausibilityModel
from ..statistics.object_bootstrap import bootstrap
from .plausibility_figures import contact_sheet, draw_rocs, draw_scatter
from .plausibility_shuffles import KINDS
from .plausibility_trial import (
    VIEWS,
    RatedParts,
    Verdict,
    calibrated_unseen,
    cross_validate,
    evaluate_rated,
    held_out,
    spearman,
)

COLUMNS = ("question", "split", "category", "kind", "rated_by", "value", "low", "high", "masks", "objects")
EVERY = "all"
Row = dict[str, object]


def study(
    dataset: Dataset,
    out: Path,
    *,
    rated: Mapping[str, Sequence[Element]] | None = None,
    config: PlausibilityConfig | None = None,
    folds: int = 5,
    draws: int = 2,
    resamples: int = 500,
    seed: int = 0,
) -> dict[str, object]:
    """Write ``table.csv``, ``summary.json``, ``roc.png``, ``sheet.png`` and, with ``rated``, ``scores.png``.

    Args:
        dataset: an ingested data set; the training split is rated in ``folds`` parts by whole objects, the test
            split, where it has masks, once by a model of the whole training split.
        out: folder to write.
        rated: drawings with the experts' scores per category (``filling.rated_by_category``).
        config: of the plausibility model; None: the defaults.
        folds: parts that whole objects are dealt into.
        draws: shuffled masks of every kind beside one real mask.
        resamples: bootstrap samples behind every interval.
        seed: of folds, shuffles and resamples.

    Returns:
        The content of ``summary.json``. Intervals are 95 %, by resampling whole objects (photographs of drawings).

    Raises:
        InputError: a photograph cannot be read.
        ValueError: the training split has no real masks.
    """
    config = config or PlausibilityConfig()
    scenes = Scenes(dataset)
    crossed = cross_validate(dataset, config, scenes, folds, draws, seed)
    rows = auroc_rows(crossed, "train, unseen objects", resamples, seed)
    tested = held_out(dataset, config, scenes, draws, seed) if dataset.split("test").annotations else []
    rows += auroc_rows(tested, "test", resamples, seed)
    draw_rocs(crossed, out / "roc.png")
    contact_sheet(crossed, scenes, out / "sheet.png")
    drawings = [one for own in (rated or {}).values() for one in own if one.score is not None]
    if drawings:
        parts = evaluate_rated(PlausibilityModel.fit(dataset, config, seed, scenes), drawings, scenes)
        unseen = calibrated_unseen(parts)
        rows += score_rows(parts, unseen, resamples, seed)
        draw_scatter(parts, unseen, out / "scores.png")
    write_text(out / "table.csv", records_csv(COLUMNS, rows))
    summary = {
        "rows": rows,
        "folds": folds,
        "draws": draws,
        "seed": seed,
        "config": config.model_dump(mode="json"),
        "pairs": len(crossed),
        "pairs_test": len(tested),
        "rated_drawings": len(drawings),
    }
    write_json(out / "summary.json", summary)
    return summary


def auroc_rows(verdicts: Sequence[Verdict], split: str, resamples: int, seed: int) -> list[Row]:
    """AUROC of every view, kind of shuffling and category, and of all categories together."""
    rows = []
    names = sorted({one.pair.real.category for one in verdicts})
    for category in [*names, *([EVERY] if len(names) > 1 else [])]:
        for kind in KINDS:
            chosen = [one for one in verdicts if category in {EVERY, one.pair.real.category} and one.pair.kind == kind]
            for view in VIEWS if chosen else ():
                rows.append(_auroc_row(chosen, view, split, category, kind, resamples, seed))
    return rows


def _auroc_row(
    chosen: Sequence[Verdict], view: str, split: str, category: str, kind: str, resamples: int, seed: int
) -> Row:
    real = np.array([one.real[view] for one in chosen])
    fake = np.array([one.fake[view] for one in chosen])
    groups = [one.pair.real.parent_group for one in chosen]
    interval = bootstrap(
        groups, lambda index: auroc(fake[index], real[index]), resamples, seed, split, category, kind, view
    )
    return _row(
        "AUROC",
        split,
        category,
        kind,
        view,
        auroc(fake, real),
        interval,
        len({(one.pair.real.category, one.pair.real.parent) for one in chosen}),
        len(set(groups)),
    )


def score_rows(parts: Sequence[RatedParts], unseen: np.ndarray, resamples: int, seed: int) -> list[Row]:
    """Rank correlation with the mean scores, and AUROC for passable against poor drawings.

    The view ``ceiling`` is a model that knows which drawings are passable and nothing else: where scores differ
    among good drawings for no visible reason, no model does better.
    """
    scores = np.array([one.element.score for one in parts], float)
    views = {
        "plausibility": np.array([one.plausibility for one in parts]),
        "calibrated": unseen,
        "shape": np.array([one.parts[0] for one in parts]),
        "place": np.array([one.parts[1] for one in parts]),
        "ceiling": (scores >= PASSABLE).astype(float),
    }
    labels = np.array([one.element.category for one in parts])
    files = np.array([one.element.parent_image for one in parts])
    rows = []
    for category in [*sorted(set(labels)), EVERY]:
        own = np.flatnonzero((labels == category) | (category == EVERY))
        for view, values in views.items():
            mine = own[~np.isnan(values[own])]
            rows += _score_pair(category, view, values[mine], scores[mine], files[mine].tolist(), resamples, seed)
    return rows


def _score_pair(
    category: str, view: str, values: np.ndarray, scores: np.ndarray, files: list[str], resamples: int, seed: int
) -> list[Row]:
    def separates(index: np.ndarray) -> float:
        good = scores[index] >= PASSABLE
        return auroc(values[index][~good], values[index][good]) if 0 < good.sum() < len(good) else float("nan")

    every = np.arange(len(values))
    rows = []
    for question, statistic in (
        ("Spearman", lambda index: spearman(values[index], scores[index])),
        ("AUROC passable", separates),
    ):
        interval = bootstrap(files, statistic, resamples, seed, question, category, view)
        rows.append(
            _row(question, "drawings", category, "", view, statistic(every), interval, len(values), len(set(files)))
        )
    return rows


def _row(
    question: str,
    split: str,
    category: str,
    kind: str,
    view: str,
    value: float,
    interval: tuple[float, float] | None,
    masks: int,
    objects: int,
) -> Row:
    numbers = (value, *(interval or (float("nan"), float("nan"))))
    rounded = [None if np.isnan(number) else round(number, 4) for number in numbers]
    return dict(zip(COLUMNS, (question, split, category, kind, view, *rounded, masks, objects), strict=True))
