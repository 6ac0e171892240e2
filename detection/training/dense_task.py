"""Training the dense detector with the project's one loop."""

from __future__ import annotations

import copy
from collections.abc import Hashable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from anomaly_gan.core.channels import three_channels_first
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.seeding import rng_for
from anomaly_gan.engine.ema import move_average
from anomaly_gan.engine.task import Losses, Update

from ..data import CategoryMap
from ..dense.bank import Bank
from ..dense.crops import Crop, draw_crop
from ..dense.drawn import DrawnDefects
from ..dense.feature_cache import FeatureCache
from ..dense.loss import dense_losses
from ..dense.net import DenseNet
from ..dense.photographs import Instance, Photographs
from ..dense.priors import read_prior
from ..dense.sampling import CropSampler, Item, Slot, Sources
from ..detectors.config import DetectConfig

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class DenseBatch:
    """Crops: images (B, 3 or 4, S, S) in [0, 1], truth (B, K, S, S), valid (B, 1, S, S), weight (B,).
    ``keys``: what tells the crops apart, where they come up again."""

    images_BCHW: Tensor
    truth_BKHW: Tensor
    valid_B1HW: Tensor
    weight_B: Tensor
    keys: tuple[Hashable, ...] = ()


class DenseTask:
    """The net, the running mean of its weights, and one update."""

    def __init__(self, net: DenseNet, config: DetectConfig) -> None:
        average = copy.deepcopy(net).requires_grad_(False).eval()
        self.nets: dict[str, nn.Module] = {"detector": net.train(), "average": average}
        self._config, self._net, self._cache = config, net, FeatureCache()

    def forward(self, batch: DenseBatch) -> Losses:
        if batch.keys:
            logits = self._net.decode(self._cache.features(self._net, batch.images_BCHW, batch.keys))
        else:
            logits = self._net(batch.images_BCHW)
        return dense_losses(logits, batch.truth_BKHW, batch.valid_B1HW, batch.weight_B, self._config.dense)

    def updates(self) -> list[Update]:
        config = self._config.dense
        trunk: list[nn.Parameter] = []
        rest: list[nn.Parameter] = []
        for name, parameter in self.nets["detector"].named_parameters():
            if parameter.requires_grad:
                (trunk if name.startswith("body.") and ".prior." not in name else rest).append(parameter)
        groups: list[dict[str, object]] = [{"params": rest, "lr": config.lr}]
        if trunk:
            groups.append({"params": trunk, "lr": config.lr * config.trunk_lr_factor})
        optimizer = torch.optim.AdamW(groups, weight_decay=config.weight_decay, fused=True)
        return [Update("detector", optimizer, losses=lambda outputs: outputs)]

    def after_step(self, step: int) -> None:
        move_average(self.nets["average"], self.nets["detector"], self._config.dense.average, step)


