"""Every format gives the pixels that were labelled, under the same names, groups and split, byte for byte again."""

from __future__ import annotations

import base64
import io
import json
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from drawn_photos import (
    HEIGHT,
    LAYOUTS,
    WIDTH,
    filled,
    ingest,
    labelme,
    masks_of,
    photo,
    rectangle,
    ring_and_dot,
    save,
    union,
    write_masks,
)
from PIL import Image, ImageOps

from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.images import read_pixels
from anomaly_gan.core.stage import Context
from anomaly_gan.ingestion.image_files import decode_photo, orient
from anomaly_gan.ingestion.ledger import Notes
from anomaly_gan.ingestion.mask_files import decode_mask
from anomaly_gan.ingestion.stage import IngestConfig, run


@pytest.mark.parametrize("layout", LAYOUTS)
def test_mask_layouts_are_recognised_and_read(layout: str, tmp_path: Path) -> None:
    write_masks(tmp_path / "source", layout)
    dataset = ingest(tmp_path / "source", tmp_path / "out")
    assert sorted(category.name for category in dataset.categories) == ["break", "crack"]
    assert len(dataset.images) == 12 and len(dataset.normals()) == 4 and dataset.info["mode"] == "L"
    for category in ("crack", "break"):
        for index in range(4):
            name = LAYOUTS[layout][0].format(cat=category, n=index)
            ring, dot = masks_of(dataset, name)
            np.testing.assert_array_equal(ring + dot, ring_and_dot())
            assert dot.sum() == 1
    for image in dataset.images:  # sound photographs are stored byte for byte
        assert dataset.path_of(image).read_bytes() == (tmp_path / "source" / image.file_name).read_bytes()
        assert (image.width, image.height) == (WIDTH, HEIGHT)


def test_mvtec_folders_are_pooled(tmp_path: Path) -> None:
    root = tmp_path / "screw"
    for index in range(4):
        save(root / f"train/good/{index:03}.png", photo(index))
        save(root / f"test/good/{index:03}.png", photo(10 + index))
        save(root / f"test/bent/{index:03}.png", photo(20 + index))
        save(root / f"ground_truth/bent/{index:03}_mask.png", ring_and_dot() * 255)
    dataset = ingest(root, tmp_path / "out")
    assert dataset.info["source_format"] == "mvtec"
    assert len(dataset.images) == 12 and len(dataset.normals()) == 8
    np.testing.assert_array_equal(union(dataset, "test/bent/001.png"), ring_and_dot())
    assert {image.split for image in dataset.images if image.file_name.startswith("test/bent")} == {"train", "test"}


def png_text(array: np.ndarray) -> str:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


DISC = (np.hypot(*(np.indices((HEIGHT, WIDTH)) + 0.5 - np.array([20, 30])[:, None, None])) <= 10).astype(np.uint8)
SHAPES = {
    "rectangle, any two corners": ([rectangle(5, 6, 15, 16)], [filled((5, 6, 15, 16))]),
    "rectangle of four corners": (
        [rectangle(0, 0, 0, 0, points=[[5, 6], [15, 6], [15, 16], [5, 16]])],
        [filled((5, 6, 15, 16))],
    ),
    "oriented rectangle": (
        [rectangle(0, 0, 0, 0, shape_type="oriented_rectangle", points=[[5, 6], [15, 6], [15, 16], [5, 16]])],
        [filled((5, 6, 15, 16))],
    ),
    "polygon": (
        [rectangle(0, 0, 0, 0, shape_type="polygon", points=[[5, 6], [15, 6], [15, 16], [5, 16]])],
        [filled((5, 6, 15, 16))],
    ),
    "old file without shape_type": (
        [{"label": "crack", "points": [[5, 6], [15, 6], [15, 16], [5, 16]]}],
        [filled((5, 6, 15, 16))],
    ),
    "circle": ([rectangle(0, 0, 0, 0, shape_type="circle", points=[[30, 20], [30, 30]])], [DISC]),
    "ellipse by its box": ([rectangle(0, 0, 0, 0, shape_type="ellipse", points=[[20, 10], [40, 30]])], [DISC]),
    "ellipse by its axes": (
        [rectangle(0, 0, 0, 0, shape_type="ellipse", points=[[30, 20], [40, 20], [30, 10]])],
        [DISC],
    ),
    "mask in its box": (
        [
            rectangle(
                0, 0, 0, 0, shape_type="mask", points=[[5, 6], [14, 15]], mask=png_text(np.ones((10, 10), np.uint8))
            )
        ],
        [filled((5, 6, 15, 16))],
    ),
    "hole by group": (
        [rectangle(5, 5, 30, 30, group_id=0), rectangle(10, 10, 20, 20, group_id=0)],
        [filled((5, 5, 30, 30), (10, 10, 20, 20))],
    ),
    "parts by group": (
        [rectangle(5, 5, 10, 10, group_id=3), rectangle(1, 1, 2, 2), rectangle(40, 5, 50, 10, group_id=3)],
        [filled((5, 5, 10, 10), (40, 5, 50, 10)), filled((1, 1, 2, 2))],
    ),
    "overlapping instances stay apart": (
        [rectangle(5, 5, 20, 20), rectangle(10, 10, 30, 30)],
        [filled((5, 5, 20, 20)), filled((10, 10, 30, 30))],
    ),
}


