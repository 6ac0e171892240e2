"""Layouts as people have them, each a minimal tree: read without an option, with the pixels that were drawn."""

from __future__ import annotations

import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_photos import HEIGHT, WIDTH, ingest, photo, save
from layout_trees import AREA, LAYOUTS, VIA_RECT, coco, pairs, put, real_iad, via, via_thrice
from PIL import Image

from anomaly_gan.core.dataset import Dataset
from anomaly_gan.core.errors import ConfigError, InputError

NATIVE: dict[str, tuple[str, Any]] = {
    "Label Studio's own JSON": ("project-1-at-2024.json", [{"id": 1, "data": {"image": "x"}, "annotations": []}]),
    "Supervisely's own JSON": (
        "ds/ann/0.jpg.json",
        {"size": {"height": HEIGHT, "width": WIDTH}, "objects": [], "tags": []},
    ),
    "VIA 3's project": ("via.json", {"project": {}, "config": {}, "file": {}, "metadata": {}}),
    "Datumaro's own JSON": ("annotations/default.json", {"info": {}, "categories": {}, "items": []}),
    "CreateML": ("_annotations.createml.json", [{"image": "0.jpg", "annotations": []}]),
}


@pytest.mark.parametrize("kind", NATIVE)
def test_what_is_known_and_not_read_says_what_to_export(kind: str, tmp_path: Path) -> None:
    save(tmp_path / "source/ds/img/0.jpg", photo(0))
    name, content = NATIVE[kind]
    put(tmp_path / "source" / name, content)
    with pytest.raises(InputError, match=f"C15: looks like {kind}, which is not read: export COCO"):
        ingest(tmp_path / "source", tmp_path / "out")


def test_groups_and_objects_of_real_iad(tmp_path: Path) -> None:
    real_iad(tmp_path / "source")
    dataset = ingest(tmp_path / "source", tmp_path / "out")
    assert dataset.info["source_format"] == "real-iad" and len(dataset.images) == 12
    assert len({image.group_id for image in dataset.images}) == 6 and len(dataset.normals()) == 6
    assert {item.area for item in dataset.annotations} == {AREA}


def test_via_names_the_defect_or_stops(tmp_path: Path) -> None:
    two = {"machine": "a", "operator": "b"}
    via("via.json", "{n}.jpg", attributes=two)(tmp_path / "two")
    with pytest.raises(InputError, match="C11: the attributes machine, operator may each be the category"):
        ingest(tmp_path / "two", tmp_path / "no")
    via("via.json", "{n}.jpg", attributes={**two, "Type": "dent"})(tmp_path / "three")
    dataset = ingest(tmp_path / "three", tmp_path / "out")
    assert [category.name for category in dataset.categories] == ["dent"]
    circle = {"name": "ellipse", "cx": 20, "cy": 14, "rx": 8, "ry": 3, "theta": 0.5}
    via("via.json", "{n}.jpg", circle)(tmp_path / "ellipse")
    assert abs(areas(ingest(tmp_path / "ellipse", tmp_path / "e"))[0] - np.pi * 24) < 4
    for at, shape in enumerate([{"name": "point", "cx": 3, "cy": 3}, {"name": "rect", "x": "1"}]):
        via("via.json", "{n}.jpg", shape)(tmp_path / f"bad{at}")
        with pytest.raises(InputError, match="MAX-BAD.*C5 3" if at == 0 else "MAX-BAD.*C8 3"):
            ingest(tmp_path / f"bad{at}", tmp_path / f"no{at}")
    via_thrice(tmp_path / "other")
    via("via_export.json", "images/{n}.jpg", VIA_RECT)(tmp_path / "other")
    with pytest.raises(InputError, match="D13"):
        ingest(tmp_path / "other", tmp_path / "no")


def areas(dataset: Dataset) -> list[int]:
    """The pixels covered in every photograph, sorted."""
    found: dict[int, np.ndarray] = defaultdict(lambda: np.zeros((HEIGHT, WIDTH), np.uint8))
    for item in dataset.annotations:
        found[item.image_id] |= item.mask()
    return sorted(int(covered.sum()) for covered in found.values())


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_recognised_and_read_to_the_pixel(name: str, tmp_path: Path) -> None:
    build, expected = LAYOUTS[name]
    build(tmp_path / "source")
    dataset = ingest(tmp_path / "source", tmp_path / "out")
    assert dataset.info["source_format"] == expected
    assert areas(dataset) == [AREA] * 3 and len(dataset.normals()) == 2


def test_categories_stand_where_the_sound_folders_do(tmp_path: Path) -> None:
    for line in "ab":
        pairs(f"line_{line}/crack/{{n}}.png", f"line_{line}/crack/{{n}}_mask.png", f"line_{line}/good/{{n}}.png")(
            tmp_path / "source"
        )
    for path in (tmp_path / "source/line_b").rglob("?.png"):
        save(path, photo(100 + int(path.stem)))
    dataset = ingest(tmp_path / "source", tmp_path / "out")
    assert [category.name for category in dataset.categories] == ["crack"] and len(dataset.normals()) == 4


def test_dagm_leaves_sound_photographs_without_a_mask(tmp_path: Path) -> None:
    pairs("Class1/Train/{n}.PNG", "Class1/Train/Label/{n}_label.PNG")(tmp_path / "source")
    with pytest.raises(InputError, match=r"B11.*set unlabelled=sound"):
        ingest(tmp_path / "source", tmp_path / "no")
    dataset = ingest(tmp_path / "source", tmp_path / "out", unlabelled="sound")
    assert areas(dataset) == [AREA] * 3 and len(dataset.normals()) == 2


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_page_shows_every_layout_as_a_tree(name: str, tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/layouts.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith(f"| {name} | "))
    LAYOUTS[name][0](tmp_path)
    tree, read_as = row.split(" | ")[1:3]
    lines = [part.strip("`") for part in tree.split("<br>")]
    assert len(lines) == 3 and all((tmp_path / line).is_file() for line in lines)
    assert read_as == f"`{LAYOUTS[name][1]}` |"


