"""Dealing cards so that each comes up equally often, from a seed and a position alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from anomaly_gan.core.seeding import rng_for


@dataclass
class Deck:
    """Cards dealt in shuffled rounds, so that every card comes up equally often (to within one)."""

    cards: Sequence[int]
    seed: int
    name: str
    _round: tuple[int, np.ndarray] | None = field(default=None, repr=False)

    def card(self, position: int) -> int:
        """The card at a position of the endless deal."""
        number, place = divmod(position, len(self.cards))
        if self._round is None or self._round[0] != number:
            self._round = (number, rng_for(self.seed, "deck", self.name, number).permutation(len(self.cards)))
        return self.cards[int(self._round[1][place])]
