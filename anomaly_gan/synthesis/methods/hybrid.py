"""A hybrid that learns nothing: each pool item is painted by one of three methods in turn.

Anomaly-GAN, copy-paste and geometric augmentation fail in different ways; a detector that learns from all three can
rely on the habits of none.
"""

from __future__ import annotations

from ..interface import Generate, MethodInputs, PoolItem, Sample
from ..registry import METHODS

PARTS = ("anomaly_gan", "copy_paste", "geometric")


def part_of(item: PoolItem) -> str:
    """The method of an item: by its place in its category's part of the pool, whatever else is generated."""
    return PARTS[int(item.image.extra["index"]) % len(PARTS)]


def open_method(inputs: MethodInputs) -> Generate:
    """The method as the registry promises it; ``provenance["method"]`` names the part that made a photograph.

    Objects of fixed shape keep their pose in every part: the pool's masks do, and geometric augmentation looks them up.

    Raises:
        InputError: as the parts raise it.
    """
    parts = {name: METHODS[name].open(inputs) for name in PARTS}

    def generate(items: list[PoolItem], attempt: int) -> list[Sample]:
        return [parts[part_of(item)]([item], attempt)[0] for item in items]

    return generate
