"""``one-class score``: new photographs scored by a saved detector, one after the other."""

from __future__ import annotations

import heapq
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.files import atomic_path, sha256_bytes, sha256_file, write_bytes, write_json
from anomaly_gan.core.json_files import read_as, understood
from anomaly_gan.core.progress import track
from anomaly_gan.core.tables import row_writer
from anomaly_gan.core.workfolder import work_folder
from anomaly_gan.ingestion.ledger import Ledger, Notes
from anomaly_gan.ingestion.photographs import Photograph, Photographs, list_photographs
from anomaly_gan.ingestion.reading import ReadingConfig

from ..registry import one_class
from .calibration import p_values
from .checkpoint import Model, load_model
from .drift import Drift, compare
from .labelme_export import Finds, places
from .overlay import draw_overlay
from .scoring import BATCH, choose_device, score_photographs

COLUMNS = ("file", "score", "abnormal", "p_value")
CLEARLY_GOOD = 0.5
"""Photographs with at least this p-value may serve as normals beside the finds."""


@dataclass(frozen=True)
class Scored:
    """What a scoring came to. ``abnormal`` of ``scored`` photographs; ``refused`` could not be read; ``found`` have a
    mask; ``remarks``: plain sentences for people, those on drift last."""

    out: Path
    scored: int
    abnormal: int
    refused: int
    overlays: int
    found: int
    drift: Drift
    remarks: tuple[str, ...]

    def line(self) -> str:
        """The last line of ``one-class score``."""
        more = [f"{self.overlays} overlays"] if self.overlays else []
        more += [f"{self.found} photographs with found masks"] if self.found else []
        return (
            f"{self.abnormal} of {self.scored} photographs are abnormal; scores.csv"
            f"{''.join(f', {item}' for item in more)} written to {self.out}"
        )

    def problem(self) -> str | None:
        """Why the command must not end with 0: photographs that nobody has scored."""
        if not self.refused:
            return None
        return f"{self.refused} photographs could not be scored, see {self.out / 'rejects.jsonl'}"


@dataclass
class _Pass:
    """What the first pass remembers of the photographs: numbers and names, never pixels."""

    files: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    other_mode: int = 0


def score_folder(
    model: Path,
    data: Path,
    out: Path,
    overlays: int = 50,
    overlay_all: bool = False,
    found: bool = True,
    good: int = 100,
    known_good: bool = False,
    reading: ReadingConfig = ReadingConfig(),
    device: str = "auto",
) -> Scored:
    """Score the photographs in ``data`` (a folder at any depth, or one file) with the detector in ``model``.

    Writes ``scores.csv`` (file, score, abnormal 1 or 0, conformal p-value), ``rejects.jsonl``, ``score.json``,
    ``overlays/`` of the ``overlays`` most abnormal (``overlay_all``: of the highest scores, abnormal or not), and
    ``found/``: those abnormal whose map passes its threshold, as labelme files for ``ingest``, with up to ``good``
    photographs that score like ordinary normals. ``known_good``: all are known to be normal; then drift is tested
    exactly and nothing counts as found. At any time the pixels of one photograph are in memory.

    Args:
        model: folder of a trained model.
        data: folder of photographs at any depth, or one file.
        out: folder to write.
        overlays: most heat maps written.
        overlay_all: heat maps of the highest scores, abnormal or not.
        found: write labelme files of what was found.
        good: most ordinary photographs written beside the finds.
        known_good: all are known to be sound: test for drift, find nothing.
        reading: how photographs are read, where it is told; else as those that the model learned from.
        device: ``auto``, ``cpu`` or ``cuda``.

    Returns:
        Counts, drift and remarks.

    Raises:
        InputError: no model or one without threshold, no photographs, none that can be used; J6 ``out`` holds other
            files; A24 a photograph changed meanwhile.
    """
    target = choose_device(device)
    loaded = load_model(model, target)
    if loaded.threshold is None:
        raise InputError(str(model), "K5", "has no threshold", "train with `anomaly-gan one-class train`")
    if overlays < 0 or good < 0:
        raise ConfigError("--overlays and --good must not be negative")
    if data.is_dir() and out.resolve().is_relative_to(data.resolve()):
        raise ConfigError(f"{out} lies inside {data}: choose an output folder elsewhere")
    ledger = Ledger()
    photographs = list_photographs(data, ledger, reading.over(loaded.reading))
    started = {
        "model": sha256_file(model / "model.json"),
        "photographs": sha256_bytes("\0".join(photographs.names).encode()),
        "content": photographs.content_hash(),
        "options": [overlays, overlay_all, found, good, known_good, photographs.reading.keyed()],
    }
    with work_folder(out, "one-class score", started, fixed=("model", "photographs")) as work:
        if work.fresh:
            return _reread(out)
        place = work.place
        for half in (place / "overlays", place / "found"):  # of a scoring that was cut off
            shutil.rmtree(half, ignore_errors=True)
        seen = _first_pass(loaded, photographs, ledger, place, target)
        scores = np.array(seen.scores)
        asked = found and not known_good
        second = _second_pass(loaded, photographs, seen, place, overlays, overlay_all, asked, good, target)
        drift = compare(loaded.held_out, loaded.held_out_groups, loaded.threshold, scores, known_good)
        result = Scored(
            out,
            len(scores),
            int((scores > loaded.threshold.value).sum()),
            len(ledger.rejected),
            second["overlays"],
            second["found"],
            drift,
            (*_remarks(loaded, photographs, seen, second), *ledger.warnings(), *drift.sentences),
        )
        _summary(loaded, result, ledger, second, place)
    return result


