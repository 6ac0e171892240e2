"""How far real defects come to lie from real ones once they are pasted on other parts: no painting can be asked to be
better than that.

Where a category's real defects are nearly alike (empty holes of one kind of screw), halves of them differ by next to
nothing, and whatever is pasted on another part, real in every pixel, lies many times that far away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...core.stage import Context
from ...metrics.crops import masked_crop
from ..generate.stage import method_inputs, pool_items
from ..interface import Generate, MethodInputs, PoolItem
from ..registry import method
from .config import GateConfig

METHOD = "copy_paste"


@dataclass
class Pasted:
    """Real defects of the training split on the masks of the pool, made when first asked for; at most ``most`` of a
    category."""

    context: Context
    most: int

    @cached_property
    def _items(self) -> dict[str, list[PoolItem]]:
        return pool_items(self._inputs.pool)

    @cached_property
    def _inputs(self) -> MethodInputs:
        return method_inputs(METHOD, self.context)

    @cached_property
    def _paste(self) -> Generate:
        return method(METHOD).open(self._inputs)

    def crops(self, category: str) -> list[np.ndarray]:
        """What the largest mask of each photograph covers, alone; none without a pool."""
        if "pool" not in self.context.inputs:
            return []
        samples = [self._paste([item], 0)[0] for item in self._items.get(category, [])[: self.most]]
        masks = [[mask for _, mask in sample.instances if mask.any()] for sample in samples]
        return [
            masked_crop(sample.pixels, max(own, key=np.count_nonzero))
            for sample, own in zip(samples, masks, strict=True)
            if own
        ]


def far_off(figures: Mapping[str, Any], kernel: str, config: GateConfig) -> bool:
    """Whether the figures of the defects alone would fail a category, so that it is worth asking."""
    ratio = (figures.get(kernel) or {}).get("over_p95")
    return ratio is not None and ratio > config.fail_ratio and figures["n"] >= config.verdict_n
