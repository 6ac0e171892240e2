"""Drawings on sound tiles by a program, in labelme's files, and ten simulated raters' grades of them.

    python benchmarks/experts_on_tiles.py RUN --out drawings
    anomaly-gan compare anomaly_gan/configs/experts.yaml --set data.root=FOLDER --set set.pool.expert_dir=drawings \\
        --set set.pool.expert_scores=drawings/ratings.csv --out runs/experts

``RUN`` holds the ingested magnetic tiles. No person drew or graded any of it. Drawn on are sound photographs of the
training split; how large a defect is drawn comes from the training split's own defects, its outline from chance: pores
and blowholes are round, cracks thin and bent, breaks angular. One drawing in six is poor on purpose (too large, too
small, or the outline of another category), and the raters see that.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import numpy as np

from anomaly_gan.core.dataset import Dataset, ImageRecord, load_dataset
from anomaly_gan.core.files import write_json
from anomaly_gan.core.seeding import rng_for
from anomaly_gan.ingestion.formats.labelme_files import label_content
from mask_pool.plausibility.config import PlausibilityConfig

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "data" / "render"))

from expert import RATER_NAMES, Drawing, score  # type: ignore[import-not-found]

CATEGORIES = ("blowhole", "break", "crack")
EACH = 60
POOR = 1 / 6
BIAS = 0.8
"""Standard deviation of the raters' leniency, in grades."""


def areas(dataset: Dataset) -> dict[str, tuple[float, float]]:
    """Areas in pixels between which nine of ten training defects of each category lie, splinters left out as the pool
    leaves them out."""
    found: dict[str, list[float]] = {name: [] for name in CATEGORIES}
    names = {category.id: category.name for category in dataset.categories}
    train = {image.id for image in dataset.images if image.split == "train"}
    for annotation in dataset.annotations:
        if annotation.image_id in train and names[annotation.category_id] in found:
            found[names[annotation.category_id]].append(float(annotation.mask().sum()))
    whole = {
        name: [area for area in own if area >= PlausibilityConfig.fragment_share * float(np.median(own))]
        for name, own in found.items()
    }
    return {name: (float(np.quantile(own, 0.05)), float(np.quantile(own, 0.95))) for name, own in whole.items()}


def outline(kind: str, area: float, rng: np.random.Generator) -> np.ndarray:
    """(K, 2) points round the origin, of about that area."""
    if kind == "crack":
        steps, length = 9, np.sqrt(area) * rng.uniform(2.5, 5.0)
        heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.25, steps))
        spine = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1), axis=0) * length / steps
        side = np.stack([-np.sin(heading), np.cos(heading)], 1) * (area / length / 2)
        width = rng.uniform(0.6, 1.4, (2, steps, 1))
        points = np.concatenate([spine + side * width[0], (spine - side * width[1])[::-1]])
        return points - points.mean(axis=0)
    count, rough = (14, 0.12) if kind == "blowhole" else (int(rng.integers(6, 10)), 0.35)
    turn = (np.arange(count) + rng.uniform(-0.3, 0.3, count)) * 2 * np.pi / count
    reach = 1 + rng.uniform(-rough, rough, count)
    squeezed = np.array([1.0, rng.uniform(0.6, 1.0)])
    points = np.stack([np.cos(turn), np.sin(turn)], 1) * reach[:, None] * squeezed
    return points * np.sqrt(area / (np.pi * squeezed[1]))


def drawn(kind: str, bounds: tuple[float, float], image: ImageRecord, rng: np.random.Generator) -> Drawing:
    """One drawing on a photograph, poor on purpose once in six times."""
    area = float(np.exp(rng.uniform(*np.log(bounds))))
    fault, shape = "", kind
    if rng.random() < POOR:
        fault = str(rng.choice(["huge", "tiny", "shape of another category"]))
        area *= {"huge": 12.0, "tiny": 0.05}.get(fault, 1.0)
        shape = "blowhole" if fault.startswith("shape") and kind == "crack" else "crack" if fault[0] == "s" else kind
    points = outline(shape, max(area, 6.0), rng)
    size = np.array([image.width, image.height])
    points = points * min(1.0, float((0.9 * size / np.maximum(np.ptp(points, axis=0), 1)).min()))
    low, high = -points.min(axis=0) + 1, size - points.max(axis=0) - 1
    points = points + rng.uniform(low, np.maximum(high, low))
    quality = rng.uniform(0.5, 3.8) if fault else rng.uniform(5.8, 9.4)
    return Drawing(
        kind, np.round(points, 2), quality, f"simulated, deliberately poor: {fault}" if fault else "simulated"
    )


def shape_of(drawing: Drawing) -> dict[str, object]:
    return {
        "label": drawing.label,
        "points": drawing.points.tolist(),
        "group_id": None,
        "description": drawing.remark,
        "shape_type": "polygon",
        "flags": {},
        "mask": None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path, help="a run whose ingest holds the magnetic tiles")
    parser.add_argument("--out", type=Path, required=True, help="folder for the drawings and ratings.csv")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    dataset = load_dataset(chosen.run / "ingest")
    normals = sorted(
        (image for image in dataset.split("train").normals() if image.source == "real"), key=lambda one: one.file_name
    )
    rng = rng_for(chosen.seed, "experts on tiles")
    bounds, biases = areas(dataset), rng.normal(0, BIAS, len(RATER_NAMES))
    rows = []
    for number, place in enumerate(rng.permutation(len(normals))[:EACH]):
        image = normals[place]
        drawings = [drawn(kind, bounds[kind], image, rng) for kind in CATEGORIES]
        name = f"tile_{number:03d}.json"
        content = label_content(image.file_name, (image.height, image.width), [shape_of(one) for one in drawings])
        write_json(chosen.out / name, content)
        rows += [[name, at, one.label, *score(one, biases, rng)] for at, one in enumerate(drawings)]
    with (chosen.out / "ratings.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([["file", "shape", "label", *RATER_NAMES], *rows])
    sys.stdout.write(f"{len(rows)} drawings on {min(EACH, len(normals))} sound photographs → {chosen.out}\n")


if __name__ == "__main__":
    main()
