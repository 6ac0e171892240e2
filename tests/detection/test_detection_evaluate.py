"""Judging: the truth is perfect, nothing is zero and not an error, and undefined is None."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from plain_ap import weighted_ap50

from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord
from anomaly_gan.core.masks import encode_rle
from detection.data import CategoryMap
from detection.evaluation.evaluate import evaluate_detections, matches_at_50, truth_rows
from detection.evaluation.reading import detect

from .conftest import WriteDataset

HEADLINES = ("map50", "map", "map50_box", "map_box", "miou")


@pytest.fixture
def test_split(tmp_path: Path, write_dataset: WriteDataset) -> Dataset:
    return write_dataset(tmp_path / "data").split("test")


def test_the_truth_as_prediction_is_perfect(test_split: Dataset) -> None:
    figures = evaluate_detections(test_split, truth_rows(test_split), True, 0.5).to_json()
    assert [figures[name] for name in HEADLINES] == pytest.approx([1.0] * 5)
    assert {name: row["instances"] for name, row in figures["categories"].items()} == {"square": 3, "bar": 3}


def test_no_detections_at_all_is_zero(test_split: Dataset) -> None:
    figures = evaluate_detections(test_split, [], True, 0.5).to_json()
    assert [figures[name] for name in HEADLINES] == [0.0] * 5
    json.dumps(figures, allow_nan=False)


def test_no_objects_at_all_is_undefined(test_split: Dataset) -> None:
    normals = {image.id for image in test_split.normals()}
    figures = evaluate_detections(test_split.select(lambda image: image.id in normals), [], True, 0.5).to_json()
    assert [figures[name] for name in HEADLINES] == [None] * 5
    json.dumps(figures, allow_nan=False)


def test_a_category_missing_from_the_test_split_is_left_out_of_the_means(test_split: Dataset) -> None:
    squares = {a.image_id for a in test_split.annotations if a.category_id == 3}
    part = test_split.select(lambda image: image.id in squares)
    figures = evaluate_detections(part, truth_rows(part), True, 0.5).to_json()
    assert figures["categories"]["bar"]["ap50"] is None
    assert figures["map50"] == pytest.approx(1.0)


def scene(instances: list[np.ndarray]) -> Dataset:
    image = ImageRecord(1, "a.png", 20, 10, "g", "test", "real", "0")
    return Dataset(
        [image],
        [Annotation.from_mask(n, 1, 5, mask) for n, mask in enumerate(instances, 1)],
        [Category(5, "hole")],
        {"mode": "L"},
    )


def block(x1: int, x2: int) -> np.ndarray:
    mask = np.zeros((10, 20), np.uint8)
    mask[:, x1:x2] = 1
    return mask


def row(mask: np.ndarray, score: float) -> dict:
    x = np.flatnonzero(mask.any(axis=0))
    return {
        "image_id": 1,
        "category_id": 5,
        "score": score,
        "segmentation": encode_rle(mask),
        "bbox": [float(x[0]), 0.0, float(len(x)), 10.0],
    }


def test_pixel_iou_by_hand() -> None:
    """Truth: columns 0-9. Found at 0.5 and more: 5-7 and 6-14, together 5-14: 5 shared of 15. The 0.4 is ignored."""
    rows = [row(block(5, 8), 0.9), row(block(6, 15), 0.5), row(block(0, 20), 0.4)]
    assert evaluate_detections(scene([block(0, 10)]), rows, True, 0.5).to_json()["miou"] == pytest.approx(5 / 15)


def test_iou_between_a_half_and_more_counts_at_50_only() -> None:
    """IoU 7/10: a hit at the thresholds .5, .55, .6, .65 and .7 of the ten."""
    figures = evaluate_detections(scene([block(0, 10)]), [row(block(0, 7), 0.9)], True, 0.5).to_json()
    assert figures["map50"] == pytest.approx(1.0)
    assert figures["map"] == pytest.approx(0.5)


def test_boxes_alone_can_be_judged() -> None:
    rows = [{**row(block(0, 10), 0.9)}]
    del rows[0]["segmentation"]
    figures = evaluate_detections(scene([block(0, 10)]), rows, False, 0.5).to_json()
    assert figures["judged_on"] == "boxes"
    assert (figures["map50"], figures["miou"]) == (pytest.approx(1.0), None)


def test_our_matches_give_pycocotools_average_precision(test_split: Dataset) -> None:
    rng = np.random.default_rng(4)
    rows = []
    for truth in truth_rows(test_split) * 3:
        mask = np.zeros(truth["segmentation"]["size"], np.uint8)
        x, y, width, height = truth["bbox"]
        shift = int(rng.integers(0, 5))
        mask[y : y + height, x + shift : x + shift + width] = 1
        rows.append(
            {
                **truth,
                "segmentation": encode_rle(mask),
                "score": float(rng.random()),
                "category_id": int(rng.choice([3, 3, 7])),
            }
        )
    objects, categories = matches_at_50(test_split, rows, True)
    ours = [weighted_ap50(matches, np.ones(len(objects))) for matches in categories]
    theirs = evaluate_detections(test_split, rows, True, 0.5).to_json()["categories"]
    assert ours == pytest.approx([theirs["square"]["ap50"], theirs["bar"]["ap50"]])
    assert 0 < ours[0] < 1


class FixedNet(torch.nn.Module):
    """Finds the left half of whatever it sees."""

    def forward(self, images: list[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
        _, height, width = images[0].shape
        mask = torch.zeros(1, 1, height, width)
        mask[..., : width // 2] = 1
        return [
            {
                "boxes": torch.tensor([[0.0, 0.0, width / 2, height]]),
                "labels": torch.tensor([2]),
                "scores": torch.tensor([0.75]),
                "masks": mask,
            }
        ]


def test_detections_come_back_at_the_size_and_in_the_categories_of_the_data_set(test_split: Dataset) -> None:
    rows = detect(FixedNet(), test_split, CategoryMap.of(test_split.categories), 128, torch.device("cpu"))
    assert len(rows) == len(test_split.images)
    for image, found in zip(test_split.images, rows, strict=True):
        assert found["category_id"] == 7
        assert found["bbox"] == pytest.approx([0, 0, image.width / 2, image.height])
        assert found["segmentation"]["size"] == [image.height, image.width]


def test_ten_thousand_detections_in_one_photograph_are_judged(test_split: Dataset) -> None:
    """The true ones among ten thousand wrong ones, all of lower score: the truth is still found, and in seconds."""
    truth = truth_rows(test_split)
    image = test_split.images[0]
    dot = np.zeros((image.height, image.width), np.uint8)
    dot[0, 0] = 1
    wrong = {**truth[0], "image_id": image.id, "bbox": [0, 0, 1, 1], "segmentation": encode_rle(dot)}
    rows = [{**wrong, "score": 0.5 - at * 1e-5} for at in range(10_000)] + truth
    begun = time.process_time()
    figures = evaluate_detections(test_split, rows, True, 0.6).to_json()
    assert [figures[name] for name in HEADLINES] == pytest.approx([1.0] * 5)
    assert figures["detections"] == 10_000 + len(truth) and time.process_time() - begun < 10
    json.dumps(figures, allow_nan=False)
