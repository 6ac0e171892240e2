"""Which crops make up the batch of a step: a function of (seed, step) alone, balanced by category and by object."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from anomaly_gan.core.errors import InputError

from ..deck import Deck
from ..exposure import CategoryShown, Shown
from .config import DenseConfig

ROUND = 24
"""Cards of a round in which the rarer categories come up more often."""
DRAWN_AS = 50
"""A training from drawn defects alone is as long as one from so many photographs with a defect."""
Kind = Literal["defect", "sound", "synthetic", "sham", "drawn"]


@dataclass(frozen=True)
class Item:
    """Something to choose: its category and object, and its place in the list it came from."""

    category: Hashable
    group: Hashable
    place: int


@dataclass(frozen=True)
class Slot:
    """One crop of a batch: what kind, and the place of its source among the sources of that kind."""

    kind: Kind
    place: int


class BalancedDeck:
    """Categories in turn, within a category its objects in turn, within an object its items in turn; each round is
    shuffled. Every category comes up equally often, or as ``weights`` say, and every object of a category equally.
    """

    def __init__(
        self, items: Iterable[Item], seed: int, name: str, weights: Mapping[Hashable, float] | None = None
    ) -> None:
        places: dict[Hashable, dict[Hashable, list[int]]] = defaultdict(lambda: defaultdict(list))
        for item in items:
            places[item.category][item.group].append(item.place)
        keys = sorted(places, key=str)
        self._shares = _shares([1.0 if weights is None else weights.get(key, 1.0) for key in keys])
        self._categories = Deck([n for n, share in enumerate(self._shares) for _ in range(share)], seed, name)
        self._groups, self._items = {}, {}
        for number, key in enumerate(keys):
            groups = sorted(places[key], key=str)
            self._groups[number] = Deck(range(len(groups)), seed, f"{name}/{key}")
            self._items[number] = [Deck(places[key][group], seed, f"{name}/{key}/{group}") for group in groups]

    def card(self, position: int) -> int:
        """The place at a position of the endless deal."""
        turn, before = divmod(position, len(self._categories.cards))
        category = self._categories.card(position)
        earlier = sum(self._categories.card(position - back) == category for back in range(1, before + 1))
        turn = turn * self._shares[category] + earlier
        groups = self._groups[category]
        return self._items[category][groups.card(turn)].card(turn // len(groups.cards))


def _shares(weights: Sequence[float]) -> list[int]:
    """How often each category lies in a round: once where all weigh the same, else up to ``ROUND`` cards in all."""
    if not weights or max(weights) == min(weights):
        return [1] * len(weights)
    return [max(1, round(ROUND * weight / sum(weights))) for weight in weights]


@dataclass(frozen=True)
class Sources:
    """All that crops can be cut from. ``photographs``: how many real ones show a defect. ``drawn``: on what defects are
    drawn by rule, where there is no other."""

    defects: Sequence[Item]
    sound: Sequence[Item]
    synthetic: Sequence[Item] = ()
    shams: Sequence[Item] = ()
    drawn: Sequence[Item] = ()
    photographs: int = 0


class CropSampler:
    """Real batches of a fixed make-up, and beside them the synthetic crops, which displace nothing real.

    Without a real defect (a first stage from generated ones alone) their slots go to synthetic crops, without any to
    drawn ones.

    Raises:
        InputError: K8, neither a real nor a synthetic defect, and none to be drawn.
    """

    def __init__(self, sources: Sources, config: DenseConfig, seed: int, steps: int = 0) -> None:
        if not (sources.defects or sources.synthetic or sources.drawn):
            raise InputError("training split", "K8", "no real photograph with a defect", "label some, then run ingest")
        self.sources, self._config, self._steps = sources, config, steps
        self._defects = BalancedDeck(sources.defects or sources.synthetic or sources.drawn, seed, "dense/defect")
        self._defect_kind: Kind = "defect" if sources.defects else "synthetic" if sources.synthetic else "drawn"
        self._sound = BalancedDeck(sources.sound, seed, "dense/sound")
        weights = _rarity(sources.defects) if sources.defects else None
        self._synthetic = BalancedDeck(sources.synthetic, seed, "dense/synthetic", weights)
        self._shams = BalancedDeck(sources.shams, seed, "dense/sham", weights)
        self.sound_slots = config.sound_slots() if sources.sound else 0
        self.defect_slots = config.batch - self.sound_slots
        self._sham_slots = round(config.bank_per_batch * config.sham_share) if sources.shams else 0
        self._synthetic_slots = (config.bank_per_batch - self._sham_slots) if sources.synthetic else 0

    def steps_for(self, exposures: float) -> int:
        """Steps in which each real defective photograph is shown ``exposures`` times in the mean."""
        shown = self.sources.photographs or len(self.sources.synthetic) or DRAWN_AS
        return max(1, math.ceil(exposures * shown / self.defect_slots - 1e-9))

    def batch(self, step: int) -> list[Slot]:
        """The slots of a step (0-based)."""
        slots = [
            Slot(self._defect_kind, self._defects.card(step * self.defect_slots + number))
            for number in range(self.defect_slots)
        ]
        slots += [
            Slot("sound", self._sound.card(step * self.sound_slots + number)) for number in range(self.sound_slots)
        ]
        for kind, deck, count in (
            ("synthetic", self._synthetic, self._synthetic_slots),
            ("sham", self._shams, self._sham_slots),
        ):
            slots += [Slot(kind, deck.card(step * count + number)) for number in range(count)]  # type: ignore[arg-type]
        return slots


def _rarity(defects: Sequence[Item]) -> dict[Hashable, float]:
    """A category's weight: one over how many real defects show it."""
    return {category: 1 / count for category, count in Counter(item.category for item in defects).items()}


def exposure_report(sampler: CropSampler, steps: int, names: Sequence[str], images: Sequence[int]) -> dict[str, Shown]:
    """How often each source was shown in ``steps`` steps. ``images``: the photograph of each real defect, by place.

    For ``real_defect``: photographs, how often each was shown in the mean, at least, at most; per category too.
    """
    counts: Counter[Slot] = Counter(slot for step in range(steps) for slot in sampler.batch(step))
    shown = {kind: sum(n for slot, n in counts.items() if slot.kind == kind) for kind in ("defect", "sound")}
    per_image: Counter[int] = Counter(dict.fromkeys(images, 0))
    per_category: dict[str, tuple[set[int], list[int]]] = {}
    for item in sampler.sources.defects:
        count = counts[Slot("defect", item.place)]
        per_image[images[item.place]] += count
        seen, drawn = per_category.setdefault(str(item.category), (set(), []))
        seen.add(images[item.place])
        drawn.append(count)
    categories = {
        names[int(label) - 1]: CategoryShown(len(seen), sum(drawn))
        for label, (seen, drawn) in sorted(per_category.items())
    }
    report = {
        "real_defect": Shown.of(list(per_image.values()), categories),
        "real_normal": Shown.of([counts[Slot("sound", item.place)] for item in sampler.sources.sound]),
    }
    for name, items, kind in (
        ("synthetic", sampler.sources.synthetic, "synthetic"),
        ("sham", sampler.sources.shams, "sham"),
        ("drawn", sampler.sources.drawn, "drawn"),
    ):
        if items:
            report[name] = Shown.of([counts[Slot(kind, item.place)] for item in items])  # type: ignore[arg-type]
    assert shown["defect"] == report["real_defect"].shown
    return report
