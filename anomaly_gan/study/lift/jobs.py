"""A batch of cells on a cluster: what the cells of a share learn from is one task, then every cell is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import AnomalyGanError, EnvironmentFailure
from ...core.files import write_json
from ...core.json_files import read_as
from ...engine.cluster import Cluster, run_on_cluster
from ...engine.jobs import Sitting
from .cell import provide, run_cell
from .config import LiftConfig
from .plan import LiftCell
from .prepare import Prepared

FAILED = "failed.json"
"""In a cell's folder: why it failed, until the study has read it."""
REMEDY = "lower threads, or give a task more memory: --engine ray:auto,memory=8G"


@dataclass(frozen=True)
class _Job:
    config: LiftConfig
    out: Path

    @property
    def device(self) -> str:
        return self.config.device

    @property
    def threads(self) -> int:
        return self.config.threads

    def prepared(self, cell: LiftCell) -> Prepared:
        return Prepared(self.config, cell.share, self.out / "data" / cell.share.name)


@dataclass(frozen=True)
class ShareJob(_Job):
    """What the cells of one share learn from: two tasks must not make the same folder."""

    cells: tuple[LiftCell, ...]
    """One of each arm."""

    @property
    def steps(self) -> int:
        return len(self.cells)

    def run(self, on_step: Callable[[], None] = lambda: None) -> None:
        for cell in self.cells:
            try:
                provide(self.config, cell, self.prepared(cell))
            except EnvironmentFailure:
                raise
            except AnomalyGanError:
                pass  # the cell itself will meet it, and say so
            on_step()


@dataclass(frozen=True)
class CellJob(_Job):
    """One cell; what ends it alone becomes a file, and the others go on."""

    cell: LiftCell
    steps = 1

    @property
    def kind(self) -> str:
        return self.cell.arm

    @property
    def failure(self) -> Path:
        return self.cell.folder(self.out) / FAILED

    def run(self, on_step: Callable[[], None] = lambda: None) -> None:
        self.failure.unlink(missing_ok=True)
        try:
            run_cell(self.config, self.cell, self.prepared(self.cell), self.cell.folder(self.out))
        except EnvironmentFailure:
            raise
        except AnomalyGanError as error:
            write_json(self.failure, str(error))
        on_step()


def on_cluster(
    config: LiftConfig, cells: Sequence[LiftCell], out: Path, cluster: Cluster, say: Callable[[str], None]
) -> dict[LiftCell, str]:
    """Train and evaluate these cells; returns those that failed, and why.

    Raises:
        EnvironmentFailure: the disk is full, or a worker died again and again.
    """
    of_share = {cell.share: {other.arm: other for other in cells if other.share == cell.share} for cell in cells}
    shares = [ShareJob(config, out, tuple(arms.values())) for arms in of_share.values()]
    run_on_cluster(shares, cluster, Sitting("lift: photographs and banks", REMEDY))
    jobs = [CellJob(config, out, cell) for cell in cells]
    run_on_cluster(jobs, cluster, Sitting("lift", REMEDY, say=say))
    for share in shares:
        share.prepared(share.cells[0]).drop_banks()
    failed = {}
    for job in jobs:
        if job.failure.is_file():
            failed[job.cell] = read_as(job.failure, str)
            job.failure.unlink()
    return failed
