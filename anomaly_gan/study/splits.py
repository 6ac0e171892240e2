"""Table 3: how many objects, photographs and defects stand on either side of each run's split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..core.dataset import load_dataset
from ..ingestion.splits import counts
from .config import MAIN
from .plan import StudyRun

FIGURES = {"objects": "groups", "photographs": "images", "defects": "instances"}
SIDES = tuple(f"{side}_{figure}" for side in ("train", "test") for figure in FIGURES)
SPLIT_COLUMNS = ("variant", "fold", "category", *SIDES)


def split_rows(runs: Sequence[StudyRun]) -> list[dict[str, object]]:
    """Rows of ``splits.csv``, columns ``SPLIT_COLUMNS``: every ingested run as :func:`..core.splits.counts` has it.

    Raises:
        InputError: an ``annotations.json`` cannot be read.
    """
    rows: list[dict[str, object]] = []
    for run in runs:
        if not (run.folder / "ingest" / "annotations.json").is_file():
            continue
        sides = counts(load_dataset(run.folder / "ingest"))
        rows += [
            {
                "variant": run.variant,
                "fold": run.fold,
                "category": category,
                **{
                    f"{side}_{figure}": categories[category][name]
                    for side, categories in sides.items()
                    for figure, name in FIGURES.items()
                },
            }
            for category in sides["train"]
        ]
    return rows


def told_rows(rows: Sequence[Mapping[str, object]]) -> list[Mapping[str, object]]:
    """Those a reader needs: of ``main``, and of a variant what differs from ``main`` on the same fold."""

    def figures(row: Mapping[str, object]) -> tuple[object, ...]:
        return tuple(row[name] for name in SIDES)

    main = {(row["fold"], row["category"]): figures(row) for row in rows if row["variant"] == MAIN}
    return [row for row in rows if row["variant"] == MAIN or main.get((row["fold"], row["category"])) != figures(row)]
