"""A study of the lift from its plan to its tables: one cell after the other, or all of a round on a cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...core.config import dump_yaml
from ...core.errors import AnomalyGanError, EnvironmentFailure
from ...core.files import write_json, write_text
from ...core.stage import run_lock
from ...engine.cluster import Cluster, active
from .cell import read_result, run_cell, setting
from .config import LiftConfig
from .jobs import on_cluster
from .outcome import LiftSummary
from .plan import LiftCell, Share, curve_cells, first_arms, round_cells, survivors
from .prepare import Prepared
from .result import LiftResult
from .summary import mean_lifts

Say = Callable[[str], None]


class _Enough(Exception):
    """As many cells as this call may train are trained."""


@dataclass
class Race:
    """What is planned, what is done, and who is still in it."""

    config: LiftConfig
    out: Path
    say: Say
    max_cells: int | None = None
    done: dict[LiftCell, LiftResult] = field(default_factory=dict)
    failed: dict[LiftCell, str] = field(default_factory=dict)
    planned: list[LiftCell] = field(default_factory=list)
    trained: int = 0

    def curve(self, train: bool) -> None:
        self._work(curve_cells(self.config), train)

    def rounds(self, train: bool) -> None:
        """Round by round; a round begins when every cell of the one before is done or has failed."""
        arms: list[str] = []
        for number, one in enumerate(self.config.rounds):
            before = arms
            arms = first_arms(self.config, one) if number == 0 else before
            if number and one.keep is not None:
                arms = survivors(before, mean_lifts(self.done, before), one.keep)
            arms = [name for name in self.config.arms if name in {*arms, *one.arms}]
            if number and (one.keep is not None or one.arms):
                self.say(f"round {number + 1}: goes on with {', '.join(arms)} of {len(before)} arms")
            cells = round_cells(self.config, one, arms)
            self._work(cells, train)
            if not all(cell in self.done or cell in self.failed for cell in cells):
                return

    def _work(self, cells: Sequence[LiftCell], train: bool) -> None:
        if train and (cluster := active()) is not None:
            self._work_on(cluster, cells)
        for place, cell in enumerate(cells):
            if cell not in self.planned:
                self.planned.append(cell)
            if cell in self.done or cell in self.failed:
                continue
            result = self._read(cell)
            if result is None and train:
                result = self._train(cell)
                later = {other.share for other in cells[place + 1 :]}
                if cell.share not in later:
                    self._prepared(cell.share).drop_banks()
            if result is not None:
                self.done[cell] = result

    def _work_on(self, cluster: Cluster, cells: Sequence[LiftCell]) -> None:
        """Those that are neither done nor failed, as many as this call may train, all at once."""
        todo = [cell for cell in cells if cell not in self.failed and self._read(cell) is None]
        if self.max_cells is not None:
            todo = todo[: self.max_cells - self.trained]
        self.trained += len(todo)
        for cell, why in on_cluster(self.config, todo, self.out, cluster, self.say).items():
            self._fail(cell, why)
        for cell in todo:
            if (result := self._read(cell)) is not None:
                self._tell(cell, result)

    def _train(self, cell: LiftCell) -> LiftResult | None:
        if self.max_cells is not None and self.trained >= self.max_cells:
            raise _Enough
        self.trained += 1
        self.say(f"{cell.name} ...")
        try:
            result = run_cell(self.config, cell, self._prepared(cell.share), cell.folder(self.out))
        except EnvironmentFailure:
            raise
        except AnomalyGanError as error:
            self._fail(cell, str(error))
            return None
        self._tell(cell, result)
        return result

    def _read(self, cell: LiftCell) -> LiftResult | None:
        return read_result(cell.folder(self.out), setting(self.config, cell))

    def _fail(self, cell: LiftCell, why: str) -> None:
        self.failed[cell] = why
        self.say(f"{cell.name}: failed: {why}")

    def _tell(self, cell: LiftCell, result: LiftResult) -> None:
        told = ("ap50", "pixel_ap", "auroc", "recall5")
        shown = ", ".join(f"{name} {_number(result.row.figure(name))}" for name in told)
        self.say(f"{cell.name}: {shown}; {result.seconds.all:.0f} s")

    def _prepared(self, share: Share) -> Prepared:
        return Prepared(self.config, share, self.out / "data" / share.name)


def run_lift(config: LiftConfig, out: Path, say: Say, max_cells: int | None = None) -> LiftSummary:
    """Train what is missing, at most ``max_cells`` cells (0: none), and write the tables; returns the summary.

    Raises:
        RunBusy: another process works in this folder.
        EnvironmentFailure: the disk is full.
    """
    from .tables import write_tables

    os.environ["OMP_NUM_THREADS"] = str(config.threads)
    race = Race(config, out, say, max_cells)
    with run_lock(out):
        write_text(out / "lift.yaml", dump_yaml(config))
        try:
            race.curve(train=max_cells != 0)
            race.rounds(train=max_cells != 0)
        except _Enough:
            say(f"{max_cells} cells trained in this call, as asked; the same command goes on from here")
        finally:
            summary = write_tables(race.config, out, race.done, race.failed, len(_tried(race)))
            write_json(out / "failed.json", {cell.name: why for cell, why in race.failed.items()})
    say(f"{len(race.done)} cells done, {len(race.failed)} failed, of {len(race.planned)} planned so far")
    return summary


def _tried(race: Race) -> set[str]:
    """The arms with a finished cell, besides the curve's: how many things were tried."""
    return {cell.arm for cell in race.done}


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
