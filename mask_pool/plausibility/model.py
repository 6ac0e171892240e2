"""How plausible is this mask on this photograph, learned from few real masks.

Anomaly-GAN names it as future work. Two parts are rated: what the mask looks like (``shape_density``), and where it
lies (``place_ratio``). No part has seen the defect itself: whatever
lies under a mask is painted out before the photograph is looked at, in learning as in use, on photographs with a
defect and without. A model that saw the defect would be a defect detector, and useless on normal photographs.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

import numpy as np

from anomaly_gan.core.config import nearest
from anomaly_gan.core.dataset import Dataset
from anomaly_gan.core.seeding import seed_for

from ..elements.real import Element
from ..placement.maps import PlaceMaps, paint_out
from ..placement.ratio import PlaceRatio
from ..placement.real_masks import Scenes, places_of, real_elements
from ..scoring.ratings import HIGHEST
from ..statistics.shape_density import ShapeDensity, object_weights, robust_spread, weighted_quantile
from ..statistics.shape_statistics import shape_statistics
from .calibration import Calibration
from .config import PlausibilityConfig
from .wording import place_words, shape_words

Key = TypeVar("Key", bound=Hashable)
LEAST_SPREAD = np.array([1.0, 0.5])
"""Spreads of the parts (nats) below which a difference says nothing: an uninformed part must not decide."""


@dataclass(frozen=True)
class Plausibility:
    """What the model says of one mask.

    ``score``, ``shape`` and ``place`` are 0 to 10: the share of the category's real masks that are less plausible,
    each rated without its own object; calibrated, ``score`` is what the experts would give. ``plausibility`` orders
    masks where the score saturates. ``reasons`` are plain words, the weightiest first.
    """

    score: float
    shape: float
    place: float
    plausibility: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Known:
    """One category: its shapes, its places (None without real masks), and what its real masks were rated unseen.

    ``reference`` (N, 2) holds shape and place of the real masks in nats, ``weights`` (N,) sum to 1.
    """

    shapes: ShapeDensity
    places: PlaceRatio | None
    reference: np.ndarray
    weights: np.ndarray

    def standard(self, nats: np.ndarray) -> np.ndarray:
        """Parts (..., 2) as ln σ(z), z in spreads of the real masks above their median: saturates where all is well."""
        middle = weighted_quantile(self.reference, self.weights, 0.5)
        spread = np.maximum(robust_spread(self.reference, self.weights), LEAST_SPREAD)
        parts: np.ndarray = -np.logaddexp(0.0, -(nats - middle) / spread)
        return parts

    def percentile(self, value: float, of_reals: np.ndarray) -> float:
        """0..10, strictly monotone: the weight of the real values (N,) below ``value``, steps smoothed."""
        width = max(float(robust_spread(of_reals[:, None], self.weights)[0]), 0.05) * len(of_reals) ** -0.2
        return HIGHEST * float(self.weights @ (0.5 + 0.5 * np.tanh((value - of_reals) / width)))


@dataclass(frozen=True, eq=False)
class PlausibilityModel:
    """Rates masks of the categories of ``known``; immutable, made by ``fit``."""

    config: PlausibilityConfig
    known: dict[str, Known]
    calibration: Calibration | None = None

    @classmethod
    def fit(cls, train: Dataset, config: PlausibilityConfig, seed: int, scenes: Scenes | None = None) -> Self:
        """Learn from the real masks of the training split of ``train``; the rest of it is not looked at.

        ``scenes`` keeps painted-out photographs between fits on parts of one data set.

        Raises:
            InputError: a photograph cannot be read.
            ValueError: there are no real masks at all.
        """
        elements = real_elements(train, "train", config.fragment_share)
        every = [element for own in elements.values() for element in own]
        if not every:
            raise ValueError("a plausibility model needs at least one real mask in the training split")
        source = _Source(every, scenes or Scenes(train), config, seed)
        return cls(config, {name: source.know(name) for name in elements})

    def nats(self, maps: PlaceMaps, mask_01: np.ndarray, category: str) -> np.ndarray:
        """ln density of the shape and ln ratio of the place (2,); the mask is painted out in ``maps``."""
        known = self._known(category)
        place = 0.0 if known.places is None else known.places.score(maps.under(mask_01))
        return np.array([known.shapes.log_density(shape_statistics(mask_01)), place])

    def weigh(self, nats: np.ndarray, category: str) -> np.ndarray:
        """Plausibility (...) of parts (..., 2): the weighted sum of the standardised parts; 0 is the best."""
        weights = np.array([self.config.shape_weight, self.config.place_weight])
        worth: np.ndarray = self._known(category).standard(nats) @ (weights / weights.sum())
        return worth

    def score(self, gray: np.ndarray, mask_01: np.ndarray, category: str) -> Plausibility:
        """Rate mask_01 (H, W) of ``category`` on the photograph ``gray`` (H, W) uint8.

        Raises:
            ValueError: the mask is empty or of another size, or the category is unknown.
        """
        if gray.shape != mask_01.shape or not mask_01.any():
            raise ValueError(f"a mask {mask_01.shape} of {np.count_nonzero(mask_01)} pixels, a photograph {gray.shape}")
        return self.rate(PlaceMaps.of(paint_out(gray, mask_01)), mask_01, category)

    def rate(self, maps: PlaceMaps, mask_01: np.ndarray, category: str) -> Plausibility:
        """As ``score``, on a photograph in which whatever lies under the mask is painted out already."""
        known, nats = self._known(category), self.nats(maps, mask_01, category)
        plausibility = float(self.weigh(nats, category))
        parts = [known.percentile(float(nats[i]), known.reference[:, i]) for i in range(2)]
        score = (
            known.percentile(plausibility, self.weigh(known.reference, category))
            if self.calibration is None
            else float(self.calibration.score(known.standard(nats)[None])[0])
        )
        below = float(known.weights @ (known.reference[:, 1] < nats[1]))
        reasons = shape_words(known.shapes, shape_statistics(mask_01)) + (
            place_words(below, len(known.weights)) if known.places is not None else ()
        )
        return Plausibility(score, parts[0], parts[1], plausibility, reasons or ("like the real masks",))

    def parts(self, gray: np.ndarray, mask_01: np.ndarray, category: str) -> np.ndarray:
        """The two standardised parts (2,) that ``calibrated`` learns from."""
        nats = self.nats(PlaceMaps.of(paint_out(gray, mask_01)), mask_01, category)
        return self._known(category).standard(nats)

    def calibrated(self, parts: np.ndarray, scores: np.ndarray) -> PlausibilityModel:
        """This model, calibrated on the ``parts`` (N, 2) of rated masks with their mean ``scores`` (N,)."""
        return replace(self, calibration=Calibration.fit(parts, scores))

    def state(self) -> dict[str, object]:
        """Everything as JSON-able values; ``from_state`` gives the same model."""
        return {
            "config": self.config.model_dump(mode="json"),
            "calibration": self.calibration.state() if self.calibration else None,
            "known": {
                name: {
                    "shapes": one.shapes.state(),
                    "places": one.places.state() if one.places else None,
                    "reference": one.reference.tolist(),
                    "weights": one.weights.tolist(),
                }
                for name, one in self.known.items()
            },
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        known = {
            name: Known(
                ShapeDensity.from_state(one["shapes"]),
                PlaceRatio.from_state(one["places"]) if one["places"] else None,
                np.array(one["reference"], float).reshape(-1, 2),
                np.array(one["weights"], float),
            )
            for name, one in state["known"].items()
        }
        calibration = Calibration.from_state(state["calibration"]) if state["calibration"] else None
        return cls(PlausibilityConfig(**state["config"]), known, calibration)

    def _known(self, category: str) -> Known:
        if category not in self.known:
            raise ValueError(f"the plausibility model knows no category {category!r}{nearest(category, self.known)}")
        return self.known[category]


class _Source:
    """The real masks of all categories, from which any part can be left out."""

    def __init__(self, every: Sequence[Element], scenes: Scenes, config: PlausibilityConfig, seed: int) -> None:
        self.every, self.scenes, self.config, self.seed = list(every), scenes, config, seed
        self.shapes = np.stack([shape_statistics(element.full_mask()) for element in every])
        found = [places_of(scenes, element, seed) for element in every]
        self.places, self.anywhere = np.stack([own for own, _ in found]), [any_ for _, any_ in found]
        objects = sorted(
            {element.parent_group for element in every}, key=lambda group: (seed_for(seed, "judge fold", group), group)
        )
        self.fold_of = {group: index % config.folds for index, group in enumerate(objects)}

    def know(self, category: str) -> Known:
        own = [index for index, element in enumerate(self.every) if element.category == category]
        # a category without masks of its own is measured against all the others'
        rated = own or list(range(len(self.every)))
        reference = np.zeros((len(rated), 2))
        folds = [self.fold_of[self.every[index].parent_group] for index in rated]
        for fold in sorted(set(folds)):
            seen = [index for index, element in enumerate(self.every) if self.fold_of[element.parent_group] != fold]
            shapes, places = self._learn(category, seen or rated)
            for row, index in enumerate(rated):
                if folds[row] == fold:
                    reference[row] = (
                        shapes.log_density(self.shapes[index]),
                        0.0 if places is None else places.score(self.places[index]),
                    )
        shapes, places = self._learn(category, list(range(len(self.every))))
        return Known(shapes, places, reference, object_weights([self.every[index].parent_group for index in rated]))

    def _learn(self, category: str, seen: Sequence[int]) -> tuple[ShapeDensity, PlaceRatio | None]:
        own = [index for index in seen if self.every[index].category == category]
        groups = [self.every[index].parent_group for index in own]
        shapes = ShapeDensity.fit(
            self.shapes[own],
            groups,
            self.shapes[list(seen)],
            [self.every[index].parent_group for index in seen],
            [self.every[index].category for index in seen],
            self.config.shrinkage,
        )
        if not own:
            return shapes, None
        anywhere = np.concatenate([self.anywhere[index] for index in own])
        return shapes, PlaceRatio.fit(self.places[own], groups, anywhere, self.config.shrinkage)


Candidate = tuple[np.ndarray, np.ndarray, str]
"""A photograph (H, W) uint8, a mask_01 (H, W) on it, and its category."""


def choose(model: PlausibilityModel, candidates: Sequence[Candidate]) -> int:
    """Index of the most plausible candidate, the first of equals: fills a pool where there are no experts.

    Raises:
        ValueError: there are no candidates, or one cannot be rated.
    """
    if not candidates:
        raise ValueError("no candidates to choose from")
    return int(np.argmax([_order(model.score(*candidate)) for candidate in candidates]))


def presort(model: PlausibilityModel, items: Mapping[Key, Candidate]) -> dict[Key, int]:
    """Item -> priority: 0 is the most plausible, which experts see first; equals keep the order of ``items``."""
    worth = {key: _order(model.score(*candidate)) for key, candidate in items.items()}
    return {key: rank for rank, key in enumerate(sorted(worth, key=lambda key: -worth[key]))}


def _order(rated: Plausibility) -> float:
    # the plausibility decides where a calibrated score is cut off at an end of the scale
    return rated.score + 1e-6 * rated.plausibility
