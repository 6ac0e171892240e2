"""What other libraries keep when they write the formats that we write: pixels of hard instances, before and after,
which of them is a crowd (a region to be ignored), and a word on its provenance.

Run by the interpreter of ``.venv-peers`` (``make peers`` makes it):

    .venv-peers/bin/python benchmarks/library_writers.py

A ring with a hole and a dot apart as one instance, a block that touches the ring, a single pixel, and a crowd; written
and read again by the library itself. The last line is JSON: pixels that differ, by library, format and instance; then
how many of the four are no longer told to be a crowd or none, and how many have lost their provenance.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

SIDE = (40, 60)
FROM = "painted from 17.png"


class Back(NamedTuple):
    """An instance as it came back; what its format or library does not tell is None."""

    mask: np.ndarray
    crowd: bool | None = None
    provenance: str | None = None


def instances() -> dict[str, np.ndarray]:
    """bool (40, 60) of every hard case."""
    ring, block, pixel, crowd = (np.zeros(SIDE, bool) for _ in range(4))
    ring[5:20, 5:25] = True
    ring[9:15, 10:18] = False
    ring[30, 50] = True
    block[5:20, 25:35] = True
    pixel[35, 5] = True
    crowd[25:35, 20:30] = True
    return {"ring and dot": ring, "touching block": block, "one pixel": pixel, "crowd": crowd}


def differing(found: list[Back]) -> dict[str, int]:
    """Pixels by which the most alike of what was read differs from each instance; all of them where nothing is left.

    Under ``crowd told`` and ``provenance``: of how many instances this is lost.
    """
    lost = {}
    best: dict[str, Back] = {}
    for name, mask in instances().items():
        nothing = Back(np.zeros(SIDE, bool))
        best[name] = min([*found, nothing], key=lambda one: int((mask != one.mask).sum()))
        lost[name] = int((mask != best[name].mask).sum())
    lost["crowd told"] = sum(one.crowd != (name == "crowd") for name, one in best.items())
    lost["provenance"] = sum(one.provenance != FROM for one in best.values())
    return lost


def by_supervision(folder: Path, kind: str) -> list[Back]:
    import supervision as sv

    (folder / "photos").mkdir(parents=True)
    photo = str(folder / "photos/0.png")
    Image.fromarray(np.zeros((*SIDE, 3), np.uint8)).save(photo)
    masks = np.stack(list(instances().values()))
    boxes = sv.mask_to_xyxy(masks).astype(np.float32)
    told = {"iscrowd": np.array([int(name == "crowd") for name in instances()]), "provenance": np.array([FROM] * 4)}
    found = sv.Detections(xyxy=boxes, mask=masks, class_id=np.zeros(len(masks), int), data=told)
    data = sv.DetectionDataset(["crack"], [photo], {photo: found})
    images, labels = str(folder / "images"), str(folder / "labels")
    if kind == "coco":
        data.as_coco(images, f"{labels}.json")
        back = sv.DetectionDataset.from_coco(images, f"{labels}.json", force_masks=True)
    elif kind == "yolo-seg":
        data.as_yolo(images, labels, f"{folder}/data.yaml")
        back = sv.DetectionDataset.from_yolo(images, labels, f"{folder}/data.yaml", force_masks=True)
    else:
        data.as_pascal_voc(images, labels)
        back = sv.DetectionDataset.from_pascal_voc(images, labels, force_masks=True)
    return [
        Back(
            np.asarray(mask, bool),
            bool(one.data["iscrowd"][at]) if "iscrowd" in one.data else None,
            str(one.data["provenance"][at]) if "provenance" in one.data else None,
        )
        for _, _, one in back
        if one.mask is not None
        for at, mask in enumerate(one.mask)
    ]


def by_datumaro(folder: Path, kind: str) -> list[Back]:
    import datumaro as dm

    items = [
        dm.Mask(
            mask.astype(np.uint8),
            label=0,
            id=at,
            group=at,
            attributes={"is_crowd": name == "crowd", "provenance": FROM},
        )
        for at, (name, mask) in enumerate(instances().items(), start=1)
    ]
    media = dm.Image.from_numpy(np.zeros((*SIDE, 3), np.uint8))
    sides = [dm.DatasetItem(side, subset=side, media=media, annotations=items) for side in ("train", "val")]
    data = dm.Dataset.from_iterable(sides, categories=["crack"])
    name = {"coco": "coco_instances", "voc": "voc_segmentation", "yolo-seg": "yolo_ultralytics"}[kind]
    data.export(str(folder), name, save_media=True)
    if kind == "coco":  # with whatever it wrote: outlines or run lengths
        from pycocotools.coco import COCO

        coco = COCO(str(next(folder.rglob("*.json"))))
        return [
            Back(coco.annToMask(row) > 0, bool(row["iscrowd"]), row.get("attributes", {}).get("provenance"))
            for row in coco.anns.values()
            if row["segmentation"]
        ]
    back = dm.Dataset.import_from(str(folder), name)
    return [
        Back(np.asarray(one.image, bool), one.attributes.get("is_crowd"), one.attributes.get("provenance"))
        for item in back
        for one in item.annotations
        if one.type == dm.AnnotationType.mask
    ]


def main() -> None:
    found: dict[str, dict[str, int] | str] = {}
    for library, write in (("supervision", by_supervision), ("datumaro", by_datumaro)):
        for kind in ("coco", "yolo-seg", "voc"):
            with tempfile.TemporaryDirectory() as folder:
                try:
                    found[f"{library} {kind}"] = differing(write(Path(folder) / "out", kind))
                except Exception as error:
                    found[f"{library} {kind}"] = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
            sys.stdout.write(f"{library} {kind}: {found[f'{library} {kind}']}\n")
            sys.stdout.flush()
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