def _first_pass(model: Model, photographs: Photographs, ledger: Ledger, out: Path, device: Any) -> _Pass:
    """Score everything, batch by batch, into ``scores.csv``; its rows stand in the order of the names."""
    assert model.threshold is not None
    seen = _Pass()
    with atomic_path(out / "scores.csv") as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        row_writer(stream)(COLUMNS)
        for files, squares, marks, others in squares_in_batches(model, photographs, ledger):
            scores, _ = score_photographs(model.detector, squares, device)
            if not np.isfinite(scores).all():
                raise InputError(
                    files[int(np.flatnonzero(~np.isfinite(scores))[0])],
                    "K5",
                    "has no finite score",
                    "train the model again",
                )
            seen.files += files
            seen.scores += scores.tolist()
            seen.other_mode += others
            seen.marks += marks
            _write_rows(stream, model, files, scores)
        ledger.close(out / "rejects.jsonl")
        if not seen.files:
            raise InputError(
                str(photographs.tree.root),
                "MAX-BAD",
                f"none of {ledger.found} photographs can be scored; the first: {ledger.rejected[0]['message']}",
                "all are in rejects.jsonl",
            )
    return seen


def squares_in_batches(
    model: Model, photographs: Photographs, ledger: Ledger
) -> Iterator[tuple[list[str], list[np.ndarray], list[str], int]]:
    """(files, squares (K, C, S, S) of each, hashes of the bytes, how many are not of the model's mode)."""
    files: list[str] = []
    squares: list[np.ndarray] = []
    marks: list[str] = []
    others = 0
    for photograph in photographs.each(ledger, "score"):
        files.append(photograph.file)
        squares.append(_squares(model, photograph))
        marks.append(photograph.sha256)
        others += photograph.coloured == (model.mode == "L")
        if sum(map(len, squares)) >= BATCH:
            yield files, squares, marks, others
            files, squares, marks, others = [], [], [], 0
    if files:
        yield files, squares, marks, others


def _squares(model: Model, photograph: Photograph) -> np.ndarray:
    return model.view.squares(photograph.pixels, model.mode, photograph.file)


def _write_rows(stream: TextIO, model: Model, files: list[str], scores: np.ndarray) -> None:
    assert model.threshold is not None
    write = row_writer(stream)
    for file, score, p in zip(files, scores, p_values(model.held_out, scores), strict=True):
        write([_harmless(file), f"{score:.9g}", int(score > model.threshold.value), f"{p:.6g}"])


def _harmless(file: str) -> str:
    """The path, with ``./`` before it where a spreadsheet would take the cell for a formula."""
    return f"./{file}" if file[:1] in "=+-@|%'\t＝＋－＠" else file


