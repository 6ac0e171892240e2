"""How often the gate fails what is real, and what differs: A/A and A/B trials, by whole objects.

A/A: the objects of a data set are dealt into two halves; one stands for the real training defects, the other,
untouched, for generated ones that were accepted. Nothing differs but the objects, so every category that fails, fails
falsely: at most 5 % of the trials may. A/B: the second half is changed by a known amount
(``CHANGES``); the share of trials that fail is the gate's power against that change at that N. Whole categories are
evaluated by the gate's own function with every metric; networks look at each picture once.

    python benchmarks/gate_calibration.py                                     # drawn population, about 10 minutes
    python benchmarks/gate_calibration.py --data runs/tiles/ingest --trials 100

Prints one row a change and category, and last one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord, load_dataset
from anomaly_gan.core.files import sha256_bytes
from anomaly_gan.core.images import read_record, write_png
from anomaly_gan.core.seeding import rng_for
from anomaly_gan.core.stage import Context
from anomaly_gan.metrics.backbones import Extractors, Features, build_extractors
from anomaly_gan.statistics.intervals import share
from anomaly_gan.synthesis.gate import stage as gate
from anomaly_gan.synthesis.gate.config import GateConfig
from anomaly_gan.synthesis.gate.defects import RealDefects
from anomaly_gan.synthesis.gate.results import Counts

SIDE = 96
Change = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]
"""(pixels, mask_01, chance) -> pixels of the same kind; outside the mask nothing changes."""


@dataclass(frozen=True)
class Remembering(Extractors):
    """Each picture is looked at once in this process, whatever trial it stands in."""

    seen: dict[bytes, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict, compare=False)

    def read(self, images: Sequence[np.ndarray]) -> Features:
        keys = [f"{image.shape}".encode() + image.tobytes() for image in images]
        for key, image in zip(keys, images, strict=True):
            if key not in self.seen:
                pooled, embedded = Extractors.read(self, [image])
                self.seen[key] = pooled[0], embedded[0]
        return np.stack([self.seen[key][0] for key in keys]), np.stack([self.seen[key][1] for key in keys])


def shifted(levels: float) -> Change:
    """All of the defect brighter by N grey levels."""
    return lambda pixels, mask, rng: _inside(pixels, mask, pixels.astype(float) + levels)


def wider(factor: float) -> Change:
    """The defect's contrast to its surroundings times ``factor``."""

    def change(pixels: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        level = float(pixels[mask == 0].mean())
        return _inside(pixels, mask, level + (pixels.astype(float) - level) * factor)

    return change


def even(pixels: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One level under the whole mask."""
    return _inside(pixels, mask, np.full(pixels.shape, pixels[mask != 0].mean()))


def noise(pixels: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Grains of any level under the mask."""
    return _inside(pixels, mask, rng.uniform(0, 255, pixels.shape[:2] + (1,) * (pixels.ndim - 2)))


def _inside(pixels: np.ndarray, mask: np.ndarray, new: np.ndarray) -> np.ndarray:
    where = mask != 0 if pixels.ndim == 2 else (mask != 0)[..., None]
    return np.where(where, np.clip(np.rint(new), 0, 255), pixels).astype(np.uint8)


CHANGES: dict[str, Change | None] = {
    "none (A/A)": None,
    "contrast 10 % wider": wider(1.1),
    "contrast 25 % wider": wider(1.25),
    "contrast 50 % wider": wider(1.5),
    "contrast 100 % wider": wider(2.0),
    "20 levels brighter": shifted(20),
    "40 levels brighter": shifted(40),
    "60 levels brighter": shifted(60),
    "one even level": even,
    "noise": noise,
}


def draw_population(folder: Path, objects: int = 60, exposures: int = 2, seed: int = 0) -> Dataset:
    """Photographs of ``objects`` parts, each with its own spot (tone, size, place, grain), and as many sound ones."""
    rng, images, annotations = np.random.default_rng(seed), [], []
    y, x = np.mgrid[:SIDE, :SIDE]
    for part in range(objects):
        tone, radius, tilt = rng.normal(70, 15), rng.uniform(6, 11), rng.uniform(0.6, 1.6)
        for exposure in range(exposures + 1):
            pixels = rng.normal(70 + 6 * rng.normal(), 5, (SIDE, SIDE))
            name = f"{part:03d}_{exposure}.png"
            if exposure < exposures:
                cx, cy = rng.uniform(30, SIDE - 30, 2)
                mask = ((((y - cy) * tilt) ** 2 + (x - cx) ** 2) < radius**2).astype(np.uint8)
                pixels = np.where(mask != 0, pixels + tone + rng.normal(0, 8, pixels.shape), pixels)
                annotations.append(Annotation.from_mask(len(annotations) + 1, len(images) + 1, 1, mask))
            content = write_png(folder / "images" / name, pixels.clip(0, 255).astype(np.uint8))
            images.append(
                ImageRecord(len(images) + 1, name, SIDE, SIDE, f"p{part}", "train", "real", sha256_bytes(content))
            )
    return replace(Dataset(images, annotations, [Category(1, "spot")], {"mode": "L"}), folder=folder)


def changed(dataset: Dataset, change: Change | None, folder: Path) -> Dataset:
    """The photographs with a defect, each changed under its masks, as a data set of its own; None: as they are."""
    labelled, gray = dataset.by_image(), dataset.gray
    images = []
    for image in dataset.images:
        if image.id not in labelled:
            continue
        pixels = read_record(dataset, image, gray)
        if change is not None:
            mask = np.maximum.reduce([item.mask() for item in labelled[image.id]])
            pixels = change(pixels, mask, rng_for(0, "change", image.file_name))
        content = write_png(folder / "images" / f"{image.file_name}.png", pixels)
        images.append(replace(image, file_name=f"{image.file_name}.png", sha256=sha256_bytes(content), extra={}))
    ids = {image.id for image in images}
    return replace(
        dataset, images=images, annotations=[a for a in dataset.annotations if a.image_id in ids], folder=folder
    )


def halves(dataset: Dataset, most: int, rng: np.random.Generator) -> tuple[set[str], set[str]]:
    """Objects of either side, at most ``most`` of each category on each; a category's objects are dealt out evenly."""
    sides: tuple[set[str], set[str]] = (set(), set())
    group_of = {image.id: image.group_id for image in dataset.images}
    for category in dataset.categories:
        groups = sorted({group_of[a.image_id] for a in dataset.annotations if a.category_id == category.id})
        for index, at in enumerate(rng.permutation(len(groups))):
            if groups[at] not in sides[0] | sides[1] and index < 2 * most:
                sides[index % 2].add(groups[at])
    return sides


def trials(real: Dataset, made: Dataset, config: GateConfig, numbers: range, most: int) -> Iterator[dict[str, Any]]:
    """A judgement a number: category -> the gate's result, each with other objects on either side."""
    for trial in numbers:
        one, other = halves(real, most, rng_for(trial, "halves"))
        left = real.select(lambda image, one=one: image.group_id in one)
        right = made.select(lambda image, other=other: image.group_id in other)
        of_image = right.by_image()
        counts = {}
        for category in real.categories:
            shown = sum(any(a.category_id == category.id for a in items) for items in of_image.values())
            counts[category.name] = Counts(shown, shown, 0, shown, shown, 0, 0), {}
        real_defects = RealDefects(left, config.max_n, trial)
        yield gate.measure(config, Context(trial, "cpu"), real_defects, right, counts).categories


def calibrate(
    real: Dataset, config: GateConfig, numbers: range, most: int, changes: Sequence[str], folder: Path
) -> list[dict[str, Any]]:
    """One row a change and category: trials judged, failed, warned, and which metrics failed."""
    found = []
    for number, name in enumerate(changes):
        made = changed(real, CHANGES[name], folder / f"made-{number}")
        levels: dict[str, Counter[str]] = {category.name: Counter() for category in real.categories}
        blamed: dict[str, Counter[str]] = {category.name: Counter() for category in real.categories}
        sizes: dict[str, list[int]] = {category.name: [] for category in real.categories}
        for result in trials(real, made, config, numbers, most):
            for category, item in result.items():
                levels[category][item.level] += 1
                blamed[category].update(metric.name for metric in item.metrics.values() if metric.level == "fail")
                sizes[category].append(int(item.figures["defect"]["n"]))
        for category, seen in levels.items():
            judged = sum(seen[level] for level in ("pass", "warn", "fail"))
            low, high = share(seen["fail"], judged) if judged else (0.0, 1.0)
            found.append(
                {
                    "change": name,
                    "category": category,
                    "n": int(np.median(sizes[category])),
                    "judged": judged,
                    "failed": seen["fail"],
                    "share": round(seen["fail"] / judged, 4) if judged else None,
                    "interval": [round(low, 4), round(high, 4)],
                    "warned": seen["warn"],
                    "by": dict(blamed[category].most_common()),
                }
            )
    return found


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of an ingested data set; default: a drawn population")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="number of the first trial: to go on from an earlier call")
    parser.add_argument("--objects", type=int, default=10, help="most objects of a category on either side")
    parser.add_argument("--changes", nargs="+", default=list(CHANGES), choices=list(CHANGES))
    given = parser.parse_args(arguments)
    extractors = build_extractors("cpu")
    remembering = Remembering(extractors.frechet, extractors.perceptual, extractors.level_weights, extractors.names)
    gate.build_extractors = lambda device: remembering  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        real = load_dataset(given.data) if given.data else draw_population(folder / "real")
        numbers = range(given.first, given.first + given.trials)
        rows = calibrate(real, GateConfig(), numbers, given.objects, given.changes, folder)
    for row in rows:
        sys.stdout.write(
            f"{row['change']:22} {row['category']:12} N {row['n']:3}  failed {row['failed']:4} of {row['judged']:4}  "
            f"[{row['interval'][0]:.3f}, {row['interval'][1]:.3f}]  warned {row['warned']:4}  {row['by']}\n"
        )
    sys.stdout.write(json.dumps(rows) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
