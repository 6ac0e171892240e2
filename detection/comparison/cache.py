"""Finished cells are costly: they are found again by their key, wherever they lie, and never thrown away."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from anomaly_gan.core.files import link_file
from anomaly_gan.core.locks import claimed
from anomaly_gan.core.stage import CELLS, LOGS

from .cell import ASIDE, CellJob, set_aside
from .result import RESULT, key_of

PLACES = (CELLS, f"compare/{CELLS}", f"*/compare/{CELLS}", f"*/*/compare/{CELLS}")
"""Where cells lie in a comparison, a run, a folder of runs, and a study of several variants."""


def finished_cells(folders: Iterable[Path], wanted: Collection[str]) -> dict[str, Path]:
    """Key -> folder of every finished cell with a key among ``wanted``, under comparisons, runs or studies."""
    found: dict[str, Path] = {}
    for folder in folders:
        for place in PLACES:
            for cells in sorted(folder.glob(place)):
                for result in sorted((*cells.glob(f"*/{RESULT}"), *(cells / ASIDE).glob(f"*/{RESULT}"))):
                    key = key_of(result)
                    if key in wanted and (result.parent / "detections.json").is_file():
                        found.setdefault(key, result.parent)
    return found


def adopt(job: CellJob, source: Path) -> bool:
    """Give the job the files of a finished cell of the same key, linked where the file system can, else copied.

    False where another process is at the job, or the source is gone; nothing is harmed then.
    """
    if source.resolve() == job.folder.resolve():
        return job.finished()
    with claimed(job.claim) as held:
        if not held:
            return False
        if not job.finished():
            if job.folder.exists():
                set_aside(job.folder)
            try:
                # the result goes last: it is what says that a cell is finished
                for path in sorted(source.iterdir(), key=lambda path: path.name == RESULT):
                    if path.is_file() and not path.name.startswith(".tmp-"):
                        link_file(path, job.folder / path.name)
            except FileNotFoundError:
                return False
    return job.finished()


def tidy(cells: Path, jobs: Sequence[CellJob]) -> None:
    """Leave in ``cells`` only what the plan names: other finished cells are set aside, unfinished ones removed.

    A cell that another process is at stays.
    """
    planned = {job.folder.name for job in jobs}
    for folder in sorted(cells.iterdir()) if cells.is_dir() else ():
        if folder.is_dir() and folder.name not in planned and folder.name != LOGS:
            with claimed(cells / LOGS / f"{folder.name}.claim") as held:
                if held:
                    set_aside(folder)
