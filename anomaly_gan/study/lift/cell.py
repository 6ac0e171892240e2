"""One cell: a detector trained on a share's photographs and an arm's banks, evaluated on the fold's test photographs.

A finished cell stays valid as long as its setting does, whatever the code looks like: ``result.json`` records the
whole setting, and fields that came later count as long as they have their default.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detection.detectors.config import OWN_CROPS, DetectConfig

from ...core.config import Config
from ...core.dataset import Dataset, load_dataset
from ...core.errors import ConfigError, InputError
from ...core.files import link_file, sha256_bytes, write_json, write_text
from ...core.json_files import note_as, read_as, understood
from ...core.seeding import seed_for
from ...ingestion.reading import ReadingConfig
from ...synthesis.bank.writer import read_lines
from .config import CURVE_ARM, LiftArm, LiftConfig
from .misses import aim_at, out_of_fold, with_hard_sound
from .plan import LiftCell
from .prepare import Prepared
from .priors import one_class_maps
from .result import LiftResult, LiftRow, ProcessorSeconds

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from detection.evaluation.evaluate import DetectionRow
    from detection.evaluation.figures import Figures
    from detection.training.finetune import Trained

SCHEMA = 3
"""Rises with the way in which photographs are scored and instances read: such cells do not compare."""
OF_OWN_CROPS = (
    "detector",
    "exposures",
    "iterations",
    "warmup",
    "clip_norm",
    "flip",
    "gamma",
    "score_threshold",
    "dense",
)
"""Settings besides ``dense`` that a detector reads which chooses its own crops."""
RESULT, DETECTIONS, STARTED = "result.json", "detections.json", "started.json"


def setting(config: LiftConfig, cell: LiftCell) -> dict[str, object]:
    """Everything a cell's figures depend on, as JSON; the data set's own content is in ``train_hash``."""
    arm = config.arms[cell.arm]
    return {
        "schema": SCHEMA,
        "cell": json.loads(json.dumps(asdict(cell))),
        "dataset": config.dataset,
        "seed": config.seed,
        "data": {key: value for key, value in config.data.items() if key not in ("root", "groups")},
        "detect": _used(config.detector_of(cell.arm, cell.exposures)),
        "arm": _shown(arm.model_copy(update={"detect": {}})),
        "bank": _shown(config.bank) if arm.bank or arm.first else {},
        "pool": config.pool if arm.bank or arm.first else {},
        "train": config.train if arm.bank == "anomaly_gan" else {},
    }


def _used(detect: DetectConfig) -> dict[str, object]:
    """The settings that the detector reads: those of the others may change without touching its cells."""
    shown = _shown(detect)
    if detect.detector in OWN_CROPS:
        return {name: shown[name] for name in OF_OWN_CROPS if name in shown}
    return {name: value for name, value in shown.items() if name not in ("dense", "checkpoint_every")}


def still_holds(recorded: Mapping[str, object], wanted: dict[str, object]) -> bool:
    """Whether a finished cell is the wanted one: all that was recorded is wanted still, and what it did not know of
    has its default."""
    defaults = {"detect": _shown(DetectConfig()), "arm": _shown(LiftArm())}
    return all(_same(recorded.get(key), value, defaults.get(key)) for key, value in wanted.items())


def _same(old: Any, new: Any, default: Any) -> bool:
    if isinstance(old, dict) and isinstance(new, dict):
        return all(
            _same(old[key], value, default.get(key) if isinstance(default, dict) else None)
            if key in old
            else isinstance(default, dict) and value == default.get(key)
            for key, value in new.items()
        )
    return bool(old == new)


def _shown(config: Config) -> dict[str, Any]:
    return json.loads(json.dumps(config.model_dump(mode="json")))


@dataclass(frozen=True)
class Traces:
    """What of a bank's ``metrics.json`` a cell keeps."""

    artefact_auroc: dict[str, float | None] | None


def read_result(folder: Path, wanted: dict[str, object]) -> LiftResult | None:
    """A finished cell of that setting, or None."""
    content = note_as(folder / RESULT, dict)
    if content is None:
        return None
    try:
        with understood(folder / RESULT):
            result = LiftResult.from_json(content)
    except InputError:
        return None
    return result if still_holds(result.setting, wanted) else None


