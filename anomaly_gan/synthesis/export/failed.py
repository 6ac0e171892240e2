"""What a category that failed the gate means for the training set: it stays out."""

from __future__ import annotations

from pathlib import Path

from ...core.dataset import Dataset
from ...core.json_files import read_as, understood
from ..gate.results import GateResult


def without_failed(accepted: Dataset, gate: Path) -> tuple[Dataset, dict[str, object]]:
    """The accepted photographs without those that show a category the gate has ``dropped``, and the export's metrics of
    it: ``dropped_categories`` and ``dropped_by_gate`` (photographs) where there are some, and ``nothing_passed`` where
    photographs were wanted and none is left.

    Raises:
        InputError: FORMAT, the gate's metrics are damaged.
    """
    path = gate / "metrics.json"
    content = read_as(path, dict, "run the gate again") if path.is_file() else {}
    with understood(path, "run the gate again"):
        result = GateResult.from_json(content) if "categories" in content else None
    if result is None:
        return accepted, {}
    failed = {item.id for item in accepted.categories if item.name in result.dropped}
    shown = {item.image_id for item in accepted.annotations if item.category_id in failed}
    kept = accepted.select(lambda image: image.id not in shown)
    found: dict[str, object] = {}
    if result.dropped:
        found |= {
            "dropped_categories": list(result.dropped),
            "dropped_by_gate": len(accepted.images) - len(kept.images),
        }
    if result.categories and not kept.images:
        found["nothing_passed"] = True
    return kept, found
