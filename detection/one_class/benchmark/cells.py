"""One cell of a benchmark: detector × data set × protocol × class × seed, trained, tested and written down alone."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from anomaly_gan.core.files import atomic_path, sha256_bytes, write_json
from anomaly_gan.core.seeding import seed_for
from anomaly_gan.core.stage import SCHEMA
from anomaly_gan.core.workfolder import begun, close_folder, made_by, mend, next_to, open_folder

from ..configs.base import OneClassConfig
from ..interface import Normals
from .config import INDUSTRIAL, BenchmarkConfig
from .curve import Curve
from .data import Labelled, load
from .metrics import best_f1, f1_at, figures
from .result import Cell, CellFigures, CellResult
from .splits import Trial, draw_trial
from .testing import BestEpoch, Examiner, as_squares

RESULT = "result.json"
MISTAKES = 8
PICTURE_SIDE = 96


@dataclass(frozen=True)
class CellJob:
    """All that a worker process needs to know. ``key``: hash of everything the result depends on."""

    cell: Cell
    config: BenchmarkConfig
    folder: Path
    device: str
    key: str
    steps: int = 1

    def result(self) -> CellResult | None:
        """What ``result.json`` says; None where the cell is not finished under this key, or the file is broken."""
        try:
            content = json.loads((self.folder / RESULT).read_text(encoding="utf-8"))
            found = CellResult.from_json(content) if content["key"] == self.key else None
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return found if (self.folder / "scores.npz").is_file() else None

    def run(self, on_step: Callable[[], None] = lambda: None) -> None:
        if self.result() is None:
            run_cell(self)
        on_step()


def cell_key(cell: Cell, config: BenchmarkConfig, settings: OneClassConfig, device: str, data_hash: str) -> str:
    """Hash of a cell's coordinates, split, data choices, detector settings, device kind and the images themselves."""
    data = config.data.model_dump(mode="json", exclude={"root", "folds"}, exclude_defaults=True)
    content = {
        "schema": SCHEMA,
        "cell": asdict(cell),
        "split": config.split(),
        "data": data,
        "device": device,
        "settings": settings.keyed(),
        "images": data_hash,
    }
    return sha256_bytes(json.dumps(content, sort_keys=True).encode())


def class_of(cell: Cell) -> int | None:
    """The number that the detector's own settings know the class by; None for an industrial set."""
    return None if cell.dataset in INDUSTRIAL else cell.number


def run_cell(job: CellJob) -> None:
    """Train and test; ``scores.npz``, ``curve.csv``, ``curve.png`` and then ``result.json`` appear in ``job.folder``.

    A cut-off cell goes on from its newest checkpoint; a finished one of another key stays until this one is whole.
    ``seconds`` of a cell that was cut off are those of its last run alone; it says ``resumed`` then.
    """
    from anomaly_gan.engine.loop import make_fabric

    from ..training import precision_of, ready_detector, train_detector

    mend(job.folder, job.key, RESULT)
    if job.result() is not None:
        return
    started_with = {"key": job.key}
    resumed = begun(job.folder, started_with, RESULT) or begun(next_to(job.folder), started_with, RESULT)
    place, started = open_folder(job.folder, started_with, RESULT), time.monotonic()
    config, cell = job.config, job.cell
    settings = config.detector_settings(class_of(cell))
    trial = trial_of(config, cell, settings.size)
    precision = precision_of(settings, job.device, job.folder / "work", f"train {cell.detector}")
    fabric = make_fabric(job.device, precision)
    train = as_squares(trial.train_NCHW, settings.size)
    examiner = Examiner(trial, settings.size, fabric.device, cell.protocol == "as_published")
    seed = seed_for(cell.seed, cell.dataset, cell.number)
    detector, settings = ready_detector(cell.detector, train.shape[1], settings, seed)
    work = place / "work"
    picks = examiner.published and settings.PICKS_EPOCH  # on the test set: what the paper did, and nothing honest does
    best = BestEpoch(detector, examiner, Normals(train.to(fabric.device)), work / "best.npz") if picks else None
    curve = Curve(detector, examiner, train, work / "auroc.csv", settings.CURVE)
    train_detector(detector, train, fabric, work, seed, _looks([one.look for one in (best, curve) if one]))
    trained = time.monotonic()
    scores = best.scores() if best and best.found() else examiner.scores(detector)
    held_out = examiner.plain_scores(detector, trial.held_out_NCHW)
    _write_scores(place / "scores.npz", trial, scores, held_out)
    result = CellResult(
        cell,
        evaluate(trial, scores, held_out, config),
        key=job.key,
        split=_split_name(config, cell),
        settings=settings.model_dump(mode="json"),
        precision=precision,
        n_train=len(train),
        n_held_out=len(held_out),
        n_test=len(scores),
        n_abnormal=int(trial.labels.sum()),
        seconds=round(time.monotonic() - started, 2),
        train_seconds=round(trained - started, 2),
        resumed=resumed,
        epochs=best.history() if best else None,
        picked_epoch=best.picked() if best and best.found() else None,
        **made_by(place),
    )
    curve.write(work, place, train)
    write_json(place / RESULT, result.to_json())
    shutil.rmtree(work, ignore_errors=True)
    close_folder(place, job.folder)


