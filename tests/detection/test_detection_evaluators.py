"""Average precision by pycocotools, as we judge, against faster-coco-eval: another program, the same figures."""

import contextlib
import io

import faster_coco_eval
import numpy as np
import pytest

from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord
from anomaly_gan.core.masks import encode_rle
from detection.evaluation.evaluate import evaluate_detections

SIZE = 40
CATEGORIES = [Category(2, "break"), Category(5, "crack"), Category(9, "fray")]


def blob(rng: np.random.Generator) -> np.ndarray:
    """A rectangle with a bite, anywhere."""
    mask = np.zeros((SIZE, SIZE), np.uint8)
    y, x = rng.integers(0, SIZE - 8, 2)
    height, width = rng.integers(4, 20, 2)
    mask[y : y + height, x : x + width] = 1
    mask[y + 2 : y + height // 2, x + 2 : x + width // 2] = 0
    return mask


def shifted(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    moved = np.roll(mask, rng.integers(-3, 4, 2), axis=(0, 1))
    return moved if rng.random() < 0.7 else np.maximum(moved, np.roll(mask, 2, 0))


def scene(seed: int, crowds: bool) -> tuple[Dataset, list[dict]]:
    """Photographs, some of them empty, and detections of which most lie near a true instance; scores repeat."""
    rng = np.random.default_rng(seed)
    images = [ImageRecord(n, f"{n}.png", SIZE, SIZE, f"g{n}", "test", "real", str(n)) for n in range(1, 13)]
    annotations, rows = [], []
    for image in images[:9]:
        for _ in range(int(rng.integers(0, 5))):
            mask, key = blob(rng), int(rng.choice([2, 5]))
            item = Annotation.from_mask(len(annotations) + 1, image.id, key, mask)
            crowd = int(crowds and rng.random() < 0.25)
            annotations.append(Annotation(**{**vars(item), "iscrowd": crowd}))
            for _ in range(int(rng.integers(0, 3))):
                rows.append(found(image.id, key if rng.random() < 0.8 else 9, shifted(mask, rng), rng))
    for image in images[5:]:
        rows += [found(image.id, int(rng.choice([2, 5, 9])), blob(rng), rng) for _ in range(int(rng.integers(0, 3)))]
    return Dataset(images, annotations, CATEGORIES, {"mode": "L"}), rows


def found(image: int, category: int, mask: np.ndarray, rng: np.random.Generator) -> dict:
    y, x = np.nonzero(mask)
    box = [x.min() + rng.uniform(-1, 1), y.min() + 0.0, np.ptp(x) + 1.0, np.ptp(y) + rng.uniform(0.5, 2)]
    return {
        "image_id": image,
        "category_id": category,
        "score": float(rng.choice([0.1, 0.5, 0.5, 0.9])),
        "bbox": [float(value) for value in box],
        "segmentation": encode_rle(mask),
    }


def theirs(dataset: Dataset, rows: list[dict], kind: str) -> dict[int, tuple[float, float]]:
    """(AP at 0.5, COCO AP) of each category id by faster-coco-eval with all its defaults; -1 where undefined."""
    content = {
        "info": {},
        "images": [{"id": image.id, "width": SIZE, "height": SIZE} for image in dataset.images],
        "categories": [vars(category) for category in dataset.categories],
        "annotations": [{**vars(item)} for item in dataset.annotations],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth = faster_coco_eval.COCO(content)
        detections = truth.loadRes(
            [
                {name: value for name, value in row.items() if name != ("bbox" if kind == "segm" else "segmentation")}
                for row in rows
            ]
        )
        coco_eval = faster_coco_eval.COCOeval_faster(truth, detections, iouType=kind)
        coco_eval.evaluate()
        coco_eval.accumulate()
    precision = np.asarray(coco_eval.eval["precision"])[:, :, :, 0, -1]
    result = {}
    for place, key in enumerate(coco_eval.params.catIds):
        of_category = precision[:, :, place]
        known = of_category[of_category > -1]
        result[key] = (float(of_category[0].mean()), float(known.mean())) if known.size else (-1.0, -1.0)
    return result


@pytest.mark.parametrize("crowds", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_two_programs_agree(seed: int, crowds: bool) -> None:
    dataset, rows = scene(seed, crowds)
    ours = evaluate_detections(dataset, rows, True, 0.5).to_json()
    for kind, ending in (("segm", ""), ("bbox", "_box")):
        other = theirs(dataset, rows, kind)
        for category in CATEGORIES:
            mine = ours["categories"][category.name]
            pair = tuple(-1.0 if mine[name + ending] is None else mine[name + ending] for name in ("ap50", "ap"))
            assert pair == pytest.approx(other[category.id], abs=1e-9), (kind, category.name)
        known = [ap50 for ap50, _ in other.values() if ap50 > -1]
        assert ours["map50" + ending] == pytest.approx(np.mean(known), abs=1e-9)
    assert ours["categories"]["fray"]["ap50"] is None
    assert 0 < ours["map50"] < 1
