"""``detect predict``: new photographs looked at by a saved detector, one after the other."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.files import sha256_bytes, sha256_file, write_bytes, write_json
from anomaly_gan.core.images import to_mode
from anomaly_gan.core.json_files import read_as, understood
from anomaly_gan.core.masks import encode_rle_box
from anomaly_gan.core.progress import say
from anomaly_gan.core.tables import write_csv
from anomaly_gan.core.workfolder import REJECTS, refuse_foreign, work_folder
from anomaly_gan.ingestion.formats.labelme_files import label_content, mask_shape
from anomaly_gan.ingestion.ledger import Ledger
from anomaly_gan.ingestion.photographs import Photograph, list_photographs
from anomaly_gan.ingestion.reading import ReadingConfig

from ..dense.instances import Found
from .alarm import SoundScores
from .drawing import draw_found

if TYPE_CHECKING:
    from ..training.checkpoint import Model
    from .one_class_score import OneClassScore
    from .runtime import Look

COLUMNS = ("file", "score", "decision", "instances", "category", "instance_score")
SUMMARY = "predict.json"
DEFECT, SOUND, UNDECIDED = "defect", "sound", "undecided"


@dataclass(frozen=True)
class Predicted:
    """What a run over photographs came to."""

    out: Path
    photographs: int
    alarms: int
    refused: int
    threshold: float | None
    words: str

    def line(self) -> str:
        """The last line of ``detect predict``."""
        said = (
            "no threshold, so no decision"
            if self.threshold is None
            else f"{self.alarms} of {self.photographs} photographs raise an alarm"
        )
        return f"{said}; scores.csv, detections.json, labelme/ and overlays/ written to {self.out}"

    def problem(self) -> str | None:
        """Why the command must not end with 0: photographs that nobody has looked at."""
        return f"{self.refused} photographs could not be read, see {self.out / REJECTS}" if self.refused else None


@dataclass
class _Coco:
    """COCO results as they grow: images, annotations with scores."""

    images: list[dict[str, object]] = field(default_factory=list)
    annotations: list[dict[str, object]] = field(default_factory=list)

    def add(self, photograph: Photograph, score: float, found: list[Found], category_ids: tuple[int, ...]) -> None:
        height, width = photograph.pixels.shape[:2]
        number = len(self.images) + 1
        self.images.append(
            {"id": number, "file_name": photograph.file, "width": width, "height": height, "score": round(score, 6)}
        )
        for item in found:
            self.annotations.append(
                {
                    "id": len(self.annotations) + 1,
                    "image_id": number,
                    "category_id": category_ids[item.label - 1],
                    "score": round(item.score, 6),
                    "iscrowd": 0,
                    "area": int(item.bitmap_01.sum()),
                    "bbox": [item.x, item.y, item.bitmap_01.shape[1], item.bitmap_01.shape[0]],
                    "segmentation": encode_rle_box(item.bitmap_01, item.x, item.y, (height, width)),
                }
            )


def predict_folder(
    model: Path,
    photos: Path,
    out: Path,
    *,
    false_alarm: float | None = None,
    threshold: float | None = None,
    min_score: float | None = None,
    overlays: int = 200,
    reading: ReadingConfig = ReadingConfig(),
    device: str = "auto",
) -> Predicted:
    """Look at the photographs in ``photos`` (a folder at any depth, or one file) with the detector in ``model``.

    Writes ``scores.csv`` (:data:`COLUMNS`), ``detections.json`` (COCO with scores), ``labelme/`` (what was found, for
    a drawing program or for ``ingest``), ``overlays/`` (photographs that raise an alarm, the first ``overlays``), and
    ``rejects.jsonl``. The threshold is the one given, or the model's for the asked false-alarm rate, or the one it was
    trained with. ``min_score``: instances below it are left out. One photograph is in memory at a time. The same
    command again does nothing; another one's results stay until these are whole.

    Args:
        model: folder of a trained model.
        photos: folder of photographs at any depth, or one file.
        out: folder to write.
        false_alarm: another rate than the one it was trained for, in (0, 1); None: that one.
        threshold: of your own, in [0, 1]; None: by the rate.
        min_score: instances below it are left out; None: the model's.
        overlays: most overlays written.
        reading: how photographs are read, where it is told; else as those that the model learned from.
        device: ``auto``, ``cpu`` or ``cuda``; ``cpu:torch``, ``cpu:onnx`` or ``cpu:openvino`` names the program that
            computes (else :func:`detection.inspection.runtime.choose_look` chooses one).

    Returns:
        Counts of photographs, alarms and refusals.

    Raises:
        InputError: no model, no photographs, none that can be used, K5 no threshold for that rate, J6 ``out`` holds
            other files.
        ConfigError: ``out`` lies among the photographs; no such device; a runtime is not installed.
        CheckFailed: a runtime that was named differs from torch.
    """
    if photos.is_dir() and out.resolve().is_relative_to(photos.resolve()):
        raise ConfigError(f"{out} lies inside {photos}: choose an output folder elsewhere")
    refuse_foreign(out)
    if (model / "model.json").is_file():
        say(f"detect predict: photographs in {photos}, detector in {model} → {out}")
    from anomaly_gan.engine.loop import make_fabric

    from ..training.checkpoint import read_model
    from .one_class_score import read_one_class_score
    from .runtime import choose_look, split_device

    kind, runtime = split_device(device)
    fabric = make_fabric(kind)
    loaded = read_model(model, fabric.device)
    second = read_one_class_score(model, loaded.one_class_score, fabric.device)
    limit, words = limit_of(loaded, false_alarm, threshold)
    ledger = Ledger()
    photographs = list_photographs(photos, ledger, reading.over(loaded.reading))
    words = f"photographs are {photographs.reading.words()}; {words}"
    started = {
        "model": sha256_file(model / "model.json") + sha256_file(model / "model.safetensors"),
        "photographs": sha256_bytes("\0".join(photographs.names).encode()),
        "content": photographs.content_hash(),
        "options": [limit, min_score, overlays, photographs.reading.keyed(), *([] if runtime == "auto" else [runtime])],
    }
    with work_folder(out, "detect predict", started, fixed=()) as work:
        if work.fresh:
            told = read_as(out / SUMMARY, dict)
            with understood(out / SUMMARY):
                return Predicted(out, **told)
        for half in ("labelme", "overlays"):  # of a prediction that was cut off
            shutil.rmtree(work.place / half, ignore_errors=True)
        least = loaded.least if min_score is None else (min_score,) * len(loaded.least)
        look = choose_look(loaded, fabric.device, runtime, len(photographs.names))
        coco, rows = _look(
            loaded, look, second, photographs.each(ledger, "predict"), work.place, limit, least, overlays
        )
        ledger.close(work.place / REJECTS)
        if not rows:
            raise InputError(str(photos), "K1", "no photograph could be read", f"see {out / REJECTS}")
        _write_tables(work.place, rows, coco, loaded, limit)
        summary = {
            "photographs": len(rows),
            "alarms": sum(row[2] == DEFECT for row in rows),
            "refused": len(ledger.rejected),
            "threshold": limit,
            "words": words,
        }
        write_json(work.place / SUMMARY, summary)
    return Predicted(out, **summary)


def _look(
    loaded: Model,
    look: Look,
    second: OneClassScore | None,
    photographs: Iterator[Photograph],
    place: Path,
    limit: float | None,
    least: tuple[float, ...],
    overlays: int,
) -> tuple[_Coco, list[list[Any]]]:
    """What was found, as COCO and as rows of the table; pictures and label files are written on the way."""
    from .one_class_score import photograph_score

    coco, rows, drawn = _Coco(), [], 0
    for photograph in photographs:
        pixels = to_mode(photograph.pixels, loaded.reading.mode)
        seen = look(pixels)
        found = [item for item in seen.found if item.score >= least[item.label - 1]]
        score = photograph_score(seen, pixels, second)
        decision = UNDECIDED if limit is None else DEFECT if score > limit else SOUND
        rows.append(_row(photograph, score, decision, found, loaded.categories.names))
        coco.add(photograph, score, found, loaded.categories.ids)
        if found:
            _write_labelme(place / "labelme", photograph, found, loaded.categories.names)
        if (decision == DEFECT or (limit is None and found)) and drawn < overlays:
            line = f"{decision}, score {score:.3f}" + ("" if limit is None else f" (alarm above {limit:.3f})")
            content = draw_found(photograph.pixels, found, loaded.categories.names, line)
            write_bytes(place / "overlays" / f"{photograph.file}.jpg", content)
            drawn += 1
    return coco, rows


def limit_of(loaded: Model, false_alarm: float | None, threshold: float | None) -> tuple[float | None, str]:
    """The score above which a photograph raises an alarm (None: no decisions), and what it promises."""
    if threshold is not None:
        if false_alarm is not None:
            raise ConfigError("give --threshold or --false-alarm, not both")
        return threshold, f"threshold {threshold:g} as given"
    sound = SoundScores.from_json(loaded.sound)
    if false_alarm is None and not sound.scores:
        return None, "the model has no threshold: it was trained without sound photographs to set aside"
    try:
        found = sound.threshold(loaded.false_alarm if false_alarm is None else false_alarm)
    except InputError as error:
        if false_alarm is not None:
            raise
        return None, f"no threshold, so no decisions: {error.reason}; {error.remedy}"
    return found.value, found.words()


def _row(photograph: Photograph, score: float, decision: str, found: list[Found], names: tuple[str, ...]) -> list[Any]:
    best = found[0] if found else None
    return [
        photograph.file,
        float(score),
        decision,
        len(found),
        names[best.label - 1] if best else "",
        best.score if best else None,
    ]


def _write_labelme(folder: Path, photograph: Photograph, found: list[Found], names: tuple[str, ...]) -> None:
    """The photograph's own bytes, or a PNG where they do not hold the pixels as seen, and its label file."""
    from anomaly_gan.core.images import encode_png

    path = folder / photograph.file
    if photograph.converted:
        path = path.with_name(path.name + ".png")
    write_bytes(path, encode_png(photograph.pixels) if photograph.converted else photograph.content)
    height, width = photograph.pixels.shape[:2]
    shapes = []
    for item in found:
        mask = np.zeros((height, width), np.uint8)
        mask[item.y : item.y + item.bitmap_01.shape[0], item.x : item.x + item.bitmap_01.shape[1]] = item.bitmap_01
        shapes.append(mask_shape(names[item.label - 1], mask, f"score {item.score:.4f}"))
    write_json(path.with_suffix(".json"), label_content(path.name, (height, width), shapes))


def _write_tables(out: Path, rows: list[list[Any]], coco: _Coco, loaded: Model, limit: float | None) -> None:
    categories = [
        {"id": key, "name": name} for key, name in zip(loaded.categories.ids, loaded.categories.names, strict=True)
    ]
    content = {"info": {"threshold": limit}, "images": coco.images, "categories": categories}
    write_json(out / "detections.json", {**content, "annotations": coco.annotations})
    write_csv(out / "scores.csv", COLUMNS, rows)