@dataclass(frozen=True)
class CropBatches:
    """The batch of a step, from (seed, step) alone."""

    photographs: Photographs
    defects: list[Instance]
    painted: list[Instance]
    bank: Bank | None
    sampler: CropSampler
    config: DetectConfig
    steps: int
    seed: int
    device: torch.device
    priors: Path | None = None
    drawn: DrawnDefects | None = None

    def __call__(self, step: int) -> DenseBatch:
        slots = self.sampler.batch(step)
        weights = [self.weight(slot) for slot in slots]
        if self.config.detector != "cached":
            crops = [self.crop(slot, rng_for(self.seed, "crop", step, number)) for number, slot in enumerate(slots)]
            return collate(crops, weights, self.device)
        views = [int(rng_for(self.seed, "view", step, n).integers(self.config.dense.views)) for n in range(len(slots))]
        keys = tuple((slot.kind, slot.place, view) for slot, view in zip(slots, views, strict=True))
        crops = [self.crop(slot, rng_for(self.seed, *key)) for slot, key in zip(slots, keys, strict=True)]
        return replace(collate(crops, weights, self.device), keys=keys)

    def weight(self, slot: Slot) -> float:
        line = self._bank_place(slot)
        return 1.0 if line is None or self.bank is None else self.bank.lines[line].weight

    def crop(self, slot: Slot, rng: np.random.Generator) -> Crop:
        config = self.config
        pixels, truth, prior, target = self._source(slot, rng)
        if config.dense.prior and prior is None:
            prior = np.zeros(pixels.shape[:2], np.uint8)
        return draw_crop(pixels, truth, target, config.dense, config.flip, config.gamma, rng, prior)

    def _source(
        self, slot: Slot, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, tuple[float, float] | None]:
        """Pixels, truth and one-class map that a crop is cut from, and the place that it shows."""
        line = self._bank_place(slot)
        if slot.kind == "drawn" and self.drawn is not None:
            pixels, truth = self.drawn.load(slot.place, rng)
            return pixels, truth, None, _shown(truth, rng)
        if line is not None and self.bank is not None:
            pixels, truth, prior = self.bank.load(line)
            return pixels, truth, prior, _shown(truth, rng)
        place, instance = self._place(slot)
        pixels, truth = self.photographs.load(place)
        prior = read_prior(self.priors, self.photographs.image(place)) if self.config.dense.prior else None
        if instance is None:
            return pixels, truth, prior, None
        x, y, width, height = instance.annotation.bbox
        layer = truth[instance.label - 1, y : y + height, x : x + width]
        return pixels, truth, prior, _pixel_of(layer, (y, x), rng)

    def _place(self, slot: Slot) -> tuple[int, Instance | None]:
        if slot.kind == "sound":
            return slot.place, None
        instance = (self.defects if slot.kind == "defect" else self.painted)[slot.place]
        return instance.image, instance

    def _bank_place(self, slot: Slot) -> int | None:
        """The line of the bank behind a slot; None where it is a photograph."""
        if slot.kind == "sham":
            return slot.place
        if slot.kind == "synthetic" and slot.place >= len(self.painted):
            return slot.place - len(self.painted)
        return None


def _shown(truth: np.ndarray, rng: np.random.Generator) -> tuple[float, float] | None:
    """Some labelled pixel of a truth (K + 1, H, W); None where it holds none."""
    return _pixel_of(truth.max(0), (0, 0), rng) if truth.any() else None


def _pixel_of(mask: np.ndarray, corner_yx: tuple[int, int], rng: np.random.Generator) -> tuple[float, float]:
    """Some pixel of a mask, in the frame in which its corner lies at ``corner_yx``."""
    ys, xs = np.nonzero(mask)
    pick = int(rng.integers(len(ys)))
    return corner_yx[0] + float(ys[pick]), corner_yx[1] + float(xs[pick])


def collate(crops: list[Crop], weights: list[float], device: torch.device) -> DenseBatch:
    planes = []
    for crop in crops:
        image = three_channels_first(crop.pixels)
        planes.append(image if crop.prior is None else np.concatenate([image, crop.prior[None]]))
    return DenseBatch(
        torch.from_numpy(np.stack(planes)).to(device),
        torch.from_numpy(np.stack([crop.truth for crop in crops])).to(device).float(),
        torch.from_numpy(np.stack([crop.valid[None] for crop in crops])).to(device).float(),
        torch.tensor(weights, device=device),
    )


def training_sources(
    photographs: Photographs, bank: Bank | None, smallest: int, drawn: DrawnDefects | None = None
) -> tuple[Sources, list[Instance], list[Instance]]:
    """What crops are cut from, and the instances behind the real and the painted defects.

    Specks below ``smallest`` pixels are no target where the same object has a larger instance of the category.
    """
    real, painted = photographs.instances("real"), photographs.instances("synthetic")
    large = {(item.label, item.group) for item in real if item.annotation.area >= smallest}
    targets = [item for item in real if item.annotation.area >= smallest or (item.label, item.group) not in large]
    synthetic = [Item(item.label, item.image, place) for place, item in enumerate(painted)]
    if bank is not None:
        synthetic += bank.items(sham=False, offset=len(painted))
    sources = Sources(
        defects=[Item(item.label, item.group, place) for place, item in enumerate(targets)],
        sound=[Item(0, photographs.image(place).group_id, place) for place in photographs.sound()],
        synthetic=synthetic,
        shams=bank.items(sham=True) if bank is not None else [],
        drawn=drawn.items() if drawn is not None else [],
        photographs=len({item.image for item in targets}),
    )
    return sources, targets, painted


def check_start(categories: CategoryMap, where: str) -> None:
    if not categories.ids:
        raise InputError(where, "K4", "the data set declares no category", "label some defects, then run ingest")
