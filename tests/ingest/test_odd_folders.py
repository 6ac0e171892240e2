"""Folders nobody planned for: the right data, or one clear line."""

from __future__ import annotations

import csv
import json
import unicodedata
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_photos import HEIGHT, WIDTH, ingest, labelme, photo, rectangle, save
from PIL import Image

from anomaly_gan.core.errors import InputError
from anomaly_gan.core.stage import Context
from anomaly_gan.ingestion.stage import IngestConfig, run

AREA = 20 * 12


def defect(value: int = 255, box: tuple[int, int, int, int] = (10, 8, 30, 20)) -> np.ndarray:
    array = np.zeros((HEIGHT, WIDTH), np.uint8)
    array[box[1] : box[3], box[0] : box[2]] = value
    return array


def refused(root: Path, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        ingest(root, root.parent / "no")
    assert "\n" not in str(caught.value)


def test_folders_of_classes_without_labels(tmp_path: Path) -> None:
    for n in range(4):
        save(tmp_path / f"s/NG/{n}.jpg", photo(n))
        save(tmp_path / f"s/OK/{n}.jpg", photo(10 + n))
    refused(tmp_path / "s", "FORMAT: holds 8 photographs in NG, OK, and nothing that says where a defect is: draw")


def test_what_lies_there_is_counted_where_no_format_is_known(tmp_path: Path) -> None:
    for n in range(3):
        save(tmp_path / f"s/images/{n}.png", photo(n))
        (tmp_path / f"s/images/{n}.odd").write_text("?")
    refused(tmp_path / "s", r"no known label format in 3 photographs and 3 \.odd; looked for coco")


def test_an_archive_is_to_be_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        archive.writestr("a.txt", "x")
    refused(tmp_path / "s.zip", "FORMAT: is one file, and no COCO JSON: unpack it")


def test_labels_of_two_programs_for_the_same_photographs(tmp_path: Path) -> None:
    """YOLO boxes must not win over labelme outlines without a word."""
    for n in range(3):
        labelme(tmp_path / f"s/{n}.png", n, [rectangle(10, 8, 30, 20)])
        (tmp_path / f"s/{n}.txt").write_text("0 0.33 0.35 0.33 0.3\n")
    refused(tmp_path / "s", "FORMAT: looks like yolo-seg and labelme: say which with --format")
    assert len(ingest(tmp_path / "s", tmp_path / "out", format="labelme").annotations) == 3


def test_a_list_of_names_that_begins_with_the_ground_tells_the_classes(tmp_path: Path) -> None:
    for n in range(3):
        save(tmp_path / f"s/images/{n}.png", photo(n))
        save(tmp_path / f"s/masks/{n}.png", defect(1) | defect(2, (40, 25, 50, 35)))
    (tmp_path / "s/classes.txt").write_text("scratch\ndent\n")
    refused(tmp_path / "s", "B14")  # line 0 may be the value 0 or 1
    (tmp_path / "s/classes.txt").write_text("\ufeffbackground\nscratch\ndent\n", encoding="utf-8")
    dataset = ingest(tmp_path / "s", tmp_path / "out")
    assert [category.name for category in dataset.categories] == ["dent", "scratch"]


def test_darknet_with_a_byte_order_mark(tmp_path: Path) -> None:
    for n in range(3):
        save(tmp_path / f"s/obj_train_data/{n}.jpg", photo(n))
        line = f"\ufeff0 {20 / WIDTH} {14 / HEIGHT} {20 / WIDTH} {12 / HEIGHT}\r\n"
        (tmp_path / f"s/obj_train_data/{n}.txt").write_bytes(line.encode())
    (tmp_path / "s/obj.names").write_bytes("\ufeffcrack\r\n".encode())
    (tmp_path / "s/obj.data").write_text("classes = 1\n")
    dataset = ingest(tmp_path / "s", tmp_path / "out")
    assert ([item.area for item in dataset.annotations], dataset.categories[0].name) == ([AREA] * 3, "crack")


def test_names_in_another_unicode_form(tmp_path: Path) -> None:
    for n in range(2):
        save(tmp_path / f"s/{unicodedata.normalize('NFD', 'Prüfling')}{n}.png", photo(n))
    content = {
        "images": [{"id": n, "file_name": f"Prüfling{n}.png", "width": WIDTH, "height": HEIGHT} for n in range(2)],
        "categories": [{"id": 1, "name": "crack"}],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1, "segmentation": [[10, 8, 30, 8, 30, 20, 10, 20]]}
            for n in range(2)
        ],
    }
    (tmp_path / "s/a.json").write_text(json.dumps(content), encoding="utf-8")
    assert [item.area for item in ingest(tmp_path / "s", tmp_path / "out").annotations] == [AREA] * 2


