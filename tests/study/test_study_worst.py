"""The failure pictures of a study: the largest losses against none, one per object, and nothing chosen by eye."""

import numpy as np
import pytest

from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord, load_dataset
from anomaly_gan.core.files import sha256_bytes
from anomaly_gan.core.images import write_png
from anomaly_gan.core.masks import encode_rle
from anomaly_gan.study.worst import LEAST, SHOWN, Fold, evaluate_cell, worst_of
from anomaly_gan.study.worst_sheets import write_worst
from detection.evaluation.evaluate import matched_at_50

SIDE = 64


def box(x, y, side=12):
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[y : y + side, x : x + side] = 1
    return mask


@pytest.fixture(scope="module")
def test_set(tmp_path_factory):
    """Six photographs of five objects with a defect at (10, 10) each, the last two of one object; a normal one."""
    folder = tmp_path_factory.mktemp("ingest")
    images, annotations = [], []
    for number in range(1, 8):
        pixels = np.random.default_rng(number).integers(90, 120, (SIDE, SIDE), dtype=np.uint8)
        if number < 7:
            annotations.append(Annotation.from_mask(number, number, 1 + number % 2, box(10, 10)))
            pixels[box(10, 10) > 0] = 30
        content = write_png(folder / "images" / f"{number}.png", pixels)
        images.append(
            ImageRecord(
                number,
                f"{number}.png",
                SIDE,
                SIDE,
                f"g{min(number, 5)}" if number < 7 else "g7",
                "test",
                "real",
                sha256_bytes(content),
            )
        )
    Dataset(images, annotations, [Category(1, "bar"), Category(2, "dot")], {"mode": "L"}).save(folder)
    return load_dataset(folder)


def row(image, score, mask=None, category=None):
    mask = box(10, 10) if mask is None else mask
    ys, xs = np.nonzero(mask)
    return {
        "image_id": image,
        "category_id": category or 1 + image % 2,
        "score": score,
        "segmentation": encode_rle(mask),
        "bbox": [float(xs.min()), float(ys.min()), float(np.ptp(xs) + 1), float(np.ptp(ys) + 1)],
    }


def cell(test, scores, alarms=()):
    """A cell that finds the defect of each image with a score, and has (image, score) false alarms at (40, 40)."""
    rows = [row(image, score) for image, score in scores.items()]
    return evaluate_cell(test, [*rows, *(row(image, score, box(40, 40), 1) for image, score in alarms)], True)


def test_what_is_found_and_what_is_a_false_alarm(test_set):
    rows = [
        row(1, 0.9),
        row(1, 0.4),
        row(2, 0.8, box(40, 40)),
        row(3, 0.7, category=1),
        row(4, 0.6, box(10, 10, 5)),
        row(7, 0.3),
    ]
    judged = evaluate_cell(test_set, rows, True)
    assert [judged.finds(number) for number in range(1, 7)] == [0.9, 0, 0, 0, 0, 0]
    # a second detection of one defect, a wrong place, a wrong category, too small, a normal photograph
    assert [judged.alarm(number) for number in range(1, 8)] == [0.4, 0.8, 0.7, 0.6, 0, 0, 0.3]
    matched, alone = matched_at_50(test_set, rows, False)
    assert matched == {1: 0} and alone == [1, 2, 3, 4, 5]


def fold(test, none, arm, number=0):
    return Fold(number, test, dict(enumerate(none)), dict(enumerate(arm)))


def test_the_largest_losses_over_the_seeds_come_first_and_no_object_twice(test_set):
    none = [cell(test_set, dict.fromkeys(range(1, 7), 0.9)) for _ in range(2)]
    arm = [
        cell(test_set, {1: 0.9, 2: 0.1, 3: 0.5, 4: 0.85, 5: 0.3, 6: 0.2}, [(7, 0.6)]),
        cell(test_set, {1: 0.9, 2: 0.9, 3: 0.5, 4: 0.85, 5: 0.3, 6: 0.2}, [(7, 0.9)]),
    ]
    worst = worst_of("x", "mask_rcnn", [fold(test_set, none, arm)])
    assert [(loss.kind, loss.image.id, loss.seed) for loss in worst.losses] == [
        ("miss", 6, 0),
        ("miss", 2, 0),
        ("miss", 3, 0),
        ("false alarm", 7, 1),
    ]
    assert [loss.size for loss in worst.losses] == [pytest.approx(value) for value in (0.7, 0.4, 0.4, 0.75)]
    assert (worst.defects, worst.less, worst.more) == (6, 4, 0)
    assert "finds 0 more surely than none and 4 less surely" in worst.sentence()
    assert worst.losses[0].row("x", "mask_rcnn")["object"] == "g5"


def test_what_is_better_everywhere_or_hardly_worse_has_no_picture(test_set, tmp_path):
    none = [cell(test_set, dict.fromkeys(range(1, 7), 0.5), [(7, 0.5)])]
    arm = [cell(test_set, {1: 0.5 - 0.9 * LEAST, **dict.fromkeys(range(2, 7), 0.9)})]
    worst = worst_of("x", "mask_rcnn", [fold(test_set, none, arm)])
    assert worst.losses == [] and (worst.less, worst.more) == (0, 5)
    (tmp_path / "failures_old.png").write_bytes(b"x")
    assert write_worst(tmp_path, [worst]) == {} and list(tmp_path.iterdir()) == []


def test_sheets_are_named_after_arm_and_detector_and_repeat(test_set, tmp_path):
    none = [cell(test_set, dict.fromkeys(range(1, 7), 0.9))]
    arm = [cell(test_set, {1: 0.9}, [(7, 0.6)])]
    found = [
        worst_of("pix2pix", name, [fold(test_set, none, arm, number) for number in (0, 1)])
        for name in ("mask_rcnn", "retinanet")
    ]
    assert sum(loss.kind == "miss" for loss in found[0].losses) == SHOWN
    for out in ("one", "two"):
        assert list(write_worst(tmp_path / out, found)) == ["failures_pix2pix.png", "failures_pix2pix@retinanet.png"]
    first, again = ((tmp_path / out / "failures_pix2pix.png").read_bytes() for out in ("one", "two"))
    assert first == again
