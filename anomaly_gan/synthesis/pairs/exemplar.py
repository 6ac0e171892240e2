"""A real defect warped under another mask: what a generator with ``painting: exemplar`` starts from.

Not in the paper. From a mask and a category alone a generator learns the mean of all defects, a tint through which the
photograph shows; the relief of a break and the grain of a fracture are in the photographs of real ones. Here one of
them, as a layer with an alpha of its own (``layer``), is stretched to the mask and brought into the light of its new
place; what stretching spoils, and what does not fit, is left to the generator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from safetensors.numpy import load_file, save_file

from ...core.channels import one_channel, over_channels
from ...core.errors import InputError
from ...core.files import atomic_path
from ...core.manifest import check_product
from ...core.masks import Axes, grow
from .layer import FLOOR, REACH_PX, Layer, level_around, surroundings
from .reshaping import level_on, replace_within, whole
from .strip import Strip
from .substance import ELONGATED, OF_THE_SURFACE, Evidence, Substance, depth, learn_substance, step

FILE, OLDER_FILE = "exemplars.safetensors", "examples.safetensors"

KEEPING_GRAIN = cv2.INTER_LANCZOS4
"""How pixels between pixels are found: linearly, a turn takes the finest grain away, and a defect is told by that."""
FADE, FADE_OPAQUE = 0.4, 0.15
"""The share of a mask's length over which one exemplar fades into another, and one that hides its surface."""
RIM_PX, LEAST_LEVEL, OF_THE_DEFECT = 3, 0.1, (0.25, 0.6)
"""So deep in a label pixels may be surface, where the defect is brighter or darker than its surroundings by so much
(a logarithm): up to the first share of that difference they are, from the second on they are the defect's."""
CLEAR = 2.0
"""Only a defect that differs from its surroundings by so many deviations of its own brightness is told from them by it:
a bolt, bright and dark itself, is not."""
LEAST_STRETCHED = 8
"""Exemplars whose surroundings are looked at."""
MOST_STRETCHED = 0.8
"""An exemplar stretched farther (``Strip.stretch``) is seen to be: of those that an eye was shown (docs/results/eye) 14
of 23 were not believed, of the others 7 of 44."""
SURROUNDED, LOOKED_AT_PX, LEAST_SURROUNDINGS = 3.0, 256, 0.5
"""What a difference in the surroundings of 1 (a logarithm's deviation) counts in stretches; so many pixels of them are
looked at; and less than this share of them in the exemplar's window tells nothing."""
ALIKE = 2.0
"""What a difference in brightness of 1 (a logarithm) counts in stretches where two exemplars fade into each other."""
KEPT_PX = 2**18
"""Windows of more pixels are taken apart anew whenever they are painted: a layer takes 16 to 32 bytes a pixel."""


