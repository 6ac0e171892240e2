"""Features of crops through a frozen trunk, computed once: what makes a sweep over trainings cheap."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .net import DenseNet

MEMORY_BYTES = 2 << 30


@dataclass
class FeatureCache:
    """The trunk's maps of each crop by its key, at half precision, up to ``memory`` bytes; what does not fit is
    computed anew. A crop's maps are computed alone, so that they do not depend on what a process has seen before.
    """

    memory: int = MEMORY_BYTES
    _held: dict[Hashable, list[Tensor]] = field(default_factory=dict)
    _bytes: int = 0

    @torch.no_grad()
    def features(self, net: DenseNet, images_BCHW: Tensor, keys: Sequence[Hashable]) -> list[Tensor]:
        """The maps at strides 2 to 32 of a batch, float32."""
        rows = [self._of(net, images_BCHW[place : place + 1], key) for place, key in enumerate(keys)]
        return [torch.cat(maps).float() for maps in zip(*rows, strict=True)]

    def _of(self, net: DenseNet, image_1CHW: Tensor, key: Hashable) -> list[Tensor]:
        if key in self._held:
            return self._held[key]
        maps = [item.half() for item in net.features(image_1CHW)]
        size = sum(item.nbytes for item in maps)
        if self._bytes + size <= self.memory:
            self._held[key], self._bytes = maps, self._bytes + size
        return maps
