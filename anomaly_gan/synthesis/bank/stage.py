"""Stage ``bank@METHOD``: thousands of painted crops, and a sham for each, for a detector to draw from as it learns.

Normal photograph, mask and place are a pool item's; exemplar, and blending where a method draws one, are drawn anew
for every crop. Crops are cut at the photograph's own scale.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...core.devices import place_of
from ...core.errors import ConfigError, InputError
from ...core.masks import union
from ...core.seeding import rng_for
from ...core.stage import Context
from ...metrics.artefact import Told
from ...metrics.backbones import embedded_backbone
from ..generate.stage import method_inputs, pool_items
from ..interface import MethodInputs, PoolItem, Sample
from ..registry import method
from .artefact import artefact_by_category
from .config import BankConfig
from .crops import cut_crop, inside
from .painters import Painters
from .writer import Crop, write_shards

TRIES = 5
"""Attempts at a photograph that shows the wanted category and, within the crop, no other."""
SHAMS = "shams"


@dataclass(frozen=True)
class Order:
    """A crop to be made: of which pool item, for the how-manieth time, and whether it is a sham."""

    item: PoolItem
    attempt: int
    sham: bool


def run(config: BankConfig, context: Context, out: Path) -> dict[str, object]:
    """Write the bank; the bytes depend on (seed, configuration, inputs) alone.

    Raises:
        ConfigError: shams of a method whose paint does not come from the training defects.
        InputError: the pool has no mask of a wanted category (H9); there is no sound photograph (E7).
    """
    if config.shams and not method(config.method).shams:
        raise ConfigError(f"bank: shams: {config.method} would paint real defects into shams; set shams: 0")
    if config.threads:
        import torch

        torch.set_num_threads(config.threads)
    inputs = bank_inputs(config.method, context)
    orders = [order for items in _wanted(inputs) for order in _orders(items, config, inputs.seed)]
    rng_for(inputs.seed, "order").shuffle(orders)  # type: ignore[arg-type]
    maker = _Maker(config, inputs, out / SHAMS)
    lines = write_shards(orders, maker.crop, out, f"bank {config.method}")
    artefact = _artefact(maker, orders, context.device) if config.shams else None
    shutil.rmtree(out / SHAMS, ignore_errors=True)
    return {
        "method": config.method,
        "size": config.size,
        "categories": [category.name for category in inputs.train.categories],
        "painted": dict(sorted(Counter(line["category"] for line in lines if not line["sham"]).items())),
        "shams": sum(line["sham"] for line in lines),
        "artefact_auroc": artefact and {name: told and round(told.auroc, 4) for name, told in artefact.items()},
        "artefact_interval": artefact
        and {name: [round(told.low, 4), round(told.high, 4)] for name, told in artefact.items() if told},
    }


def _artefact(maker: _Maker, orders: Sequence[Order], device: str) -> dict[str, Told | None]:
    items = {order.item.image.file_name: order.item for order in orders}
    return artefact_by_category(
        maker.painters, [items[name] for name in sorted(items)], embedded_backbone(place_of(device))
    )


def bank_inputs(name: str, context: Context) -> MethodInputs:
    """``method_inputs``; ``exemplar`` does without a training where there is none."""
    if name == "exemplar" and "train@anomaly_gan" not in context.inputs:
        plain = method_inputs("copy_paste", context)
        return replace(plain, seed=rng_for(context.seed, "bank", name).integers(2**62).item())
    return method_inputs(name, context)


def _wanted(inputs: MethodInputs) -> list[list[PoolItem]]:
    by_category = pool_items(inputs.pool)
    for category in inputs.pool.categories:
        if not by_category.get(category.name):
            where, remedy = str(inputs.pool.folder), "build the pool again"
            raise InputError(where, "H9", f"the pool has no mask of {category.name!r}", remedy)
    return list(by_category.values())


def _orders(items: Sequence[PoolItem], config: BankConfig, seed: int) -> list[Order]:
    """All orders of one category: every item in turn, or, where ``aim`` weighs them, by chance."""
    if not config.aim:
        painted = [Order(items[n % len(items)], n // len(items), False) for n in range(config.count)]
    else:
        weights = np.array([np.mean([_aim(one.provenance, config.aim) for one in item.annotations]) for item in items])
        rng = rng_for(seed, "aim", items[0].image.extra["category"])
        chosen = rng.choice(len(items), size=config.count, p=weights / weights.sum())
        painted = [Order(items[n], attempt, False) for attempt, n in enumerate(chosen.tolist())]
    return painted + [replace(painted[n % len(painted)], sham=True) for n in range(round(config.shams * config.count))]


def _aim(provenance: dict[str, Any], aim: dict[int, float]) -> float:
    return aim.get(provenance.get("parent", -1), 1.0)


class _Maker:
    """Makes crops."""

    def __init__(self, config: BankConfig, inputs: MethodInputs, folder: Path) -> None:
        self.config, self.inputs = config, inputs
        self.painters = Painters(config.method, inputs, folder, config.sham_sets)
        self.ids = {category.name: category.id for category in inputs.train.categories}
        self.groups = {image.file_name: image.group_id for image in inputs.train.images}
        names = {image.id: image.group_id for image in inputs.train.images}
        self.learnt_from: dict[int, set[str]] = {}
        for annotation in inputs.train.annotations:
            self.learnt_from.setdefault(annotation.category_id, set()).add(names[annotation.image_id])

    def crop(self, order: Order) -> Crop:
        """One crop of the bank.

        Raises:
            InputError: B7, no attempt shows the category alone.
        """
        item, category = order.item, order.item.image.extra["category"]
        for attempt in range(order.attempt, order.attempt + TRIES * 1000, 1000):
            generate, textures = self.painters.sham(order.attempt) if order.sham else (self.painters.painted(), set())
            sample = generate([item], attempt)[0]
            masks = [mask for label, mask in sample.instances if label == self.ids[category]]
            others = [mask for label, mask in sample.instances if label != self.ids[category]]
            mask = union(masks, *sample.pixels.shape[:2])
            rng = rng_for(self.inputs.seed, "crop", item.image.file_name, attempt)
            if not mask.any():
                continue
            pixels, label = cut_crop(sample.pixels, mask, self.config.size, rng)
            if others and _shows(union(others, *mask.shape), mask, self.config.size, item, attempt, self.inputs.seed):
                continue
            line = {
                "sham": order.sham,
                "category": category,
                "method": str(sample.provenance.get("method", self.config.method)),
                "sources": sorted(self._sources(sample, item, textures)),
                "weight": 1.0,
                "pool_item": item.image.file_name,
                "attempt": attempt,
                "inside": inside(mask.shape, self.config.size),
            }
            return Crop(pixels, np.zeros_like(label) if order.sham else label, line)
        raise InputError(item.image.file_name, "B7", f"shows no {category} alone after {TRIES} tries", "label it again")

    def _sources(self, sample: Sample, item: PoolItem, textures: set[str]) -> set[str]:
        """The groups of everything that went in. What a method that learns was taught is in all it paints."""
        found = {one.provenance["parent_group"] for one in item.annotations if "parent_group" in one.provenance}
        donors, texture = sample.provenance.get("donors"), sample.provenance.get("texture_group")
        if sample.base is not None:
            found.add(self.groups[item.image.extra["normal_file"]])
        if texture is not None:
            return found | {texture}
        if donors is not None:
            return found | {donor["group"] for donor in donors}
        return found | textures | self.learnt_from.get(self.ids[item.image.extra["category"]], set())


def _shows(others: np.ndarray, mask: np.ndarray, size: int, item: PoolItem, attempt: int, seed: int) -> bool:
    """Whether the very crop that ``cut_crop`` takes shows another category."""
    rng = rng_for(seed, "crop", item.image.file_name, attempt)
    return bool(cut_crop(others, mask, size, rng)[0].any())