def _second_pass(
    model: Model,
    photographs: Photographs,
    seen: _Pass,
    out: Path,
    overlays: int,
    overlay_all: bool,
    found: bool,
    good: int,
    device: Any,
) -> dict[str, int]:
    """Read the photographs that have something to show again: overlays, finds, and normals beside the finds."""
    assert model.threshold is not None
    counts = {"overlays": 0, "found": 0, "without_place": 0, "good": 0}
    if model.map_threshold is None or model.map_scale is None:
        return counts
    scores = np.array(seen.scores)
    abnormal = scores > model.threshold.value
    eligible = np.arange(len(scores)) if overlay_all else np.flatnonzero(abnormal)
    shown: set[int] = set(heapq.nsmallest(overlays, eligible.tolist(), key=lambda place: (-scores[place], place)))
    with_masks: set[int] = set(np.flatnonzero(abnormal).tolist()) if found else set()
    finds = Finds(out / "found", seen.files)
    for place in track(sorted(shown | with_masks), "show"):
        photograph = _again(photographs, seen, place)
        size_hw = (int(photograph.pixels.shape[0]), int(photograph.pixels.shape[1]))
        maps = score_photographs(model.detector, [_squares(model, photograph)], device)[1]
        assert maps is not None
        heat = model.view.spread(maps[0], size_hw)
        if place in shown:
            write_bytes(
                out / "overlays" / f"{photograph.file}.jpg",
                draw_overlay(photograph.pixels, heat, model.map_scale, model.map_threshold.value),
            )
            counts["overlays"] += 1
        if place not in with_masks:
            continue
        masks = places(heat, model.map_threshold.value, size_hw)
        if masks:
            finds.write(photograph, masks, model.name, scores[place])
        counts["found" if masks else "without_place"] += 1
    if counts["found"]:
        ordinary = np.flatnonzero(p_values(model.held_out, scores) >= CLEARLY_GOOD)[:good]
        for place in ordinary:
            finds.write_good(_again(photographs, seen, int(place)))
        counts["good"] = len(ordinary)
    return counts


def _again(photographs: Photographs, seen: _Pass, place: int) -> Photograph:
    photograph = photographs.read(seen.files[place], Notes())
    if photograph.sha256 != seen.marks[place]:
        raise InputError(photograph.file, "A24", "changed while it was being scored", "run again")
    return photograph


def _remarks(model: Model, photographs: Photographs, seen: _Pass, second: dict[str, int]) -> Iterator[str]:
    yield f"photographs are {photographs.reading.words()}"
    if seen.other_mode:
        kind = "colour read as gray" if model.mode == "L" else "gray read as colour"
        yield (
            f"A10: {seen.other_mode} of {len(seen.files)} photographs are {kind}, as the detector learned from "
            f"{'gray' if model.mode == 'L' else 'colour'} ones"
        )
    if model.map_threshold is None:
        why = (
            "was saved without a threshold for its map"
            if one_class(model.name).maps
            else "does not tell where a defect is"
        )
        yield f"{model.name} {why}: no overlays, no found masks"
    if second["without_place"]:
        yield (
            f"{second['without_place']} abnormal photographs have no place above the map's threshold: they are not "
            "in found/"
        )
    if second["good"]:
        yield (
            f"found/good holds {second['good']} photographs that score like ordinary normals; nobody has looked at "
            "them, nor at the found masks"
        )


def _summary(model: Model, result: Scored, ledger: Ledger, second: dict[str, int], place: Path) -> None:
    assert model.threshold is not None
    write_json(
        place / "score.json",
        {
            "detector": model.name,
            "mode": model.mode,
            "preprocess": model.preprocess,
            "threshold": vars(model.threshold),
            "map_scale": model.map_scale,
            "map_threshold": model.map_threshold.value if model.map_threshold else None,
            "scored": result.scored,
            "abnormal": result.abnormal,
            **second,
            "photographs": ledger.counts(),
            "drift": {
                "drifted": result.drift.drifted,
                **result.drift.figures,
                "sentences": list(result.drift.sentences),
            },
            "remarks": list(result.remarks),
        },
    )


def _reread(out: Path) -> Scored:
    """What a finished scoring came to."""
    content = read_as(out / "score.json", dict)
    with understood(out / "score.json"):
        drift = dict(content["drift"])
        drifted, sentences = drift.pop("drifted"), tuple(drift.pop("sentences"))
        return Scored(
            out,
            content["scored"],
            content["abnormal"],
            sum(content["photographs"]["rejected"].values()),
            content["overlays"],
            content["found"],
            Drift(drifted, sentences, drift),
            tuple(content["remarks"]),
        )
