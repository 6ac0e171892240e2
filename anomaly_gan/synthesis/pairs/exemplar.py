"""A real defect warped under another mask: what a generator with ``painting: exemplar`` starts from.

Not in the paper. From a mask and a category alone a generator learns the mean of all defects, a tint through which the
photograph shows; the relief of a break and the grain of a fracture are in the photographs of real ones. Here one of
them, as a layer with an alpha of its own (``layer``), is stretched to the mask and brought into the light of its new
place; what stretching spoils, and what does not fit, is left to the generator.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from safetensors.numpy import load_file, save_file

from ...core.errors import InputError
from ...core.files import atomic_path
from ...core.manifest import check_product
from ...core.masks import Axes
from .layer import REACH_PX, Layer, level_around
from .substance import OF_THE_SURFACE, Evidence, Substance, depth, learn_substance, step

FILE, OLDER_FILE = "exemplars.safetensors", "examples.safetensors"

PLACES = 16
"""Along a strip, how often its sides are looked at."""
SMOOTH = np.array([1, 4, 6, 4, 1]) / 16
"""How its sides are smoothed from place to place: stretched from side to side of a jagged mask a small defect would
become a comb."""
ROUND = 1.3
"""Masks no longer than this many times their width have no direction: they are stretched upright, and keep the side
that light falls from."""
KEEPING_GRAIN = cv2.INTER_LANCZOS4
"""How pixels between pixels are found: linearly, a turn takes the finest grain away, and a defect is told by that."""
FADE = 0.4
"""The share of a mask's length over which one exemplar fades into another."""
RIM_PX, LEAST_LEVEL, OF_THE_DEFECT = 3, 0.1, (0.25, 0.6)
"""So deep in a label pixels may be surface, where the defect is brighter or darker than its surroundings by so much
(a logarithm): up to the first share of that difference they are, from the second on they are the defect's."""
KEPT_PX = 2**18
"""Windows of more pixels are taken apart anew whenever they are painted: a layer takes 16 to 32 bytes a pixel."""


