"""Sources that are not read as they are: one line that names the file, what is wrong there and what to do.

And those that names or figures alone would let in with wrong pixels.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from drawn_photos import HEIGHT, WIDTH, ingest, photo, save
from layout_trees import AREA, BOX_SHARES, LAYOUTS, SHARES, coco, mask, pairs, put, yolo

from anomaly_gan.core.dataset import Dataset
from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.ingestion.mask_names import pair_up

Build = Callable[[Path], None]


def areas(dataset: Dataset) -> list[int]:
    return sorted(item.area for item in dataset.annotations)


def beside(name: str, content: Any) -> Build:
    """Five photographs and one file of labels."""

    def build(root: Path) -> None:
        for n in range(5):
            save(root / f"images/{n}.jpg", photo(n))
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())

    return build


def several_folders(root: Path) -> None:
    for n in range(4):
        save(root / f"images/{n}.png", photo(n))
        save(root / f"masks_a/{n}.png", mask())
        save(root / f"masks_b/{n}.png", mask())


def one_lost(root: Path) -> None:
    pairs("parts/{n}.jpg", "drawn/{n}.png", black_masks=True)(root)
    save(root / "drawn/9.png", mask())


def only_an_archive(root: Path) -> None:
    put(root / "set.zip", "PK")


def exposures(root: Path) -> None:
    """Two photographs of each part: names alone would make masks of one of them."""
    for n in range(4):
        save(root / f"{n}.png", photo(n))
        save(root / f"{n}_b.png", photo(10 + n))


def scores(root: Path) -> None:
    soft = cv2.GaussianBlur(mask().astype(np.float32) / 255, (0, 0), 5)
    for n in range(3):
        save(root / f"images/{n}.jpg", photo(n))
        save(root / f"masks/{n}.tif", soft)


def same_name_twice(root: Path) -> None:
    coco("annotations.json", "a/{n}.jpg", "{n}.jpg")(root)
    for n in range(5):
        save(root / f"b/{n}.jpg", photo(50 + n))


def told(build: Build, name: str, old: str, new: str) -> Build:
    """Another source with other words in its file of labels or classes."""

    def changed(root: Path) -> None:
        build(root)
        content = (root / name).read_text("utf-8").replace(old, new)
        (root / name).write_bytes(content.encode("latin-1" if "ß" in new else "utf-8"))

    return changed


def inverted(root: Path) -> None:
    for n in range(4):
        save(root / f"images/{n}.png", photo(n))
        save(root / f"masks/{n}.png", 255 - (mask()[::2, ::2].repeat(2, 0).repeat(2, 1) if n < 3 else 0 * mask()))


def two_of_one_name(root: Path) -> None:
    for n in range(4):
        save(root / f"images/{n}.png", photo(n))
        save(root / f"masks/{n}.png", mask())
    save(root / "images/0.jpg", photo(9))


DENSE_BOX = ("images/{n}.jpg", "labels/{n}.txt", BOX_SHARES)
CORNERS = {"segmentation": [], "bbox": [10, 8, 30, 20], "area": AREA}
ASKED: dict[str, tuple[Build, str]] = {
    "masks of two annotators": (
        several_folders,
        r"several ways: 'images/\{stem\}=masks_a/\{stem\}' \(4 masks\), 'image",
    ),
    "a mask of no photograph": (
        one_lost,
        r"'parts/\{stem\}=drawn/\{stem\}', but drawn/9.png has no photograph then: corr",
    ),
    "two exposures": (exposures, "holds 8 photographs, and nothing that says where a defect is"),
    "JSON in UTF-16": (beside("a.json", '{"images": []}'.encode("utf-16")), "a.json: C13: is UTF-16"),
    "a line of JSON each": (beside("a.json", b'{"a": 1}\n{"a": 2}'), "a.json: C14: is not JSON"),
    "JSON of another kind": (
        beside("a.json", {"coco": {}, "x": 1}),
        r"a.json: C15: is JSON of a kind.*holds coco, x\)",
    ),
    "results alone": (beside("r.json", [{"image_id": 1, "category_id": 1}]), "C15: looks like COCO results"),
    "V7 Darwin": (beside("0.json", {"item": {"name": "0.jpg"}, "annotations": []}), "C15: looks like V7 Darwin's own"),
    "Labelbox": (beside("x.ndjson", {"data_row": {}}), "x.ndjson: C15: looks like Labelbox's own export"),
    "Label Studio's table": (beside("p.csv", b"image,id,label,annotator\n"), "C15: looks like Label Studio's own CSV"),
    "CVAT's XML": (beside("a.xml", b"<annotations><image id='0'/></annotations>"), "C15: looks like CVAT's own XML"),
    "a table of something else": (
        beside("q.csv", b"file,sharpness\n0.jpg,3\n"),
        "R1: has the columns file, sharpness,",
    ),
    "a table in UTF-16": (beside("q.csv", "file,rle\n".encode("utf-16")), "q.csv: C13: is UTF-16, not UTF-8"),
    "an archive alone": (only_an_archive, "holds no photographs, but set.zip: unpack it"),
    "YOLO with decimal commas": (
        yolo("images/{n}.jpg", "labels/{n}.txt", SHARES.replace(".", ",")),
        r"labels/0.txt: Y1: line 1: '0 0,16",
    ),
    "broken names of classes": (beside("data.yaml", b"names: [a\n"), "no known label format"),
    "scores for masks": (scores, r"masks/0\.tif: B1[46]"),
    "a photograph of that name in two folders": (same_name_twice, "B11: names a photograph that a/0.jpg, b/0.jpg fit"),
    "masks of white ground": (inverted, "B8: 4 of 4 masks call nearly all .* first that of images/0.png: invert them"),
    "a photograph as JPEG and PNG": (two_of_one_name, "B11: the mask masks/0.png fits 2 photographs: images/0.jpg, im"),
    "an empty name": (
        told(coco("a.json", "{n}.jpg", "{n}.jpg"), "a.json", '"defect"', '""'),
        "C11: the label is empty: name the defect",
    ),
    "YOLO between commas": (
        yolo("images/{n}.jpg", "labels/{n}.txt", SHARES.replace(" ", ",")),
        "labels/0.txt: Y1: line 1: '0 0.16",
    ),
    "YOLO of predictions": (
        yolo("images/{n}.jpg", "labels/{n}.txt", f"{BOX_SHARES} 0.91"),
        "labels/0.txt: Y1: line 1: has a sixth number, as predictions",
    ),
    "YOLO of keypoints": (
        told(yolo(*DENSE_BOX), "data.yaml", "names:", "kpt_shape: [2, 3]\nnames:"),
        r"data.yaml\[kpt_shape\]: Y1: tells of keypoints",
    ),
    "keypoints without a word": (
        yolo("images/{n}.jpg", "labels/{n}.txt", f"{BOX_SHARES} 0.1 0.1 2 0.3 0.3 1"),
        "Y2: has coordinates .*keypoints with their visibility are not read",
    ),
    "YOLO classes from 1": (
        told(yolo(*DENSE_BOX), "data.yaml", "- defect", "  1: crack"),
        r"Y3: is of class 0, but the classes are 1 \(crack\)",
    ),
    "lines of JSON": (
        beside("metadata.jsonl", b'{"file_name": "0.jpg"}\n'),
        "metadata.jsonl: C15: looks like lines of",
    ),
    "masks of NumPy": (beside("masks/0.npy", b"\x93NUMPY"), "masks/0.npy: C15: .*: save each mask as PNG"),
    "COCO without categories": (
        told(coco("a.json", "{n}.jpg", "{n}.jpg"), "a.json", '"categories"', '"kinds"'),
        r"a.json\[categories\]: D7: is missing or empty: add the list",
    ),
    "COCO in Latin-1": (
        told(coco("a.json", "{n}.jpg", "{n}.jpg"), "a.json", '"defect"', '"Riß"'),
        "a.json: C13: is not UTF-8, perhaps Latin-1: save it as UTF-8",
    ),
    "a label with a slash": (
        told(coco("a.json", "{n}.jpg", "{n}.jpg"), "a.json", '"defect"', '"scratch/dent"'),
        "C11: the label 'scratch/dent' cannot name a folder: rename it: --labels 'scratch/dent'=NEW",
    ),
    "corners for width and height": (coco("a.json", "{n}.jpg", "{n}.jpg", **CORNERS), "D18"),
}


@pytest.mark.parametrize("case", ASKED)
def test_one_line_says_what_is_wrong_and_what_to_do(case: str, tmp_path: Path) -> None:
    build, words = ASKED[case]
    build(tmp_path / "s")
    with pytest.raises(InputError, match=words) as caught:
        ingest(tmp_path / "s", tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_what_the_remedies_say_helps(tmp_path: Path) -> None:
    inverted(tmp_path / "masks")
    kept = ingest(tmp_path / "masks", tmp_path / "kept", classes="255=patch")
    assert len(kept.annotations) == 4 and kept.categories[0].name == "patch"
    ASKED["a label with a slash"][0](tmp_path / "s")
    renamed = ingest(tmp_path / "s", tmp_path / "out", labels="scratch/dent=dent")
    assert areas(renamed) == [AREA] * 3 and renamed.categories[0].name == "dent"


GROUPS = {
    "between semicolons": "file;group\n{n}.jpg;p{g}\n",
    "capitals and blanks": "File , Group\n{n}.jpg , p{g}\n",
    "paths of another machine": "file,group\nC:\\set\\images\\{n}.jpg,p{g}\n",
    "without suffixes": "file\tgroup\nimages/{n}\tp{g}\n",
}


@pytest.mark.parametrize("form", GROUPS)
def test_tables_of_groups_are_read_as_programs_write_them(form: str, tmp_path: Path) -> None:
    pairs("images/{n}.jpg", "masks/{n}.png", black_masks=True)(tmp_path / "s")
    header, row = GROUPS[form].splitlines(keepends=True)
    count = len(list((tmp_path / "s/images").iterdir()))
    put(tmp_path / "g.csv", header + "".join(row.format(n=n, g=n // 2) for n in range(count)))
    found = ingest(tmp_path / "s", tmp_path / "out", groups=str(tmp_path / "g.csv"))
    assert {image.group_id for image in found.images} == {f"p{n // 2}" for n in range(count)}


def test_a_table_of_groups_that_is_none_is_named(tmp_path: Path) -> None:
    pairs("images/{n}.jpg", "masks/{n}.png", black_masks=True)(tmp_path / "s")
    put(tmp_path / "g.csv", "PK\x03\x04")
    with pytest.raises(InputError, match=r"g\.csv: C13: is an Excel workbook, not CSV: save it as CSV"):
        ingest(tmp_path / "s", tmp_path / "out", groups=str(tmp_path / "g.csv"))
    with pytest.raises(InputError, match=r"MAX-BAD: .*all were skipped: no label file \(\d+\): check --format"):
        ingest(tmp_path / "s", tmp_path / "out", format="labelme")
    kept = ingest(tmp_path / "s", tmp_path / "kept", classes="0=good,255=crack")
    assert [category.name for category in kept.categories] == ["crack"]


def test_names_of_classes_are_read_or_the_fault_is_named(tmp_path: Path) -> None:
    yolo("images/{n}.jpg", "labels/{n}.TXT", SHARES, "mine.yaml")(tmp_path / "s")
    dataset = ingest(tmp_path / "s", tmp_path / "out")
    assert areas(dataset) == [AREA] * 3 and [category.name for category in dataset.categories] == ["defect"]
    put(tmp_path / "s/mine.yaml", "nc: 1\nnames: crack\n")
    assert ingest(tmp_path / "s", tmp_path / "one").categories[0].name == "crack"
    for content, words in (("names:\t[a\n", "it is not YAML"), ("names: {a: b}\n", "keys that are no numbers")):
        put(tmp_path / "s/data.yaml", content)
        with pytest.raises(InputError, match=f"data.yaml.*Y3: .*{words}"):
            ingest(tmp_path / "s", tmp_path / "no")


NAMED = {
    "an address": "https://host/data/{n}.jpg?x=1",
    "escapes": "my%20part%20{n}.jpg",
    "Label Studio's mark": "images/1a2b3c4d-{n}.jpg",
    "a drive": "C:\\Users\\x\\{n}.jpg",
}


@pytest.mark.parametrize("case", NAMED)
def test_photographs_are_found_by_what_programs_made_of_their_names(case: str, tmp_path: Path) -> None:
    here = "my part {n}.jpg" if case == "escapes" else "{n}.jpg"
    coco("a.json", here, NAMED[case])(tmp_path / "s")
    assert areas(ingest(tmp_path / "s", tmp_path / "out")) == [AREA] * 3


def test_labels_are_the_same_whatever_stands_around_them(tmp_path: Path) -> None:
    names = ["Ri\u00df", " Ri\u00df", "Ri\u00df ", "u\u0308", "\u00fc"]
    for n, name in enumerate(names):
        save(tmp_path / f"s/{n}.jpg", photo(n))
        shape = {"label": name, "points": [[10, 8], [30, 20]], "shape_type": "rectangle"}
        put(tmp_path / f"s/{n}.json", {"shapes": [shape], "imagePath": f"{n}.jpg", "imageData": None})
    dataset = ingest(tmp_path / "s", tmp_path / "out")
    assert [category.name for category in dataset.categories] == ["Ri\u00df", "\u00fc"]


def test_the_same_row_twice_counts_once(tmp_path: Path) -> None:
    LAYOUTS["boxes in a table"][0](tmp_path / "s")
    table = tmp_path / "s/labels.tsv"
    head, *rows = table.read_text().splitlines()
    table.write_text("\n".join([head, *rows, *rows]) + "\n")
    assert areas(ingest(tmp_path / "s", tmp_path / "out")) == [AREA] * 3


TOLD = {
    "{stem}_Fehler.png": ("raw/{n}.PNG", "raw/{n}_FEHLER.PNG"),
    "anders/{stem}-x": ("raw/{n}.png", "anders/{n}-x.png"),
    "img_{stem}=defmap_{stem}": ("img_{n}.jpg", "defmap_{n}.png"),
    "foto/{stem}=rot/b_{stem}.png": ("a/foto/{n}.jpg", "a/rot/b_{n}.png"),
}


@pytest.mark.parametrize("pattern", TOLD)
def test_ways_of_calling_masks_that_are_told(pattern: str, tmp_path: Path) -> None:
    pairs(*TOLD[pattern], black_masks=True)(tmp_path / "s")
    told = {"mask_name": pattern, "unlabelled": "sound"}
    dataset = ingest(tmp_path / "s", tmp_path / "out", **told)
    assert areas(dataset) == [AREA] * 3 and len(dataset.normals()) == 2
    with pytest.raises(ConfigError, match=r"no picture in .* is called so; the first are "):
        ingest(tmp_path / "s", tmp_path / "no", mask_name="{stem}_none.png")
    with pytest.raises(ConfigError, match="once on both sides"):
        ingest(tmp_path / "s", tmp_path / "no", mask_name="x")


def test_junk_of_operating_systems_is_left_out(tmp_path: Path) -> None:
    pairs("images/{n}.jpg", "masks/{n}.png", black_masks=True)(tmp_path / "s")
    for junk in ("__MACOSX/images/._0.jpg", "images/@eaDir/0.jpg/THUMB.jpg", "images/Thumbs.db", "$RECYCLE.BIN/1.jpg"):
        put(tmp_path / "s" / junk, "x")
    assert areas(ingest(tmp_path / "s", tmp_path / "out")) == [AREA] * 3


def test_looking_for_a_way_costs_few_pictures() -> None:
    """A thousand photographs without masks, in any manner of names, are not all decoded for it."""
    for names in (
        [f"part{n // 6:04d}_cam{n % 6}.png" for n in range(1200)],
        [f"line{n % 24}/img_{n // 24}.jpg" for n in range(1200)],
        [f"{n * 2654435761 % 2**32:08x}.jpg" for n in range(1200)],
    ):
        looked: list[str] = []
        pairs_found = pair_up(names, None, lambda name, looked=looked: bool(looked.append(name)))  # type: ignore[misc]
        assert not any(pairs_found.masks.values()) and len(looked) < 120


def test_boxes_of_a_folder_of_any_name_need_every_stem(tmp_path: Path) -> None:
    yolo("images/{n}.jpg", "boxes/{n}.txt", BOX_SHARES, "boxes/labels.txt")(tmp_path / "s")
    put(tmp_path / "s/boxes/99.txt", f"0 {BOX_SHARES}\n")
    with pytest.raises(InputError, match="FORMAT"):
        ingest(tmp_path / "s", tmp_path / "out")


def test_a_depth_that_leaves_few_of_few_levels_is_refused(tmp_path: Path) -> None:
    for n in range(4):
        save(tmp_path / f"s/good/{n}.png", (photo(n, (HEIGHT, WIDTH)) // 32).astype(np.uint16))
    with pytest.raises(InputError, match=r"A26: keeps 1 gray levels.*set bits=8"):
        ingest(tmp_path / "s", tmp_path / "out", format="mask-png", bits=16)
