"""Configuration of the choice between methods. Torch-free."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator

from ...core.config import Config, nearest
from ...core.durations import TimeLimit
from ..methods.best import NONE, PARTS


class ChooseConfig(Config):
    """Which method paints which category (arm ``best``); evaluated on the training split alone."""

    methods: tuple[str, ...] = PARTS
    """What is compared, the first one taken where the others are hardly better."""
    count: int = Field(40, ge=6)
    """Photographs painted per method and category."""
    margin: ClassVar[float] = 0.05
    """By so much lower another method's two-sample AUROC must be to be taken instead of one named before it. A fifth
    of the usual width of its interval: less would let chance decide, more would keep a generator that does harm."""
    least_accepted: ClassVar[float] = 0.5
    """A method of which a smaller share passes the gate's checks is not taken; where that holds for all, none is."""
    categories: dict[str, str] = Field(default_factory=dict)
    """What you choose yourself: category → method, or ``none``."""
    time_budget: TimeLimit = None
    """``2m``: decides by what was painted by then, as many of each method; None: paints all."""

    @model_validator(mode="after")
    def _known(self) -> Self:
        for name in (*self.methods, *self.categories.values()):
            if name not in (*PARTS, NONE) or (name == NONE and name in self.methods):
                raise ValueError(f"no method {name!r} to choose{nearest(name, (*PARTS, NONE))}")
        if not self.methods:
            raise ValueError("methods: name at least one")
        return self