@pytest.mark.parametrize("case", SHAPES)
def test_labelme_shapes_cover_the_pixels_they_were_drawn_on(case: str, tmp_path: Path) -> None:
    shapes, expected = SHAPES[case]
    for index in range(2):
        labelme(tmp_path / f"source/{index}.png", index, shapes)
    dataset = ingest(tmp_path / "source", tmp_path / "out")
    assert dataset.info["source_format"] == "labelme"
    found = masks_of(dataset, "0.png")
    assert len(found) == len(expected)
    for mask, wanted in zip(found, expected, strict=True):
        if wanted is DISC:  # a polygon of 360 corners may miss a pixel centre on the rim
            assert np.count_nonzero(mask != wanted) <= 4
        else:
            np.testing.assert_array_equal(mask, wanted)


def test_a_photograph_inside_its_label_file_is_taken_out(tmp_path: Path) -> None:
    for index in range(2):
        labelme(tmp_path / f"source/{index}.png", index, [rectangle(5, 6, 15, 16)])
        path = tmp_path / f"source/{index}.json"
        content = json.loads(path.read_text())
        content["imageData"] = base64.b64encode(path.with_suffix(".png").read_bytes()).decode()
        path.write_text(json.dumps(content))
        path.with_suffix(".png").unlink()
    dataset = ingest(tmp_path / "source", tmp_path / "out")
    np.testing.assert_array_equal(read_pixels(dataset.path_of(dataset.images[1]), gray=True), photo(1))


def test_what_ingest_wrote_reads_back_as_coco(tmp_path: Path) -> None:
    write_masks(tmp_path / "source")
    first = ingest(tmp_path / "source", tmp_path / "one", group_regex=r"(\d)\.jpg")
    for root in (tmp_path / "one", tmp_path / "one/annotations.json"):
        again = ingest(root, tmp_path / root.suffix.strip(".") / "two")
        assert again.info["source_format"] == "coco"
        names = {f"images/{image.file_name}" for image in first.images}
        assert {image.file_name for image in again.images} == names
        for image in first.images:
            mine, theirs = masks_of(first, image.file_name), masks_of(again, f"images/{image.file_name}")
            assert len(mine) == len(theirs) and all(map(np.array_equal, mine, theirs))
        assert {image.group_id for image in again.images} == {"0", "1", "2", "3"}


def with_orientation(path: Path, orientation: int) -> bytes:
    """The bytes of a little-endian TIFF with one more directory entry: its orientation tag."""
    content = bytearray(path.read_bytes())
    (start,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, start)
    entries = [bytes(content[start + 2 + 12 * k : start + 14 + 12 * k]) for k in range(count)]
    entries = [entry for entry in entries if struct.unpack_from("<H", entry)[0] != 274]
    entries.append(struct.pack("<HHIHH", 274, 3, 1, orientation, 0))
    entries.sort(key=lambda entry: struct.unpack_from("<H", entry)[0])
    struct.pack_into("<I", content, 4, len(content) + len(content) % 2)
    content += b"\0" * (len(content) % 2)
    return bytes(content) + struct.pack("<H", len(entries)) + b"".join(entries) + b"\0\0\0\0"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_agrees_with_pillow(orientation: int, tmp_path: Path) -> None:
    stored, exif = photo(3), Image.Exif()
    exif[274] = orientation
    image = Image.fromarray(stored)
    image.save(tmp_path / "turned.png", exif=exif.tobytes())
    golden = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "turned.png")))
    np.testing.assert_array_equal(orient(stored, orientation), golden)
    root = tmp_path / "source"
    write_masks(root)
    for suffix in (".png", ".tif"):
        image.save(tmp_path / f"source/good/turned_{suffix[1:]}{suffix}", exif=exif.tobytes())
    dataset = ingest(root, tmp_path / "out")
    turned = [image for image in dataset.images if "turned" in image.file_name]
    assert len(turned) == 2 and len({image.file_name for image in turned}) == 2
    for record in turned:
        np.testing.assert_array_equal(read_pixels(dataset.path_of(record), gray=True), golden)
        assert (record.height, record.width) == golden.shape
        assert ("repairs" in record.extra) == (orientation != 1)
    if orientation != 1:  # a deep colour TIFF goes another way through the decoder
        colour = np.repeat(stored[..., None], 3, axis=2) // [1, 2, 3]
        assert cv2.imwrite(str(tmp_path / "deep.tif"), colour[..., ::-1].astype(np.uint16) * 257)
        picture = decode_photo("deep.tif", with_orientation(tmp_path / "deep.tif", orientation), Notes())
        np.testing.assert_array_equal(picture.pixels, colour)
        assert picture.orientation == orientation


