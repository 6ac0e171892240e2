"""All readers against changed files: typed refusals, or exactly the pixels of an oracle that knows nothing of ours.

A thousand inputs in ``make test``, ``FUZZ=20000`` of them by ``make fuzz``. A change keeps, moves or breaks what a file
says; where ingest accepts the photograph, its pixels must be those of the oracle for what the changed file says.
"""

from __future__ import annotations

import io
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw
from pycocotools import mask as coco_mask

from anomaly_gan.core.errors import AnomalyGanError, InputError
from anomaly_gan.ingestion.formats.base import ReadOptions
from anomaly_gan.ingestion.formats.csv import draw_runs
from anomaly_gan.ingestion.formats.registry import reader
from anomaly_gan.ingestion.ledger import Ledger, Notes
from anomaly_gan.ingestion.mask_files import decode_parts
from anomaly_gan.ingestion.polygons import ShapeFault
from anomaly_gan.ingestion.source_tree import SourceTree, list_tree

COUNT = int(os.environ.get("FUZZ", "1000"))
HEIGHT, WIDTH = 24, 32
HOSTILE: list[Any] = [
    *(None, True, -1, 0, 1, 1.0, 0.5, 2**31, 2**63, 1e12, -1e9, float("nan"), float("inf"), "", "1", "..", "\ud800"),
    *("x" * 300, "a\nb", [], {}, [[]], [None], [[1, 2, 3, 4, 5, 6]], {"size": [HEIGHT, WIDTH], "counts": "abc"}),
]
OPTIONS = ReadOptions(frozenset({"good"}), line_width=3)


def oracle_polygon(flat: list[float]) -> np.ndarray:
    """Even-odd by its definition: a ray from the centre of every pixel, counted edge by edge."""
    x, y = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    inside = np.zeros((HEIGHT, WIDTH), bool)
    corners = list(zip(flat[::2], flat[1::2], strict=True))
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        crosses = (y0 > y) != (y1 > y)
        with np.errstate(divide="ignore", invalid="ignore"):
            at = x0 + (y - y0) * (x1 - x0) / (y1 - y0)
        inside ^= crosses & (x < at)
    return inside


class Trees:
    """One small source a format, whose label files are changed in place."""

    def __init__(self, root: Path, chance: random.Random) -> None:
        self.root, self.chance = root, chance
        pixels = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH), dtype=np.uint8)
        for name in ("coco", "labelme", "yolo-seg", "voc", "csv", "via"):
            (root / name).mkdir(parents=True)
            Image.fromarray(pixels).save(root / name / "a.png")
        self.trees: dict[str, SourceTree] = {}

    def items(self, name: str, file: str, content: bytes) -> tuple[Ledger, list[Any]]:
        (self.root / name / file).write_bytes(content)
        tree = self.trees.setdefault(name, list_tree(self.root / name, Ledger()))
        ledger = Ledger()
        return ledger, reader(name)(tree, OPTIONS, ledger)


def drawn(item: Any) -> np.ndarray:
    """The union of what an item's label says, in the photograph's frame."""
    covered = np.zeros((HEIGHT, WIDTH), np.uint8)
    label = item.read_label(Notes())
    if label.size_hw not in {None, (HEIGHT, WIDTH)}:
        raise InputError("", "C1", "another size")
    for instance in label.draw((HEIGHT, WIDTH)):
        covered |= instance.mask_01
    return covered


def outcome(make: Callable[[], list[Any]]) -> np.ndarray | None:
    """What was accepted; None where it was refused, which must be a typed refusal on one line."""
    try:
        items = make()
        return drawn(items[0]) if items else None
    except AnomalyGanError as error:
        assert "\n" not in str(error)
        return None


def ring(chance: random.Random) -> list[float]:
    points = chance.randint(3, 7)
    step = chance.choice([1, 1, 0.25])
    return [round(chance.uniform(0, WIDTH if at % 2 == 0 else HEIGHT) / step) * step for at in range(2 * points)]


def mutate(value: Any, chance: random.Random) -> Any:
    """One place of a JSON value replaced by something hostile, removed or doubled."""
    places: list[tuple[Any, Any]] = []

    def walk(owner: Any) -> None:
        for key in owner if isinstance(owner, dict) else range(len(owner)):
            places.append((owner, key))
            if isinstance(owner[key], dict | list):
                walk(owner[key])

    walk(value)
    owner, key = chance.choice(places)
    if chance.random() < 0.8:
        owner[key] = json.loads(json.dumps(chance.choice(HOSTILE)))
    elif isinstance(owner, dict):
        del owner[key]
    else:
        owner.append(owner[key])
    return value


