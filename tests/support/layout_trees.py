"""Layouts as people have them, each as a function that builds a minimal tree, and the format it is read as."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from drawn_photos import HEIGHT, WIDTH, photo, save

BOX = (10, 8, 30, 20)
AREA = (BOX[2] - BOX[0]) * (BOX[3] - BOX[1])
FLAT = [10, 8, 30, 8, 30, 20, 10, 20]
Build = Callable[[Path], None]


def mask(value: int = 255) -> np.ndarray:
    array = np.zeros((HEIGHT, WIDTH), np.uint8)
    array[BOX[1] : BOX[3], BOX[0] : BOX[2]] = value
    return array


def black() -> np.ndarray:
    return np.zeros((HEIGHT, WIDTH), np.uint8)


def put(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def pairs(photo_name: str, mask_name: str, sound: str = "", black_masks: bool = False) -> Build:
    """Three photographs with a mask, two sound ones; names take {n}."""

    def build(root: Path) -> None:
        for n in range(3):
            save(root / photo_name.format(n=n), photo(n))
            save(root / mask_name.format(n=n), mask())
        for n in range(3, 5):
            save(root / (sound or photo_name).format(n=n), photo(n))
            if black_masks:
                save(root / mask_name.format(n=n), black())

    return build


def coco(json_name: str, photo_name: str, file_name: str, **extra: Any) -> Build:
    def build(root: Path) -> None:
        for n in range(5):
            save(root / photo_name.format(n=n), photo(n))
        put(
            root / json_name,
            {
                "images": [
                    {"id": n, "file_name": file_name.format(n=n), "height": HEIGHT, "width": WIDTH} for n in range(5)
                ],
                "categories": [{"id": 1, "name": "defect"}],
                "annotations": [
                    {"id": n, "image_id": n, "category_id": 1, "segmentation": [FLAT], "iscrowd": 0, **extra}
                    for n in range(3)
                ],
            },
        )

    return build


def yolo(images: str, labels: str, line: str, names: str = "data.yaml") -> Build:
    def build(root: Path) -> None:
        for n in range(5):
            save(root / images.format(n=n), photo(n))
            put(root / labels.format(n=n), f"0 {line}\n" if n < 3 else "")
        put(root / names, yaml.safe_dump({"names": ["defect"]}) if names.endswith("yaml") else "defect\n")

    return build


SHARES = " ".join(f"{value / (WIDTH if at % 2 == 0 else HEIGHT):.6f}" for at, value in enumerate(FLAT))
BOX_SHARES = f"{20 / WIDTH:.6f} {14 / HEIGHT:.6f} {20 / WIDTH:.6f} {12 / HEIGHT:.6f}"


def voc(with_masks: bool) -> Build:
    def build(root: Path) -> None:
        for n in range(5):
            save(root / f"JPEGImages/{n}.jpg", photo(n))
            left, top, right, bottom = BOX
            box = f"<bndbox><xmin>{left}</xmin><ymin>{top}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox>"
            item = f"<object><name>defect</name>{box}</object>" if n < 3 else ""
            size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>"
            put(root / f"Annotations/{n}.xml", f"<annotation><filename>{n}.jpg</filename>{size}{item}</annotation>")
            if with_masks and n < 3:
                save(root / f"SegmentationObject/{n}.png", mask(1))

    return build


def labelme(json_name: str, photo_name: str, image_path: str) -> Build:
    def build(root: Path) -> None:
        for n in range(5):
            save(root / photo_name.format(n=n), photo(n))
            shape = {"label": "defect", "points": np.reshape(FLAT, (4, 2)).tolist(), "shape_type": "polygon"}
            content = {"shapes": [shape] if n < 3 else [], "imagePath": image_path.format(n=n), "imageData": None}
            put(root / json_name.format(n=n), content)

    return build


VIA_SHAPE = {"name": "polygon", "all_points_x": FLAT[::2], "all_points_y": FLAT[1::2]}
VIA_RECT = {"name": "rect", "x": 10, "y": 8, "width": 20, "height": 12}


def via_rows(file_name: str, shape: dict[str, Any], attributes: dict[str, Any], numbered: bool) -> dict[str, Any]:
    region = {"shape_attributes": shape, "region_attributes": attributes}
    own: Any = {"0": region} if numbered else [region]
    return {
        f"{n}.jpg123": {
            "filename": file_name.format(n=n),
            "size": 123,
            "regions": own if n < 3 else ({} if numbered else []),
            "file_attributes": {},
        }
        for n in range(5)
    }


def via(
    json_name: str,
    photo_name: str,
    shape: dict[str, Any] = VIA_SHAPE,
    attributes: dict[str, Any] | None = None,
    project: bool = False,
    numbered: bool = False,
    file_name: str = "{n}.jpg",
) -> Build:
    def build(root: Path) -> None:
        for n in range(5):
            save(root / photo_name.format(n=n), photo(n))
        rows = via_rows(file_name, shape, {"defect": "scratch"} if attributes is None else attributes, numbered)
        around = {"_via_settings": {"ui": {}}, "_via_img_metadata": rows, "_via_attributes": {"region": {}}}
        put(root / json_name, around if project else rows)

    return build


def via_table(root: Path) -> None:
    """As VIA writes it: one row a region, and one of a photograph without any."""
    lines = ["#filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"]
    for n in range(5):
        save(root / f"{n}.jpg", photo(n))
        cells = [json.dumps(VIA_RECT if n < 3 else {}), json.dumps({"type": "scratch"} if n < 3 else {})]
        quoted = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
        lines.append(f'{n}.jpg,123,"{{}}",{int(n < 3)},0,{quoted}')
    put(root / "via_region_data.csv", "\n".join(lines) + "\n")


def via_thrice(root: Path) -> None:
    """Project and export side by side: once."""
    via("via_project.json", "images/{n}.jpg", project=True)(root)
    via("via_export.json", "images/{n}.jpg")(root)


def real_iad(root: Path) -> None:
    for n in range(3):
        for camera in range(1, 3):
            stem = f"zip/NG/QS/S000{n}/zip_000{n}_NG_QS_C{camera}_2023"
            save(root / f"{stem}.jpg", photo(10 * n + camera))
            save(root / f"{stem}.png", mask())
            save(root / f"zip/OK/S100{n}/zip_100{n}_OK_C{camera}_2023.jpg", photo(100 + 10 * n + camera))


def mpdd(root: Path) -> None:
    """As bracket_black comes: sound parts in train and test."""
    for n, kind in enumerate(["hole", "hole", "hole"]):
        save(root / f"bracket_black/test/{kind}/{n:03}.png", photo(n))
        save(root / f"bracket_black/ground_truth/{kind}/{n:03}_mask.png", mask())
    save(root / "bracket_black/test/good/000.png", photo(3))
    save(root / "bracket_black/train/good/000.png", photo(4))


def runs(root: Path) -> None:
    lines = ["ImageId,ClassId,EncodedPixels"]
    for n in range(5):
        save(root / f"train_images/{n}.jpg", photo(n))
        starts = [f"{x * HEIGHT + BOX[1] + 1} {BOX[3] - BOX[1]}" for x in range(BOX[0], BOX[2])]
        lines.append(f"{n}.jpg,defect,{' '.join(starts)}" if n < 3 else f"{n}.jpg,,")
    put(root / "train.csv", "\n".join(lines) + "\n")


def visa(root: Path) -> None:
    for n in range(5):
        save(root / f"candle/Data/Images/{'Anomaly' if n < 3 else 'Normal'}/{n}.JPG", photo(n))
        if n < 3:
            save(root / f"candle/Data/Masks/Anomaly/{n}.png", mask(n + 1))


def loco(root: Path) -> None:
    for n in range(3):
        save(root / f"test/logical/{n}.png", photo(n))
        for part in range(2):
            half = mask(188)
            half[:, 20:] = 0 if part == 0 else half[:, 20:]
            half[:, :20] = 0 if part == 1 else half[:, :20]
            save(root / f"ground_truth/logical/{n}/{part:03}.png", half)
    save(root / "train/good/3.png", photo(3))
    save(root / "validation/good/4.png", photo(4))


def mvtec_3d(root: Path) -> None:
    """Photograph, mask and a map of points of each view."""
    for n in range(5):
        folder = root / ("test/crack" if n < 3 else "train/good")
        save(folder / f"rgb/{n}.png", photo(n))
        save(folder / f"xyz/{n}.tiff", photo(n).astype(np.float32))
        if n < 3:
            save(folder / f"gt/{n}.png", mask())


def table_of_boxes(root: Path) -> None:
    rows = ["file\tlabel\tx\ty\tw\th"]
    for n in range(5):
        save(root / f"images/{n}.jpg", photo(n))
        rows.append(f"{n}.jpg\tdefect\t10\t8\t20\t12" if n < 3 else f"{n}.jpg\t\t\t\t\t")
    put(root / "labels.tsv", "\n".join(rows) + "\n")


LAYOUTS: dict[str, tuple[Build, str]] = {
    "images and masks, black for sound": (pairs("images/{n}.jpg", "masks/{n}.png", black_masks=True), "mask-png"),
    "train_images and train_masks": (
        pairs("train_images/{n}.jpg", "train_masks/{n}.png", black_masks=True),
        "mask-png",
    ),
    "images and labels under train": (
        pairs("train/images/{n}.jpg", "train/labels/{n}.png", black_masks=True),
        "mask-png",
    ),
    "_GT beside": (pairs("crack/{n}.jpg", "crack/{n}_GT.png", "ok/{n}.jpg"), "mask-png"),
    "-mask beside": (pairs("crack/{n}.png", "crack/{n}-mask.png", "ng_free/{n}.png"), "mask-png"),
    "_label.bmp in one folder a part": (
        pairs("kos{n}/Part0.jpg", "kos{n}/Part0_label.bmp", black_masks=True),
        "mask-png",
    ),
    "_seg beside": (pairs("crack/{n}.png", "crack/{n}_seg.png", "healthy/{n}.png"), "mask-png"),
    "_mask0 beside": (pairs("crack/{n}.png", "crack/{n}_mask0.png", "no_defect/{n}.png"), "mask-png"),
    "mask_ before": (pairs("crack/{n}.png", "crack/mask_{n}.png", "defect_free/{n}.png"), "mask-png"),
    "photograph's whole name": (pairs("crack/{n}.jpg", "crack/{n}.jpg.png", "正常/{n}.jpg"), "mask-png"),
    "an ending nobody knows": (pairs("{n}.png", "{n}_zz.png", black_masks=True), "mask-png"),
    "the same stem in BMP": (pairs("crack/{n}.jpg", "crack/{n}.bmp", "normal_1/{n}.jpg"), "mask-png"),
    "another word before the number": (
        pairs("images/img_{n:04d}.jpg", "masks/mask_{n:04d}.png", black_masks=True),
        "mask-png",
    ),
    "another word behind the number": (pairs("{n}_color.png", "{n}_drawn.png", black_masks=True), "mask-png"),
    "words before and behind": (pairs("{n}.jpg", "seg_{n}_final.png", black_masks=True), "mask-png"),
    "folders of any name": (pairs("parts/{n}.jpg", "drawn/{n}.png", black_masks=True), "mask-png"),
    "folders of any name, by category": (
        pairs("foto/crack/{n}.jpg", "rot/crack/{n}.png", "foto/good/{n}.jpg"),
        "mask-png",
    ),
    "other letters and another suffix": (pairs("A{n}.JPG", "a{n}.png", black_masks=True), "mask-png"),
    "leading zeros": (pairs("im{n}.jpg", "im{n:03d}_mask.png", black_masks=True), "mask-png"),
    "a folder a photograph": (pairs("{n}/images/{n}.png", "{n}/masks/a{n}.png", black_masks=True), "mask-png"),
    "images and masks in a folder of the set": (
        pairs("NEU/images/{n}.jpg", "NEU/GT/{n}.png", black_masks=True),
        "mask-png",
    ),
    "sound parts by the set's own prefix": (
        pairs("MT_Crack/Imgs/{n}.jpg", "MT_Crack/Imgs/{n}.png", "MT_Free/Imgs/{n}.jpg"),
        "mask-png",
    ),
    "ground truth under another name": (
        pairs("test/crack/{n}.png", "Ground_truth/crack/{n}_mask.png", "train/good/{n}.png"),
        "mask-png",
    ),
    "MVTec 3D-AD": (mvtec_3d, "mask-png"),
    "MVTec AD": (pairs("test/crack/{n}.png", "ground_truth/crack/{n}_mask.png", "train/good/{n}.png"), "mvtec"),
    "BTAD": (pairs("test/ko/{n}.bmp", "ground_truth/ko/{n}.bmp", "train/ok/{n}.bmp"), "mvtec"),
    "MVTec AD 2": (
        pairs("test_public/bad/{n}.png", "test_public/ground_truth/bad/{n}_mask.png", "train/good/{n}.png"),
        "mvtec",
    ),
    "MVTec LOCO": (loco, "mvtec"),
    "one of MVTec's objects in a folder above": (
        pairs("bolt/test/crack/{n}.png", "bolt/ground_truth/crack/{n}_mask.png", "bolt/train/good/{n}.png"),
        "mvtec",
    ),
    "VisA": (visa, "visa"),
    "Real-IAD": (
        pairs("b/NG/HS/S{n}/b_{n}_C1.jpg", "b/NG/HS/S{n}/b_{n}_C1.png", "b/OK/S{n}/b_{n}_C1.jpg"),
        "real-iad",
    ),
    "MPDD": (mpdd, "mvtec"),
    "KolektorSDD2": (pairs("train/{n}.png", "train/{n}_GT.png", black_masks=True), "mask-png"),
    "VIA's annotations": (via("via_region_data.json", "{n}.jpg"), "via"),
    "VIA's project": (via("via_project.json", "images/{n}.jpg", project=True), "via"),
    "VIA 1, regions numbered": (via("a/regions.json", "b/{n}.jpg", VIA_RECT, numbered=True), "via"),
    "VIA with addresses": (via("via.json", "{n}.jpg", file_name="https://cam.example/x/{n}.jpg"), "via"),
    "VIA without attributes": (via("via.json", "{n}.jpg", VIA_RECT, {}), "via"),
    "VIA with checkboxes": (via("via.json", "{n}.jpg", VIA_RECT, {"kind": {"dent": True, "rust": False}}), "via"),
    "VIA's table": (via_table, "via"),
    "VIA, project and export": (via_thrice, "via"),
    "VGG JSON as makesense writes it": (
        via("labels_my-project_2024-01-01.json", "images/{n}.jpg", attributes={"label": "scratch"}, numbered=True),
        "via",
    ),
    "COCO as makesense writes it": (coco("labels_my-project_2024-01-01.json", "images/{n}.jpg", "{n}.jpg"), "coco"),
    "COCO as VIA writes it": (coco("via_export_coco.json", "{n}.jpg", "{n}.jpg"), "coco"),
    "COCO beside": (coco("annotations.json", "{n}.jpg", "{n}.jpg"), "coco"),
    "COCO as CVAT writes it": (coco("annotations/instances_default.json", "images/default/{n}.jpg", "{n}.jpg"), "coco"),
    "COCO train2017": (coco("annotations/instances_train2017.json", "train2017/{n}.jpg", "{n}.jpg"), "coco"),
    "COCO as Label Studio writes it": (coco("result.json", "images/{n}.jpg", "images/{n}.jpg"), "coco"),
    "COCO with a server's paths": (coco("result.json", "images/{n}.jpg", "../../media/upload/1/{n}.jpg"), "coco"),
    "COCO as Roboflow writes it": (coco("train/_annotations.coco.json", "train/{n}.jpg", "{n}.jpg"), "coco"),
    "COCO as FiftyOne writes it": (coco("labels.json", "data/{n}.jpg", "{n}.jpg"), "coco"),
    "COCO as Supervisely writes it": (coco("ds/ann/instances.json", "ds/img/{n}.jpg", "{n}.jpg"), "coco"),
    "COCO as labelme2coco writes it": (coco("annotations.json", "JPEGImages/{n}.jpg", "JPEGImages/{n}.jpg"), "coco"),
    "COCO with the parent folder": (coco("coco/x.json", "photos/{n}.jpg", "photos/{n}.jpg"), "coco"),
    "COCO with other letters": (coco("x.json", "photos/{n}.JPG", "{n}.jpg"), "coco"),
    "COCO with boxes alone": (coco("x.json", "{n}.jpg", "{n}.jpg", segmentation=[], bbox=[10, 8, 20, 12]), "coco"),
    "YOLO outlines": (yolo("images/train/{n}.jpg", "labels/train/{n}.txt", SHARES), "yolo-seg"),
    "YOLO boxes": (yolo("train/images/{n}.jpg", "train/labels/{n}.txt", BOX_SHARES), "yolo-seg"),
    "YOLO, labels in a folder of any name": (
        yolo("images/{n}.jpg", "labels_set_2024/{n}.txt", BOX_SHARES, "labels_set_2024/labels.txt"),
        "yolo-seg",
    ),
    "YOLO beside": (yolo("{n}.jpg", "{n}.txt", SHARES, "classes.txt"), "yolo-seg"),
    "VOC boxes": (voc(False), "voc"),
    "VOC masks": (voc(True), "voc"),
    "labelme beside": (labelme("{n}.json", "{n}.jpg", "{n}.jpg"), "labelme"),
    "labelme in a folder of its own": (labelme("json/{n}.json", "photos/{n}.jpg", "{n}.jpg"), "labelme"),
    "labelme with another folder's path": (labelme("{n}.json", "{n}.jpg", "..\\im\\{n}.jpg"), "labelme"),
    "labelme with other letters": (labelme("{n}.json", "{n}.jpg", "{n}.JPG"), "labelme"),
    "boxes in a table": (table_of_boxes, "csv"),
    "run lengths in a table": (runs, "csv"),
}