@dataclass(frozen=True)
class Provided:
    """What a cell learns from and computes with: ``rows`` of what a plain detector says of the training photographs,
    the banks added to its batches and of its stage one, and one-class maps, where its arm takes them."""

    data: Dataset
    detect: DetectConfig
    precision: str
    fabric: Fabric
    rows: list[DetectionRow]
    bank: Path | None
    first: Path | None
    priors: Path | None


def provide(config: LiftConfig, cell: LiftCell, prepared: Prepared) -> Provided:
    """Make what the cell learns from, as far as it is not there.

    Raises:
        InputError, ConfigError, NumericalFailure: as the stages raise them; an arm that its detector cannot learn.
    """
    from anomaly_gan.engine.loop import make_fabric
    from detection.scale import fitted
    from detection.training.arithmetic import resolved

    arm, detect = config.arms[cell.arm], config.detector_of(cell.arm, cell.exposures)
    _check_takes(arm, cell.arm, detect.detector)
    data = load_dataset(prepared.ingest)
    train = data.split("train")
    detect = fitted(detect, train)
    precision = resolved(detect, config.device, prepared.folder.parent)
    fabric = make_fabric(config.device, precision)
    rows = _looked(config, arm, train, prepared, fabric) if arm.aim or arm.hard_sound else []
    bank, first = prepared.banks_of(arm, aim_at(train, rows) if arm.aim else None)
    priors = one_class_maps(data, config.seed, config.device, prepared.folder / "priors") if arm.prior else None
    return Provided(data, detect, precision, fabric, rows, bank, first, priors)


def run_cell(config: LiftConfig, cell: LiftCell, prepared: Prepared, folder: Path) -> LiftResult:
    """Train and judge; a training that was cut off goes on from its checkpoint.

    Raises:
        InputError, ConfigError, NumericalFailure: as training and the stages before it raise them.
    """
    import torch

    from detection.training.finetune import train_detector

    torch.set_num_threads(config.threads)
    arm, began, used = config.arms[cell.arm], time.monotonic(), time.process_time()
    wanted, given = setting(config, cell), provide(config, cell, prepared)
    detect, fabric, bank, priors = given.detect, given.fabric, given.bank, given.priors
    train, test = given.data.split("train"), given.data.split("test")
    seed = seed_for(config.seed, "lift", cell.share.name, cell.seed)
    trace = read_as(bank / "metrics.json", Traces).artefact_auroc if bank else None
    # claimed only now: what can refuse the cell has been asked, and its folder holds no half of another one
    _claim(folder, wanted)
    if arm.hard_sound and bank is not None:
        bank = with_hard_sound(bank, train, given.rows, folder / "bank", config.bank.count, config.seed)
    start = _stage_one(config, arm, train, detect, fabric, folder, seed, given.first) if given.first else None
    trained = train_detector(
        train, detect, fabric, folder, seed=seed, where=str(prepared.ingest), bank=bank, priors=priors, start=start
    )
    learnt = time.process_time() - used
    figures = _judged(trained, test, detect, fabric, priors, folder)
    result = LiftResult(
        wanted,
        data_hash(train),
        data_hash(test),
        table_row(config, cell, detect.detector, figures),
        figures,
        trained.report,
        artefact_auroc=trace,
        real_defective=len(train.images) - len(train.normals()),
        seconds=ProcessorSeconds(round(learnt, 1), round(time.process_time() - used, 1)),
        wall_seconds=round(time.monotonic() - began, 1),
        precision=given.precision,
    )
    write_json(folder / RESULT, result.to_json())
    _tidy(folder)
    return result


def _judged(
    trained: Trained, test: Dataset, detect: DetectConfig, fabric: Any, priors: Path | None, folder: Path
) -> Figures:
    """Metrics on the test split; the detections themselves are written beside them."""
    from detection.detectors.registry import detector
    from detection.evaluation.evaluate import evaluate_detections
    from detection.evaluation.reading import read_detections

    with fabric.autocast():
        seen = read_detections(trained.net, test, trained.categories, detect.longest, fabric.device, priors)
    found = {"rows": seen.rows, "scores": {str(key): value for key, value in (seen.scores or {}).items()}}
    write_json(folder / DETECTIONS, found)
    segments = detector(detect.detector).segments
    return evaluate_detections(test, seen.rows, segments, detect.score_threshold, seen.scores, seen.pixels)


