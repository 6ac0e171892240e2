"""Bytes and labels changed at random: only typed refusals may come out, and every record has one fate.

A small, fixed share in ``make test``; ``FUZZ=10000`` changes 10,000 files and as many label files.
"""

from __future__ import annotations

import copy
import io
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.stage import Context
from anomaly_gan.ingestion.image_files import decode_photo
from anomaly_gan.ingestion.ledger import Notes
from anomaly_gan.ingestion.mask_files import decode_mask
from anomaly_gan.ingestion.stage import IngestConfig, run

BYTES, LABELS = (int(os.environ.get("FUZZ", few)) for few in (600, 80))
HOSTILE: list[Any] = [
    None,
    True,
    -1,
    0,
    2**31,
    2**63,
    1e12,
    float("nan"),
    float("inf"),
    0.5,
    "",
    "12",
    "..",
    "/etc/passwd",
    "\ud800",
    "\ud800.png",
    "x" * 300 + ".png",
    "a\nb",
    [],
    {},
    [[]],
    [None],
    [[1, 2, 3, 4, 5, 6]],
    {"size": [40, 60], "counts": "abc"},
    "mask",
    "circle",
    "line",
    "ellipse",
    "rectangle",
    "oriented_rectangle",
    "points",
    "iVBORw0KGgo=",
]
OUTLINE = [10, 10, 30, 10, 30, 20, 10, 20]


def encodings() -> list[bytes]:
    gray = np.random.default_rng(1).integers(0, 255, (40, 60), dtype=np.uint8)
    images = [
        Image.fromarray(gray),
        Image.fromarray(gray).convert("RGB"),
        Image.fromarray(gray).convert("P"),
        Image.fromarray(gray.astype(np.uint16)),
        Image.fromarray(gray).convert("CMYK"),
    ]
    result = []
    for image in images:
        for kind in ("PNG", "JPEG", "TIFF", "BMP"):
            if (kind in {"PNG", "BMP"} and image.mode == "CMYK") or (kind in {"JPEG", "BMP"} and image.mode[0] in "IP"):
                continue
            stream = io.BytesIO()
            image.save(stream, kind)
            result.append(stream.getvalue())
    return result


def test_changed_image_bytes_are_decoded_or_refused() -> None:
    chance = random.Random(5)
    sound = encodings()
    refused = 0
    for _ in range(BYTES):
        content = bytearray(chance.choice(sound))
        for _ in range(chance.choice([1, 2, 5, 20])):
            place = chance.randrange(min(len(content), chance.choice([64, 200, 10**9])))
            content[place] = chance.choice([0, 1, 127, 255, chance.randrange(256)])
        if chance.random() < 0.2:
            del content[chance.randrange(len(content)) :]
        for decode in (lambda data: decode_photo("x", data, Notes()), lambda data: decode_mask("x", data, Notes())):
            try:
                decode(bytes(content))
            except InputError as error:
                refused += 1
                assert "\n" not in str(error)
    assert refused > 200


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*path, key))


def mutated(value: Any, chance: random.Random) -> Any:
    for _ in range(chance.choice([1, 1, 2])):
        *parents, last = chance.choice(list(places(value)))
        owner = value
        for key in parents:
            owner = owner[key]
        if chance.random() < 0.8:
            owner[last] = copy.deepcopy(chance.choice(HOSTILE))
        elif isinstance(owner, dict):
            del owner[last]
        else:
            owner.append(copy.deepcopy(owner[last]))
    return value


def coco() -> dict[str, Any]:
    ids = (1, 2, 3)
    return {
        "images": [{"id": i, "file_name": f"{i}.png", "height": 40, "width": 60} for i in ids],
        "categories": [{"id": 7, "name": "crack"}],
        "annotations": [
            {
                "id": i,
                "image_id": i,
                "category_id": 7,
                "area": 200,
                "bbox": [10, 10, 20, 10],
                "segmentation": [list(OUTLINE)] if i < 3 else {"size": [40, 60], "counts": [90, 60, 2250]},
                "iscrowd": 0,
            }
            for i in ids
        ],
    }


def labelme(index: int) -> dict[str, Any]:
    return {
        "version": "7.0.1",
        "flags": {},
        "imagePath": f"{index}.png",
        "imageData": None,
        "imageHeight": 40,
        "imageWidth": 60,
        "shapes": [
            {
                "label": "crack",
                "points": [[10, 10], [30, 10], [30, 20]],
                "group_id": None,
                "shape_type": "polygon",
                "flags": {},
                "mask": None,
            }
        ],
    }


@pytest.mark.parametrize("source", ["coco", "labelme"])
def test_changed_labels_are_read_or_refused(source: str, tmp_path: Path) -> None:
    chance = random.Random(11)
    root = tmp_path / "source"
    root.mkdir()
    for index in (1, 2, 3):
        pixels = np.random.default_rng(index).integers(0, 255, (40, 60), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"{index}.png")
        (root / f"{index}.json").write_text(json.dumps(labelme(index)))
    fates = set()
    for _ in range(LABELS):
        name = "annotations.json" if source == "coco" else "3.json"
        (root / name).write_text(json.dumps(mutated(coco() if source == "coco" else labelme(3), chance)))
        config = IngestConfig(root=str(root), format=source, max_bad=1, line_width=3)
        try:
            metrics = run(config, Context(seed=0), tmp_path / "out")
            fates.update(metrics["rejected"] or ["accepted"])
            decided = sum([metrics["accepted"], *metrics["rejected"].values(), *metrics["skipped"].values()])
            written = load_dataset(tmp_path / "out").images
            assert metrics["found"] == decided and len(written) == metrics["accepted"]  # R9: none lost, none invented
        except InputError as error:
            fates.add(error.code)
            assert "\n" not in str(error)
    assert "accepted" in fates and len(fates) > 5
