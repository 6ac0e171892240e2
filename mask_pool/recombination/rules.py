"""What the masks of one category must keep to. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from anomaly_gan.core.config import Config, nearest
from anomaly_gan.core.errors import ConfigError

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Degrees = Annotated[float, Field(ge=-180.0, le=180.0)]
Growth = Annotated[float, Field(ge=-0.9, le=3.0)]
Span = tuple[float, float]

CHANGES = (
    "rotation",
    "flip",
    "scale",
    "area_px",
    "area_mm2",
    "length_px",
    "length_mm",
    "severity",
    "elastic",
    "grow",
    "break_chance",
)
"""Rules that a fixed shape has no use for."""


class SeverityScale(Config):
    """What severity s = 0 and s = 1 mean, relative to the category's masks.

    Area and elongation run geometrically from their first to their second value, parts in equal steps of s; all rise
    with s. The mapping is ours: the paper has no severity.
    """

    area: tuple[Positive, Positive] = (0.5, 2.0)
    """Positives of the category's median area (a category's ``area_px`` replaces them: s runs from its one end to the
    other)."""
    elongation: tuple[Positive, Positive] | None = None
    """Positives of the category's median elongation; None: as the masks are."""
    parts: tuple[int, int] | None = None
    """Parts that an element is broken into (one that has more keeps them); None: as the masks are."""

    @model_validator(mode="after")
    def _rising(self) -> Self:
        for name in ("area", "elongation", "parts"):
            span = getattr(self, name)
            if span is not None and not 0 < span[0] <= span[1]:
                raise ValueError(f"{name}: must be [at s = 0, at s = 1], rising, is {list(span)}")
        return self

    def area_px(self, s: float, median_px: float, span_px: tuple[float, float] | None = None) -> float:
        """Area in pixels at severity s, for a median area or, where given, between the ends of ``span_px``."""
        low, high = span_px or (median_px * self.area[0], median_px * self.area[1])
        return low * (high / low) ** s

    def elongation_at(self, s: float, median: float) -> float | None:
        """Elongation (>= 1) at severity s; None where severity leaves it alone."""
        if self.elongation is None:
            return None
        return max(1.0, median * self.elongation[0] * (self.elongation[1] / self.elongation[0]) ** s)

    def parts_at(self, s: float) -> int | None:
        """Number of parts at severity s; None where severity leaves it alone."""
        if self.parts is None:
            return None
        fewest, most = self.parts
        return min(most, fewest + int(s * (most - fewest + 1)))


class CategoryRules(Config):
    """Constraints of one category; what is not set is as for the whole pool. Sizes are those of one element."""

    fixed_shape: bool = False
    """Only place and number vary (the paper's screws)."""
    fixed_orientation: bool = False
    """Never turned, and mirrored only where ``flip`` is set beside it."""
    rotation: Annotated[float, Field(ge=0.0, le=180.0)] | tuple[Degrees, Degrees] | None = None
    """± this many degrees, or [from, to] in degrees."""
    flip: bool | None = None
    scale: tuple[Positive, Positive] | None = None
    elements: tuple[int, int] | None = None
    """Fewest and most elements of an item. Unlike the pool's, the fewest is kept to: items with less are not made."""
    area_px: tuple[int, int] | None = None
    """Least and largest area in pixels; it goes before ``scale``."""
    area_mm2: tuple[Positive, Positive] | None = None
    """The same in square millimetres; needs ``px_per_mm``."""
    length_px: tuple[Positive, Positive] | None = None
    """Least and largest length in pixels (longest distance across, see ``severity.measure``)."""
    length_mm: tuple[Positive, Positive] | None = None
    """The same in millimetres; needs ``px_per_mm``."""
    severity: tuple[Share, Share] | None = None
    severity_scale: SeverityScale | None = None
    elastic: Annotated[float, Field(ge=0.0, le=0.3)] | None = None
    grow: tuple[Growth, Growth] | None = None
    break_chance: Share | None = None
    max_area_share: Annotated[float, Field(gt=0.0, le=1.0)] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in (
            "rotation",
            "scale",
            "elements",
            "area_px",
            "area_mm2",
            "length_px",
            "length_mm",
            "severity",
            "grow",
        ):
            ordered(name, getattr(self, name))
        if (self.elements and self.elements[0] < 1) or (self.area_px and self.area_px[0] < 1):
            raise ValueError("elements, area_px: must be at least 1")
        for pixels, millimetres in (("area_px", "area_mm2"), ("length_px", "length_mm")):
            if getattr(self, pixels) and getattr(self, millimetres):
                raise ValueError(f"{pixels}, {millimetres}: give one of them")
        if self.fixed_orientation and self.rotation is not None:
            raise ValueError("fixed_orientation, rotation: give one of them")
        if self.fixed_shape and self.changing():
            raise ValueError(f"fixed_shape, {self.changing()[0]}: a fixed shape is only moved, give one of them")
        return self

    def changing(self) -> list[str]:
        """Names of the rules set here that change a shape."""
        return [name for name in CHANGES if getattr(self, name)]


@dataclass(frozen=True)
class Rules:
    """The rules of one category with nothing left open: lengths in pixels, angles in degrees."""

    fixed_shape: bool
    rotation: Span
    flip: bool
    scale: Span
    elements: tuple[int, int]
    fewest: int
    area_px: Span | None
    length_px: Span | None
    severity: Span | None
    severity_scale: SeverityScale
    elastic: float
    grow: Span
    break_chance: float
    break_parts: int
    break_gap_px: float
    max_area_share: float
    min_area_px: int
    keep_at_border: bool

    @property
    def plain(self) -> bool:
        """Whether elements are only turned, scaled and mirrored, to any size."""
        return not (
            self.area_px or self.length_px or self.severity or self.elastic or any(self.grow) or self.break_chance
        )


def ordered(name: str, span: Any) -> None:
    """Refuse a span [from, to] whose ends are swapped.

    Raises:
        ValueError: names the field.
    """
    if isinstance(span, tuple) and span[0] > span[1]:
        raise ValueError(f"{name}: must be [from, to] with from <= to, is {list(span)}")


def in_pixels(pixels: Span | None, millimetres: Span | None, per_mm: float | None, power: int) -> Span | None:
    """A size range in pixels, whichever unit it was given in; ``power`` is 1 for lengths and 2 for areas."""
    if millimetres is None or per_mm is None:
        return None if pixels is None else (float(pixels[0]), float(pixels[1]))
    return millimetres[0] * per_mm**power, millimetres[1] * per_mm**power


def check_categories(rules: Mapping[str, CategoryRules], fixed_shape: Sequence[str], categories: Sequence[str]) -> None:
    """Check that every category that is named in the configuration exists.

    Raises:
        ConfigError: names the field and the nearest category.
    """
    for field, names in (("fixed_shape", fixed_shape), ("rules", list(rules))):
        for name in names:
            if name not in categories:
                raise ConfigError(f"pool.{field}: no category {name!r}{nearest(name, categories)}")
