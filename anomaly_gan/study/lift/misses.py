"""What a detector misses, and what it takes for a defect, on training objects that it has not learnt from.

The training side of a share is divided in two halves of whole objects; a detector of each half looks at the other.
Nothing here sees a test photograph.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from detection.detectors.config import DetectConfig
from detection.evaluation.kept_rows import read_rows

from ...core.dataset import Dataset
from ...core.errors import ConfigError
from ...core.files import atomic_path, link_file, write_json, write_text
from ...core.images import read_record
from ...core.json_files import note_as
from ...core.seeding import rng_for, seed_for
from ...synthesis.bank.crops import cut_crop, inside
from ...synthesis.bank.writer import read_lines
from .config import MISSED_WEIGHT

if TYPE_CHECKING:
    from detection.evaluation.evaluate import DetectionRow

HALVES = 2


def inner_halves(train: Dataset, seed: int) -> list[set[str]]:
    """Two halves of the objects, each category's (and the sound ones) shared out evenly.

    Raises:
        ConfigError: a category has but one object: whoever has not learnt from it has not learnt the category.
    """
    shows: dict[str, set[int]] = defaultdict(set)
    names = {image.id: image.group_id for image in train.images}
    for item in train.annotations:
        shows[names[item.image_id]].add(item.category_id)
    order = sorted(set(names.values()))
    order = [order[place] for place in rng_for(seed, "lift", "halves").permutation(len(order))]
    counts: dict[int, list[int]] = defaultdict(lambda: [0] * HALVES)
    halves: list[set[str]] = [set() for _ in range(HALVES)]
    for group in order:
        kinds = shows.get(group) or {0}
        half = min(range(HALVES), key=lambda number: (sum(counts[kind][number] for kind in kinds), len(halves[number])))
        halves[half].add(group)
        for kind in kinds:
            counts[kind][half] += 1
    for category in train.categories:
        if not all(counts[category.id]):
            raise ConfigError(f"aim, hard_sound: {category.name} has but one object; two are needed to look for misses")
    return halves


def out_of_fold(
    train: Dataset, config: DetectConfig, seed: int, fabric: Any, folder: Path, where: str
) -> list[DetectionRow]:
    """Detections on every training photograph, each by the detector that has not learnt from its object.

    They are kept in ``folder/rows.json`` for the settings they were made with.

    Args:
        train: the training split.
        config: the section of the configuration.
        seed: of every random choice made here.
        fabric: device and precision to compute with.
        folder: folder of the trainings and of ``rows.json``.
        where: what messages call the data set.

    Returns:
        COCO result rows of all training photographs.
    """
    kept = folder / "rows.json"
    key = {"config": config.model_dump(mode="json"), "seed": seed}
    content = note_as(kept, dict) or {}
    if content.get("key") == key:
        return read_rows(kept)
    rows = [
        row
        for number, half in enumerate(inner_halves(train, seed))
        for row in _evaluated(train, half, config, seed_for(seed, "half", number), fabric, folder / str(number), where)
    ]
    write_json(kept, {"key": key, "rows": rows})
    return rows


def _evaluated(
    train: Dataset, half: set[str], config: DetectConfig, seed: int, fabric: Any, folder: Path, where: str
) -> list[DetectionRow]:
    from detection.evaluation.reading import read_detections
    from detection.training.finetune import train_detector

    learnt = train.select(lambda image: image.group_id not in half)
    trained = train_detector(learnt, config, fabric, folder, seed=seed, where=where)
    other = train.select(lambda image: image.group_id in half)
    return read_detections(trained.net, other, trained.categories, config.longest, fabric.device).rows


def aim_at(train: Dataset, rows: Sequence[DetectionRow]) -> dict[int, float]:
    """By annotation id: ``MISSED_WEIGHT`` for every training defect that no detection overlaps by half, else 1."""
    from detection.evaluation.evaluate import matched_at_50

    matched, _ = matched_at_50(train, list(rows), True)
    items = [item for item in train.annotations if not item.iscrowd]
    return {item.id: 1.0 if item.id in matched else MISSED_WEIGHT for item in items}


def with_hard_sound(
    bank: Path, train: Dataset, rows: Sequence[DetectionRow], folder: Path, most: int, seed: int
) -> Path:
    """A view of the bank in ``folder`` with up to ``most`` more shams: places of sound training photographs that were
    taken for defects, the surest first, one a photograph.

    Args:
        bank: the bank.
        train: the training split.
        rows: detections on training photographs that no detector had learnt from.
        folder: folder of the view.
        most: most shams added.
        seed: of every random choice made here.

    Returns:
        Folder of the view.
    """
    lines = read_lines(bank)
    for shard in sorted({line["shard"] for line in lines}):
        link_file(bank / shard, folder / shard)
    side = int(np.load(bank / lines[0]["shard"], allow_pickle=False)["masks"].shape[-1])
    images = {image.id: image for image in train.normals()}
    surest: dict[int, DetectionRow] = {}
    # one place a photograph, the one that was most surely taken for a defect
    for row in sorted(rows, key=lambda row: -row["score"]):
        if row["image_id"] in images:
            surest.setdefault(row["image_id"], row)
    names, gray = train.category_names(), train.gray
    pixels: list[np.ndarray] = []
    added: list[dict[str, Any]] = []
    for image_id, row in list(surest.items())[:most]:
        image = images[image_id]
        x, y, width, height = (round(value) for value in row["bbox"])
        place = np.zeros((image.height, image.width), np.uint8)
        place[max(0, y) : y + max(1, height), max(0, x) : x + max(1, width)] = 1
        rng = rng_for(seed, "hard sound", image.file_name)
        pixels.append(cut_crop(read_record(train, image, gray), place, side, rng)[0])
        added.append(
            {
                "id": len(lines) + len(added),
                "shard": "hard-sound.npz",
                "row": len(added),
                "sham": True,
                "category": names[row["category_id"]],
                "method": "hard_sound",
                "sources": [image.group_id],
                "weight": 1.0,
                "inside": inside(place.shape, side),
            }
        )
    if pixels:
        with atomic_path(folder / "hard-sound.npz") as temporary, temporary.open("wb") as stream:
            np.savez(stream, pixels=np.stack(pixels), masks=np.zeros((len(pixels), side, side), np.uint8))
    write_text(folder / "bank.jsonl", "".join(json.dumps(line, sort_keys=True) + "\n" for line in [*lines, *added]))
    return folder
