"""The label check: do segmenters that saw real training photographs only find a defect where its mask is?

Segmenters are trained by folds of the training split, whole objects in or out (stage ``label_check``). A real defect is
evaluated by the segmenter that has not seen its object: that is the reference. A generated defect is evaluated by the
segmenter that has not seen the object its mask (or its texture) came from, so both stand before judges of the same
knowledge. Deviation: the paper names one segmenter trained on everything; it would know the very defects that
the masks were cut from, and the reference would be another segmenter's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from ...core.json_files import read_as, understood
from ...core.manifest import check_product
from ...core.masks import windowed
from ...engine.task import Losses, Update
from ...nets.lean_unet import LeanUNet
from .windows import OUTSIDE, label_map, standardised, whole

EMPTY = 0.05
"""Below this intersection over union an instance counts as not found."""
MIRRORS: tuple[tuple[int, ...], ...] = ((), (1,), (2,), (1, 2))
"""Each window is looked at in these mirror images (axes of (C, H, W)), and what is found averaged."""


class SegmenterTask:
    """Cross-entropy over background and categories, and soft Dice of defect against background (Milletari 2016)."""

    def __init__(self, net: nn.Module, learning_rate: float) -> None:
        self.nets = {"segmenter": net}
        self.optimizer = torch.optim.AdamW(net.parameters(), lr=learning_rate, weight_decay=1e-4)

    def forward(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        return self.nets["segmenter"](batch[0]), batch[1]

    def updates(self) -> list[Update]:
        def losses(outputs: tuple[Tensor, Tensor]) -> Losses:
            logits, labels = outputs[0].float(), outputs[1]
            inside = labels != OUTSIDE
            defect = (1 - logits.softmax(dim=1)[:, 0])[inside]
            truth = (labels > 0)[inside].float()
            dice = (2 * (defect * truth).sum() + 1) / (defect.sum() + truth.sum() + 1)
            return {"cross_entropy": F.cross_entropy(logits, labels, ignore_index=OUTSIDE), "dice": 1 - dice}

        return [Update("segmenter", self.optimizer, losses)]

    def after_step(self, step: int) -> None:
        pass


def build_segmenter(channels: int, categories: int, base_width: int, depth: int, seed: int) -> LeanUNet:
    """Standardised windows -> logits over background and ``categories``, weights drawn from ``seed``."""
    torch.manual_seed(seed % 2**32)
    return LeanUNet(channels, 1 + categories, base_width, depth, head_scale=1.0)


@torch.inference_mode()
def probabilities(net: nn.Module, window: np.ndarray, device: str = "cpu") -> np.ndarray:
    """(1 + categories, H, W) of one window (H, W[, 3]) uint8: the mean over its mirror images."""
    image = torch.from_numpy(standardised(window)).to(device)
    found = net(torch.stack([image.flip(axes) for axes in MIRRORS])).float().softmax(dim=1)
    back = torch.stack([one.flip(axes) for one, axes in zip(found, MIRRORS, strict=True)])
    return back.mean(dim=0).cpu().numpy()


class Reference(TypedDict):
    """A line of ``reference.jsonl``: a real training defect, looked at by a segmenter that has not seen its object
    (``group``). ``agrees``: whether it names the category; None where it finds nothing."""

    file: str
    group: str
    fold: int
    category: str
    iou: float
    agrees: bool | None
    seam: float | None


@dataclass(frozen=True)
class Look:
    """One window: intersection over union of labelled and found, and whether most of what was found inside the mask
    is of the mask's category (None: nothing was found there)."""

    iou: float
    agrees: bool | None


def look(
    net: nn.Module,
    pixels: np.ndarray,
    labels: np.ndarray,
    index: int,
    mask_01: np.ndarray,
    size: int,
    device: str = "cpu",
) -> Look:
    """Look at one instance of category ``index``; all that ``labels`` mark in its window counts as labelled.

    Args:
        net: the segmenter of a fold that has not seen the object.
        pixels: the photograph, uint8 (H, W) or (H, W, 3).
        labels: labels (H, W) of all instances.
        index: the category, from 0.
        mask_01: the mask, uint8 (H, W) of 0 and 1.
        size: side of a window in pixels.
        device: ``auto``, ``cpu`` or ``cuda``.

    Returns:
        Intersection over union in [0, 1], and whether the category agrees.
    """
    window = whole(pixels, labels, mask_01, size)
    found = probabilities(net, window.pixels, device)
    inside = window.labels != OUTSIDE
    defect, truth = (found[0] < 0.5) & inside, (window.labels > 0) & inside
    both = defect & truth
    iou = np.count_nonzero(both) / max(1, int(np.count_nonzero(defect | truth)))
    agrees = bool(np.bincount(found[1:].argmax(axis=0)[both], minlength=1).argmax() == index) if both.any() else None
    return Look(float(iou), agrees)


@dataclass(frozen=True)
class Segmenters:
    """``segmenters.json``: how the nets are built, and the fold of each physical object."""

    folds: int
    fold_of: dict[str, int]
    channels: int
    size: int
    base_width: int
    depth: int
    categories: list[str]
    category_ids: list[int]


@dataclass(frozen=True)
class RealLook:
    """A line of ``reference.jsonl``: a real defect as the segmenter saw it that had not seen its object."""

    category: str
    iou: float
    agrees: bool | None
    seam: float | None


class LabelChecker:
    """The segmenters of a finished stage ``label_check``.

    Raises:
        InputError: the folder is not whole (FORMAT).
    """

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        remedy = "run label_check again"
        self.card = read_as(folder / "segmenters.json", Segmenters, remedy)
        with understood(folder, remedy):
            self.nets = [self._net(folder / f"segmenter-{fold}.safetensors") for fold in range(self.card.folds)]
        self.device = device
        for net in self.nets:
            net.to(device)

    def _net(self, path: Path) -> nn.Module:
        net = build_segmenter(self.card.channels, len(self.card.categories), self.card.base_width, self.card.depth, 0)
        check_product(path)
        net.load_state_dict(load_file(path))
        return net.eval()

    def fold_of(self, group: str | None) -> int:
        """The fold whose segmenter has not seen the object; the first for an object that nobody has."""
        return self.card.fold_of.get(group or "", 0)

    def look(
        self, pixels: np.ndarray, instances: Sequence[tuple[int, np.ndarray]], groups: Sequence[str | None]
    ) -> list[Look]:
        """A look at each instance (category id, mask_01) that is no splinter, by the segmenter of its ``group``."""
        order = {number: at for at, number in enumerate(self.card.category_ids)}
        labels = label_map(pixels.shape, [(order[number], mask) for number, mask in instances])
        return [
            look(
                self.nets[self.fold_of(groups[at])],
                pixels,
                labels,
                order[instances[at][0]],
                instances[at][1],
                self.card.size,
                self.device,
            )
            for at in windowed([mask for _, mask in instances])
        ]