def test_one_mask_an_instance(tmp_path: Path) -> None:
    for n in range(3):
        save(tmp_path / f"s/images/{n:03d}.png", photo(n))
        save(tmp_path / f"s/masks/{n:03d}_0.png", defect())
        save(tmp_path / f"s/masks/{n:03d}_1.png", defect(255, (30, 8, 40, 20)))  # it touches the first
    dataset = ingest(tmp_path / "s", tmp_path / "out")
    assert sorted(item.area for item in dataset.annotations) == [120] * 3 + [AREA] * 3


@pytest.mark.parametrize("mask_name", ["masks/{kind}/{n}.png", "images/{n}_{kind}.png", "images/{kind}-{n}.png"])
def test_a_mask_a_class(mask_name: str, tmp_path: Path) -> None:
    for n in range(4):
        save(tmp_path / f"s/images/{n}.jpg", photo(n))
        save(tmp_path / "s" / mask_name.format(kind="crack", n=n), defect())
        save(tmp_path / "s" / mask_name.format(kind="dent", n=n), defect(255 * (n > 0), (25, 15, 35, 25)))
    dataset = ingest(tmp_path / "s", tmp_path / "out")
    names = dataset.category_names()
    assert len(dataset.images) == 4 and sorted((names[a.category_id], a.area) for a in dataset.annotations) == [
        *[("crack", AREA)] * 4,
        *[("dent", 100)] * 3,
    ]


def test_yolo_beside_a_folder_of_any_name(tmp_path: Path) -> None:
    for n in range(3):
        save(tmp_path / f"s/jpgs/{n}.jpg", photo(n))
        (tmp_path / "s/labels").mkdir(exist_ok=True)
        (tmp_path / f"s/labels/{n}.txt").write_text("0 0.25 0.25 0.5 0.25 0.5 0.5 0.25 0.5\n")
    assert [item.area for item in ingest(tmp_path / "s", tmp_path / "out").annotations] == [150] * 3


def test_folders_in_another_language(tmp_path: Path) -> None:
    for n in range(3):
        save(tmp_path / f"s/Bilder/Teil {n}.png", photo(n))
        save(tmp_path / f"s/Masken/Teil {n}.png", defect())
    dataset = ingest(tmp_path / "s", tmp_path / "out")
    assert (dataset.categories[0].name, [item.area for item in dataset.annotations]) == ("defect", [AREA] * 3)


def test_a_folder_of_masks_of_another_name(tmp_path: Path) -> None:
    for n in range(3):
        save(tmp_path / f"s/parts/{n}.png", photo(n))
        save(tmp_path / f"s/parts_bw/{n}.png", defect())
    assert [item.area for item in ingest(tmp_path / "s", tmp_path / "out").annotations] == [AREA] * 3


BOX_TABLES = {
    "corners": "filename,width,height,class,xmin,ymin,xmax,ymax\n" + "{n}.jpg,60,40,crack,10,8,30,20\n",
    "semicolons": "filename;class;xmin;ymin;xmax;ymax\n" + "{n}.jpg;crack;10;8;30;20\n",
    "makesense": "crack,10,8,20,12,{n}.jpg,60,40\n",
}


