"""``one-class train``: from a folder of good parts to a detector with a calibrated threshold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.images import write_png
from anomaly_gan.core.seeding import rng_for
from anomaly_gan.core.stage import link_tree
from anomaly_gan.core.workfolder import refuse_foreign, work_folder
from anomaly_gan.ingestion.ledger import Ledger
from anomaly_gan.ingestion.photographs import too_many_refused
from anomaly_gan.ingestion.reading import ReadingConfig

from ..interface import OneClassDetector
from ..registry import one_class
from ..training import precision_of, ready_detector, train_detector
from .calibration import Threshold, calibrate, needed
from .checkpoint import FLATTENED, SQUARE, Model, load_model, save_model
from .images import View
from .normals import GoodParts, Grouping, gather, hold_out
from .scoring import choose_device, greatest, in_batches

EXAMPLES = 8
MOST_SQUARES = 20_000
"""To learn from: the tiles of large photographs can be more."""


@dataclass(frozen=True)
class Trained:
    """What a training came to. ``trained_on``: how many normals, None where only the threshold is new; ``remarks``:
    plain sentences for people; ``refused``: photographs not used."""

    out: Path
    detector: str
    trained_on: int | None
    threshold: Threshold
    refused: int
    remarks: tuple[str, ...]

    def line(self) -> str:
        """The last line of the command."""
        refused = f"; {self.refused} photographs refused, see rejects.jsonl" if self.refused else ""
        how = "calibrated anew" if self.trained_on is None else f"trained on {self.trained_on} normals"
        return f"{self.detector}, {how}, written to {self.out}: {self.threshold.words()}{refused}"


def train_folder(
    data: Path,
    out: Path,
    detector: str,
    preset: str = "full",
    changes: dict[str, object] | None = None,
    false_alarm: float = 0.05,
    groups: Path | None = None,
    group_column: str = "group",
    group_regex: str | None = None,
    held_out: float = 0.25,
    flatten: bool = False,
    max_bad: float = 0.01,
    reading: ReadingConfig = ReadingConfig(),
    seed: int = 0,
    device: str = "auto",
) -> Trained:
    """Learn from the normals in ``data``, calibrate on a held-out share of them (whole objects), write to ``out``.

    ``data``: photographs at any depth, all of good parts, or a data set folder that ``ingest`` wrote. ``flatten``:
    divide every photograph by its border's brightness. A training that was cut off goes on; a finished one is left
    as it is; with another ``false_alarm`` only its threshold is calibrated anew.

    Args:
        data: folder of photographs of good parts, or a data set.
        out: folder to write.
        detector: row of the table of one-class detectors.
        preset: ``quick`` (sized for a CPU) or ``full`` (the paper's).
        changes: single values that differ from the preset's; None: none.
        false_alarm: share of good parts that may be called abnormal, in (0, 1).
        groups: CSV (file, group): which photographs show one object; None: none.
        group_column: its column with the object.
        group_regex: expression on the file name whose first group names the object; None: none.
        held_out: share of the objects kept for the threshold, in (0, 1).
        flatten: divide every photograph by its border's brightness.
        max_bad: share of refused photographs that is still accepted, in [0, 1].
        reading: how photographs are read; the model keeps it for new ones.
        seed: of every random choice made here.
        device: ``auto``, ``cpu`` or ``cuda``.

    Returns:
        The threshold, and what was refused.

    Raises:
        ConfigError: an unknown detector, preset, setting or share.
        InputError: no photographs, more refused than ``max_bad``, too few normals (K5) or objects (E7); J6 ``out``
            holds other files or another training.
    """
    row = one_class(detector)
    settings = row.configure(preset, changes)
    if not 0 < false_alarm < 1:
        raise ConfigError(f"--false-alarm {false_alarm}: must lie between 0 and 1, for example 0.05")
    if out.resolve().is_relative_to(data.resolve()):
        raise ConfigError(f"{out} lies inside {data}: choose an output folder elsewhere")
    refuse_foreign(out)
    ledger = Ledger()
    grouping = Grouping(groups, group_column, group_regex)
    parts = gather(data, View.of(settings, flatten), grouping, ledger, reading)
    aside = hold_out(parts.groups, held_out, seed)
    same = {
        "detector": detector,
        "settings": settings.model_dump(mode="json"),
        "seed": seed,
        "data": parts.key,
        "held_out": held_out,
        "preprocess": FLATTENED if flatten else SQUARE,
        **reading.keyed(),
    }
    with work_folder(out, "one-class train", {**same, "false_alarm": false_alarm}, fixed=tuple(same)) as work:
        if work.fresh:
            model = load_model(out)
        else:
            ledger.close(work.place / "rejects.jsonl")
            if (why := too_many_refused(ledger, max_bad)) is not None:
                raise InputError(str(data), "MAX-BAD", why, "all are in rejects.jsonl; mend them, or raise --max-bad")
            if aside.sum() < needed(false_alarm):
                calibrate(np.zeros(int(aside.sum())), false_alarm)  # says K5 now, not after hours of training
            there = _calibrated_anew(out, work.place, false_alarm)
            model = there or _train(
                work.place, parts, aside, detector, settings, same["preprocess"], false_alarm, seed, device
            )
    assert model.threshold is not None
    remarks = (f"photographs are {model.reading.words()}; new ones will be, too", *parts.remarks)
    return Trained(out, detector, int((~aside).sum()), model.threshold, len(ledger.rejected), remarks)


def _train(
    out: Path,
    parts: GoodParts,
    aside: np.ndarray,
    name: str,
    settings: Any,
    preprocess: str,
    false_alarm: float,
    seed: int,
    device: str,
) -> Model:
    from anomaly_gan.engine.loop import make_fabric

    squares, calibrating = parts.squares_NCHW, np.repeat(aside, parts.counts)
    kind = choose_device(device).type
    precision = precision_of(settings, kind, out / "training", f"train {name}")
    fabric = make_fabric(kind, precision)
    detector, settings = ready_detector(name, squares.shape[1], settings, seed)
    train_detector(detector, torch.from_numpy(_some(squares[~calibrating], seed)), fabric, out / "training", seed)
    # the threshold is set on what was held aside (``aside`` is True), which the detector has not learned from
    groups = [group for group, held in zip(parts.groups, aside, strict=True) if held]
    model = calibrated(
        Model(
            detector,
            name,
            settings,
            squares.shape[1],
            parts.reading,
            preprocess=preprocess,
            precision=precision,
        ),
        squares[calibrating],
        parts.counts[aside],
        groups,
        false_alarm,
        fabric.device,
    )
    keep_examples(out, squares[calibrating])
    return _saved(out, model)


def _some(squares_NCHW: np.ndarray, seed: int) -> np.ndarray:
    """All squares, or of very many tiles as many as a detector can hold, drawn by the seed."""
    if len(squares_NCHW) <= MOST_SQUARES:
        return squares_NCHW
    return squares_NCHW[np.sort(rng_for(seed, "one_class", "tiles").permutation(len(squares_NCHW))[:MOST_SQUARES])]


def _saved(out: Path, model: Model) -> Model:
    save_model(out, model)
    for part in (out / "training").rglob("trained.safetensors"):
        part.unlink()
    return model


def keep_examples(out: Path, squares_NCHW: np.ndarray) -> None:
    """Keep some squares of normals beside the model, on which an export is checked."""
    for number, square in enumerate(squares_NCHW[:EXAMPLES]):
        shown = square.transpose(1, 2, 0)
        write_png(out / "examples" / f"{number}.png", shown if shown.shape[2] == 3 else shown[..., 0])


def calibrated(
    model: Model,
    squares_NCHW: np.ndarray,
    counts: np.ndarray,
    groups: list[str],
    false_alarm: float,
    device: torch.device | str = "cpu",
) -> Model:
    """The model with its thresholds from held-out normals, their squares (N, C, S, S) uint8, ``counts`` (photographs,)
    of each; they show the objects ``groups``.

    The map's threshold bounds the greatest value anywhere in a normal's map, so that the same share of normals shows
    any found place at all. Maps are shown from the middle value of normals (no colour) to as far above the
    threshold as the threshold lies above that.

    Args:
        model: the model, whose thresholds are not looked at.
        squares_NCHW: squares of the held-out normals, uint8 (N, C, S, S).
        counts: how many of them each photograph has, (photographs,).
        groups: the object that each photograph shows.
        false_alarm: share of sound photographs in (0, 1) that may raise an alarm.
        device: where to compute.

    Returns:
        The same model with thresholds, held-out scores and, of detectors that give maps, the maps' scale.
    """
    scores, highest, middle = _held_out_scores(model.detector, squares_NCHW, counts, device)
    threshold = calibrate(scores, false_alarm, groups)
    model = replace(model, threshold=threshold, held_out=scores.astype(np.float64), held_out_groups=tuple(groups))
    if highest is None or middle is None:
        return model
    return _with_map(replace(model, held_out_highest=highest.astype(np.float64)), false_alarm, float(np.median(middle)))


def _with_map(model: Model, false_alarm: float, low: float) -> Model:
    assert model.held_out_highest is not None
    of_maps = calibrate(model.held_out_highest, false_alarm, model.held_out_groups)
    return replace(model, map_threshold=of_maps, map_scale=(low, max(2 * of_maps.value - low, low + 1e-12)))


def _held_out_scores(
    detector: OneClassDetector,
    squares_NCHW: np.ndarray,
    counts: np.ndarray,
    device: torch.device | str,
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Of each photograph the score and the greatest map value (photographs,); of each square's map the middle one."""
    scores, highest, middle = [], [], []
    for part in in_batches(detector, squares_NCHW, device):
        scores.append(part.image.numpy())
        if part.map_BHW is not None:
            flat = part.map_BHW.flatten(1)
            highest.append(flat.max(dim=1).values.numpy())
            middle.append(flat.median(dim=1).values.numpy())
    return (
        greatest(np.concatenate(scores), counts),
        greatest(np.concatenate(highest), counts) if highest else None,
        np.concatenate(middle) if middle else None,
    )


def _calibrated_anew(out: Path, place: Path, false_alarm: float) -> Model | None:
    """The model that ``out`` already holds, for this rate and in ``place``; None where its training has not ended."""
    if not (out / "model.json").is_file():
        return None
    model = load_model(out)
    assert model.threshold is not None
    if place != out:
        link_tree(out, place, last="model.json", leave_out=("started.json", "manifest.json", "rejects.jsonl"))
    if model.threshold.asked != false_alarm:
        model = replace(model, threshold=calibrate(model.held_out, false_alarm, model.held_out_groups))
        if model.held_out_highest is not None and model.map_scale is not None:
            model = _with_map(model, false_alarm, model.map_scale[0])
    return _saved(place, model)  # its last training may have been cut off right after model.json