@pytest.mark.parametrize("frame", ["raw", "display"])
def test_labels_turn_with_their_photograph(frame: str, tmp_path: Path) -> None:
    write_masks(tmp_path / "source")
    exif = Image.Exif()
    exif[274] = 8
    save(tmp_path / "source/crack/turned.jpg", photo(3), exif=exif.tobytes())
    shown = orient(ring_and_dot(), 8)
    save(tmp_path / "source/crack/turned.png", (shown if frame == "display" else ring_and_dot()) * 255)
    dataset = ingest(tmp_path / "source", tmp_path / "out", exif=frame)
    # beside the mask turned.png the photograph becomes turned.png: masks are not stored
    np.testing.assert_array_equal(union(dataset, "crack/turned.png"), shown)


def test_16_bits_are_scaled_over_the_full_range(tmp_path: Path) -> None:
    write_masks(tmp_path / "source")
    deep = np.arange(HEIGHT * WIDTH, dtype=np.uint16).reshape(HEIGHT, WIDTH) * 27
    save(tmp_path / "source/good/deep.png", deep)
    dataset = ingest(tmp_path / "source", tmp_path / "out")
    expected = np.rint(deep / 65535 * 255).astype(np.uint8)
    np.testing.assert_array_equal(read_pixels(tmp_path / "out/images/good/deep.png", gray=True), expected)
    assert next(i for i in dataset.images if i.file_name == "good/deep.png").extra["repairs"] == ["A6"]


def test_one_coloured_file_leaves_a_gray_set_gray_and_is_named(tmp_path: Path) -> None:
    write_masks(tmp_path / "source")
    save(tmp_path / "source/good/equal.png", np.repeat(photo(7)[..., None], 3, axis=2))
    assert ingest(tmp_path / "source", tmp_path / "gray").info["mode"] == "L"
    save(tmp_path / "source/good/colour.png", photo(8, (HEIGHT, WIDTH, 3)))
    metrics = run(IngestConfig(root=str(tmp_path / "source")), Context(seed=0), tmp_path / "one")
    assert load_dataset(tmp_path / "one").info["mode"] == "L" and metrics["warned"]["A10"] == 1
    assert metrics["examples"]["A10"]["file"] == "good/colour.png"
    assert ingest(tmp_path / "source", tmp_path / "rgb", colour="rgb").info["mode"] == "RGB"
    for index in range(4):
        save(tmp_path / f"source/good/colour{index}.png", photo(20 + index, (HEIGHT, WIDTH, 3)))
    metrics = run(IngestConfig(root=str(tmp_path / "source")), Context(seed=0), tmp_path / "more")
    assert load_dataset(tmp_path / "more").info["mode"] == "RGB" and metrics["warned"]["A10"] == 13


@pytest.mark.parametrize(
    ("mode", "pixel", "background"),
    [
        ("P", 1, 0),
        ("RGBA", (255, 0, 0, 255), (0, 0, 0, 255)),
        ("RGBA", (9, 9, 200, 255), (255, 255, 255, 0)),
        ("LA", (200, 255), (200, 0)),
        ("RGB", (0, 0, 255), (0, 0, 0)),
        ("1", 1, 0),
        ("I;16", 65535, 0),
    ],
)
def test_masks_of_every_mode_follow_one_rule(mode: str, pixel: Any, background: Any) -> None:
    wanted = ring_and_dot()
    image = Image.new(mode, (WIDTH, HEIGHT), background)
    for row, column in np.argwhere(wanted):
        image.putpixel((int(column), int(row)), pixel)
    if mode == "P":
        image.putpalette([255, 255, 255, 0, 0, 0])  # the defect is black, the background white: indexes count
    stream = io.BytesIO()
    image.save(stream, "PNG")
    np.testing.assert_array_equal(decode_mask("mask.png", stream.getvalue(), Notes()), wanted)