@pytest.mark.parametrize("kind", BOX_TABLES)
def test_tables_of_boxes(kind: str, tmp_path: Path) -> None:
    *header, row = BOX_TABLES[kind].splitlines(keepends=True)
    for n in range(3):
        save(tmp_path / f"s/images/{n}.jpg", photo(n))
    (tmp_path / "s/labels.csv").write_text("".join(header) + "".join(row.format(n=n) for n in range(3)))
    dataset = ingest(tmp_path / "s", tmp_path / "out")
    assert [item.area for item in dataset.annotations] == [AREA] * 3 and dataset.categories[0].name == "crack"
    with pytest.raises(InputError, match="D5: holds boxes alone"):
        ingest(tmp_path / "s", tmp_path / "no", boxes="refuse")
    shares = row.format(n=0).replace("10", "0.1").replace("30", "0.5").replace("20", "0.5").replace("8", "0.2")
    shares = shares.replace("12", "0.3")
    (tmp_path / "s/labels.csv").write_text("".join(header) + shares)
    with pytest.raises(InputError, match="D17"):
        ingest(tmp_path / "s", tmp_path / "no")


def test_boxes_with_decimal_commas_between_semicolons(tmp_path: Path) -> None:
    for n in range(3):
        save(tmp_path / f"s/images/{n}.jpg", photo(n))
    rows = "".join(f"{n}.jpg;crack;10,0;8,0;30,0;20,0\n" for n in range(3))
    (tmp_path / "s/labels.csv").write_text("filename;class;xmin;ymin;xmax;ymax\n" + rows)
    assert [item.area for item in ingest(tmp_path / "s", tmp_path / "out").annotations] == [AREA] * 3


OUTLINE = {"x1": 10, "y1": 8, "x2": 30, "y2": 8, "x3": 10, "y3": 20}
POINTS = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in ((10, 8), (30, 8), (10, 20)))


@pytest.mark.parametrize("inner", ["".join(f"<{key}>{value}</{key}>" for key, value in OUTLINE.items()), POINTS])
def test_outlines_in_pascal_voc_win_over_the_boxes_beside_them(inner: str, tmp_path: Path) -> None:
    for n in range(3):
        save(tmp_path / f"s/{n}.jpg", photo(n))
        box = "<bndbox><xmin>10</xmin><ymin>8</ymin><xmax>30</xmax><ymax>20</ymax></bndbox>"
        part = f"<object><name>crack</name>{box}<polygon>{inner}</polygon></object>"
        (tmp_path / f"s/{n}.xml").write_text(f"<annotation><filename>{n}.jpg</filename>{part}</annotation>")
    areas = [item.area for item in ingest(tmp_path / "s", tmp_path / "out").annotations]
    assert len(areas) == 3 and all(abs(area - AREA / 2) <= 12 for area in areas)
    (tmp_path / "s/0.xml").write_text((tmp_path / "s/0.xml").read_text().replace("30", "much"))
    refused(tmp_path / "s", r"0.xml\[object 1\]\[polygon\]: V2: has a corner that is no number")


def test_run_lengths_between_semicolons_behind_a_byte_order_mark(tmp_path: Path) -> None:
    for n in range(3):
        save(tmp_path / f"s/images/{n}.jpg", photo(n))
    rows = "".join(f"{n}.jpg;{10 * HEIGHT + 9} 12\n" for n in range(3))
    (tmp_path / "s/train.csv").write_text("\ufeffImageId;EncodedPixels\n" + rows, encoding="utf-8")
    assert [item.area for item in ingest(tmp_path / "s", tmp_path / "out").annotations] == [12] * 3


@pytest.mark.parametrize(
    ("suffix", "options", "lossy"),
    [
        (".webp", {"quality": 60}, True),
        (".webp", {"lossless": True, "exact": True}, False),
        (".jp2", {"irreversible": True, "quality_mode": "rates", "quality_layers": [4]}, True),
        (".jp2", {}, False),
        (".avif", {"quality": 60}, True),
    ],
)
def test_masks_kept_with_loss_are_cut_and_no_noise_becomes_a_defect(
    suffix: str, options: dict[str, Any], lossy: bool, tmp_path: Path
) -> None:
    for n in range(4):
        save(tmp_path / f"s/images/{n}.png", photo(n))
        save(tmp_path / f"s/masks/{n}{suffix}", defect() if n < 3 else defect(0), **options)
    dataset = ingest(tmp_path / "s", tmp_path / "out")
    areas = [item.area for item in dataset.annotations]
    assert len(areas) == 3 and all(abs(area - AREA) <= (12 if lossy else 0) for area in areas)
    assert len(dataset.normals()) == 1
    assert any("B4" in str(image.extra) for image in dataset.images) is lossy


