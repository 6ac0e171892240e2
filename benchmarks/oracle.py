"""The oracle with real detectors: on drawn photographs, an arm that adds true pictures of a rare defect must win.

The defect is a bar, upright or lying, dark or bright. Training shows a single one, testing sixteen, each on its own
object. Three arms train the same small Mask R-CNN and are judged as in any study: ``none``; ``oracle``, whose export
adds 24 correctly labelled bars; ``empty``, whose export adds nothing. ``oracle`` must be called better than ``none``
and than ``empty``, and ``empty`` must not be told apart from ``none``: with the same starting weights and the same
deal of photographs its cells are the same to the last bit (one seed of it is enough). Exit code 1 where one of these
fails. There is one category on purpose: with a second, plentiful one, bars added to every batch starved it of steps
(its AP fell from 1.0 to 0.3 while that of bars rose from 0.2 to 0.5), and nothing was better by construction.

    python benchmarks/oracle.py --out oracle      # seven trainings; goes on where it was stopped

The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import torch

from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord
from anomaly_gan.core.files import sha256_bytes, write_json
from anomaly_gan.core.images import write_png
from anomaly_gan.core.seeding import rng_for
from anomaly_gan.study.statistics import StudyCell, load_cells
from anomaly_gan.study.statistics.comparisons import by_arm, compare
from anomaly_gan.study.statistics.resample import draw_cells
from detection.comparison.cell import Cell, CellJob
from detection.detectors.config import DetectConfig

SIDE = 64
BAR = 1
CATEGORIES = [Category(BAR, "bar")]
Row = tuple[str, int | None, str]
"""Split, category id (None: no defect), source."""
TRAIN: list[Row] = [("train", kind, "real") for kind in [BAR] + [None] * 4]
TEST: list[Row] = [("test", kind, "real") for kind in [BAR] * 16 + [None] * 4]
ADDED: dict[str, list[Row]] = {"none": [], "empty": [], "oracle": [("train", BAR, "synthetic")] * 24}


def draw(number: int, kind: int | None) -> tuple[np.ndarray, np.ndarray]:
    """(pixels, mask_01), each (SIDE, SIDE) uint8, from the photograph's number alone."""
    rng = rng_for(0, "oracle", number)
    pixels = rng.normal(110, 12, (SIDE, SIDE)).clip(0, 255).astype(np.uint8)
    mask = np.zeros_like(pixels)
    if kind == BAR:
        y, x = (int(value) for value in rng.integers(4, 36, 2))
        height, width = (8, 24) if rng.random() < 0.5 else (24, 8)
        mask[y : y + height, x : x + width] = 1
        pixels[mask == 1] = rng.integers(5, 40) if rng.random() < 0.5 else rng.integers(200, 250)
    return pixels, mask


def save(folder: Path, rows: Sequence[Row]) -> None:
    """Photographs numbered from 1, each of an object of its own, as a finished stage folder."""
    images: list[ImageRecord] = []
    annotations: list[Annotation] = []
    for number, (split, kind, source) in enumerate(rows, start=1):
        pixels, mask = draw(number if split == "train" else 1000 + number, kind)
        name = f"{split}-{number:03d}.png"
        content = write_png(folder / "images" / name, pixels)
        images.append(ImageRecord(number, name, SIDE, SIDE, f"{split}-{number}", split, source, sha256_bytes(content)))
        if kind is not None:
            annotations.append(Annotation.from_mask(len(annotations) + 1, number, kind, mask))
    Dataset(images, annotations, CATEGORIES, {"mode": "L"}, folder).save(folder)
    write_json(folder / "manifest.json", {"key": folder.name, "files": []})


def run(folder: Path, config: DetectConfig, seeds: int) -> list[StudyCell]:
    """All cells, one after the other, each through the same steps as in a study."""
    save(folder / "ingest", TRAIN + TEST)
    for arm, added in ADDED.items():
        save(folder / f"export@{arm}", TRAIN + added)
    for seed in range(seeds):
        for arm in ADDED if seed == 0 else ("none", "oracle"):
            cell = Cell(arm, config.detector, 0, seed)
            train = folder / ("ingest" if arm == "none" else f"export@{arm}")
            job = CellJob(
                cell,
                config,
                folder / "ingest",
                train,
                folder / "compare" / "cells" / cell.name,
                "test",
                0,
                "cpu",
                f"{cell.name}-{config.iterations}",
                len(TRAIN),
            )
            job.run()
            sys.stderr.write(f"{cell.name}: AP@0.5 {job.result().figures.map50:.3f}\n")
            sys.stderr.flush()
    return load_cells(folder)


def verdicts(cells: Sequence[StudyCell], draws: int = 1000) -> list[dict[str, Any]]:
    """The three comparisons, with what each must say and whether it does."""
    arms = by_arm(draw_cells(cells, draws, seed=0))
    rows = []
    for arm, against, expected in (
        ("oracle", "none", "better"),
        ("oracle", "empty", "better"),
        ("empty", "none", "no difference shown"),
    ):
        row = compare(arms, arm, against, "oracle", seed=0)
        if row is None:
            raise RuntimeError(f"{arm} and {against} have no cell in common")
        rows.append(
            {
                "arm": arm,
                "against": against,
                "difference": row.made.interval.mean,
                "low": row.made.interval.low,
                "high": row.made.interval.high,
                "verdict": row.made.verdict,
                "as_expected": row.made.verdict == expected,
                "sentence": row.sentence(),
            }
        )
    return rows


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--iterations", type=int, default=120)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--out", type=Path, help="keep the cells here; a temporary folder otherwise")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    # width 32: no heads pretrained on drawn shapes (pretrained_heads), which would know a bar without having seen one
    config = DetectConfig(
        detector="mask_rcnn",
        view="whole",
        schedule="linear",
        backbone="efficientnet_lite0",
        image_size=SIDE,
        iterations=chosen.iterations,
        batch=2,
        width=32,
        head_width=64,
        anchor_sizes=(8, 12, 16, 24, 32),
        rpn_samples=32,
        roi_samples=16,
        proposals_before_nms=50,
        proposals=20,
        detections=10,
        warmup=10,
        lr=2e-3,
        checkpoint_every=10000,
    )
    with tempfile.TemporaryDirectory() as folder:
        rows = verdicts(run(chosen.out or Path(folder), config, chosen.seeds))
    for row in rows:
        sys.stdout.write(f"{row['sentence']}\n")
    sys.stdout.write(json.dumps(rows) + "\n")
    return 0 if all(row["as_expected"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
