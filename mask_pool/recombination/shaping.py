"""Drawing the shape of an element as its category's rules say, with every draw on record."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..elements.real import Element
from .recombine import Turned, draw_linear, draw_turn, remake, unturned
from .rules import Rules, Span
from .severity import Measures, measure

SIZE_STEPS = 10
"""Corrections of scale and stretch until the pixels have the size that was asked for."""
SIZE_TOLERANCE = 0.03
"""Relative error of area and elongation at which the corrections end."""
STRETCHES = (0.2, 5.0)
"""Limits of the stretch by which severity sets the elongation."""
SEEDS = 2**31


@dataclass(frozen=True)
class Shaper:
    """Turns and deforms the elements of one category.

    ``typical`` are the category's median area in pixels and elongation, to which severity is relative. ``always_flip``:
    what the rules let be mirrored is mirrored each time.
    """

    rules: Rules
    typical: tuple[float, float]
    always_flip: bool = False

    @classmethod
    def of(cls, rules: Rules, elements: Sequence[Element]) -> Shaper:
        """For a category with these elements (at least one)."""
        if rules.severity is None:
            return cls(rules, (1.0, 1.0))
        sizes = [measure(element.bitmap) for element in elements]
        return cls(
            rules,
            (float(np.median([one.area_px for one in sizes])), float(np.median([one.elongation for one in sizes]))),
        )

    def draw_severity(self, rng: np.random.Generator) -> float | None:
        """Severity of one item; None where the category has none (and for fixed shapes)."""
        if self.rules.severity is None or self.rules.fixed_shape:
            return None
        return round(float(rng.uniform(*self.rules.severity)), 6)

    def shape(self, element: Element, rng: np.random.Generator, severity: float | None = None) -> Turned | None:
        """The element with a random shape that the rules allow; None where it was drawn one that they do not."""
        rules = self.rules
        if rules.fixed_shape:
            return unturned(element)
        if rules.plain:
            return draw_turn(
                element,
                rng,
                rules.rotation,
                rules.scale,
                self._flip,
                rules.min_area_px,
                rules.keep_at_border,
            )
        degrees, factor, mirrored = draw_linear(
            element, rng, rules.rotation, rules.scale, self._flip, rules.keep_at_border
        )
        wanted = self._wanted_area(element, factor, severity, rng)
        longer = None if severity is None else rules.severity_scale.elongation_at(severity, self.typical[1])
        transforms: dict[str, Any] = {
            "rotation_deg": degrees,
            "scale": math.sqrt(wanted / element.area),
            "flip": mirrored,
            "measured": {},
        }
        if severity is not None:
            transforms["severity"] = severity
        steps = self._steps(element, rng, severity)
        if steps:
            transforms["deform"] = steps
        if longer is not None:
            transforms["stretch"] = _clip(longer / measure(element.bitmap).elongation, STRETCHES)
        return self._sized(element, transforms, wanted, longer)

    @property
    def _flip(self) -> float:
        """Chance of being mirrored."""
        return (1.0 if self.always_flip else 0.5) if self.rules.flip else 0.0

    def obeys(self, turned: Turned) -> bool:
        """Whether the bitmap has the size, and the turn the angle, that the rules allow."""
        rules, done = self.rules, turned.transforms
        if rules.fixed_shape:
            return np.array_equal(turned.bitmap, turned.element.bitmap)
        if not rules.rotation[0] - 1e-6 <= done["rotation_deg"] <= rules.rotation[1] + 1e-6:
            return False
        if rules.area_px is None and rules.length_px is None:
            return True
        found = measure(turned.bitmap)
        return _within(found.area_px, rules.area_px) and _within(found.length_px, rules.length_px)

    def may_fit(self, height: int, width: int, area_left: int) -> bool:
        """Whether the least size that the rules allow can lie in a photograph of this size at all."""
        area, length = self.rules.area_px, self.rules.length_px
        return (area is None or area[0] <= area_left) and (length is None or length[0] <= math.hypot(height, width))

    def _wanted_area(self, element: Element, factor: float, severity: float | None, rng: np.random.Generator) -> float:
        """Area in pixels to aim at: what severity asks for, else what scale and the range of sizes do."""
        span = self.rules.area_px
        if severity is not None:
            return self.rules.severity_scale.area_px(severity, self.typical[0], span)
        if span is not None:
            return _drawn(element.area, factor, self.rules.scale, span, 2, rng)
        if self.rules.length_px is not None:
            length = measure(element.bitmap).length_px
            wanted = _drawn(length, factor, self.rules.scale, self.rules.length_px, 1, rng)
            return float(element.area * (wanted / length) ** 2)
        return element.area * factor**2

    def _steps(self, element: Element, rng: np.random.Generator, severity: float | None) -> list[dict[str, object]]:
        """The deformations, in the order they are done; the straight edge that a border cut stays straight."""
        rules, steps = self.rules, list[dict[str, object]]()
        if not (rules.keep_at_border and element.cut_sides):
            if rules.elastic > 0:
                steps.append({"kind": "elastic", "strength": rules.elastic, "seed": int(rng.integers(SEEDS))})
            if any(rules.grow):
                steps.append({"kind": "grow", "share": round(float(rng.uniform(*rules.grow)), 6)})
        parts = None if severity is None else rules.severity_scale.parts_at(severity)
        if parts is None and rules.break_chance > 0 and rng.random() < rules.break_chance:
            parts = int(rng.integers(2, rules.break_parts + 1))
        if parts is not None and parts > 1:
            steps.append(
                {"kind": "break", "parts": parts, "gap_px": rules.break_gap_px, "seed": int(rng.integers(SEEDS))}
            )
        return steps

    def _sized(
        self, element: Element, transforms: dict[str, Any], wanted: float, longer: float | None
    ) -> Turned | None:
        """The element scaled (and stretched) until its pixels have the wanted area; the nearest that obeys."""
        best: tuple[float, Turned] | None = None
        grown = math.prod(1 + step.get("share", 0.0) for step in transforms.get("deform", []))
        aimed = wanted if self.rules.severity or self.rules.area_px else wanted * grown
        for _ in range(SIZE_STEPS):
            turned = remake(element, transforms)
            if turned is None:
                transforms = {**transforms, "scale": transforms["scale"] * 1.2}
                continue
            found = measure(turned.bitmap)
            ratio = self._ratio(found, aimed)
            off = max(abs(math.log(ratio)) * 2, 0.0 if longer is None else abs(math.log(longer / found.elongation)))
            if (
                turned.area >= min(self.rules.min_area_px, element.area)
                and self.obeys(turned)
                and (best is None or off < best[0])
            ):
                best = off, turned
            if off <= SIZE_TOLERANCE and best is not None:
                break
            transforms = {**transforms, "scale": transforms["scale"] * ratio}
            if longer is not None:
                transforms["stretch"] = _clip(transforms["stretch"] * longer / found.elongation, STRETCHES)
        return None if best is None else best[1]

    def _ratio(self, found: Measures, aimed: float) -> float:
        """By how much to scale again: to the area aimed at, but not out of the range of lengths."""
        ratio = math.sqrt(aimed / found.area_px)
        if self.rules.length_px is not None:
            low, high = self.rules.length_px
            inside = min(1.0, high - low) / 2
            ratio = min(max(ratio, (low + inside) / found.length_px), (high - inside) / found.length_px)
        return ratio


def _drawn(size: float, factor: float, factors: Span, span: Span, power: int, rng: np.random.Generator) -> float:
    """A size times its factor (raised to ``power``), or, where that is out of the span, one inside, log-uniform.

    Inside means what both the factors and the span allow, or the span alone where they have nothing in common.
    """
    wanted = size * factor**power
    if span[0] <= wanted <= span[1]:
        return wanted
    low, high = (size * end**power for end in factors)
    low, high = (max(low, span[0]), min(high, span[1])) if low <= span[1] and high >= span[0] else span
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def _within(value: float, span: Span | None) -> bool:
    return span is None or span[0] <= value <= span[1]


def _clip(value: float, span: Span) -> float:
    return min(max(value, span[0]), span[1])
