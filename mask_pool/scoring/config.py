"""How experts' grades become a score and a choice. Torch-free."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from anomaly_gan.core.config import Config, nearest

from .fuzzy import WORDS, Composition, Defuzzifier, Grade, Scale, even_scale
from .outliers import OutlierRule
from .ratings import HIGHEST, LOWEST

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Weight = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Value = Annotated[float, Field(ge=LOWEST, le=HIGHEST)]


class EvaluateConfig(Config):
    """Fuzzy comprehensive evaluation and the choice after it (``fuzzy.assess``, ``selection.select``).

    The paper (section 4.1.2) averages ten experts' scores and takes the "top 10 % ... unanimously approved":
    ``method: mean`` with the other defaults. Everything it leaves open is named here.
    """

    method: Literal["fuzzy", "mean"] = "fuzzy"
    grades: tuple[str, ...] | dict[str, tuple[float, ...]] = WORDS
    """Names, worst first, for evenly spread triangles; or name: [a, b, c] or [a, b, c, d], the corners on 0..10."""
    weights: dict[str, Weight] = Field(default_factory=dict)
    """Weight of each criterion, by proportion; empty: all alike. A criterion left out counts 1."""
    rater_weights: dict[str, Weight] = Field(default_factory=dict)
    """Weight of each rater, by proportion; a rater left out counts 1, one with 0 is not heard at all."""
    aggregation: ClassVar[Composition] = "weighted_mean"
    """M(., +), or Zadeh's max-min (not monotone)."""
    defuzzify: Defuzzifier = "centroid"
    """Number that a grade counts as: the centroid of its triangle, or its peak."""

    top: float = Field(0.10, gt=0.0, le=1.0)
    """Share of a category's rated masks that is kept at most (rounded down, but see ``at_least``)."""
    approval: str | Value = 5.0
    """A rater approves a mask whose (criterion-weighted) grade is at least this: a number, or a word, which stands
    for all values that belong to it or to a better grade most."""
    unanimous: Share = 1.0
    """Share of a mask's raters that must approve; 1 is all of them, 0 asks nobody."""
    least_raters: int = Field(1, ge=1)
    """Fewest raters that must have graded a mask."""
    at_least: int = Field(1, ge=0)
    """So many per category are kept even where none qualifies (the best scores, marked as such); 0: none."""

    drop_outliers: bool = False
    """Leave constant, inverted and careless raters out of scores and approval; they are reported in any case."""
    outlier_correlation: ClassVar[float] = 0.3
    outlier_spread: ClassVar[float] = 3.0
    outlier_bias: ClassVar[float] = 1.5
    outlier_items: ClassVar[int] = 5
    """See ``outliers.OutlierRule``."""

    bootstrap: int = Field(1000, ge=0, le=100_000)
    """Resamples behind the interval of Krippendorff's alpha; 0: no interval."""
    confidence: ClassVar[float] = 0.95

    def scale(self) -> Scale:
        """The linguistic grades as fuzzy numbers."""
        if not isinstance(self.grades, dict):
            return even_scale(self.grades)
        made = []
        for name, corners in self.grades.items():
            if len(corners) not in (3, 4):
                raise ValueError(f"{name}: needs 3 corners (triangle) or 4 (trapezoid), has {len(corners)}")
            a, b, c, d = corners if len(corners) == 4 else (corners[0], corners[1], corners[1], corners[2])
            made.append(Grade(name, (a, b, c, d)))
        return Scale(tuple(sorted(made, key=lambda grade: grade.corners)))

    def rule(self) -> OutlierRule:
        return OutlierRule(self.outlier_correlation, self.outlier_spread, self.outlier_bias, self.outlier_items)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        try:
            scale = self.scale()
        except ValueError as error:
            raise ValueError(f"grades: {error}") from error
        if isinstance(self.approval, str) and scale.value_of(self.approval) is None:
            raise ValueError(f"approval: no grade {self.approval!r}{nearest(self.approval, scale.names)}")
        for name, weights in (("weights", self.weights), ("rater_weights", self.rater_weights)):
            if "" in weights:
                raise ValueError(f"{name}: a name is empty")
        return self


def mean_of(top: float) -> EvaluateConfig:
    """The plain mean, and the best ``top`` share of each category without asking for approval."""
    return EvaluateConfig(method="mean", top=top, unanimous=0.0, bootstrap=0)
