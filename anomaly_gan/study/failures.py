"""What went wrong in a study, one file a failure beside the run, so that a failing arm never stops the others."""

from __future__ import annotations

import json
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import AnomalyGanError, EnvironmentFailure
from ..core.files import write_json, write_text
from ..core.json_files import read_as
from .plan import StudyRun


@dataclass(frozen=True)
class Failure:
    """A stage or a cell, and why it failed."""

    what: str
    message: str


def stops_all(error: Exception) -> bool:
    """Whether going on makes no sense: the disk is full, another process holds the folder."""
    return isinstance(error, EnvironmentFailure)


def record(run: Path, what: str, error: Exception) -> None:
    """Write down that ``what`` (a stage, or a cell) of a run failed; a bug with its traceback."""
    known = isinstance(error, AnomalyGanError)
    content: dict[str, object] = {"what": what, "message": str(error) if known else f"{type(error).__name__}: {error}"}
    if not known:
        content["trace"] = traceback.format_exception(error)
    write_json(_path(run, what), content)


def forget(run: Path, what: str) -> None:
    """It did not fail this time."""
    _path(run, what).unlink(missing_ok=True)


def failed_since(run: Path, what: str, since: float) -> bool:
    """Whether it failed after the moment ``since`` (seconds since the epoch): then a fellow shard has just tried it."""
    path = _path(run, what)
    return path.is_file() and path.stat().st_mtime >= since


def collect(out: Path, runs: Sequence[StudyRun]) -> list[dict[str, str]]:
    """The failures of all runs, also as ``STUDY/failures.jsonl`` (which is not there where there are none)."""
    rows = []
    for run in runs:
        for path in sorted((run.folder / "failures").glob("*.json")):
            failure = read_as(path, Failure, "delete it: the same study tries that part again")
            rows.append({"run": run.name, **vars(failure)})
    if rows:
        write_text(out / "failures.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    else:
        (out / "failures.jsonl").unlink(missing_ok=True)
    return rows


def _path(run: Path, what: str) -> Path:
    return run / "failures" / f"{what}.json"