def _looks(every: Sequence[Callable[[int], None]]) -> Callable[[int], None]:
    def look(epoch: int) -> None:
        for one in every:
            one(epoch)

    return look


def _split_name(config: BenchmarkConfig, cell: Cell) -> str:
    if config.dataset not in INDUSTRIAL:
        return config.split()
    from .industrial_trial import SHARED_FROM

    return "photographs" if cell.number >= SHARED_FROM else "objects"


@lru_cache(maxsize=1)
def classes_of(dataset: str, root: Path | None) -> tuple[Labelled, Labelled]:
    """``data.load``, kept for the cells that follow in this process."""
    return load(dataset, root)


def trial_of(config: BenchmarkConfig, cell: Cell, size: int) -> Trial:
    """The images of a cell; ``size`` is what an industrial set is brought to as it is read."""
    if cell.dataset not in INDUSTRIAL:
        return draw_trial(*classes_of(config.dataset, config.data.root), cell.number, config, cell.seed)
    from .industrial_trial import industrial_trial

    return industrial_trial(config, cell.number, size)


def evaluate(trial: Trial, scores: np.ndarray, held_out: np.ndarray, config: BenchmarkConfig) -> CellFigures:
    """The figures of a cell.

    ``honest``: F1 at the threshold that is the ``data.quantile`` of the held-out training normals' scores.
    ``as_published``: the best over all thresholds on the test set, as the papers report it.
    """
    labels = trial.labels
    categories = {
        trial.names[kind]: figures(labels[chosen], scores[chosen]).auroc
        for kind in np.unique(trial.kinds[labels == 1])
        for chosen in [(labels == 0) | (trial.kinds == kind)]
    }
    found = CellFigures(**asdict(figures(labels, scores)), categories=categories)
    if config.protocol == "as_published":
        return replace(found, f1=best_f1(labels, scores, 0), f1_abnormal=best_f1(labels, scores, 1))
    if not len(held_out):
        return found
    threshold = float(np.quantile(held_out, config.data.quantile, method="higher"))
    normal = scores[labels == 0]
    return replace(
        found,
        f1=f1_at(labels, scores, threshold, 0),
        f1_abnormal=f1_at(labels, scores, threshold, 1),
        threshold=threshold,
        false_alarms=float((normal > threshold).mean()) if len(normal) else None,
    )


def _write_scores(path: Path, trial: Trial, scores: np.ndarray, held_out: np.ndarray) -> None:
    """Scores, labels, and the pictures of the worst mistakes; read it with ``allow_pickle=False``."""
    normal, abnormal = np.flatnonzero(trial.labels == 0), np.flatnonzero(trial.labels == 1)
    missed = abnormal[np.argsort(scores[abnormal], kind="stable")[:MISTAKES]]
    alarmed = normal[np.argsort(-scores[normal], kind="stable")[:MISTAKES]]
    side = min(PICTURE_SIDE, trial.test_NCHW.shape[-1])
    with atomic_path(path) as temporary:
        np.savez(
            temporary,
            labels=trial.labels.astype(np.uint8),
            scores=scores.astype(np.float32),
            kinds=trial.kinds.astype(np.int16),
            names=np.array(trial.names),
            held_out=held_out.astype(np.float32),
            missed=missed,
            alarmed=alarmed,
            missed_NCHW=as_squares(trial.test_NCHW[missed], side).numpy(),
            alarmed_NCHW=as_squares(trial.test_NCHW[alarmed], side).numpy(),
        )
