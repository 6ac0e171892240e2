"""Run by the interpreter of ``.venv-peers``: another program reads a data set, and says the areas as JSON.

python read_as.py PROGRAM FOLDER    →    {"0.png": [120, 240], ...}

Those that give no areas write what they read into ``theirs`` beside it.
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


def fiftyone_samples(folder: Path) -> list:
    """What ``fo.Dataset.from_dir`` would hold of our COCO, by FiftyOne's reader; only to store it needs a MongoDB."""
    import fiftyone as fo
    import fiftyone.utils.coco as coco

    _, names, _, images, annotations = coco.load_coco_detection_annotations(str(folder / "annotations.json"))
    samples = []
    for key, image in images.items():
        size = image["width"], image["height"]
        made = [one.to_detection(size, names, load_segmentation=True) for one in annotations.get(key, [])]
        path = str(folder / "images" / image["file_name"])
        samples.append(fo.Sample(filepath=path, segmentations=fo.Detections(detections=made) if made else None))
    return samples


def datumaro_cvat(folder: Path) -> Areas:
    """Our COCO as CVAT's own XML, by Datumaro."""
    import shutil
    import tempfile

    import datumaro

    with tempfile.TemporaryDirectory() as root:
        place = Path(root)
        shutil.copytree(folder / "images", place / "images/default")
        (place / "annotations").mkdir()
        shutil.copy(folder / "annotations.json", place / "annotations/instances_default.json")
        data = datumaro.Dataset.import_from(str(place), "coco_instances")
        data.export(str(folder.parent / "theirs"), "cvat")
    (folder.parent / "theirs/default.xml").rename(folder.parent / "theirs/annotations.xml")
    return {}


def label_studio_polygons(folder: Path) -> Areas:
    """By the converter of its server: polygons in its own JSON become COCO."""
    import shutil

    from label_studio_sdk.converter import Converter

    config = (
        '<View><Image name="image" value="$image"/><PolygonLabels name="tag" toName="image">'
        '<Label value="crack"/></PolygonLabels></View>'
    )
    size = {"original_width": 60, "original_height": 40, "image_rotation": 0}
    value = {"points": [[50, 25], [75, 25], [75, 50], [50, 50]], "polygonlabels": ["crack"]}
    drawn = {"id": "a", "type": "polygonlabels", "from_name": "tag", "to_name": "image", **size, "value": value}
    (folder / "upload").mkdir()
    photographs = sorted((folder / "images").rglob("*.png"))
    shutil.copytree(photographs[0].parent, folder / "upload/1")
    tasks = [
        {
            "id": n,
            "data": {"image": f"/data/upload/1/{path.name}"},
            "annotations": [{"id": n, "result": [drawn][: n % 2]}],
        }
        for n, path in enumerate(photographs)
    ]
    (folder / "export.json").write_text(json.dumps(tasks))
    theirs = folder.parent / "theirs"
    Converter(config, str(folder), upload_dir=str(folder / "upload")).convert_to_coco(
        str(folder / "export.json"), str(theirs), is_dir=False
    )
    return {}


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