def test_masks_told_by_a_pattern(tmp_path: Path) -> None:
    pairs("raw/{n}.png", "out/x-{n}-y.png", black_masks=True)(tmp_path / "source")
    dataset = ingest(tmp_path / "source", tmp_path / "out", format="mask-png", mask_name="out/x-{stem}-y.png")
    assert areas(dataset) == [AREA] * 3 and len(dataset.normals()) == 2
    with pytest.raises(ConfigError, match="needs"):
        ingest(tmp_path / "source", tmp_path / "no", format="mask-png", mask_name="x")


def test_several_objects_in_one_root_ask_for_one(tmp_path: Path) -> None:
    for name in ("bolt", "nut"):
        LAYOUTS["MVTec AD"][0](tmp_path / "source" / name)
    with pytest.raises(InputError, match="OBJECT: holds 2 objects: bolt, nut: pick one: --object bolt"):
        ingest(tmp_path / "source", tmp_path / "no")
    assert areas(ingest(tmp_path / "source", tmp_path / "out", object="nut")) == [AREA] * 3
    with pytest.raises(ConfigError, match="did you mean 'nut'"):
        ingest(tmp_path / "source", tmp_path / "no", object="nud")


@pytest.mark.parametrize("layout", ["VisA", "Real-IAD"])
def test_one_of_several_objects_of_other_sets(layout: str, tmp_path: Path) -> None:
    LAYOUTS[layout][0](tmp_path / "source")
    (first,) = (path for path in (tmp_path / "source").iterdir())
    shutil.copytree(first, tmp_path / "source/other")
    with pytest.raises(InputError, match=f"OBJECT: holds 2 objects: {first.name}, other: pick one"):
        ingest(tmp_path / "source", tmp_path / "no")
    dataset = ingest(tmp_path / "source", tmp_path / "out", object="other")
    assert areas(dataset) == [AREA] * 3 and all("other/" in image.file_name for image in dataset.images)


LABELME_VERSIONS: dict[str, dict[str, Any]] = {
    "3.16.7": {"lineColor": [0, 255, 0, 128], "fillColor": [255, 0, 0, 128], "imageData": None},
    "4.5.6": {"flags": {}, "imageData": None},
    "5.5.0": {"flags": {}, "imageData": None, "imageHeight": HEIGHT, "imageWidth": WIDTH},
    "6.3.1": {"flags": {}, "imageData": None, "imageHeight": HEIGHT, "imageWidth": WIDTH},
}
SHAPE_OF_VERSION: dict[str, dict[str, Any]] = {
    "3.16.7": {"line_color": None, "fill_color": None},
    "4.5.6": {"group_id": None, "shape_type": "polygon", "flags": {}},
    "5.5.0": {"group_id": None, "description": "", "shape_type": "polygon", "flags": {}, "mask": None},
    "6.3.1": {"group_id": None, "description": None, "shape_type": "polygon", "flags": {}, "mask": None},
}


@pytest.mark.parametrize("version", LABELME_VERSIONS)
def test_labelme_of_any_version(version: str, tmp_path: Path) -> None:
    for n in range(3):
        save(tmp_path / f"source/{n}.jpg", photo(n))
        shape = {"label": "crack", "points": [[10, 8], [30, 8], [30, 20], [10, 20]], **SHAPE_OF_VERSION[version]}
        more = LABELME_VERSIONS[version]
        put(tmp_path / f"source/{n}.json", {"version": version, "shapes": [shape], "imagePath": f"{n}.jpg", **more})
    assert areas(ingest(tmp_path / "source", tmp_path / "out")) == [AREA] * 3


def test_photographs_elsewhere_are_told(tmp_path: Path) -> None:
    coco("labels/x.json", "far/away/{n}.jpg", "{n}.jpg")(tmp_path)
    dataset = ingest(tmp_path / "labels", tmp_path / "out", images=str(tmp_path / "far"))
    assert areas(dataset) == [AREA] * 3
    assert areas(ingest(tmp_path / "labels/x.json", tmp_path / "one", images=str(tmp_path / "far"))) == [AREA] * 3


def test_any_picture_that_can_be_read_is_read_whatever_its_name(tmp_path: Path) -> None:
    root = tmp_path / "source"
    pairs("crack/{n}.jpg", "crack/{n}.png", "good/{n}.jpg")(root)
    for at, (kind, suffix) in enumerate(
        [("JPEG", ".jfif"), ("WEBP", ".webp"), ("PPM", ".pgm"), ("GIF", ".gif"), ("JPEG2000", ".jp2"), ("BMP", ".dib")]
    ):
        Image.fromarray(photo(40 + at)).save(root / f"good/x{at}{suffix}", kind)
    save(root / "good/y.png", photo(60))
    (root / "good/y.png").rename(root / "good/no_suffix")
    dataset = ingest(root, tmp_path / "out")
    assert len(dataset.normals()) == 2 + 6 + 1


def test_a_published_object_is_not_mistaken_for_sound_parts(tmp_path: Path) -> None:
    """Masks in a folder of sound parts are masks, whatever their ending."""
    pairs("good/{n}.png", "good/{n}_label.png", black_masks=True)(tmp_path / "source")
    with pytest.raises(InputError, match="B7"):  # a mask that marks a defect in a folder of sound parts
        ingest(tmp_path / "source", tmp_path / "out")
