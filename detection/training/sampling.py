"""Which photographs make up the batch of a step: a function of (seed, step) alone."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from anomaly_gan.core.errors import InputError

from ..deck import Deck
from ..exposure import CategoryShown, Shown


class BatchSampler:
    """Batches with a fixed real share, or, where ``real_share`` is None, with the share that the photographs have.

    Every batch holds ``ceil(real_share * batch)`` real photographs (all, where there is nothing synthetic): a
    sampler that drew from one heap would show each synthetic image as often as each of the few real ones, and
    training then follows the generator. Of the real photographs, counted through all steps, the share
    ``normal_share`` (at most a half) is defect-free and the others have defects.

    Without a fixed share every photograph with a defect comes up equally often, real or synthetic (to within one),
    and the real ones bring their defect-free share along: what training sees then follows from how much was made.

    From step ``mixed_steps`` on (None: never) every photograph is real.

    Raises:
        InputError: no real photograph with a defect to train on.
    """

    def __init__(
        self,
        real_defect: Sequence[int],
        real_normal: Sequence[int],
        synthetic: Sequence[int],
        *,
        batch: int,
        real_share: float | None,
        normal_share: float,
        seed: int,
        mixed_steps: int | None = None,
    ) -> None:
        if not real_defect:
            raise InputError("training split", "K8", "no real photograph with a defect", "label some, then run ingest")
        self.normal_share = normal_share if real_normal else 0.0
        self._batch = batch
        self._mixed_until = None if mixed_steps is None else mixed_steps * batch
        if real_share is None or not synthetic:
            real = len(real_defect) / (1 - self.normal_share)
            self._real_share = real / (real + len(synthetic))
        else:
            self._real_share = math.ceil(batch * real_share - 1e-9) / batch
        self._defect = Deck(real_defect, seed, "defect")
        self._normal = Deck(real_normal, seed, "normal")
        self._synthetic = Deck(synthetic, seed, "synthetic")

    def batch(self, step: int) -> list[int]:
        """Indices of the photographs of a step (0-based), real ones first."""
        real, last = self._real_before(step * self._batch), self._real_before((step + 1) * self._batch)
        made = range(step * self._batch - real, (step + 1) * self._batch - last)
        return [self._real(position) for position in range(real, last)] + [
            self._synthetic.card(position) for position in made
        ]

    def _real_before(self, position: int) -> int:
        """How many of the photographs before a position of the endless deal are real."""
        mixed = position if self._mixed_until is None else min(position, self._mixed_until)
        return math.floor(mixed * self._real_share + 1e-9) + position - mixed

    def _real(self, position: int) -> int:
        before = math.floor(position * self.normal_share + 1e-9)
        after = math.floor((position + 1) * self.normal_share + 1e-9)
        return self._normal.card(before) if after > before else self._defect.card(position - before)


def exposure(
    sampler: BatchSampler,
    steps: int,
    sources: Mapping[int, str],
    categories: Mapping[int, Collection[str]] | None = None,
) -> dict[str, Shown]:
    """How often training draws each photograph, per kind: ``shown`` in all, mean and maximum per photograph.

    ``sources`` maps every index to its kind, for example ``real_defect``; ``categories`` maps an index to the names
    of what it shows, and adds per kind and name how many photographs show it and how often such were drawn (one of
    two categories counts for both).
    """
    counts = dict.fromkeys(sources, 0)
    for step in range(steps):
        for index in sampler.batch(step):
            counts[index] += 1
    report = {}
    for kind in sorted(set(sources.values())):
        members = [index for index, of_kind in sources.items() if of_kind == kind]
        shows = None if categories is None else _per_category(members, counts, categories)
        report[kind] = Shown.of([counts[index] for index in members], shows)
    return report


def _per_category(
    members: Sequence[int], counts: Mapping[int, int], categories: Mapping[int, Collection[str]]
) -> dict[str, CategoryShown]:
    drawn: dict[str, list[int]] = {}
    for index in members:
        for name in categories.get(index, ()):
            drawn.setdefault(name, []).append(counts[index])
    return {name: CategoryShown(len(of), sum(of)) for name, of in sorted(drawn.items())}
