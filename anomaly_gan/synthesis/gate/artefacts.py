"""How well a method's compositing can be seen, category by category (``metrics.artefact``, ``bank.shams``)."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ...core.devices import place_of
from ...core.time_budget import TimeBudget
from ...metrics.backbones import embedded_backbone
from ..bank.artefact import artefact_by_category
from ..bank.painters import Painters
from ..interface import MethodInputs, PoolItem
from ..registry import method
from .config import GateConfig

FOLDER = "shams"


def artefacts(
    config: GateConfig, inputs: MethodInputs, items: Sequence[PoolItem], out: Path, watch: TimeBudget | None = None
) -> dict[str, dict[str, object]]:
    """``{"artefact": {"auroc", "low", "high", "pairs"}}`` of every category; empty where it is not asked for
    (``artefact: 0``), where the method would paint real defects into shams, or where there is no sound photograph to
    cut texture from; without the categories that ``watch`` leaves no time for."""
    if not config.artefact or not method(config.method).shams or not inputs.train.normals():
        return {}
    painters = Painters(config.method, inputs, out / FOLDER, sets=1)
    found = artefact_by_category(painters, items, embedded_backbone(place_of(inputs.device)), config.artefact, watch)
    shutil.rmtree(out / FOLDER, ignore_errors=True)
    counts = Counter(item.image.extra["category"] for item in items)
    return {
        name: {
            "artefact": (told.to_json() if told else {"auroc": None}) | {"pairs": min(config.artefact, counts[name])}
        }
        for name, told in found.items()
    }