@dataclass(frozen=True)
class Exemplar:
    """A real defect's window as the net saw it in training: uint8 pixels, and its mask. ``substance``: what its
    category's defects are made of (``layer.learn_substance``); ``sound``: the window without the defect, where that is
    known; ``part_01``: where it shows the part, where the defect changes the part's outline."""

    pixels: np.ndarray
    mask_01: np.ndarray
    substance: Substance = OF_THE_SURFACE
    sound: np.ndarray | None = None
    part_01: np.ndarray | None = None

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
        if self.part_01 is not None:
            found = replace(found, part=self.part_01.astype(np.float32))
        if self.mask_01.size <= KEPT_PX:
            self.__dict__["_layer"] = found
        return found

    @cached_property
    def ways(self) -> list[Exemplar]:
        """As it is; of what changes a part's outline upside down and mirrored, too: a strip does not know at which of
        its ends the part goes on."""
        if self.part_01 is None:
            return [self]
        planes = self.pixels, self.mask_01, self.part_01
        turned = [[np.ascontiguousarray(turn(plane)) for plane in planes] for turn in (np.flipud, np.fliplr)]
        turned.append([np.ascontiguousarray(np.flipud(np.fliplr(plane))) for plane in planes])
        return [self, *(replace(self, pixels=one, mask_01=two, part_01=three) for one, two, three in turned)]

    def as_it_fits(self, mask_01: np.ndarray, ground: np.ndarray) -> Exemplar:
        """Of its ``ways`` the one whose surroundings are most alike to those of a mask on the ground."""
        wanted, around = self.strip_of(mask_01), _around(mask_01)
        return min(self.ways, key=lambda way: _misfit(way, wanted, ground, around))

    def evidence(self) -> Evidence | None:
        """What it shows of its category's substance."""
        return self.layer.evidence(self.pixels, self.mask_01)

    @cached_property
    def around(self) -> float | None:
        """Logarithm of its surroundings' brightness."""
        return level_around(self.pixels, self.mask_01)

    @cached_property
    def brightness(self) -> float:
        """Logarithm of its own mean brightness; 0 where it shows nothing."""
        weight = self.layer.alpha * (self.mask_01 != 0)
        return _weighted_mean(one_channel(self.layer.shown), weight) if weight.any() else 0.0

    @cached_property
    def level(self) -> float | None:
        """By how much (a logarithm) it is brighter than its surroundings; None where that tells nothing."""
        inside, shown = self.mask_01 != 0, one_channel(self.layer.shown)
        core = self.layer.alpha * (inside & (depth(self.mask_01) > RIM_PX))
        weight = core if core.sum() > 0 else self.layer.alpha * inside
        if self.around is None or weight.sum() == 0:
            return None
        mean = _weighted_mean(shown, weight)
        spread = float(np.sqrt(_weighted_mean(np.square(shown - mean), weight)))
        return mean - self.around if abs(mean - self.around) >= max(LEAST_LEVEL, CLEAR * spread) else None


def _weighted_mean(plane: np.ndarray, weight: np.ndarray) -> float:
    return float((plane * weight).sum() / weight.sum())


def warp(defect: Exemplar, ground: np.ndarray, mask_01: np.ndarray, part_01: np.ndarray | None = None) -> np.ndarray:
    """``ground`` (uint8 (H, W) or (H, W, 3)) with the defect warped under the mask, stretched from its own mask to this
    one with its alpha, and as strong against this light as it was against its own. It fades out within ``REACH_PX``
    beyond the mask. Either mask empty: ``ground``. ``part_01``: where the part is on the ground; a defect that changes
    its outline, and knows where the part is on its own photograph, takes the place of all that is under the mask."""
    if defect.part_01 is not None and part_01 is not None and mask_01.any() and defect.mask_01.any():
        defect = defect.as_it_fits(mask_01, ground)
    moved = warped(defect, mask_01)
    return ground if moved is None else _lit(moved, defect, ground, mask_01, part_01)