@dataclass(frozen=True)
class Strip:
    """A mask as a strip along its longest axis (a round one's: from left to right): where it begins and ends there,
    and, at ``PLACES`` places on the way, between which distances from that axis it lies, smoothed. Pixels in (x, y);
    ``axes`` holds the longest axis and the other.
    """

    centre: np.ndarray
    axes: np.ndarray
    begin: float
    end: float
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, mask_01: np.ndarray, upright: bool = False) -> Strip:
        """The mask's strip, ``upright`` as a round one's; the mask must have a pixel."""
        points = np.argwhere(mask_01)[:, ::-1].astype(float)
        main = Axes.of_points(points)
        centre = main.centre
        turned = main.ratio >= ROUND and not upright
        axes = main.vectors * np.where(main.vectors.sum(1, keepdims=True) < 0, -1, 1) if turned else np.eye(2)
        along, across = axes @ (points - centre).T
        begin, end = along.min() - 0.5, along.max() + 0.5
        place = np.minimum((PLACES * (along - begin) / (end - begin)).astype(int), PLACES - 1)
        low, high = np.full(PLACES, np.inf), np.full(PLACES, -np.inf)
        np.minimum.at(low, place, across - 0.5)
        np.maximum.at(high, place, across + 0.5)
        return cls(centre, axes, begin, end, _smooth(low), _smooth(high))

    def to(self, other: Strip, points_N2: np.ndarray) -> np.ndarray:
        """Where points of this strip lie in the other one: begin on begin, side on side. Beyond its borders distances
        are kept in pixels."""
        along, across = self.axes @ (points_N2 - self.centre).T
        share = self.share(points_N2)
        low, high = self._sides(share)
        aside = np.clip((across - low) / (high - low), 0, 1)
        other_low, other_high = other._sides(share)
        beyond, beside = along - np.clip(along, self.begin, self.end), across - np.clip(across, low, high)
        there = np.stack(
            [
                other.begin + share * (other.end - other.begin) + beyond,
                other_low + aside * (other_high - other_low) + beside,
            ]
        )
        return other.centre + there.T @ other.axes

    def share(self, points_N2: np.ndarray) -> np.ndarray:
        """How far along the strip points lie: 0 at its begin, 1 at its end."""
        along = self.axes[0] @ (points_N2 - self.centre).T
        return np.clip((along - self.begin) / (self.end - self.begin), 0, 1)

    def size(self) -> np.ndarray:
        """Logarithms of length and of mean width, in pixels."""
        return np.log([self.end - self.begin, (self.high - self.low).mean()])

    def _sides(self, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        place = share * PLACES - 0.5
        return tuple(np.interp(place, np.arange(PLACES), side) for side in (self.low, self.high))


@dataclass(frozen=True)
class Exemplar:
    """A real defect's window as the net saw it in training: uint8 pixels, and its mask. ``substance``: what its
    category's defects are made of (``layer.learn_substance``); ``sound``: the window without the defect, where that is
    known."""

    pixels: np.ndarray
    mask_01: np.ndarray
    substance: Substance = OF_THE_SURFACE
    sound: np.ndarray | None = None

    @cached_property
    def strip(self) -> Strip:
        return self.strip_of(self.mask_01)

    def strip_of(self, mask_01: np.ndarray) -> Strip:
        """Another mask's strip, as its own is made."""
        return Strip.of(mask_01, self.substance.upright)

    @property
    def layer(self) -> Layer:
        """The defect without the surface it is on; kept in memory up to ``KEPT_PX``."""
        if "_layer" in self.__dict__:
            return self.__dict__["_layer"]
        found = Layer.of(self.pixels, self.mask_01, self.sound)
        if self.mask_01.size <= KEPT_PX:
            self.__dict__["_layer"] = found
        return found

    def evidence(self) -> Evidence | None:
        """What it shows of its category's substance."""
        return self.layer.evidence(self.pixels, self.mask_01)

    @cached_property
    def around(self) -> float | None:
        """Logarithm of its surroundings' brightness."""
        return level_around(self.pixels, self.mask_01)


def warp(defect: Exemplar, ground: np.ndarray, mask_01: np.ndarray) -> np.ndarray:
    """``ground`` (uint8 (H, W) or (H, W, 3)) with the defect warped under the mask, stretched from its own mask to this
    one with its alpha, and as strong against this light as it was against its own. It fades out within ``REACH_PX``
    beyond the mask. Either mask empty: ``ground``."""
    moved = warped(defect, mask_01)
    return ground if moved is None else _lit(moved, defect, ground, mask_01)


def warp_through(defect: Exemplar, ground: np.ndarray, mask_01: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """As ``warp``, but the defect is moved as a whole by the affine (2, 3), its window's pixel -> the ground's."""
    size, layer = (ground.shape[1], ground.shape[0]), defect.layer
    shown, surface = (
        cv2.warpAffine(plane, affine, size, flags=KEEPING_GRAIN, borderMode=cv2.BORDER_REFLECT_101)
        for plane in (layer.shown, layer.surface)
    )
    alpha = cv2.warpAffine(layer.alpha, affine, size, flags=cv2.INTER_LINEAR)
    known = cv2.warpAffine(layer.known, affine, size, flags=cv2.INTER_LINEAR, borderValue=1.0)
    return _lit(Layer(shown, surface, _faded(alpha, mask_01), _faded_known(known, mask_01)), defect, ground, mask_01)


def _lit(moved: Layer, defect: Exemplar, ground: np.ndarray, mask_01: np.ndarray) -> np.ndarray:
    """A moved layer on the ground, in its light."""
    here = level_around(ground, mask_01)
    light = None if here is None or defect.around is None else here - defect.around
    return _without_rim(moved, defect.around, mask_01).on(ground, defect.substance, light)


def _without_rim(moved: Layer, around: float | None, mask_01: np.ndarray) -> Layer:
    """The layer without what is as bright, at the rim of a label, as the surroundings that the defect was cut from:
    labels are loose, and on a darker place such pixels would be a bright rim."""
    inside = mask_01 != 0
    core = moved.alpha * (inside & (depth(mask_01) > RIM_PX))
    weight = core if core.sum() > 0 else moved.alpha * inside
    if around is None or weight.sum() == 0:
        return moved
    shown = moved.shown if moved.shown.ndim == 2 else moved.shown.mean(axis=2)
    level = float((shown * weight).sum() / weight.sum()) - around
    if abs(level) < LEAST_LEVEL:
        return moved
    near = np.clip((RIM_PX + 1 - depth(mask_01)) / 2, 0, 1)
    defects = step(np.abs(shown - around) / abs(level), *OF_THE_DEFECT)
    return replace(moved, alpha=(moved.alpha * (1 - near * (1 - defects))).astype(np.float32))


def _faded(alpha: np.ndarray, mask_01: np.ndarray) -> np.ndarray:
    """Alpha that fades out within ``REACH_PX`` beyond the mask."""
    beyond = cv2.distanceTransform((mask_01 == 0).astype(np.uint8), cv2.DIST_L2, 5)
    return alpha * np.clip(1 - beyond / (REACH_PX + 0.5), 0, 1) * (beyond <= REACH_PX)


def _faded_known(known: np.ndarray, mask_01: np.ndarray) -> np.ndarray:
    """What is not known of a defect stays in the mask: beyond it nothing is painted for that."""
    return 1 - _faded(1 - known, mask_01)


def warped(defect: Exemplar, mask_01: np.ndarray) -> Layer | None:
    """The defect's layer stretched to another mask; None where either mask is empty."""
    if not (mask_01.any() and defect.mask_01.any()):
        return None
    points = np.argwhere(np.ones_like(mask_01))[:, ::-1]
    source = defect.strip_of(mask_01).to(defect.strip, points).astype(np.float32)
    columns, rows = source.T.reshape(2, *mask_01.shape)
    layer = defect.layer
    shown, surface = (
        cv2.remap(plane, columns, rows, KEEPING_GRAIN, borderMode=cv2.BORDER_REFLECT_101)
        for plane in (layer.shown, layer.surface)
    )
    alpha = cv2.remap(layer.alpha, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    known = cv2.remap(layer.known, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return Layer(shown, surface, _faded(alpha, mask_01), _faded_known(known, mask_01))


def nearest_in_size(mask_01: np.ndarray, exemplars: list[Exemplar]) -> list[int]:
    """The exemplars by how much they are to be stretched to lie under the mask, the least first."""
    wanted = exemplars[0].strip_of(mask_01).size()
    return np.argsort([np.abs(exemplar.strip.size() - wanted).sum() for exemplar in exemplars]).tolist()


def warp_both(exemplars: tuple[Exemplar, Exemplar], ground: np.ndarray, mask_01: np.ndarray) -> np.ndarray:
    """``warp`` of one exemplar at the mask's begin and of the other at its end, the one fading into the other between.

    Two make a defect that neither of them is: one alone is found again by the copy check.
    """
    pictures = [warp(exemplar, ground, mask_01).astype(np.float32) for exemplar in exemplars]
    points = np.argwhere(np.ones_like(mask_01))[:, ::-1]
    share = exemplars[0].strip_of(mask_01).share(points).reshape(mask_01.shape)
    late = np.clip((share - 0.5) / FADE + 0.5, 0, 1)
    late = late if ground.ndim == 2 else late[:, :, None]
    return (pictures[0] * (1 - late) + pictures[1] * late).round().astype(np.uint8)


def save_exemplars(exemplars: dict[str, list[Exemplar]], path: Path) -> None:
    """All categories' exemplars as one safetensors file."""
    tensors = {}
    for category, rows in exemplars.items():
        # safetensors writes memory as it lies: masks by columns would come back transposed
        tensors[f"{category}.pixels"] = np.ascontiguousarray([row.pixels for row in rows])
        tensors[f"{category}.mask"] = np.ascontiguousarray([row.mask_01 for row in rows])
    with atomic_path(path) as temporary:
        save_file(tensors, temporary)


def load_exemplars(path: Path, categories: list[str]) -> dict[str, list[Exemplar]]:
    """What ``save_exemplars`` wrote.

    Raises:
        InputError: the file is missing.
    """
    if not path.is_file() and path.with_name(OLDER_FILE).is_file():
        path = path.with_name(OLDER_FILE)
    if not path.is_file():
        raise InputError(
            str(path), "FORMAT", "the training's exemplars are missing", "copy the whole folder, or train again"
        )
    check_product(path)
    tensors = load_file(path)
    return {
        category: as_bank(
            [Exemplar(*row) for row in zip(tensors[f"{category}.pixels"], tensors[f"{category}.mask"], strict=True)]
        )
        for category in categories
    }


def as_bank(exemplars: list[Exemplar]) -> list[Exemplar]:
    """A category's exemplars, each knowing what they are made of."""
    substance = learn_substance([exemplar.evidence() for exemplar in exemplars])
    bank = [replace(exemplar, substance=substance) for exemplar in exemplars]
    for exemplar, known in zip(bank, exemplars, strict=True):
        exemplar.__dict__["_layer"] = known.layer  # not estimated twice
    return bank


def _smooth(side: np.ndarray) -> np.ndarray:
    """A strip's side (``PLACES``,), infinite where the mask has no pixel: filled, and smoothed along the strip."""
    known = np.flatnonzero(np.isfinite(side))
    filled = np.interp(np.arange(PLACES), known, side[known])
    return np.convolve(np.pad(filled, len(SMOOTH) // 2, mode="edge"), SMOOTH, "valid")
