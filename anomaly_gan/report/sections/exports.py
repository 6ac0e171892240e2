"""What went out: real training photographs plus accepted synthetic ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...core.dataset import Dataset
from ..folders import Run
from ..tables import Table, table


def build(run: Run) -> list[dict[str, object]]:
    """One entry per exported method."""
    found = []
    for method in run.methods("export"):
        stage = run.stages[f"export@{method}"]
        dataset = stage.dataset()
        if dataset is not None:
            reviewed = review_words(stage.metrics.get("reviewed"))
            found.append({"method": method, "counts": count_table(dataset), "reviewed": reviewed})
    return found


REVIEWED = {
    "accept": "accepted",
    "reject": "rejected",
    "wrong_category": "under a wrong category",
    "taken_in": "taken in that the gate had rejected or people had painted",
    "not_reviewed": "not looked at",
    "outdated": "decided on before they were made anew, which counts no more",
}


def review_words(reviewed: Any) -> str | None:
    """What people have decided on the photographs, and who; None where nobody has."""
    if not isinstance(reviewed, Mapping):
        return None
    counts = [f"{reviewed[name]} {words}" for name, words in REVIEWED.items() if reviewed.get(name)]
    who = ", ".join(f"{name} ({count})" for name, count in dict(reviewed.get("reviewers") or {}).items())
    return f"{', '.join(counts)}; by {who or 'nobody'}"


def count_table(dataset: Dataset) -> Table:
    """Images and instances per category and source; the last row counts photographs without a defect."""
    source_of = {image.id: image.source for image in dataset.images}
    rows: list[list[Any]] = []
    for category in dataset.categories:
        row: list[Any] = [category.name]
        for source in ("real", "synthetic"):
            found = [
                a for a in dataset.annotations if a.category_id == category.id and source_of.get(a.image_id) == source
            ]
            row += [len({a.image_id for a in found}), len(found)]
        rows.append(row)
    normals = [image.source for image in dataset.normals()]
    rows.append(["normal (no defect)", normals.count("real"), None, normals.count("synthetic"), None])
    return table(["category", "real: images", "real: instances", "synthetic: images", "synthetic: instances"], rows)
