"""``one-class evaluate``: how many of the known defects does a model find, and how many sound parts does it flag?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from anomaly_gan.core.errors import InputError
from anomaly_gan.core.seeding import rng_for
from anomaly_gan.core.workfolder import write_json_alone
from anomaly_gan.ingestion.groups import read_grouping
from anomaly_gan.ingestion.ledger import Ledger
from anomaly_gan.ingestion.photographs import list_photographs
from anomaly_gan.ingestion.reading import ReadingConfig
from anomaly_gan.statistics.intervals import over_objects, share
from anomaly_gan.statistics.ranks import auroc

from .calibration import Threshold
from .checkpoint import Model, load_model
from .normals import Grouping
from .score import squares_in_batches
from .scoring import choose_device, score_photographs

RESAMPLES = 2000
FEW = 10
"""Below this many parts on a side the interval is wide, and the summary says so."""


@dataclass(frozen=True)
class Share:
    """``hits`` of ``count`` photographs of ``parts`` objects, and the 95 % interval over whole objects."""

    hits: int
    count: int
    parts: int
    low: float
    high: float

    @property
    def value(self) -> float:
        return self.hits / self.count

    def words(self) -> str:
        """``17 of 20 (85 %; 95 % interval 62 % to 97 % over 12 parts)``"""
        return (
            f"{self.hits} of {self.count} ({self.value:.0%}; 95 % interval {self.low:.0%} to {self.high:.0%} over "
            f"{self.parts} parts)"
        )


@dataclass(frozen=True)
class Evaluated:
    """What a model does on photographs it has not seen. ``auroc`` with its interval over parts (None: too few parts).

    ``found``: defect photographs above the threshold; ``false_alarms``: sound ones; ``kinds``: found, by the first
    folder below ``--defects``.
    """

    auroc: float
    auroc_interval: tuple[float, float] | None
    found: Share
    false_alarms: Share
    threshold: Threshold
    kinds: Mapping[str, Share] = field(default_factory=dict)
    refused: int = 0
    remarks: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """For the console, in plain words."""
        interval = self.auroc_interval
        within = f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else " (too few parts for an interval)"
        said = [*self.remarks, f"AUROC {self.auroc:.3f}{within}", f"finds {self.found.words()} of the defects"]
        if len(self.kinds) > 1:
            said += [f"  {name}: {kind.words()}" for name, kind in sorted(self.kinds.items())]
        said.append(f"flags {self.false_alarms.words()} of the sound photographs; asked {self.threshold.asked:.1%}")
        if self.false_alarms.low > self.threshold.asked:
            said.append(
                "more false alarms than asked for: these sound parts differ from those it learnt from; "
                "`anomaly-gan one-class recalibrate` sets the threshold on new ones"
            )
        if min(self.found.parts, self.false_alarms.parts) < FEW:
            said.append(f"fewer than {FEW} parts on one side: read the intervals, not the figures")
        return said

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def evaluate_folders(
    model: Path,
    good: Path,
    defects: Path,
    grouping: Grouping | None = None,
    seed: int = 0,
    device: str = "auto",
    out: Path | None = None,
    reading: ReadingConfig = ReadingConfig(),
) -> Evaluated:
    """Score sound and defective photographs that the model has not learnt from, at any depth of two folders.

    Args:
        model: folder of a trained model with a threshold.
        good: photographs of sound parts.
        defects: photographs of defective parts; a folder for each kind, or one for all.
        grouping: which photographs show the same part; None: each is a part of its own.
        seed: of the resamples behind the AUROC's interval.
        device: ``auto``, ``cpu`` or ``cuda``.
        out: JSON file to write; None: none.
        reading: how photographs are read, where it is told; else as those that the model learned from.

    Returns:
        AUROC, found defects and false alarms, with intervals over parts.

    Raises:
        InputError: no model or one without threshold, a folder without photographs or none that can be read, or
            the same photograph in both folders.
    """
    target = choose_device(device)
    loaded = load_model(model, target)
    if loaded.threshold is None:
        raise InputError(str(model), "K5", "has no threshold", "train with `anomaly-gan one-class train`")
    grouping = grouping or Grouping()
    ledger, read = Ledger(), reading.over(loaded.reading)
    sides = {
        name: _side(loaded, data, grouping, ledger, read, target)
        for name, data in (("good", good), ("defects", defects))
    }
    _refuse_shared(sides["good"], sides["defects"], defects)
    said = (f"photographs are {read.words()}", *ledger.warnings())
    result = replace(_summary(loaded, loaded.threshold, sides, seed, len(ledger.rejected)), remarks=said)
    if out is not None:
        write_json_alone(out, result.to_json())
    return result


@dataclass(frozen=True)
class _Side:
    files: list[str]
    groups: list[str]
    marks: list[str]
    scores: np.ndarray


def _side(model: Model, data: Path, grouping: Grouping, ledger: Ledger, reading: ReadingConfig, device: Any) -> _Side:
    photographs = list_photographs(data, ledger, reading)
    files: list[str] = []
    marks: list[str] = []
    scores: list[float] = []
    for found, squares, hashes, _ in squares_in_batches(model, photographs, ledger):
        files += found
        marks += hashes
        scores += score_photographs(model.detector, squares, device)[0].tolist()
    if not files:
        reason = f"none of {len(photographs.names)} photographs can be read; the first: {ledger.rejected[0]['message']}"
        raise InputError(str(data), "MAX-BAD", reason, "mend or remove them")
    objects = read_grouping(grouping.table, grouping.column, grouping.regex, fold_needed=False)
    return _Side(files, [objects.of(file).group for file in files], marks, np.array(scores))


def _refuse_shared(good: _Side, defects: _Side, where: Path) -> None:
    """A photograph cannot be sound and defective."""
    sound = dict(zip(good.marks, good.files, strict=True))
    for file, mark in zip(defects.files, defects.marks, strict=True):
        if mark in sound:
            raise InputError(
                str(where / file), "D5", f"is also among the sound ones, as {sound[mark]}", "take it out of one folder"
            )


def _summary(model: Model, threshold: Threshold, sides: Mapping[str, _Side], seed: int, refused: int) -> Evaluated:
    good, defects = sides["good"], sides["defects"]

    def figure(rows: Mapping[str, np.ndarray]) -> float:
        return auroc(good.scores[rows["good"]], defects.scores[rows["defects"]])

    groups = {name: side.groups for name, side in sides.items()}
    kinds: dict[str, list[int]] = {}
    for row, file in enumerate(defects.files):
        parts = PurePosixPath(file).parts
        kinds.setdefault(parts[0] if len(parts) > 1 else "defects", []).append(row)
    everything = np.arange(len(defects.files))
    return Evaluated(
        auroc(good.scores, defects.scores),
        over_objects(figure, groups, RESAMPLES, rng_for(seed, "one_class", "evaluate")),
        _share(defects, everything, threshold.value),
        _share(good, np.arange(len(good.files)), threshold.value),
        threshold,
        {name: _share(defects, np.array(rows), threshold.value) for name, rows in kinds.items()},
        refused,
    )


def _share(side: _Side, rows: np.ndarray, threshold: float) -> Share:
    """Above the threshold; the interval counts each object once, by the share of its photographs above it."""
    above = side.scores[rows] > threshold
    groups = np.array(side.groups, dtype=str)[rows]
    names = sorted(set(groups))
    expected = float(np.mean([above[groups == name].mean() for name in names]))
    low, high = share(round(expected * len(names)), len(names))
    return Share(int(above.sum()), len(rows), len(names), min(low, float(above.mean())), max(high, float(above.mean())))
