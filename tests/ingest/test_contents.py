"""What label files and photographs hold: read where it is unambiguous, stopped where it contradicts itself."""

from __future__ import annotations

import base64
import copy
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from drawn_photos import HEIGHT, WIDTH, ingest, photo, save
from PIL import Image

from anomaly_gan.core.errors import InputError
from anomaly_gan.core.images import read_pixels
from anomaly_gan.core.stage import Context
from anomaly_gan.ingestion.image_files import decode_photo
from anomaly_gan.ingestion.labels import proposal, read_labels
from anomaly_gan.ingestion.ledger import Notes
from anomaly_gan.ingestion.stage import IngestConfig, run

FLAT = [10, 8, 30, 8, 30, 20, 10, 20]
AREA = 20 * 12


def sound() -> dict[str, Any]:
    return {
        "images": [{"id": n, "file_name": f"{n}.jpg", "height": HEIGHT, "width": WIDTH} for n in range(1, 6)],
        "categories": [{"id": 7, "name": "crack"}],
        "annotations": [
            {
                "id": n,
                "image_id": n,
                "category_id": 7,
                "segmentation": [list(FLAT)],
                "area": AREA,
                "bbox": [10, 8, 20, 12],
            }
            for n in range(1, 4)
        ],
    }


def write(root: Path, content: dict[str, Any]) -> None:
    for n in range(1, 6):
        save(root / f"{n}.jpg", photo(n))
    (root / "labels.json").write_text(json.dumps(content))


