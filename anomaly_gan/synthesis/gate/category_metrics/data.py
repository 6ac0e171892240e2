"""What a category metric is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ....core.seeding import rng_for
from ..config import GateConfig
from ..defects import Defect, RealDefects
from ..results import Counts


@dataclass(frozen=True)
class CategoryData:
    """One category of one method: the accepted defects ``made`` beside the real ones of the training split.

    ``figures`` holds the distances of each view (``gate.views``) under the ``names`` of the networks that measured,
    and, where the gate asked for label checks, ``label_check``, ``seam`` and ``copies``.
    """

    name: str
    config: GateConfig
    counts: Counts
    real_defects: RealDefects
    made: Sequence[Defect] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0

    @property
    def real(self) -> list[Defect]:
        return self.real_defects.of(self.name)

    @property
    def objects(self) -> int:
        """Number of real objects of the training split that show the category."""
        return len({defect.group for defect in self.real})

    def rng(self, metric: str) -> np.random.Generator:
        """Chance of one metric alone: another row more or less changes no figure."""
        return rng_for(self.seed, "gate", self.name, metric)