def warp_through(
    defect: Exemplar, ground: np.ndarray, mask_01: np.ndarray, affine: np.ndarray, part_01: np.ndarray | None = None
) -> np.ndarray:
    """As ``warp``, but the defect is moved as a whole by the affine (2, 3), its window's pixel -> the ground's."""
    size, layer = (ground.shape[1], ground.shape[0]), defect.layer
    shown, surface = (
        cv2.warpAffine(plane, affine, size, flags=KEEPING_GRAIN, borderMode=cv2.BORDER_REFLECT_101)
        for plane in (layer.shown, layer.surface)
    )
    alpha = cv2.warpAffine(layer.alpha, affine, size, flags=cv2.INTER_LINEAR)
    known = cv2.warpAffine(layer.known, affine, size, flags=cv2.INTER_LINEAR, borderValue=1.0)
    part = None
    if layer.part is not None:
        part = cv2.warpAffine(layer.part, affine, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    moved = Layer(shown, surface, _faded(alpha, mask_01), _faded_known(known, mask_01), part)
    return _lit(moved, defect, ground, mask_01, part_01)


def _lit(
    moved: Layer, defect: Exemplar, ground: np.ndarray, mask_01: np.ndarray, part_01: np.ndarray | None
) -> np.ndarray:
    """A moved layer on the ground, in its light."""
    if moved.part is not None and defect.part_01 is not None and part_01 is not None:
        was, now = level_on(defect.pixels, defect.mask_01, defect.part_01), level_on(ground, mask_01, part_01)
        brighter = 0.0 if was is None or now is None else now - was
        return replace_within(moved.shown, moved.part, brighter, ground, mask_01, part_01)
    here = level_around(ground, mask_01)
    light = None if here is None or defect.around is None else here - defect.around
    if defect.substance.opaque and defect.substance.tight:
        # what hides its surface does so, too, where it is as bright as that was
        moved = replace(moved, alpha=np.maximum(moved.alpha, whole(mask_01)))
    return _without_rim(moved, defect, mask_01).on(ground, defect.substance, light)


def _without_rim(moved: Layer, defect: Exemplar, mask_01: np.ndarray) -> Layer:
    """The layer without what is as bright, at the rim of a label, as the surroundings that the defect was cut from:
    labels are loose, and on a darker place such pixels would be a bright rim."""
    around, level = defect.around, defect.level
    if around is None or level is None:
        return moved
    shown = one_channel(moved.shown)
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
    near = _within_reach(mask_01)
    columns, rows = np.zeros((2, *mask_01.shape), np.float32)
    columns[near], rows[near] = defect.strip_of(mask_01).to(defect.strip, _points(near)).T
    layer = defect.layer
    shown, surface = (
        cv2.remap(plane, columns, rows, KEEPING_GRAIN, borderMode=cv2.BORDER_REFLECT_101)
        for plane in (layer.shown, layer.surface)
    )
    alpha = cv2.remap(layer.alpha, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    known = cv2.remap(layer.known, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    part = None
    if layer.part is not None:
        part = cv2.remap(layer.part, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return Layer(shown, surface, _faded(alpha, mask_01), _faded_known(known, mask_01), part)


def _within_reach(mask_01: np.ndarray) -> np.ndarray:
    """Where under and around a mask something may be painted, as bool (H, W)."""
    return grow(mask_01, REACH_PX + 1) != 0


def _points(where: np.ndarray) -> np.ndarray:
    """(N, 2) pixels (x, y), row by row."""
    return np.argwhere(where)[:, ::-1]


def best_fitting(mask_01: np.ndarray, exemplars: Sequence[Exemplar], ground: np.ndarray | None = None) -> list[int]:
    """The exemplars by how well they fit under the mask, the best first: how much they are to be stretched and, of the
    ``LEAST_STRETCHED`` where the ``ground`` is given, how much what surrounds them differs from what surrounds the mask
    there. One that is drawn twice comes once."""
    near, farther = _by_unlikeness(exemplars[0].strip_of(mask_01), mask_01, exemplars, ground)
    return sorted(near, key=near.__getitem__) + farther


def pair_fitting(mask_01: np.ndarray, exemplars: Sequence[Exemplar], ground: np.ndarray) -> tuple[int, int]:
    """The one that fits best (``best_fitting``), and the next; of what hides its surface the one that is as bright, of
    those that are not stretched too far: an object is of one material. Twice the same where there is no other."""
    wanted = exemplars[0].strip_of(mask_01)
    near, _ = _by_unlikeness(wanted, mask_01, exemplars, ground)
    first, *others = sorted(near, key=near.__getitem__)
    if not others:
        return first, first
    own, fitting = exemplars[first], [at for at in others if _fits(exemplars[at], wanted)]
    if not (own.substance.opaque and own.substance.tight and fitting):
        return first, others[0]
    return first, min(fitting, key=lambda at: near[at] + ALIKE * abs(exemplars[at].brightness - own.brightness))


def _by_unlikeness(
    wanted: Strip, mask_01: np.ndarray, exemplars: Sequence[Exemplar], ground: np.ndarray | None
) -> tuple[dict[int, float], list[int]]:
    """Of the ``LEAST_STRETCHED`` exemplars what speaks against each under the mask, whose strip is ``wanted``, and the
    others, the least stretched first."""
    once = {id(exemplar): at for at, exemplar in reversed(list(enumerate(exemplars)))}
    stretched = {at: exemplars[at].strip.stretch(wanted) for at in once.values()}
    order = sorted(stretched, key=stretched.__getitem__)
    near, farther = order[:LEAST_STRETCHED], order[LEAST_STRETCHED:]
    if ground is None:
        return {at: stretched[at] for at in near}, farther
    around = _around(mask_01)
    unlike = {
        at: stretched[at] + SURROUNDED * min(_misfit(way, wanted, ground, around) for way in exemplars[at].ways)
        for at in near
    }
    return unlike, farther


def overstretched(mask_01: np.ndarray, exemplars: Sequence[Exemplar], enough: int = 2) -> bool:
    """Whether fewer than ``enough`` of the exemplars fill the mask without being stretched by more than
    ``MOST_STRETCHED``."""
    wanted = exemplars[0].strip_of(mask_01)
    return sum(_fits(exemplar, wanted) for exemplar in exemplars) < enough


def _fits(exemplar: Exemplar, wanted: Strip) -> bool:
    return exemplar.strip.stretch(wanted) <= MOST_STRETCHED


def _around(mask_01: np.ndarray) -> np.ndarray:
    """(N, 2) points (x, y) of the ring around a mask, at most about ``LOOKED_AT_PX`` of them."""
    points = _points(surroundings(mask_01))
    return points[:: max(1, len(points) // LOOKED_AT_PX)]


def _misfit(exemplar: Exemplar, strip: Strip, ground: np.ndarray, around_N2: np.ndarray) -> float:
    """Deviation of the logarithms of what surrounds the exemplar, moved under a mask's strip, from what is there."""
    there = np.rint(strip.to(exemplar.strip, around_N2)).astype(int)
    height, width = exemplar.mask_01.shape
    known = (there >= 0).all(axis=1) & (there < (width, height)).all(axis=1)
    if np.count_nonzero(known) < LEAST_SURROUNDINGS * len(around_N2):
        return 0.0
    seen, moved = (
        np.log(one_channel(pixels)[at[:, 1], at[:, 0]] + FLOOR)
        for pixels, at in ((ground, around_N2[known]), (exemplar.pixels, there[known]))
    )
    return float(np.std(seen - moved))


def warp_both(
    exemplars: tuple[Exemplar, Exemplar], ground: np.ndarray, mask_01: np.ndarray, part_01: np.ndarray | None = None
) -> np.ndarray:
    """``warp`` of one exemplar at the mask's begin and of the other at its end, the one fading into the other between.

    Two make a defect that neither of them is: one alone is found again by the copy check. What ``stands_alone`` is the
    first one's.
    """
    first = exemplars[0]
    if stands_alone(first, mask_01):
        return warp(first, ground, mask_01, part_01)
    pictures = [warp(exemplar, ground, mask_01, part_01).astype(np.float32) for exemplar in exemplars]
    near, share = _within_reach(mask_01), np.zeros(mask_01.shape)
    share[near] = first.strip_of(mask_01).share(_points(near))
    late = np.clip((share - 0.5) / (FADE_OPAQUE if first.substance.opaque else FADE) + 0.5, 0, 1)
    late = over_channels(late, ground)
    return (pictures[0] * (1 - late) + pictures[1] * late).round().astype(np.uint8)


def stands_alone(defect: Exemplar, mask_01: np.ndarray) -> bool:
    """Whether a defect under a mask is one that another must not show through: it changes a part's outline, or is an
    opaque object that has no length and a pattern of its own (a bolt, a washer)."""
    if defect.substance.reshapes:
        return True
    patterned = defect.substance.opaque and defect.level is None
    return patterned and not (mask_01.any() and Axes.of(mask_01).ratio >= ELONGATED)


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
