"""What people's files did to programs like this one, each situation once: read rightly, or stopped in one clear line.

A row is a test here, or names the test elsewhere that holds it; that such a test is there is tested too.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_photos import HEIGHT, WIDTH, ingest, photo, save, write_masks
from PIL import Image

from anomaly_gan.core.dataset import Dataset
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.ingestion.ledger import Notes
from anomaly_gan.ingestion.mask_files import decode_mask
from anomaly_gan.ingestion.stage import IngestConfig, run
from anomaly_gan.ingestion.summary import summary_lines

TESTS = Path(__file__).resolve().parents[1]
BOX = (10, 8, 30, 20)
AREA = 20 * 12
Check = Callable[[Path], None]


def defect(value: int = 255) -> np.ndarray:
    array = np.zeros((HEIGHT, WIDTH), np.uint8)
    array[BOX[1] : BOX[3], BOX[0] : BOX[2]] = value
    return array


def said(source: Path, out: Path, **settings: Any) -> str:
    run_stage("ingest", run, IngestConfig(root=str(source), **settings), Context(0), out)
    return "\n".join(summary_lines(out))


def areas(dataset: Dataset) -> list[int]:
    return sorted(item.area for item in dataset.annotations)


def labelled(root: Path, n: int, shapes: list[dict[str, Any]], name: str = "{n}.png", **more: Any) -> None:
    save(root / name.format(n=n), photo(n))
    content = {"shapes": shapes, "imagePath": name.format(n=n), "imageData": None, **more}
    (root / f"{n}.json").write_text(json.dumps(content))


def rectangle(**more: Any) -> dict[str, Any]:
    return {"label": "crack", "shape_type": "rectangle", "points": [[10, 8], [30, 20]], **more}


def half_beside_edges(root: Path) -> None:
    mask = defect()
    mask[BOX[1], BOX[0] : BOX[2]] = 128
    stream = io.BytesIO()
    Image.fromarray(mask).save(stream, "PNG")
    assert decode_mask("m.png", stream.getvalue(), Notes()).sum() == AREA


def ids_in_images_and_masks(root: Path) -> None:
    for n in range(4):
        save(root / f"s/images/{n}.jpg", photo(n))
        mask = defect(1)
        mask[25:30, 5:15], mask[25:30, 40:50] = 2, 3
        save(root / f"s/masks/{n}.png", mask)
    with pytest.raises(InputError, match=r"B14.*--classes 1=NAME,2=NAME,3=NAME"):
        ingest(root / "s", root / "no")
    dataset = ingest(root / "s", root / "out", classes="1=a,2=b,3=c")
    assert [category.name for category in dataset.categories] == ["a", "b", "c"] and len(dataset.annotations) == 12


def unread_suffixes_are_listed(root: Path) -> None:
    write_masks(root / "s")
    for name in ("a.avi", "b.avi", "c.npz"):
        (root / "s/good" / name).write_bytes(b"\0")
    assert "ignored files: 2 .avi, 1 .npz" in said(root / "s", root / "out")


def labelme_with_a_jfif(root: Path) -> None:
    for n in range(2):
        (root / "s").mkdir(exist_ok=True)
        Image.fromarray(photo(n)).save(root / f"s/d{n}.jfif", "JPEG")
        content = {"shapes": [rectangle()], "imagePath": f"d{n}.jfif", "imageData": None}
        (root / f"s/d{n}.json").write_text(json.dumps(content))
    assert areas(ingest(root / "s", root / "out")) == [AREA] * 2


def copies_of_a_deep_photograph(root: Path) -> None:
    for n in range(2):
        (root / "s").mkdir(exist_ok=True)
        deep = np.random.default_rng(n).integers(0, 2**12, (HEIGHT, WIDTH)).astype(np.uint16)
        stream = io.BytesIO()
        Image.fromarray(deep).save(stream, "PNG")
        (root / f"s/{n}.png").write_bytes(stream.getvalue())
        copy = base64.b64encode(stream.getvalue()).decode()
        content = {"shapes": [rectangle()], "imagePath": f"{n}.png", "imageData": copy}
        (root / f"s/{n}.json").write_text(json.dumps(content))
    for settings in ({}, {"bits": 12}):
        assert areas(ingest(root / "s", root / f"out{len(settings)}", **settings)) == [AREA] * 2


def labelme_mostly_outside(root: Path) -> None:
    outside = rectangle(points=[[50, 8], [200, 20]])
    for n in range(2):
        (root / "s").mkdir(exist_ok=True)
        labelled(root / "s", n, [outside if n else rectangle()])
    with pytest.raises(InputError, match="C7: lies with 93% of its area outside"):
        ingest(root / "s", root / "out")


def other_endings(root: Path) -> None:
    names = ["{}_GT", "{}-gt", "{}_seg", "{}_label", "{}_mask0", "{}_mask_1", "{}_anno", "{}_lbl", "{}.mask", "{} mask"]
    names += ["{}_segmentation", "{}_groundtruth", "{}_target", "mask_{}", "gt_{}", "label-{}", "{}_Mask", "{}_LABELS"]
    for at, pattern in enumerate(names):
        for n in range(2):
            save(root / f"{at}/crack/a{n}.png", photo(n))
            save(root / f"{at}/crack/{pattern.format(f'a{n}')}.png", defect())
            save(root / f"{at}/good/b{n}.png", photo(10 + n))
        dataset = ingest(root / str(at), root / "out" / str(at))
        assert (areas(dataset), len(dataset.images)) == ([AREA] * 2, 4), pattern


def names_of_sound_folders(root: Path) -> None:
    for at, name in enumerate(["ok", "OK_2", "ng_free", "no_defect", "Defect-Free", "healthy", "normal_1", "正常"]):
        for n in range(2):
            save(root / f"{at}/crack/{n}.png", photo(n))
            save(root / f"{at}/crack/{n}_mask.png", defect())
        save(root / f"{at}/{name}/9.png", photo(9))
        assert len(ingest(root / str(at), root / "out" / str(at)).normals()) == 1, name


def an_unknown_folder_is_named_with_the_remedy(root: Path) -> None:
    for n in range(2):
        save(root / f"s/crack/{n}.png", photo(n))
        save(root / f"s/crack/{n}_mask.png", defect())
        save(root / f"s/perfekt/{n}.png", photo(5 + n))
    with pytest.raises(InputError, match=r"perfekt/0\.png.*`normal`"):
        ingest(root / "s", root / "no")
    assert len(ingest(root / "s", root / "out", normal=["perfekt"]).normals()) == 2


def skipped_is_not_refused(root: Path) -> None:
    for n in range(2):
        (root / "s").mkdir(exist_ok=True)
        labelled(root / "s", n, [rectangle()])
    for n in range(2, 9):
        save(root / f"s/{n}.png", photo(n))
    text = said(root / "s", root / "out")
    assert "7 skipped" in text and "refused" not in text and "{" not in text and len(text.splitlines()) < 20


def a_category_called_normal(root: Path) -> None:
    for n in range(2):
        (root / "s").mkdir(exist_ok=True)
        labelled(root / "s", n, [rectangle(label="normal")])
    labelled(root / "s", 5, [])
    rows = [line.split() for line in said(root / "s", root / "out").splitlines()]
    assert ["normal", "(category)", "2"] in [row[:3] for row in rows] and any(
        row[:3] == ["sound,", "no", "defect"] for row in rows
    )


def equal_photographs_with_other_labels(root: Path) -> None:
    for n in range(2):
        (root / "s").mkdir(exist_ok=True)
        labelled(root / "s", n, [rectangle()])
    save(root / "s/7.png", photo(0))
    content = {"shapes": [rectangle(points=[[1, 1], [9, 9]])], "imagePath": "7.png", "imageData": None}
    (root / "s/7.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="E10: has other labels than"):
        ingest(root / "s", root / "out")


def labels_painted_into_the_photograph(root: Path) -> None:
    """The photograph beside the JSON has the outline drawn on it; the copy inside is clean."""
    for n in range(2):
        pixels = np.full((HEIGHT, WIDTH), 100, np.uint8)
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "PNG")
        (root / "s").mkdir(exist_ok=True)
        labelled(root / "s", n, [rectangle()], imageData=base64.b64encode(stream.getvalue()).decode())
        shown = pixels.copy()
        shown[8:20, 10:30] = 255
        save(root / f"s/{n}.png", shown)
    with pytest.raises(InputError, match="C3"):
        ingest(root / "s", root / "out")


def x_anylabeling(root: Path) -> None:
    shape = {
        **rectangle(points=[[10, 8], [30, 8], [30, 20], [10, 20]]),
        "score": 0.9,
        "difficult": False,
        "attributes": {},
        "kie_linking": [],
        "description": None,
    }
    for n in range(2):
        (root / "s").mkdir(exist_ok=True)
        labelled(root / "s", n, [shape], version="3.2.6", flags={}, imageHeight=HEIGHT, imageWidth=WIDTH)
    assert areas(ingest(root / "s", root / "out")) == [AREA] * 2


def windows_paths(root: Path) -> None:
    for n in range(2):
        (root / "s/im").mkdir(parents=True, exist_ok=True)
        save(root / f"s/im/{n}.png", photo(n))
        content = {"shapes": [rectangle()], "imagePath": f"im\\{n}.png", "imageData": None}
        (root / f"s/{n}.json").write_text(json.dumps(content))
    assert areas(ingest(root / "s", root / "out")) == [AREA] * 2


def renamed_pairs(root: Path) -> None:
    """``imagePath`` still has the old name; the copy inside proves it."""
    for n in range(2):
        stream = io.BytesIO()
        Image.fromarray(photo(n)).save(stream, "PNG")
        save(root / f"s/new{n}.png", photo(n))
        copy = base64.b64encode(stream.getvalue()).decode()
        content = {"shapes": [rectangle()], "imagePath": f"IMG_{n}.png", "imageData": copy}
        (root / f"s/new{n}.json").write_text(json.dumps(content))
    assert areas(ingest(root / "s", root / "out")) == [AREA] * 2


def slivers(root: Path) -> None:
    thin = rectangle(shape_type="polygon", points=[[10, 8.2], [30, 8.2], [30, 8.4]])
    for n in range(2):
        (root / "s").mkdir(exist_ok=True)
        labelled(root / "s", n, [thin])
    assert areas(ingest(root / "s", root / "out")) == [1, 1]


def cut_outs(root: Path) -> None:
    alpha = defect()
    for n in range(2):
        colour = photo(n, (HEIGHT, WIDTH, 3))
        save(root / f"s/good/{n}.png", np.dstack([colour, alpha]))
        save(root / f"s/crack/{n}.png", np.dstack([photo(5 + n, (HEIGHT, WIDTH, 3)), alpha]))
        save(root / f"s/crack/{n}_mask.png", defect())
    dataset = ingest(root / "s", root / "out")
    assert (areas(dataset), dataset.info["mode"]) == ([AREA] * 2, "RGB")


def strips_and_small_photographs(root: Path) -> None:
    for size in ((64, 1000), (20, 24)):
        mask = np.zeros(size, np.uint8)
        mask[5:9, 4:14] = 255
        for n in range(2):
            save(root / f"s{size[0]}/crack/{n}.png", photo(n, size))
            save(root / f"s{size[0]}/crack/{n}_mask.png", mask)
        save(root / f"s{size[0]}/good/0.png", photo(9, size))
        assert areas(ingest(root / f"s{size[0]}", root / f"out{size[0]}")) == [40, 40]


def odd_names_of_categories(root: Path) -> None:
    names = ["Riß (tief)", "裂纹", "a+b=c", "50 %", "crack.v2"]
    for at, name in enumerate(names):
        for n in range(2):
            (root / "s").mkdir(exist_ok=True)
            labelled(root / "s", 10 * at + n, [rectangle(label=name)])
    dataset = ingest(root / "s", root / "out")
    assert sorted(category.name for category in dataset.categories) == sorted(names)


def grey_set_with_few_in_colour(root: Path) -> None:
    write_masks(root / "s")
    save(root / "s/good/red.png", photo(77, (HEIGHT, WIDTH, 3)))
    text = said(root / "s", root / "out")
    assert "good/red.png" in text and "read as gray" in text


LAYOUT = "ingest/test_layouts.py::test_a_layout_is_recognised_and_read_to_the_pixel[{}]"
UNCLEAR = "ingest/test_mask_classes.py::test_what_is_unclear_is_asked_with_values_and_the_option[{}]"
COCO = "ingest/test_contents.py::test_what_is_unambiguous_is_read[{}]"
STOPS = "ingest/test_contents.py::test_contradictions_stop[{}]"
CONTENTS = "ingest/test_contents.py::{}"
SITUATIONS: dict[str, str | Check] = {
    "A: 0, 1 and an unknown rim of 255": UNCLEAR.format("0, 1 and an unknown rim of 255"),
    "A: 0, 1, 2, 255": UNCLEAR.format("0, 1, 2, 255"),
    "A: 0, 100, 200": UNCLEAR.format("0, 100, 200"),
    "A: 0, 127, 255": UNCLEAR.format("0, 127, 255"),
    "A: 0, 85, 170, 255": UNCLEAR.format("0, 85, 170, 255"),
    "A: 16-bit ids": UNCLEAR.format("16-bit ids 1 and 40000"),
    "A: 32-bit ids": UNCLEAR.format("int32 ids 1 and 70000"),
    "A: a palette of 0, 1, 255": UNCLEAR.format("palette 0, 1, 255"),
    "A: ids in images/ and masks/": ids_in_images_and_masks,
    "A: ids that touch": UNCLEAR.format("ids that touch"),
    "A: colours on white": UNCLEAR.format("colours on white"),
    "A: a photograph among the masks": "ingest/test_mask_classes.py::test_a_photograph_among_the_masks_stops",
    "A: 0 and 1": "ingest/test_mask_classes.py::test_masks_of_two_values_are_read_as_ever[0 and 1]",
    "A: 0 and 255": "ingest/test_mask_classes.py::test_masks_of_two_values_are_read_as_ever[0 and 255]",
    "A: 128 at the edge": half_beside_edges,
    "A: fractions": "ingest/test_mask_classes.py::test_masks_of_two_values_are_read_as_ever[fractions]",
    "A: one bit": "ingest/test_mask_classes.py::test_masks_of_two_values_are_read_as_ever[one bit]",
    "A: classes in a file beside": "ingest/test_mask_classes.py::test_files_that_tell_classes",
    "B: 10, 12, 14 bits": CONTENTS.format("test_the_range_that_is_used_is_found_over_the_set_and_said"),
    "B: the wrong depth": CONTENTS.format("test_a_wrong_depth_stops_with_the_right_one"),
    "B: alpha of 0, alpha that is a map": CONTENTS.format("test_alpha_cuts_out_or_is_left_out"),
    "B: depth at one-class": (
        "detection/one_class/test_usage_reader.py::test_the_depth_is_found_over_the_folder_and_kept_for_scoring"
    ),
    "C: other suffixes": ("ingest/test_layouts.py::test_any_picture_that_can_be_read_is_read_whatever_its_name"),
    "C: suffixes that are not read": unread_suffixes_are_listed,
    "C: labelme with .jfif": labelme_with_a_jfif,
    "D: an annotation of no photograph": STOPS.format("an annotation of no photograph"),
    "D: none is sound where one is lost": CONTENTS.format("test_no_photograph_is_sound_where_an_annotation_is_lost"),
    "D: ids as text": COCO.format("ids as text"),
    "D: coordinates from 0 to 1": COCO.format("shares of the sides"),
    "D: one of them among pixels": STOPS.format("one outline of shares among pixels"),
    "D: percent": STOPS.format("percent coordinates"),
    "D: x and y exchanged": STOPS.format("x and y exchanged"),
    "D: run lengths as floats": COCO.format("run lengths as floats"),
    "D: a list of run lengths": COCO.format("a list of run lengths"),
    "D: nested too deep": COCO.format("polygons nested too deep"),
    "D: a root category": COCO.format("a root category nobody uses"),
    "D: a category twice": COCO.format("two ids of one category"),
    "E: annotations/ and images/": LAYOUT.format("COCO as CVAT writes it"),
    "E: train2017/": LAYOUT.format("COCO train2017"),
    "E: img/": LAYOUT.format("COCO as Supervisely writes it"),
    "E: JPEGImages/": LAYOUT.format("COCO as labelme2coco writes it"),
    "E: the parent folder in file_name": LAYOUT.format("COCO with the parent folder"),
    "E: another case of letters": LAYOUT.format("COCO with other letters"),
    "E: result.json": LAYOUT.format("COCO as Label Studio writes it"),
    "E: photographs elsewhere": "ingest/test_layouts.py::test_photographs_elsewhere_are_told",
    "F: copies saved again as JPEG": CONTENTS.format("test_embedded_copies_of_a_grainy_photograph"),
    "F: copies of 12 bits": copies_of_a_deep_photograph,
    "F: imagePath into another folder": LAYOUT.format("labelme with another folder's path"),
    "F: photographs in a sibling folder": LAYOUT.format("labelme in a folder of its own"),
    "F: imageData empty, group_id 1.0, label 3": CONTENTS.format("test_small_freedoms_of_labelme_files"),
    "F: another case of letters": LAYOUT.format("labelme with other letters"),
    "F: shapes of a group that overlap": CONTENTS.format(
        "test_overlapping_shapes_of_a_group_are_joined_and_inner_ones_are_holes"
    ),
    "F: an outline mostly outside": labelme_mostly_outside,
    "G: images/ and masks/, black for sound": LAYOUT.format("images and masks, black for sound"),
    "G: other endings": other_endings,
    "G: masks in a folder of sound parts": (
        "ingest/test_layouts.py::test_a_published_object_is_not_mistaken_for_sound_parts"
    ),
    "G: photograph and _label.bmp, a folder a part": LAYOUT.format("_label.bmp in one folder a part"),
    "G: VisA": LAYOUT.format("VisA"),
    "G: several objects": "ingest/test_layouts.py::test_several_objects_in_one_root_ask_for_one",
    "G: LOCO": LAYOUT.format("MVTec LOCO"),
    "G: names of sound folders": names_of_sound_folders,
    "G: a sound folder of another name": an_unknown_folder_is_named_with_the_remedy,
    "H: one-class is given defects": (
        "detection/one_class/test_usage_reader.py::test_defects_and_masks_are_not_learnt_as_good_parts"
    ),
    "I: the table": "core/test_ingest_summary.py::test_a_table_of_the_categories_and_the_two_sides",
    "I: repairs and warnings": (
        "core/test_ingest_summary.py::test_what_was_repaired_ignored_and_warned_of_is_named_with_an_example"
    ),
    "I: skipped is not refused": skipped_is_not_refused,
    "I: a category called normal": a_category_called_normal,
    "I: no sound photograph": "core/test_ingest_summary.py::test_no_sound_photograph_and_no_groups_are_said",
    "I: one in colour": grey_set_with_few_in_colour,
    "I: codes explained": "ingest/test_fault_codes.py::test_every_code_that_is_raised_stands_in_the_table",
    "J: equal bytes, sound and labelled": CONTENTS.format(
        "test_one_photograph_in_two_class_folders_keeps_both_defects"
    ),
    "J: equal bytes, other labels": equal_photographs_with_other_labels,
    "K: the rule and the path": CONTENTS.format("test_the_rule_looks_at_the_name_and_at_the_path_when_asked"),
    "L: labels": CONTENTS.format("test_labels_are_renamed_merged_and_left_out"),
    "M: paint": "ingest/test_same_reader.py::test_paint_reads_class_maps_as_ingest_does",
    "held: areas of real sets": "ingest/test_real_sets.py::test_magnetic_tiles",
    "held: no object on both sides": "core/test_splits.py::test_neither_groups_nor_equal_bytes_cross",
    "held: labels painted into the photograph": labels_painted_into_the_photograph,
    "held: X-AnyLabeling": x_anylabeling,
    "held: Windows paths": windows_paths,
    "held: renamed pairs": renamed_pairs,
    "held: slivers": slivers,
    "held: cut-outs": cut_outs,
    "held: strips and small photographs": strips_and_small_photographs,
    "held: odd names of categories": odd_names_of_categories,
}
ELSEWHERE = {name: row for name, row in SITUATIONS.items() if isinstance(row, str)}
assert len(SITUATIONS) >= 81
HERE = {name: row for name, row in SITUATIONS.items() if not isinstance(row, str)}


@pytest.mark.parametrize("name", HERE)
def test_the_situation(name: str, tmp_path: Path) -> None:
    HERE[name](tmp_path)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_the_situation_is_tested_where_the_table_says(name: str) -> None:
    place, _, test = ELSEWHERE[name].partition("::")
    function, _, case = test.partition("[")
    text = (TESTS / place).read_text(encoding="utf-8")
    assert f"\ndef {function}(" in text
    cases = text + (TESTS / "support/layout_trees.py").read_text(encoding="utf-8")
    assert not case or f'"{case.removesuffix("]")}": ' in cases
