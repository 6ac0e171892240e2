"""Putting a model to the test: real masks against shuffled ones by whole objects, and drawings against their scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.stats import spearmanr

from anomaly_gan.core.dataset import Dataset
from anomaly_gan.core.masks import grow

from ..elements.real import Element
from ..placement.maps import GROWN, PlaceMaps, paint_out
from ..placement.real_masks import Scenes, real_elements
from ..plausibility.calibration import MIN_RATED, Calibration
from ..plausibility.config import PlausibilityConfig
from ..plausibility.model import PlausibilityModel
from ..statistics.object_bootstrap import deal
from .plausibility_shuffles import KINDS, Pair, shuffle

VIEWS = ("both", "shape", "place", "painted", "smooth", "peek")
"""What is rated by: both parts, one of them, and three controls. ``painted`` knows exactly which pixels were painted
out, and nothing else (their share in and around the mask): 0.5 is right where both masks are of one size; a larger
mask has a larger share by itself. ``smooth`` sees how much less texture there
is in the painted mask than around it; ``peek`` the same on the photograph as it is, defect and all."""


@dataclass(frozen=True, eq=False)
class Verdict:
    """A pair and what each view says of its two masks; ``real`` and ``fake`` map the view to a number."""

    pair: Pair
    real: dict[str, float]
    fake: dict[str, float]
    score_real: float
    score_fake: float


@dataclass(frozen=True, eq=False)
class RatedParts:
    """A rated drawing, its standardised parts (2,) and its plausibility."""

    element: Element
    parts: np.ndarray
    plausibility: float


def cross_validate(
    dataset: Dataset, config: PlausibilityConfig, scenes: Scenes, folds: int, draws: int, seed: int
) -> list[Verdict]:
    """Verdicts on the training split: every object is rated by a model that has not seen it.

    Args:
        dataset: the data set.
        config: of the plausibility model.
        scenes: photographs with their defects painted out, kept between calls; None: read anew.
        folds: parts that the objects are dealt into.
        draws: shuffled masks of each kind per real one.
        seed: of every random choice made here.

    Returns:
        A verdict per pair.
    """
    elements = real_elements(dataset, "train", config.fragment_share)
    groups = deal(elements, seed)
    verdicts: list[Verdict] = []
    for fold in range(min(folds, len(groups))):
        held = set(groups[fold::folds])
        model = PlausibilityModel.fit(_without(dataset, held), config, seed, scenes)
        part = {name: [one for one in own if one.parent_group in held] for name, own in elements.items()}
        # a donor that the model had learned from would look better to it than any unseen real mask
        verdicts += evaluate_pairs(model, part, part, scenes, draws, seed)
    return verdicts


def _without(dataset: Dataset, groups: set[str]) -> Dataset:
    return dataset.select(lambda image: image.group_id not in groups)


def held_out(dataset: Dataset, config: PlausibilityConfig, scenes: Scenes, draws: int, seed: int) -> list[Verdict]:
    """Verdicts on the test split, by a model of the whole training split; only test masks are shuffled."""
    elements = real_elements(dataset, "test", config.fragment_share)
    return evaluate_pairs(PlausibilityModel.fit(dataset, config, seed, scenes), elements, elements, scenes, draws, seed)


def evaluate_pairs(
    model: PlausibilityModel,
    elements: dict[str, list[Element]],
    donors: dict[str, list[Element]],
    scenes: Scenes,
    draws: int,
    seed: int,
) -> list[Verdict]:
    """Rate every real mask beside ``draws`` shuffled ones of every kind, on one and the same painted photograph.

    Args:
        model: the plausibility model.
        elements: real masks by category.
        donors: masks that shuffled ones are taken from, by category.
        scenes: photographs with their defects painted out, kept between calls; None: read anew.
        draws: shuffled masks of each kind per real one.
        seed: of every random choice made here.

    Returns:
        A verdict per pair.
    """
    others = [one for own in donors.values() for one in own]
    verdicts = []
    for real in (one for own in elements.values() for one in own if one.category in model.known):
        gray, taken = scenes.gray(real.parent_image), scenes.defects(real.parent_image)
        for kind in KINDS:
            for draw in range(draws):
                pair = shuffle(real, kind, others, taken, seed, draw)
                if pair is not None:
                    verdicts.append(_verdict(model, pair, gray, taken))
    return verdicts


def _verdict(model: PlausibilityModel, pair: Pair, gray: np.ndarray, taken: np.ndarray) -> Verdict:
    # both places are painted out in both pictures: that something was painted tells nothing
    painted = paint_out(gray, taken | pair.fake_01)
    maps = PlaceMaps.of(painted)
    altered = (taken | pair.fake_01).astype(np.float32)
    views, scores = [], []
    for mask_01 in (pair.real.full_mask(), pair.fake_01):
        nats = model.nats(maps, mask_01, pair.real.category)
        parts = model.known[pair.real.category].standard(nats)
        scores.append(model.rate(maps, mask_01, pair.real.category).score)
        views.append(
            {
                "both": float(model.weigh(nats, pair.real.category)),
                "shape": float(parts[0]),
                "place": float(parts[1]),
                "painted": near(altered, mask_01),
                "smooth": texture(painted, mask_01),
                "peek": texture(gray, mask_01),
            }
        )
    return Verdict(pair, views[0], views[1], scores[0], scores[1])


def texture(gray: np.ndarray, mask_01: np.ndarray) -> float:
    """ln of the mean absolute Laplacian in the mask over that in a ring around it, beyond what is painted out."""
    strength = np.abs(cv2.Laplacian(gray.astype(np.float32), cv2.CV_32F))
    reach = 2 * max(2, round(GROWN * float(np.sqrt(gray.size))))
    ring = (grow(mask_01, 2 * reach) > 0) & (grow(mask_01, reach) == 0)
    around = float(strength[ring].mean()) if ring.any() else float(strength.mean())
    return float(np.log((strength[mask_01 != 0].mean() + 0.1) / (around + 0.1)))


def near(altered: np.ndarray, mask_01: np.ndarray) -> float:
    """Share of altered pixels in and around the mask; what lies beyond the border counts as not altered."""
    reach = max(4, round(4 * GROWN * float(np.sqrt(mask_01.size))))
    window = grow(np.pad(mask_01, reach), reach)
    inside = window[reach:-reach, reach:-reach]
    return float(altered[inside > 0].sum()) / float(np.count_nonzero(window))


def evaluate_rated(model: PlausibilityModel, rated: Sequence[Element], scenes: Scenes) -> list[RatedParts]:
    """What the model says of rated drawings on their photographs."""
    result = []
    for element in rated:
        gray, mask_01 = scenes.gray(element.parent_image), element.full_mask()
        nats = model.nats(PlaceMaps.of(paint_out(gray, mask_01)), mask_01, element.category)
        result.append(
            RatedParts(
                element, model.known[element.category].standard(nats), float(model.weigh(nats, element.category))
            )
        )
    return result


def calibrated_unseen(rated: Sequence[RatedParts]) -> np.ndarray:
    """Scores (N,), each calibrated on the drawings of all other photographs; NaN where those are too few."""
    files = np.array([one.element.parent_image for one in rated])
    parts = np.array([one.parts for one in rated]).reshape(-1, 2)
    scores = np.array([one.element.score for one in rated], float)
    result = np.full(len(rated), np.nan)
    for file in sorted(set(files)):
        rest = files != file
        if np.count_nonzero(rest) >= MIN_RATED:
            result[~rest] = Calibration.fit(parts[rest], scores[rest]).score(parts[~rest])
    return result


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Rank correlation; NaN where one of them is constant or there are fewer than three."""
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(spearmanr(first, second).statistic)
