"""Does it help to choose a detector and its threshold on synthetic defects? Evaluated on real test photographs.

Four ways to choose, each without looking at the next one's photographs: blind (the first detector, a false-alarm
quantile of held-out normals), on synthetic defects, on real training defects, and on the real test defects themselves
(an oracle, no way to choose, the upper end). All are evaluated on the test split by whole objects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anomaly_gan.core.dataset import Dataset, ImageRecord, load_dataset
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.files import write_json
from anomaly_gan.core.seeding import rng_for
from anomaly_gan.core.tables import write_csv
from anomaly_gan.statistics.ranks import auroc
from detection.evaluation.statistics import Interval, percentile_interval, resampling_weights

from ..inspection.calibration import calibrate
from ..synthetic_filter.config import OneClassStageConfig
from ..synthetic_filter.filter_stage import score
from ..synthetic_filter.learn import learn, part_normals, read_square
from .result import BLIND, FIGURES, StudyResult, TestCount, WayResult
from .study_plot import write_plot

LEAST = 20
"""Fewer synthetic photographs on held-out objects than this, and those on objects learned from are used too."""


@dataclass(frozen=True)
class Scored:
    """What one detector scores: held-out normals, the calibration defects by kind, and the test photographs."""

    held_out: np.ndarray
    groups: list[str]
    defects: Mapping[str, np.ndarray]
    test: np.ndarray
    asked: float

    def blind_threshold(self) -> float:
        return calibrate(self.held_out, self.asked, self.groups).value


@dataclass(frozen=True)
class Choice:
    """A detector and its threshold, and how they were chosen."""

    way: str
    detector: str
    threshold: float


def best_threshold(normal: np.ndarray, abnormal: np.ndarray) -> float:
    """The threshold of the greatest balanced accuracy (Youden's index); of equals, the one in the middle of its gap,
    and the lowest of those. Above it is abnormal."""
    values = np.unique(np.concatenate([normal, abnormal]))
    places = np.concatenate([[values[0] - 1.0], (values[1:] + values[:-1]) / 2, [values[-1] + 1.0]])
    hits = 1 - np.searchsorted(np.sort(abnormal), places, "right") / len(abnormal)
    alarms = 1 - np.searchsorted(np.sort(normal), places, "right") / len(normal)
    return float(places[int(np.argmax(hits - alarms))])


def choose(scored: Mapping[str, Scored], default: str, kinds: Sequence[str], test_01: np.ndarray) -> list[Choice]:
    """All choices: blind with every detector, and by each kind of defects the detector, the threshold, and both."""
    choices = [Choice(BLIND, default, scored[default].blind_threshold())]
    for kind in kinds:

        def best(name: str, kind: str = kind) -> float:
            return auroc(scored[name].held_out, scored[name].defects[kind])

        found = max(scored, key=best)
        choices += [
            Choice(kind, found, best_threshold(scored[found].held_out, scored[found].defects[kind])),
            Choice(f"{kind}: detector only", found, scored[found].blind_threshold()),
            Choice(
                f"{kind}: threshold only",
                default,
                best_threshold(scored[default].held_out, scored[default].defects[kind]),
            ),
        ]
    normal, abnormal = test_01 == 0, test_01 == 1
    found = max(scored, key=lambda name: auroc(scored[name].test[normal], scored[name].test[abnormal]))
    test = scored[found].test
    choices.append(Choice("oracle", found, best_threshold(test[normal], test[abnormal])))
    choices += [Choice(f"{BLIND}, {name}", name, scored[name].blind_threshold()) for name in scored if name != default]
    return choices


def rates(called_01: np.ndarray, abnormal_01: np.ndarray, weights: np.ndarray) -> tuple[float, float, float]:
    """(balanced accuracy, detection rate, false-alarm rate) of photographs that count ``weights`` times; NaN where a
    side has no weight."""
    sides = []
    for side in (1, 0):
        weight = weights * (abnormal_01 == side)
        sides.append(float((weight * called_01).sum() / weight.sum()) if weight.sum() else float("nan"))
    return (sides[0] + 1 - sides[1]) / 2, sides[0], sides[1]


def resampled(called_RN: np.ndarray, abnormal_01: np.ndarray, objects: np.ndarray, drawn_BU: np.ndarray) -> np.ndarray:
    """(B + 1, 3) rates, mean over the R repeats: first of all photographs once, then of every resample of objects."""
    weights = [np.ones(len(abnormal_01)), *(row[objects] for row in drawn_BU)]
    return np.array(
        [np.mean([rates(called, abnormal_01, weight) for called in called_RN], axis=0) for weight in weights]
    )


def study(
    run: Path,
    out: Path,
    arm: str,
    detectors: Sequence[str],
    seed: int = 0,
    *,
    repeats: int = 1,
    default: str | None = None,
    preset: str = "quick",
    settings: Mapping[str, dict[str, object]] | None = None,
    false_alarm: float = 0.05,
    flatten: bool = False,
    device: str = "auto",
    bootstrap: int = 1000,
    threads: int = 1,
    matched: bool = True,
    say: Callable[[str], None] | None = None,
) -> StudyResult:
    """Compare the choices on a run that has ``ingest`` and ``gate@ARM``; write ``table.csv``, ``summary.json``,
    ``study.png`` and the trained detectors.

    ``default``: the blind detector (None: the first). ``repeats`` hold out other normal objects and train anew; the
    figures are means over them. ``matched``: only synthetic photographs whose base object was held out too, lest a
    background that the detector has learned make them look better known than new ones (where there are 20).

    Args:
        run: run folder with ``ingest`` and ``gate@ARM``.
        out: folder to write.
        arm: whose synthetic defects.
        detectors: rows of the table of one-class detectors.
        seed: of every random choice made here.
        repeats: other held-out normal objects, trained anew.
        default: the blind choice; None: the first.
        preset: ``quick`` (sized for a CPU) or ``full`` (the paper's).
        settings: detector -> values that differ from the preset's; None: none.
        false_alarm: rate of the blind threshold, in (0, 1).
        flatten: divide every photograph by its border's brightness.
        device: ``auto``, ``cpu`` or ``cuda``.
        bootstrap: resamples of the test objects behind each interval.
        threads: CPU threads; 0 leaves torch's choice.
        matched: only synthetic photographs whose base object was held out too.
        say: takes one line for people; None: silent.

    Returns:
        What the study found: ``summary.json``.

    Raises:
        InputError: no synthetic photograph, or a test split without normals or without defects (K5).
    """
    if threads:
        torch.set_num_threads(threads)
    config = OneClassStageConfig(
        detectors=tuple(detectors),
        preset=preset,
        settings=dict(settings or {}),
        false_alarm=false_alarm,
        flatten=flatten,
    )
    ingest, accepted = load_dataset(run / "ingest"), load_dataset(run / f"gate@{arm}")
    test = ingest.split("test")
    abnormal_01 = _some_of_all(run, accepted, test)
    rounds: list[list[Choice]] = []
    called: dict[str, list[np.ndarray]] = {}
    aurocs: list[dict[str, dict[str, float]]] = []
    for repeat in range(seed, seed + repeats):  # each holds other parts out, and trains anew
        if say:
            say(f"repeat {repeat - seed + 1} of {repeats}")
        scored = _score_all(ingest, accepted, test, config, repeat, device, out / f"seed-{repeat}", matched)
        kinds = [
            kind for kind in ("synthetic", "real_training") if all(kind in item.defects for item in scored.values())
        ]
        rounds.append(choose(scored, default or detectors[0], kinds, abnormal_01))
        aurocs.append({name: _aurocs(item, kinds, abnormal_01) for name, item in scored.items()})
        for choice in rounds[-1]:
            called.setdefault(choice.way, []).append((scored[choice.detector].test > choice.threshold).astype(float))
    names, objects = np.unique([image.group_id for image in test.images], return_inverse=True)
    drawn = resampling_weights(len(names), bootstrap, rng_for(seed, "one_class", "study"))
    figures = {way: resampled(np.array(rows), abnormal_01, objects, drawn) for way, rows in called.items()}
    result = StudyResult(
        arm,
        seed,
        repeats,
        default or detectors[0],
        false_alarm,
        list(detectors),
        matched,
        bootstrap,
        TestCount(len(abnormal_01), int(abnormal_01.sum()), len(names), len(set(objects[abnormal_01 == 1]))),
        aurocs,
        _ways(rounds, figures),
    )
    _write(out, result, rounds, called, abnormal_01)
    return result


def _some_of_all(run: Path, accepted: Dataset, test: Dataset) -> np.ndarray:
    """Which test photographs have a defect (0 or 1 each).

    Raises:
        InputError: K5, one of the kinds that are compared is not there.
    """
    labelled = test.by_image()
    abnormal_01 = np.array([image.id in labelled for image in test.images], int)
    if not accepted.images or not len(abnormal_01) or abnormal_01.min() == abnormal_01.max():
        raise InputError(
            str(run),
            "K5",
            f"{len(accepted.images)} synthetic photographs, {int(abnormal_01.sum())} of "
            f"{len(abnormal_01)} test photographs with a defect",
            "the study needs some of all kinds",
        )
    return abnormal_01


def _aurocs(item: Scored, kinds: Sequence[str], abnormal_01: np.ndarray) -> dict[str, float]:
    """Of the held-out normals against each kind of defect, and of the test split."""
    own = {kind: auroc(item.held_out, item.defects[kind]) for kind in kinds}
    return {**own, "test": auroc(item.test[abnormal_01 == 0], item.test[abnormal_01 == 1])}


def _score_all(
    ingest: Dataset,
    accepted: Dataset,
    test: Dataset,
    config: OneClassStageConfig,
    seed: int,
    device: str,
    folder: Path,
    matched: bool,
) -> dict[str, Scored]:
    normal = part_normals(ingest, config.held_out, seed)
    train = ingest.split("train")
    labelled = train.by_image()
    kept = synthetic_for(accepted, set(normal.held_out_groups()), matched)
    defects = {"synthetic": (accepted, kept), "real_training": (train, [i for i in train.images if i.id in labelled])}
    found = {}
    for name in config.detectors:
        model = learn(name, ingest, normal, config, seed, device, folder / name)

        def of(dataset: Dataset, images: Sequence[ImageRecord], model: Any = model) -> np.ndarray:
            return score(model, read_square(dataset, images, model.settings.size, model.flatten)).image.numpy()

        found[name] = Scored(
            model.held_out,
            normal.held_out_groups(),
            {kind: of(*pair) for kind, pair in defects.items() if pair[1]},
            of(test, test.images),
            config.false_alarm,
        )
    return found


def synthetic_for(accepted: Dataset, held_out: set[str], matched: bool) -> list[ImageRecord]:
    """The synthetic photographs to choose on: those on held-out objects where they are enough, else all."""
    kept = [image for image in accepted.images if image.group_id in held_out]
    return kept if matched and len(kept) >= LEAST else list(accepted.images)


def _ways(rounds: list[list[Choice]], figures: Mapping[str, np.ndarray]) -> dict[str, WayResult]:
    rows = {}
    for way, values in figures.items():
        chosen = [choice for choices in rounds for choice in choices if choice.way == way]
        rows[way] = WayResult(
            [choice.detector for choice in chosen],
            [choice.threshold for choice in chosen],
            {name: _interval(values[:, column]) for column, name in enumerate(FIGURES)},
            None if way == BLIND else _interval(values[:, 0] - figures[BLIND][:, 0]),
        )
    return rows


def _interval(values: np.ndarray) -> Interval:
    """The first value, and the central 95 % of the resampled others that exist."""
    rest = values[1:]
    return percentile_interval(float(values[0]), list(rest[np.isfinite(rest)]))


def _write(
    out: Path,
    result: StudyResult,
    rounds: list[list[Choice]],
    called: Mapping[str, list[np.ndarray]],
    abnormal_01: np.ndarray,
) -> None:
    once = np.ones(len(abnormal_01))
    rows = (
        [
            choice.way,
            result.seed + number,
            choice.detector,
            f"{choice.threshold:.6g}",
            *(float(value) for value in rates(called[choice.way][number], abnormal_01, once)),
        ]
        for number, choices in enumerate(rounds)
        for choice in choices
    )
    write_csv(out / "table.csv", ["choice", "seed", "detector", "threshold", *FIGURES], rows)
    write_json(out / "summary.json", result.to_json())
    write_plot(out / "study.png", result)
