"""The cells of a study of the lift, in the order in which they are worked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .config import CURVE_ARM, REFERENCES, LiftConfig, Round

ALL_COUNT = 12
"""All objects of a category count as this many where cells are ordered by cost."""


@dataclass(frozen=True, order=True)
class Share:
    """What a training may learn from: a fold's training side, ``objects`` of each category (0: all), which draw."""

    fold: int
    objects: int
    draw: int

    @property
    def name(self) -> str:
        return f"fold{self.fold}-k{self.objects or 'all'}" + (f"-d{self.draw}" if self.objects else "")


@dataclass(frozen=True, order=True)
class LiftCell:
    """One trained and judged detector."""

    share: Share
    arm: str
    exposures: float
    seed: int

    @property
    def name(self) -> str:
        return f"{self.share.name}/{self.arm}-e{self.exposures:g}-s{self.seed}"

    def folder(self, out: Path) -> Path:
        return out / "cells" / self.name


def curve_cells(config: LiftConfig) -> list[LiftCell]:
    """The learning curve: fold by fold, the cheapest first (exposures times objects)."""
    curve = config.curve
    cells = [
        LiftCell(share, CURVE_ARM, exposures, seed)
        for fold in curve.folds
        for exposures in sorted(curve.exposures)
        for share in _shares(fold, curve.objects, curve.draws)
        for seed in curve.seeds
    ]
    return sorted(cells, key=lambda cell: (cell.share.fold, cell.exposures * (cell.share.objects or ALL_COUNT)))


def round_cells(config: LiftConfig, one: Round, arms: Sequence[str]) -> list[LiftCell]:
    """A round's cells: all arms of a (fold, objects, draw, seed) one after the other, so that a study that is cut off
    holds whole comparisons."""
    return [
        LiftCell(share, arm, config.detect.exposures, seed)
        for fold in one.folds
        for share in _shares(fold, one.objects, one.draws)
        for seed in one.seeds
        for arm in arms
    ]


def first_arms(config: LiftConfig, one: Round) -> list[str]:
    """The arms of the first round: those it names, or all; the references always."""
    named = one.arms or tuple(config.arms)
    return [name for name in config.arms if name in named or name in REFERENCES]


def survivors(arms: Sequence[str], lifts: Mapping[str, float | None], keep: int | None) -> list[str]:
    """The arms that go on: references and ``none_without_normals`` always, of the others the ``keep`` best; an arm
    without any finished cell has no lift and ranks last."""
    always = [name for name in arms if name in (*REFERENCES, "none_without_normals")]
    racing = [name for name in arms if name not in always]
    ranked = sorted(racing, key=lambda name: -(lifts.get(name) if lifts.get(name) is not None else -9.0))  # type: ignore[operator]
    chosen = set(ranked if keep is None else ranked[:keep]) | set(always)
    return [name for name in arms if name in chosen]


def _shares(fold: int, objects: Sequence[int | None], draws: Sequence[int]) -> Iterator[Share]:
    for many in objects:
        for draw in draws if many else (0,):
            yield Share(fold, many or 0, draw)