def everywhere(part: str, **changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: [row.update(copy.deepcopy(changes)) for row in content[part]] and None


def as_text(content: dict[str, Any]) -> None:
    for row in content["annotations"]:
        row.update(image_id=str(row["image_id"]), category_id="7", iscrowd="0")


SHARES = [value / (WIDTH if at % 2 == 0 else HEIGHT) for at, value in enumerate(FLAT)]
RUNS = [float(10 * HEIGHT + 8), *([12.0, float(HEIGHT - 12)] * 19), 12.0]
RUNS.append(float(HEIGHT * WIDTH) - sum(RUNS))
UNAMBIGUOUS: dict[str, Callable[[dict[str, Any]], None]] = {
    "ids as text": as_text,
    "run lengths as floats": everywhere(
        "annotations", segmentation={"size": [float(HEIGHT), float(WIDTH)], "counts": RUNS}
    ),
    "a list of run lengths": everywhere(
        "annotations", segmentation=[{"size": [HEIGHT, WIDTH], "counts": [int(run) for run in RUNS]}]
    ),
    "polygons nested too deep": everywhere("annotations", segmentation=[[FLAT]]),
    "polygons of points": everywhere("annotations", segmentation=[np.reshape(FLAT, (4, 2)).tolist()]),
    "shares of the sides": everywhere("annotations", segmentation=[SHARES], bbox=[10, 8, 20, 12]),
    "boxes as corners": everywhere("annotations", bbox=[10, 8, 30, 20]),
    "a root category nobody uses": lambda content: content["categories"].extend(
        [{"id": 0, "name": "crack"}, {"id": 1, "name": None}]
    ),
    "two ids of one category": lambda content: (
        content["categories"].append({"id": 8, "name": "crack"}) or content["annotations"][0].update(category_id=8)
    ),
}


@pytest.mark.parametrize("case", UNAMBIGUOUS)
def test_what_is_unambiguous_is_read(case: str, tmp_path: Path) -> None:
    content = sound()
    UNAMBIGUOUS[case](content)
    write(tmp_path / "s", content)
    dataset = ingest(tmp_path / "s", tmp_path / "out")
    assert [item.area for item in dataset.annotations] == [AREA] * 3
    assert [category.name for category in dataset.categories] == ["crack"] and len(dataset.normals()) == 2


def swapped(content: dict[str, Any]) -> None:
    for row in content["annotations"]:
        row["segmentation"] = [[number for x, y in zip(FLAT[::2], FLAT[1::2], strict=True) for number in (y, x)]]


CONTRADICTIONS: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "an annotation of no photograph": (
        lambda content: content["annotations"][0].update(image_id=99),
        "MAX-BAD.*D7",
    ),
    "percent coordinates": (
        everywhere("annotations", segmentation=[[value * 100 for value in SHARES]], bbox=[1, 1, 8, 5]),
        "D18",
    ),
    "x and y exchanged": (swapped, "D18"),
    "one outline of shares among pixels": (
        lambda content: content["annotations"][0].update(segmentation=[SHARES]),
        "MAX-BAD.*D17",
    ),
    "an outline mostly outside": (
        lambda content: content["annotations"][0].update(segmentation=[[50, 8, 200, 8, 200, 20, 50, 20]]),
        "MAX-BAD.*C7",
    ),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_contradictions_stop(case: str, tmp_path: Path) -> None:
    content = sound()
    change, message = CONTRADICTIONS[case]
    change(content)
    write(tmp_path / "s", content)
    with pytest.raises(InputError, match=message):
        ingest(tmp_path / "s", tmp_path / "out")


def test_no_photograph_is_sound_where_an_annotation_is_lost(tmp_path: Path) -> None:
    content = sound()
    content["annotations"][0]["image_id"] = "somewhere"
    write(tmp_path / "s", content)
    dataset = ingest(tmp_path / "s", tmp_path / "out", max_bad=1)
    assert not dataset.normals() and len(dataset.images) == 2


def label(path: Path, seed: int, shapes: list[dict[str, Any]], pixels: np.ndarray | None = None, **more: Any) -> None:
    save(path, photo(seed) if pixels is None else pixels)
    content = {"shapes": shapes, "imagePath": path.name, "imageData": None, **more}
    path.with_suffix(".json").write_text(json.dumps(content))


def box(left: int, top: int, right: int, bottom: int, **more: Any) -> dict[str, Any]:
    return {"label": "crack", "shape_type": "rectangle", "points": [[left, top], [right, bottom]], **more}


def jpeg_text(pixels: np.ndarray, quality: int) -> str:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    return base64.b64encode(stream.getvalue()).decode()


@pytest.mark.parametrize("sigma", [4, 8, 16, 30])
def test_embedded_copies_of_a_grainy_photograph(sigma: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(sigma)
    surface = (128 + rng.normal(0, sigma, (HEIGHT * 2, WIDTH))).clip(0, 255).astype(np.uint8)
    for n in range(2):
        part = surface[n * HEIGHT : (n + 1) * HEIGHT]
        label(tmp_path / f"s/{n}.png", n, [box(5, 5, 15, 15)], part, imageData=jpeg_text(part, 75))
    assert len(ingest(tmp_path / "s", tmp_path / "out").images) == 2
    other = surface[HEIGHT // 2 : HEIGHT // 2 + HEIGHT]
    label(tmp_path / "s/0.png", 0, [box(5, 5, 15, 15)], surface[:HEIGHT], imageData=jpeg_text(other, 75))
    if sigma > 4:  # below, copy and other part differ by less than JPEG's own noise
        with pytest.raises(InputError, match="C3"):
            ingest(tmp_path / "s", tmp_path / "no")


def test_small_freedoms_of_labelme_files(tmp_path: Path) -> None:
    for n in range(2):
        shapes = [box(5, 5, 15, 15, label=3, group_id=1.0), box(20, 5, 25, 9, label=3, group_id=1)]
        label(tmp_path / f"s/{n}.png", n, shapes, imageData="")
    dataset = ingest(tmp_path / "s", tmp_path / "out")
    assert [(c.name) for c in dataset.categories] == ["3"] and [a.area for a in dataset.annotations] == [120, 120]


def test_overlapping_shapes_of_a_group_are_joined_and_inner_ones_are_holes(tmp_path: Path) -> None:
    cases = {
        "overlap": ([box(5, 5, 15, 15, group_id=1), box(10, 5, 20, 15, group_id=1)], 150),
        "hole": ([box(5, 5, 25, 25, group_id=1), box(10, 10, 20, 20, group_id=1)], 300),
        "island": (
            [box(0, 0, 30, 30, group_id=1), box(10, 10, 20, 20, group_id=1), box(13, 13, 16, 16, group_id=1)],
            809,
        ),
    }
    for n, (shapes, _) in enumerate(cases.values()):
        label(tmp_path / f"s/{n}.png", n, shapes)
    dataset = ingest(tmp_path / "s", tmp_path / "out")
    assert [item.area for item in dataset.annotations] == [area for _, area in cases.values()]


def test_labels_are_renamed_merged_and_left_out(tmp_path: Path) -> None:
    names = ["1", "2", "Scratch", "scracth", "dust", "rim"]
    for n in range(12):
        label(tmp_path / f"s/{n}.png", n, [box(5, 5, 15, 15, label=names[n % 6]), box(30, 5, 40, 15, label="1")])
    metrics = run(IngestConfig(root=str(tmp_path / "s")), Context(0), tmp_path / "as_is")
    assert any("scracth=Scratch" in line for line in metrics["remarks"])
    told = "1=fracture,2=fracture,scracth=Scratch,dust=,rim=ignore,absent=x"
    config = IngestConfig(root=str(tmp_path / "s"), labels=told)
    metrics = run(config, Context(0), tmp_path / "out")
    from anomaly_gan.core.dataset import load_dataset

    dataset = load_dataset(tmp_path / "out")
    assert [category.name for category in dataset.categories] == ["Scratch", "fracture"]
    assert metrics["annotations_left_out"] == {"dust": 2} and any("absent" in line for line in metrics["remarks"])
    assert sum(item.iscrowd for item in dataset.annotations) == 2 * 2
    (tmp_path / "map.csv").write_text("old,new\n1,a\n2,b\n")
    assert read_labels(str(tmp_path / "map.csv")).of("2") == "b"
    with pytest.raises(InputError, match="C16"):
        read_labels("1=a,1=b")
    assert proposal({"crack_1": 3, "crack_2": 2, "hole": 1, "pole": 1}) == ""


def deep(bits: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**bits, (HEIGHT, WIDTH)).astype(np.uint16)


def parts(root: Path, sound_pixels: list[np.ndarray], suffix: str = ".png") -> None:
    for n in range(2):
        save(root / f"crack/{n}.png", photo(n))
        save(root / f"crack/{n}_mask.png", (np.indices((HEIGHT, WIDTH)).sum(axis=0) < 20).astype(np.uint8) * 255)
    for n, pixels in enumerate(sound_pixels):
        save(root / f"good/{n}{suffix}", pixels)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_the_range_that_is_used_is_found_over_the_set_and_said(bits: int, suffix: str, tmp_path: Path) -> None:
    dark = deep(bits, 1) // 8
    parts(tmp_path / "s", [deep(bits, 0), dark], suffix)
    metrics = run(IngestConfig(root=str(tmp_path / "s")), Context(0), tmp_path / "out")
    assert any(f"all are read as {bits} bits" in line for line in metrics["remarks"])
    expected = np.rint(dark / (2**bits - 1) * 255).astype(np.uint8)
    np.testing.assert_array_equal(read_pixels(tmp_path / "out/images/good/1.png", gray=True), expected)


def test_a_wrong_depth_stops_with_the_right_one(tmp_path: Path) -> None:
    parts(tmp_path / "s", [deep(10, 0), deep(10, 1)])
    with pytest.raises(InputError, match=r"A26: keeps \d+ gray levels.*set bits=10"):
        ingest(tmp_path / "s", tmp_path / "out", bits=16)


def test_alpha_cuts_out_or_is_left_out() -> None:
    colour = photo(1, (HEIGHT, WIDTH, 3))

    def seen(alpha: np.ndarray, notes: Notes | None = None) -> np.ndarray:
        stream = io.BytesIO()
        Image.fromarray(np.dstack([colour, alpha.astype(np.uint8)])).save(stream, "PNG")
        return decode_photo("x.png", stream.getvalue(), notes or Notes()).pixels

    notes = Notes()
    np.testing.assert_array_equal(seen(np.zeros((HEIGHT, WIDTH)), notes), colour)
    assert "A9" in notes.warnings
    np.testing.assert_array_equal(seen(photo(2)), colour)
    cut = np.zeros((HEIGHT, WIDTH))
    cut[5:30, 5:50] = 255
    np.testing.assert_array_equal(seen(cut), colour * (cut[..., None] > 0))


def test_one_photograph_in_two_class_folders_keeps_both_defects(tmp_path: Path) -> None:
    other = np.zeros((HEIGHT, WIDTH), np.uint8)
    other[25:35, 40:50] = 255
    parts(tmp_path / "s", [photo(9)])
    for n in range(2):
        save(tmp_path / f"s/spot/{n}.png", photo(n))
        save(tmp_path / f"s/spot/{n}_mask.png", other)
    metrics = run(IngestConfig(root=str(tmp_path / "s")), Context(0), tmp_path / "out")
    from anomaly_gan.core.dataset import load_dataset

    dataset = load_dataset(tmp_path / "out")
    names = dataset.category_names()
    assert metrics["accepted"] == 3 and sum(metrics["skipped"].values()) == 2
    assert [sorted(names[a.category_id] for a in of) for of in dataset.by_image().values()] == [["crack", "spot"]] * 2
    assert not list((tmp_path / "out/images/spot").glob("*"))
    save(tmp_path / "s/good/again.png", photo(0))
    with pytest.raises(InputError, match="E10"):
        ingest(tmp_path / "s", tmp_path / "no")


def test_the_rule_looks_at_the_name_and_at_the_path_when_asked(tmp_path: Path) -> None:
    for n in range(4):
        save(tmp_path / f"part9/s/crack/part{n}_a.png", photo(n))
        save(tmp_path / f"part9/s/crack/part{n}_a_mask.png", (photo(3) > 250).astype(np.uint8))
    dataset = ingest(tmp_path / "part9", tmp_path / "out", group_regex=r"(part\d)")
    assert sorted({image.group_id for image in dataset.images}) == ["part0", "part1", "part2", "part3"]
    with pytest.raises(InputError, match="set group_on=path"):
        ingest(tmp_path / "part9", tmp_path / "no", group_regex=r"(s)/crack")
    dataset = ingest(tmp_path / "part9", tmp_path / "b", group_regex=r"crack/(part\d)", group_on="path")
    assert len({image.group_id for image in dataset.images}) == 4


def test_near_duplicates_are_proposed_as_groups(tmp_path: Path) -> None:
    from anomaly_gan.ingestion.near_duplicates import alike, see

    rng = np.random.default_rng(0)

    def surface() -> np.ndarray:
        fine = cv2.GaussianBlur(rng.normal(0, 1, (150, 160)), (0, 0), 1.5)
        return (128 + 60 * fine / fine.std()).clip(0, 255).astype(np.uint8)

    first, second, third = surface(), surface(), surface()
    light = np.linspace(0.5, 1.2, 160)
    coded = cv2.imdecode(cv2.imencode(".jpg", first, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_GRAYSCALE)
    versions = [first, coded, first[6:, 9:], (first * light).clip(0, 255).astype(np.uint8), first[:, ::-1], first[::-1]]
    seen = [see(np.ascontiguousarray(pixels)) for pixels in [*versions, second, third]]
    found = {(a, b) for a, b, _ in alike(seen)}
    assert {(0, n) for n in range(1, 6)} <= found and not any({a, b} & {6, 7} for a, b in found)