@pytest.mark.parametrize("small", [True, False])
def test_inverted_masks_are_warned_of(small: bool, tmp_path: Path) -> None:
    mask = defect() if small else defect(255, (2, 2, 40, 35))
    for n in range(4):
        save(tmp_path / f"s/images/{n}.png", photo(n))
        save(tmp_path / f"s/masks/{n}.png", 255 - mask if n < 2 else defect())
    metrics = run(IngestConfig(root=str(tmp_path / "s")), Context(0), tmp_path / "out")
    assert ("B8" in str(metrics["warned"])) is small


SHARES = [[0.2, 0.2], [0.5, 0.2], [0.5, 0.5], [0.2, 0.5]]


def shares_in_labelme(root: Path, n: int) -> None:
    labelme(root / f"{n}.png", n, [{"label": "crack", "shape_type": "polygon", "points": SHARES}])


def shares_in_via(root: Path, n: int) -> None:
    save(root / f"{n}.png", photo(n))
    x, y = np.transpose(SHARES).tolist()
    region = {
        "shape_attributes": {"name": "polygon", "all_points_x": x, "all_points_y": y},
        "region_attributes": {"type": "crack"},
    }
    (root / f"via_{n}.json").write_text(json.dumps({f"{n}": {"filename": f"{n}.png", "regions": [region]}}))


def shares_in_voc(root: Path, n: int) -> None:
    save(root / f"{n}.png", photo(n))
    corners = "<xmin>0.2</xmin><ymin>0.2</ymin><xmax>0.5</xmax><ymax>0.5</ymax>"
    item = f"<object><name>crack</name><bndbox>{corners}</bndbox></object>"
    (root / f"{n}.xml").write_text(f"<annotation><filename>{n}.png</filename>{item}</annotation>")


@pytest.mark.parametrize("write", [shares_in_labelme, shares_in_via, shares_in_voc])
def test_shares_of_the_sides_are_never_a_pixel_in_the_corner(write, tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    for n in range(3):
        write(tmp_path / "s", n)
    refused(tmp_path / "s", "none of 3 records can be used; the first: .*D17")


def test_bursts_by_time_are_a_second_hint(tmp_path: Path) -> None:
    from anomaly_gan.ingestion.suggest import suggest

    seconds = [0, 1, 3, 30, 31, 90]
    for n, second in enumerate(seconds):
        exif = Image.Exif()
        stamp = f"2024:05:01 10:{second // 60:02d}:{second % 60:02d}"
        if n % 2:
            exif.get_ifd(0x8769)[36867] = stamp
        else:
            exif[306] = stamp
        (tmp_path / "s/good").mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo(n, (64, 64))).save(tmp_path / f"s/good/{n}.jpg", exif=exif)
    save(tmp_path / "s/good/9.jpg", photo(9, (64, 64)))
    lines = suggest(IngestConfig(root=str(tmp_path / "s"), format="mask-png"), tmp_path / "groups.csv")
    rows = list(csv.DictReader((tmp_path / "groups.csv").open()))
    burst = {row["file"][-5]: row["burst"] for row in rows}
    assert burst["0"] == burst["1"] == burst["2"] != burst["3"] == burst["4"]
    assert len(set(burst.values())) == 4 and any("5 photographs were taken within 2 s" in line for line in lines)
    config = {"groups": str(tmp_path / "groups.csv"), "group_column": "burst", "format": "mask-png"}
    assert len({image.group_id for image in ingest(tmp_path / "s", tmp_path / "out", **config).images}) == 4
