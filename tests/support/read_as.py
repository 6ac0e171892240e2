"""Run by the interpreter of ``.venv-peers``: another program reads a data set, and says the areas as JSON.

python read_as.py PROGRAM FOLDER    →    {"0.png": [120, 240], ...}
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

Areas = dict[str, list[int]]


def pycocotools_coco(folder: Path) -> Areas:
    from pycocotools.coco import COCO

    coco = COCO(str(folder / "annotations.json"))
    found: Areas = {row["file_name"]: [] for row in coco.imgs.values()}
    for row in coco.anns.values():
        found[coco.imgs[row["image_id"]]["file_name"]].append(int(coco.annToMask(row).sum()))
    return found


def _supervision(data) -> Areas:
    return {
        Path(path).name: [int(mask.sum()) for mask in ([] if found.mask is None else np.asarray(found.mask))]
        for path, _, found in data
    }


def supervision_coco(folder: Path) -> Areas:
    import supervision

    data = supervision.DetectionDataset.from_coco(
        str(folder / "images"), str(folder / "annotations.json"), force_masks=True
    )
    return _supervision(data)


def supervision_yolo_seg(folder: Path) -> Areas:
    import supervision

    found: Areas = {}
    for side in sorted(path.name for path in (folder / "images").iterdir()):
        places = [str(folder / "images" / side), str(folder / "labels" / side), str(folder / "data.yaml")]
        found |= _supervision(supervision.DetectionDataset.from_yolo(*places, force_masks=True))
    return found


def _datumaro(folder: Path, kind: str) -> Areas:
    """Masks alone: Datumaro gives the box of every instance beside it."""
    import datumaro

    return {
        item.id: [
            int(np.asarray(one.image).sum()) for one in item.annotations if one.type == datumaro.AnnotationType.mask
        ]
        for item in datumaro.Dataset.import_from(str(folder), kind)
    }


def datumaro_coco(folder: Path) -> Areas:
    """Datumaro wants annotations/<task>_<split>.json and images/<split>."""
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory() as root:
        place = Path(root)
        shutil.copytree(folder / "images", place / "images/train")
        (place / "annotations").mkdir()
        shutil.copy(folder / "annotations.json", place / "annotations/instances_train.json")
        return _datumaro(place, "coco_instances")


def datumaro_voc(folder: Path) -> Areas:
    return _datumaro(folder, "voc_instance_segmentation")


def fiftyone_coco(folder: Path) -> Areas:
    """By its own reader of COCO, which makes its ``Detection`` objects; only a dataset of them needs a MongoDB."""
    import fiftyone.utils.coco as reader

    _, names, _, images, annotations = reader.load_coco_detection_annotations(str(folder / "annotations.json"))
    found: Areas = {}
    for key, image in images.items():
        size = image["width"], image["height"]
        made = [one.to_detection(size, names, load_segmentation=True) for one in annotations.get(key, [])]
        found[image["file_name"]] = [int(one.mask.sum()) for one in made]
    return found


def cvat_coco(folder: Path) -> Areas:
    """Our masks as the shapes that its SDK sends to a server, and taken out of them again."""
    from cvat_sdk import masks, models
    from pycocotools.coco import COCO

    coco = COCO(str(folder / "annotations.json"))
    found: Areas = {row["file_name"]: [] for row in coco.imgs.values()}
    for row in coco.anns.values():
        image = coco.imgs[row["image_id"]]
        points = masks.encode_mask(coco.annToMask(row).astype(bool))
        shape = models.LabeledShapeRequest(type="mask", frame=0, label_id=row["category_id"], points=points)
        back = masks.decode_mask(shape.points, image_width=image["width"], image_height=image["height"])
        found[image["file_name"]].append(int(back.sum()))
    return found


def labelme_labelme(folder: Path) -> Areas:
    """As labelme draws it: the mask of a brush shape in its box."""
    from labelme._label_file import LabelFile

    found: Areas = {}
    for path in sorted(folder.glob("*.json")):
        label = LabelFile(str(path))
        found[label.imagePath] = [int(np.asarray(shape["mask"]).sum()) for shape in label.shapes]
    return found


if __name__ == "__main__":
    areas = globals()[sys.argv[1].replace("-", "_")](Path(sys.argv[2]))
    sys.stdout.write("\n" + json.dumps(areas) + "\n")
