"""A tour of bad input: each broken file is repaired, refused by code and name, or stops the stage - never a traceback.

Every case starts from a small sound source of its format, breaks one thing, and runs the whole ingest.
"""

from __future__ import annotations

import base64
import json
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from broken_files import (
    FLAT,
    HEIGHT,
    SOUND,
    WIDTH,
    Case,
    coco_case,
    coco_content,
    edit,
    encoded,
    flipped,
    float_tiff,
    jpg,
    label_case,
    labelme,
    mask,
    mask_case,
    pair,
    patch_text,
    photo_case,
    pixels,
    png,
    put,
    remove,
    segmentation,
    shape,
    shape_case,
    sound_masks,
    turned,
    twin_names,
    two_pages,
    with_chunk,
    with_header,
)
from PIL import Image

from anomaly_gan.core.errors import AnomalyGanError, InputError
from anomaly_gan.core.stage import Context
from anomaly_gan.ingestion.stage import IngestConfig, run

CASES = [
    # A: image files
    photo_case("exif-6 png", "repaired", "A1", lambda: turned(6)),
    photo_case("exif-9", "warned", "A3", lambda: turned(9, (HEIGHT, WIDTH))),
    photo_case("exif-6 mask on raw pixels", "stopped", "A4", lambda: turned(6, (HEIGHT, WIDTH))),
    photo_case("exif-6 mask on raw pixels, said so", "repaired", "A1", lambda: turned(6, (HEIGHT, WIDTH)), exif="raw"),
    photo_case("exif-3, sizes cannot tell", "stopped", "A5", lambda: turned(3, (HEIGHT, WIDTH))),
    photo_case("exif-3, said so", "repaired", "A1", lambda: turned(3, (HEIGHT, WIDTH)), exif="display"),
    photo_case("16 bits", "repaired", "A6", lambda: png(pixels(9).astype(np.uint16) * 257)),
    photo_case(
        "16 bits tiff",
        "repaired",
        "A6",
        lambda: encoded(Image.fromarray(pixels(9).astype(np.uint16) * 257), "TIFF"),
        ".tif",
    ),
    photo_case("beyond 12 bits", "refused", "A6", lambda: png(pixels(9).astype(np.uint16) * 257), bits=12),
    photo_case("float tiff", "refused", "A7", float_tiff, ".tif"),
    photo_case("cmyk", "repaired", "A8", lambda: encoded(Image.fromarray(pixels(9)).convert("CMYK"), "JPEG"), ".jpg"),
    photo_case("palette", "repaired", "A9", lambda: encoded(Image.fromarray(pixels(9)).convert("P"), "PNG")),
    photo_case("alpha", "repaired", "A9", lambda: png(pixels(9, (HEIGHT, WIDTH, 4)))),
    photo_case("1 bit", "repaired", "A9", lambda: encoded(Image.fromarray(pixels(9)).convert("1"), "PNG")),
    photo_case("animation", "refused", "A11", lambda: two_pages("PNG")),
    photo_case("two pages", "refused", "A11", lambda: two_pages("TIFF"), ".tif"),
    photo_case("cut jpeg", "refused", "A12", lambda: jpg(9)[:-300], ".jpg"),
    photo_case("cut png", "refused", "A14", lambda: png(pixels(9))[:-300]),
    photo_case("no IEND", "refused", "A14", lambda: png(pixels(9))[:-12]),
    photo_case("flipped byte in png", "refused", "A14", lambda: flipped(png(pixels(9)), 200)),
    photo_case("empty file", "refused", "A15", lambda: b""),
    photo_case("html page", "refused", "A15", lambda: b"<!DOCTYPE html><html>404</html>", ".jpg"),
    photo_case("gif named png", "warned", "A16", lambda: encoded(Image.fromarray(pixels(9)), "GIF")),
    photo_case("jpeg named png", "warned", "A16", lambda: jpg(9)),
    photo_case("108 megapixels", "refused", "A17", lambda: with_header(12000, 9000)),
    photo_case("400 megapixels", "refused", "A17", lambda: with_header(20000, 20000)),
    photo_case("text bomb", "refused", "A18", lambda: with_chunk(b"zTXt", b"c\0\0" + zlib.compress(b"a" * 50_000_000))),
    photo_case("1 pixel", "refused", "A19", lambda: png(pixels(9, (1, 1)))),
    photo_case("30000x2", "refused", "A19", lambda: png(pixels(9, (2, 30000)))),
    Case("heic", "mask-png", lambda root: put(root / "good/x.heic", b"ftyp"), "refused", "A20", "x.heic"),
    Case(
        "broken link",
        "mask-png",
        lambda root: (root / "good/x.jpg").symlink_to("nowhere.jpg"),
        "refused",
        "A21",
        "x.jpg",
    ),
    Case("link loop", "mask-png", lambda root: (root / "good/x.jpg").symlink_to("x.jpg"), "refused", "A21", "x.jpg"),
    Case(
        "link outside",
        "mask-png",
        lambda root: (root / "good/x.jpg").symlink_to("/etc/passwd"),
        "refused",
        "A21",
        "x.jpg",
    ),
    Case("pipe", "mask-png", lambda root: os.mkfifo(root / "good/x.jpg"), "refused", "A21", "x.jpg"),
    Case("folder named png", "mask-png", lambda root: (root / "good/x.png").mkdir(), "refused", "A21", "x.png"),
    Case("unicode twins", "mask-png", twin_names, "stopped", "A22", "\\xe9"),
    Case("odd names", "mask-png", lambda root: pair(root, "- ü\n "), "accepted", "", "- ü\n .jpg"),
    Case(
        "names that differ by case",
        "mask-png",
        lambda root: pair(root, "BAD", jpg(98)) or pair(root, "bad"),
        "accepted",
        "",
        "BAD.jpg",
    ),
    Case(
        "not utf-8",
        "mask-png",
        lambda root: put(Path(os.fsdecode(os.fsencode(root) + b"/good/\xff.jpg")), jpg(5)),
        "refused",
        "A22",
        "udcff.jpg",
    ),
    # B: masks
    mask_case("mask one pixel less", "refused", "B1", lambda: png(mask((HEIGHT, WIDTH - 1)))),
    mask_case("mask swapped", "refused", "B1", lambda: png(mask((WIDTH, HEIGHT)))),
    mask_case("mask of 0 and 1", "repaired", "B2", lambda: png(mask(value=1))),
    mask_case(
        "anti-aliased mask",
        "repaired",
        "B3",
        lambda: encoded(Image.fromarray(mask()).resize((WIDTH, HEIGHT), box=(1, 1, 50, 39)), "PNG"),
    ),
    mask_case("jpeg mask", "repaired", "B4", lambda: encoded(Image.fromarray(mask()), "JPEG")),
    mask_case("jpeg mask, strict", "refused", "B4", lambda: encoded(Image.fromarray(mask()), "JPEG"), strict=True),
    mask_case("all-zero mask", "refused", "B7", lambda: png(mask(value=0))),
    Case(
        "defect in a normal folder", "mask-png", lambda root: pair(root, folder="good"), "refused", "B7", "bad_mask.png"
    ),
    mask_case("inverted mask", "warned", "B8", lambda: png(255 - mask() // 3 * 3)),
    mask_case("inverted mask, strict", "refused", "B8", lambda: png(255 - mask()), strict=True),
    Case(
        "mask without photograph",
        "mask-png",
        lambda root: put(root / "crack/10_mask.png", png(mask())),
        "refused",
        "B11",
        "10_mask.png",
    ),
    Case(
        "photograph without mask", "mask-png", lambda root: put(root / "crack/x.jpg", jpg(9)), "refused", "B11", "x.jpg"
    ),
    Case(
        "two photographs for a mask",
        "mask-png",
        lambda root: pair(root) or put(root / "crack/bad.bmp", encoded(Image.fromarray(pixels(3)), "BMP")),
        "refused",
        "B11",
        "bad.bmp",
    ),
    # C: labelme
    label_case("wrong imageHeight", "refused", "C1", lambda: labelme("bad.jpg", shape(), imageHeight=41)),
    label_case("imageHeight as text", "refused", "C1", lambda: labelme("bad.jpg", shape(), imageHeight="40")),
    label_case("absolute imagePath", "refused", "C2", lambda: labelme("/etc/passwd", shape())),
    label_case("climbing imagePath", "repaired", "C2", lambda: labelme("..\\..\\bad.jpg", shape())),
    label_case("network imagePath", "repaired", "C2", lambda: labelme("\\\\server\\bad.jpg", shape())),
    label_case("drive imagePath", "repaired", "C2", lambda: labelme("C:\\data\\bad.jpg", shape())),
    label_case(
        "other imageData",
        "refused",
        "C3",
        lambda: labelme("bad.jpg", shape(), imageData=base64.b64encode(jpg(3)).decode()),
    ),
    label_case(
        "same imageData",
        "accepted",
        "",
        lambda: labelme("bad.jpg", shape(), imageData=base64.b64encode(jpg(99)).decode()),
    ),
    label_case("imageData not base64", "refused", "C4", lambda: labelme("bad.jpg", shape(), imageData="%%%")),
    label_case("no photograph at all", "refused", "C4", lambda: labelme("gone.jpg", shape())),
    shape_case("point", "refused", "C5", shape([[1, 1]], shape_type="point")),
    shape_case("unknown kind", "refused", "C5", shape(shape_type="star")),
    shape_case("line without width", "refused", "C5", shape([[1, 1], [9, 9]], shape_type="line")),
    shape_case("line with width", "accepted", "", shape([[1, 1], [9, 9]], shape_type="line"), line_width=3),
    shape_case("polygon of 2 points", "refused", "C6", shape([[1, 1], [9, 9]])),
    shape_case("collinear", "refused", "C6", shape([[1, 1], [5, 5], [9, 9]])),
    shape_case("circle of radius 0", "refused", "C6", shape([[5, 5], [5, 5]], shape_type="circle")),
    shape_case("no points", "refused", "C6", shape([])),
    shape_case("partly outside", "repaired", "C7", shape([[-10, 5], [20, 5], [20, 90]])),
    shape_case("wholly outside", "refused", "C7", shape([[100, 5], [120, 5], [120, 30]])),
    shape_case("boolean coordinate", "refused", "C8", shape([[True, 5], [20, 5], [20, 30]])),
    shape_case("text coordinate", "refused", "C8", shape([["12", 5], [20, 5], [20, 30]])),
    label_case(
        "NaN coordinate",
        "refused",
        "C8",
        lambda: json.dumps(labelme("bad.jpg", shape([[12.5, 5], [20, 5], [20, 30]]))).replace("12.5", "NaN"),
    ),
    label_case(
        "1e999 coordinate",
        "refused",
        "C8",
        lambda: json.dumps(labelme("bad.jpg", shape([[12.5, 5], [20, 5], [20, 30]]))).replace("12.5", "1e999"),
    ),
    shape_case("far coordinate", "refused", "C8", shape([[1e12, 5], [20, 5], [20, 30]])),
    shape_case(
        "group of unlike labels",
        "refused",
        "C9",
        shape(group_id=0),
        shape([[30, 30], [40, 30], [40, 38]], label="break", group_id=0),
    ),
    shape_case("look-alike label", "stopped-all", "C10", shape(label="Crack "), strict=True),
    shape_case("empty label", "refused", "C11", shape(label=" ")),
    shape_case("ignored region", "repaired", "B14", shape(), shape(label="__ignore__")),
    shape_case("label with a slash", "refused", "C11", shape(label="../crack")),
    shape_case("background", "accepted", "", shape(), shape(label="_background_")),
    shape_case("no shapes", "accepted", ""),
    label_case(
        "byte order mark", "accepted", "", lambda: b"\xef\xbb\xbf" + json.dumps(labelme("bad.jpg", shape())).encode()
    ),
    label_case("utf-16", "refused", "C13", lambda: json.dumps(labelme("bad.jpg", shape())).encode("utf-16")),
    label_case(
        "gbk",
        "refused",
        "C13",
        lambda: json.dumps(labelme("bad.jpg", shape(label="裂纹")), ensure_ascii=False).encode("gbk"),
    ),
    label_case("cut json", "refused", "C14", lambda: json.dumps(labelme("bad.jpg", shape()))[:-20]),
    label_case("two values", "refused", "C14", lambda: "{}{}"),
    label_case(
        "a key twice",
        "refused",
        "C14",
        lambda: json.dumps(labelme("bad.jpg", shape())).replace('"flags"', '"shapes"', 1),
    ),
    label_case("deep json", "refused", "C14", lambda: "[" * 100_000),
    label_case("long number", "refused", "C14", lambda: '{"shapes": [], "imageHeight": ' + "9" * 5000 + "}"),
    label_case("coco among labelme", "refused", "C15", coco_content),
    label_case("via among labelme", "refused", "C15", lambda: {"_via_settings": {}}),
    label_case("geojson among labelme", "refused", "C15", lambda: {"type": "FeatureCollection", "features": []}),
    Case(
        "photograph without label file", "labelme", lambda root: put(root / "bad.jpg", jpg(9)), "skipped", "", "bad.jpg"
    ),
    shape_case(
        "mask of another size than its box",
        "refused",
        "B1",
        shape([[10, 10], [30, 20]], shape_type="mask", mask=patch_text(5, 5)),
    ),
    shape_case("mask that is no picture", "refused", "C4", shape([[1, 1], [9, 9]], shape_type="mask", mask="AAAA")),
    # D: COCO
    coco_case("short rle", "refused", "D1", segmentation({"size": [HEIGHT, WIDTH], "counts": [5, 5]})),
    coco_case("empty rle", "refused", "D1", segmentation({"size": [HEIGHT, WIDTH], "counts": ""})),
    coco_case("swapped rle", "refused", "D2", segmentation({"size": [WIDTH, HEIGHT], "counts": [HEIGHT * WIDTH]})),
    coco_case("huge rle", "refused", "D2", segmentation({"size": [2**31, 2**31], "counts": [1]})),
    coco_case("zero rle", "refused", "D3", segmentation({"size": [0, 4], "counts": [0]})),
    coco_case("width as text", "refused", "D3", edit("images", width="60")),
    coco_case("empty segmentation", "refused", "D5", segmentation([])),
    coco_case("missing segmentation", "refused", "D5", remove("annotations", "segmentation")),
    coco_case("box as polygon", "refused", "D5", segmentation([[1, 2, 3, 4]])),
    coco_case("odd polygon", "refused", "D5", segmentation([[1, 2, 3, 4, 5, 6, 7]])),
    coco_case("flat polygon", "repaired", "D5", segmentation(FLAT), file="4.jpg"),
    coco_case("polygon far away", "refused", "C8", segmentation([[1, 2, 3, 4, 1e12, 6]])),
    coco_case("image id twice", "stopped", "D6", edit("images", id=1)),
    coco_case("annotation id twice", "stopped", "D6", edit("annotations", id=1)),
    coco_case("category id twice", "stopped", "D6", lambda c: c["categories"].append({"id": 7.0, "name": "break"})),
    coco_case("orphan annotation", "refused", "D7", edit("annotations", image_id=99)),
    coco_case("orphan category", "refused", "D7", edit("annotations", category_id=99)),
    coco_case("image id null", "stopped", "D8", edit("images", id=None)),
    coco_case(
        "background category",
        "repaired",
        "D9",
        lambda c: (
            c["categories"].append({"id": 0, "name": "background"})
            or c["annotations"].append({**c["annotations"][-1], "id": 5, "category_id": 0})
        ),
        file="4.jpg",
    ),
    coco_case("corner box", "repaired", "D10", edit("annotations", bbox=[10, 10, 30, 20]), file="4.jpg"),
    coco_case("no area", "repaired", "D11", remove("annotations", "area"), file="4.jpg"),
    coco_case("crowd", "warned", "D12", edit("annotations", iscrowd=1), file="4.jpg"),
    coco_case("file name twice", "stopped", "D13", edit("images", file_name="1.jpg")),
    coco_case("climbing file name", "repaired", "D14", edit("images", file_name="..\\..\\media\\4.jpg"), file="4.jpg"),
    coco_case("url as file name", "repaired", "D14", edit("images", file_name="http://127.0.0.1/4.jpg"), file="4.jpg"),
    coco_case("absolute file name", "refused", "D14", edit("images", file_name="/etc/passwd")),
    coco_case(
        "same annotation twice",
        "repaired",
        "D16",
        lambda c: c["annotations"].append({**c["annotations"][-1], "id": 5}),
        file="4.jpg",
    ),
    coco_case("labelme instead of coco", "stopped", "C15", lambda c: labelme("4.jpg", shape())),
    coco_case("image size is another", "refused", "C1", edit("images", height=41)),
    coco_case("photograph missing", "refused", "B11", edit("images", file_name="gone.jpg")),
]


def ingest(root: Path, out: Path, source: str, settings: dict[str, Any]) -> dict[str, Any]:
    return run(IngestConfig(root=str(root), format=source, max_bad=1.0, **settings), Context(seed=0), out)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_bad_input_ends_as_the_catalogue_says(case: Case, tmp_path: Path) -> None:
    root, out = tmp_path / "source", tmp_path / "out"
    SOUND[case.source](root)
    case.build(root)
    if case.fate.startswith("stopped"):
        with pytest.raises(AnomalyGanError) as caught:
            ingest(root, out, case.source, case.settings)
        assert isinstance(caught.value, InputError) and caught.value.code == case.code
        assert "\n" not in str(caught.value)
        assert case.fate == "stopped-all" or case.file in str(caught.value)
        return
    metrics = ingest(root, out, case.source, case.settings)
    rows = [json.loads(line) for line in (out / "rejects.jsonl").read_text().splitlines()]
    refused = [row for row in rows if row["outcome"] == "rejected"]
    records = json.loads((out / "annotations.json").read_text())["images"]
    images = {Path(row.get("source_file", row["file_name"])).name: row for row in records}
    assert metrics["found"] == metrics["accepted"] + len(rows) and metrics["accepted"] == len(records) >= 3
    if case.fate == "refused":
        assert {row["code"] for row in refused} == {case.code}
        message = next(row["message"] for row in refused if case.file in row["message"])
        assert f": {case.code}: " in message and "\n" not in message
        assert metrics["rejected"] == {case.code: len(refused)}
    elif case.fate == "skipped":
        assert [row["outcome"] for row in rows if row["file"] == case.file] == ["skipped"] and not refused
    else:
        assert not refused, refused
        found = images[case.file].get({"repaired": "repairs", "warned": "warnings"}.get(case.fate, ""), [])
        assert not case.code or case.code in found
        assert (out / "images" / images[case.file]["file_name"]).is_file()


def test_too_many_refusals_stop_after_all_are_listed(tmp_path: Path) -> None:
    sound_masks(tmp_path / "source")
    for index in range(3):
        pair(tmp_path / "source", f"bad{index}", photo=b"")
    config = IngestConfig(root=str(tmp_path / "source"))
    with pytest.raises(InputError, match=r"MAX-BAD: 3 of 9 records are refused \(A15 3\); the first: crack/bad0"):
        run(config, Context(seed=0), tmp_path / "out")
    assert len((tmp_path / "out/rejects.jsonl").read_text().splitlines()) == 3


def test_system_files_are_ignored_and_counted(tmp_path: Path) -> None:
    sound_masks(tmp_path / "source")
    for name in ("Thumbs.db", ".DS_Store", "._0.jpg"):
        put(tmp_path / "source/good" / name, b"x")
    assert ingest(tmp_path / "source", tmp_path / "out", "auto", {})["ignored"]["system file"] == 3


def test_a_changed_photograph_is_noticed_where_it_is_read_again(tmp_path: Path) -> None:
    from anomaly_gan.core.dataset import load_dataset
    from anomaly_gan.core.images import read_verified

    sound_masks(tmp_path / "source")
    ingest(tmp_path / "source", tmp_path / "out", "auto", {})
    dataset = load_dataset(tmp_path / "out")
    image = dataset.images[0]
    assert read_verified(dataset.path_of(image), image.sha256, gray=True).shape == (HEIGHT, WIDTH)
    path = dataset.path_of(image)
    path.write_bytes(flipped(path.read_bytes(), -40))
    with pytest.raises(InputError, match="A13"):
        read_verified(path, image.sha256, gray=True)