def _check_takes(arm: LiftArm, name: str, detector: str) -> None:
    if (arm.bank or arm.first or arm.prior) and detector not in OWN_CROPS:
        raise ConfigError(f"arms.{name}: {detector} takes no bank and no one-class map; use dense")


def _looked(config: LiftConfig, arm: LiftArm, train: Dataset, prepared: Prepared, fabric: Any) -> list[DetectionRow]:
    """What a plain detector says of training objects that it has not learnt from."""
    detect = config.detector_of(CURVE_ARM, arm.look_exposures)
    seed = seed_for(config.seed, "lift", prepared.share.name, "look")
    return out_of_fold(train, detect, seed, fabric, prepared.folder / "out_of_fold", str(prepared.ingest))


def _stage_one(
    config: LiftConfig,
    arm: LiftArm,
    train: Dataset,
    detect: DetectConfig,
    fabric: Any,
    folder: Path,
    seed: int,
    bank: Path,
) -> Path:
    """A detector that has seen painted defects on sound photographs alone; its folder."""
    from detection.training.checkpoint import save_detector
    from detection.training.finetune import train_detector

    out = folder / "first"
    if not (out / "model.json").is_file():
        dense = detect.dense.model_copy(update={"bank_per_batch": detect.dense.batch, "sham_share": 0.0})
        alone = detect.model_copy(update={"iterations": arm.first_steps, "dense": dense})
        sound = {image.id for image in train.normals()}
        part, view = train.select(lambda image: image.id in sound), _view(bank, train, folder / "first_bank")
        trained = train_detector(part, alone, fabric, out, seed=seed, where=str(bank), bank=view)
        save_detector(out, trained, alone, ReadingConfig.of_dataset(train))
    return out


def _view(bank: Path, train: Dataset, folder: Path) -> Path:
    """The bank for a training that sees sound photographs alone, and so knows the groups of those alone.

    Raises:
        InputError: E4, something in the bank is of no training object.
    """
    groups = {image.group_id for image in train.images}
    sound = {image.group_id for image in train.normals()}
    lines = read_lines(bank)
    foreign = sorted({source for line in lines for source in line["sources"]} - groups)
    if foreign:
        raise InputError(str(bank), "E4", f"was made from {foreign[0]!r}, no training object", "make the bank again")
    for shard in {line["shard"] for line in lines}:
        link_file(bank / shard, folder / shard)
    rows = [{**line, "sources": [source for source in line["sources"] if source in sound]} for line in lines]
    write_text(folder / "bank.jsonl", "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows))
    return folder


def table_row(config: LiftConfig, cell: LiftCell, detector: str, figures: Figures) -> LiftRow:
    """The cell's line of ``table.csv``."""
    return LiftRow(
        dataset=config.dataset,
        objects=cell.share.objects or "all",
        draw=cell.share.draw,
        fold=cell.share.fold,
        arm=cell.arm,
        detector=detector,
        seed=cell.seed,
        exposures=cell.exposures,
        ap50=figures.map50,
        ap30=figures.ap30,
        pixel_ap=figures.pixel_ap,
        miou=figures.miou,
        auroc=figures.figure("image_auroc"),
        recall5=figures.figure("image_recall_at_5"),
    )


def data_hash(part: Dataset) -> str:
    """Hash of the photographs of a split and what is labelled in them."""
    content = [[image.sha256, image.file_name] for image in part.images]
    return sha256_bytes(json.dumps([content, [vars(item) for item in part.annotations]], sort_keys=True).encode())


def _claim(folder: Path, wanted: dict[str, object]) -> None:
    """Go on with a cell of this setting, throw away any other."""
    marker = folder / STARTED
    if note_as(marker, dict) != wanted and folder.exists():
        shutil.rmtree(folder)
    write_json(marker, wanted)


def _tidy(folder: Path) -> None:
    """Keep what tables are made of; checkpoints and the first stage are large."""
    for path in folder.iterdir():
        if path.name in (RESULT, DETECTIONS, "losses.csv"):
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
