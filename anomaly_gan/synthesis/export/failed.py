"""What a category that failed the gate means for the training set: it stays out."""

from __future__ import annotations

import json
from pathlib import Path

from ...core.dataset import Dataset
from ...core.errors import InputError
from ...core.manifest import read_product
from ..gate.results import GateResult


def without_failed(accepted: Dataset, gate: Path) -> tuple[Dataset, dict[str, object]]:
    """The accepted photographs without those that show a category the gate has ``dropped``, and the export's metrics of
    it: ``dropped_categories`` and ``dropped_by_gate`` (photographs) where there are some, and ``nothing_passed`` where
    photographs were wanted and none is left.

    Raises:
        InputError: FORMAT, the gate's metrics are damaged.
    """
    path = gate / "metrics.json"
    try:
        content = json.loads(read_product(path)) if path.is_file() else {}
        result = GateResult.from_json(content) if "categories" in content else None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(str(path), "FORMAT", f"cannot be read ({error})", "run the gate again") from error
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