def plain_polygon(value: Any) -> list[float] | None:
    """The numbers of one polygon as our documents describe it; None for anything else."""
    if not (isinstance(value, list) and len(value) >= 6 and len(value) % 2 == 0):
        return None
    if not all(type(number) in (int, float) and abs(number) <= 1e6 for number in value):
        return None
    return [float(number) for number in value]


def fuzz_coco(trees: Trees, chance: random.Random) -> bool:
    flat = ring(chance)
    content: dict[str, Any] = {
        "images": [{"id": 1, "file_name": "a.png", "height": HEIGHT, "width": WIDTH}],
        "categories": [{"id": 1, "name": "crack"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": [flat], "iscrowd": 0}],
    }
    if chance.random() < 0.4:
        rle = coco_mask.encode(np.asfortranarray(oracle_polygon(flat).astype(np.uint8)))
        content["annotations"][0]["segmentation"] = {"size": rle["size"], "counts": rle["counts"].decode()}
    if chance.random() < 0.7:
        mutate(content, chance)
    found = outcome(lambda: trees.items("coco", "x.json", json.dumps(content).encode("utf-8", "surrogatepass"))[1])
    told = content.get("annotations")
    if found is None or not isinstance(told, list) or len(told) != 1 or not isinstance(told[0], dict):
        return found is not None
    segmentation = told[0].get("segmentation")
    polygon = plain_polygon(segmentation[0]) if isinstance(segmentation, list) and len(segmentation) == 1 else None
    if polygon is not None and found.any() and max(polygon) > 1 and oracle_polygon(polygon).any():
        np.testing.assert_array_equal(found, oracle_polygon(polygon))
    if isinstance(segmentation, dict) and found.any() and isinstance(segmentation["counts"], str):
        counts = {"size": [HEIGHT, WIDTH], "counts": segmentation["counts"].encode()}
        np.testing.assert_array_equal(found, coco_mask.decode(counts))
    return True


def fuzz_labelme(trees: Trees, chance: random.Random) -> bool:
    flat = ring(chance)
    points = [list(pair) for pair in zip(flat[::2], flat[1::2], strict=True)]
    content: dict[str, Any] = {
        "imagePath": "a.png",
        "imageData": None,
        "imageHeight": HEIGHT,
        "imageWidth": WIDTH,
        "shapes": [{"label": "crack", "points": points, "shape_type": "polygon", "group_id": None}],
    }
    if chance.random() < 0.7:
        mutate(content, chance)
    found = outcome(lambda: trees.items("labelme", "a.json", json.dumps(content).encode("utf-8", "surrogatepass"))[1])
    shapes = content.get("shapes")
    if found is None or not isinstance(shapes, list) or len(shapes) != 1 or not isinstance(shapes[0], dict):
        return found is not None
    kept = shapes[0].get("points")
    numbers = [number for pair in kept for number in pair] if isinstance(kept, list) else []
    polygon = plain_polygon(numbers)
    if polygon is not None and shapes[0].get("shape_type", "polygon") in ["polygon", None, ""] and found.any():
        expected = oracle_polygon(polygon)
        if expected.any():
            np.testing.assert_array_equal(found, expected)
    return True


def fuzz_via(trees: Trees, chance: random.Random) -> bool:
    flat = ring(chance)
    shape = {"name": "polygon", "all_points_x": flat[::2], "all_points_y": flat[1::2]}
    content: dict[str, Any] = {
        "a": {"filename": "a.png", "regions": [{"shape_attributes": shape, "region_attributes": {"kind": "crack"}}]}
    }
    if chance.random() < 0.7:
        mutate(content, chance)
    told = json.dumps({"_via_img_metadata": content}).encode("utf-8", "surrogatepass")
    found = outcome(lambda: trees.items("via", "a.json", told)[1])
    if found is None or not found.any():
        return found is not None
    shape = content["a"]["regions"][0]["shape_attributes"]
    pairs = zip(shape["all_points_x"], shape["all_points_y"], strict=True)
    polygon = plain_polygon([number for pair in pairs for number in pair])
    if polygon is not None and shape["name"] == "polygon" and oracle_polygon(polygon).any():
        np.testing.assert_array_equal(found, oracle_polygon(polygon))
    return True


def fuzz_yolo(trees: Trees, chance: random.Random) -> bool:
    flat = [round(value) for value in ring(chance)]
    words = ["0", *(f"{value / (WIDTH if at % 2 == 0 else HEIGHT):.8f}" for at, value in enumerate(flat))]
    changed = chance.random() < 0.6
    if changed:
        at = chance.randrange(len(words))
        words[at] = chance.choice(["", "x", "nan", "inf", "-1", "1e9", "7", "0.5", "1.5", "0x10"])
    found = outcome(lambda: trees.items("yolo-seg", "a.txt", " ".join(words).encode())[1])
    if found is not None and not changed and oracle_polygon(flat).any():
        np.testing.assert_array_equal(found, oracle_polygon(flat))
    return found is not None


def fuzz_voc(trees: Trees, chance: random.Random) -> bool:
    left, right = sorted(chance.sample(range(WIDTH + 1), 2))
    top, bottom = sorted(chance.sample(range(HEIGHT + 1), 2))
    sides = f"<xmin>{left}</xmin><ymin>{top}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax>"
    text = (
        f"<annotation><filename>a.png</filename><size><width>{WIDTH}</width><height>{HEIGHT}</height></size>"
        f"<object><name>crack</name><bndbox>{sides}</bndbox></object></annotation>"
    )
    changed = chance.random() < 0.6
    content = bytearray(text.encode())
    if changed:
        for _ in range(chance.choice([1, 2, 5])):
            content[chance.randrange(len(content))] = chance.choice(b'<>&/"0x9 \xff')
    found = outcome(lambda: trees.items("voc", "a.xml", bytes(content))[1])
    if found is not None and not changed and max(left, top, right, bottom) > 1:
        expected = np.zeros((HEIGHT, WIDTH), np.uint8)
        expected[top:bottom, left:right] = 1
        np.testing.assert_array_equal(found, expected)
    return found is not None


def fuzz_csv(trees: Trees, chance: random.Random) -> bool:
    """Pairs of start and length, and what they cover by their definition, pixel by pixel down the columns."""
    total = HEIGHT * WIDTH
    numbers = sorted(chance.sample(range(1, total + 1), 2 * chance.randint(1, 4)))
    words = [str(word) for a, b in zip(numbers[::2], numbers[1::2], strict=True) for word in (a, b - a)]
    if chance.random() < 0.6:
        words[chance.randrange(len(words))] = chance.choice(["", "x", "-4", "0", "1", str(total), "9" * 30, "1.5"])
    try:
        found = draw_runs(" ".join(words), (HEIGHT, WIDTH), False)
    except ShapeFault:
        return False
    expected = np.zeros(total, np.uint8)
    plain = [int(word) for word in words if word]
    for start, length in zip(plain[::2], plain[1::2], strict=True):
        expected[start - 1 : start - 1 + length] = 1
    np.testing.assert_array_equal(found, expected.reshape(WIDTH, HEIGHT).T)
    return True


def fuzz_mask(trees: Trees, chance: random.Random) -> bool:
    """A mask of one value in any mode and container; then bytes changed, which may only refuse or change pixels."""
    picture = Image.new("L", (WIDTH, HEIGHT))
    ImageDraw.Draw(picture).polygon([(chance.randrange(WIDTH), chance.randrange(HEIGHT)) for _ in range(4)], fill=255)
    truth = np.asarray(picture) > 0
    mode = chance.choice(["L", "1", "P", "RGB", "RGBA", "LA", "I;16", "one", "index"])
    if mode == "one":
        stored = Image.fromarray(truth.astype(np.uint8) * chance.choice([1, 2, 100, 200]))
    elif mode == "index":
        stored = Image.frombytes("P", picture.size, truth.astype(np.uint8).tobytes())
        stored.putpalette([255, 255, 255, 0, 0, 0])
    elif mode == "I;16":
        stored = Image.fromarray(truth.astype(np.uint16) * 65535)
    else:
        stored = picture.convert(mode)
    stream = io.BytesIO()
    stored.save(stream, chance.choice(["PNG", "TIFF"]))
    content = bytearray(stream.getvalue())
    changed = chance.random() < 0.5
    if changed:
        for _ in range(chance.choice([1, 3, 20])):
            content[chance.randrange(len(content))] = chance.randrange(256)
    try:
        parts = decode_parts(chance.choice(["m", "m.png"]), bytes(content), Notes())
    except AnomalyGanError as error:
        assert "\n" not in str(error) and (changed or not truth.any()), (mode, str(error))
        return False
    if not changed:
        np.testing.assert_array_equal(parts.union(), truth)
    return True


READERS = {
    "coco": fuzz_coco,
    "labelme": fuzz_labelme,
    "yolo": fuzz_yolo,
    "voc": fuzz_voc,
    "csv": fuzz_csv,
    "via": fuzz_via,
    "mask": fuzz_mask,
}


@pytest.mark.parametrize("name", READERS)
def test_changed_files_are_refused_in_words_or_read_as_the_oracle_reads_them(name: str, tmp_path: Path) -> None:
    chance = random.Random(name)
    trees = Trees(tmp_path, chance)
    accepted = sum(READERS[name](trees, chance) for _ in range(-(-COUNT // len(READERS))))
    assert 0.05 * COUNT / len(READERS) < accepted < COUNT / len(READERS)
