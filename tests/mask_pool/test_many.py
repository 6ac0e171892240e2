"""Masks by the thousand: each depends on the seed and its index alone, and is the parent under its affine."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import cv2
import numpy as np
import pytest

from anomaly_gan.core.errors import InputError
from anomaly_gan.core.masks import decode_rle, mask_box_xywh
from mask_pool.elements.real import Element, tight
from mask_pool.recombination.many import BLOCK, Turns, as_coco, recombine_many

SIZE = (160, 200)


def element(mask_01: np.ndarray, number: int) -> Element:
    box, bitmap = tight(mask_01)
    return Element("prior", "scrap", number, f"{number}.png", "g", (mask_01.shape[0], mask_01.shape[1]), box, bitmap)


@pytest.fixture(scope="module")
def elements() -> list[Element]:
    masks = [np.zeros((120, 150), np.uint8) for _ in range(3)]
    cv2.fillPoly(masks[0], [np.array([[20, 30], [60, 25], [50, 70], [35, 45]])], 1)
    cv2.ellipse(masks[1], (90, 60), (30, 18), 30, 0, 360, 1, 6)
    cv2.polylines(masks[2], [np.array([[10, 100], [60, 80], [140, 110]])], False, 1, 3)
    return [element(mask, number + 1) for number, mask in enumerate(masks)]


def read(lines: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


def test_a_mask_depends_on_seed_and_index_alone(elements: list[Element]) -> None:
    many = recombine_many(elements, 2 * BLOCK + 30, SIZE, 5)
    assert recombine_many(elements, 40, SIZE, 5) == many[:40]
    assert recombine_many(elements, 60, SIZE, 5, start=BLOCK - 20) == many[BLOCK - 20 : BLOCK + 40]
    assert recombine_many(elements, 0, SIZE, 5) == []
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        assert recombine_many(elements, len(many), SIZE, 5, executor=pool) == many
    other = recombine_many(elements, len(many), SIZE, 6)
    assert sum(a == b for a, b in zip(many, other, strict=True)) == 0


def test_each_mask_is_its_parent_under_the_affine_on_record(elements: list[Element]) -> None:
    for index, one in enumerate(read(recombine_many(elements, 150, SIZE, 5))):
        origin, mask = one["provenance"], decode_rle(one["segmentation"])
        assert (one["id"], one["image_id"], mask.shape) == (index + 1, index + 1, SIZE)
        assert (one["bbox"], one["area"]) == (mask_box_xywh(mask), mask.sum())
        parent = elements[origin["parent"] - 1].full_mask()
        again = cv2.warpAffine(parent * 255, np.array(origin["affine"]), SIZE[::-1], flags=cv2.INTER_LINEAR) > 127
        assert (again & (mask > 0)).sum() / (again | (mask > 0)).sum() > 0.96
        done = origin["transforms"]
        assert mask.sum() == pytest.approx(parent.sum() * done["scale"] ** 2, rel=0.06), "nothing was clipped"
        linear = np.array(origin["affine"])[:, :2]
        assert (np.linalg.det(linear) < 0) == done["flip"]
        assert np.degrees(np.arctan2(-linear[0, 1], linear[1, 1])) == pytest.approx(done["rotation_deg"], abs=0.2)


def test_draws_cover_what_they_should(elements: list[Element]) -> None:
    made = read(recombine_many(elements, 600, SIZE, 5, Turns(rotation=30.0, scale=(0.5, 1.2))))
    turns = [one["provenance"]["transforms"] for one in made]
    assert -30 <= min(turn["rotation_deg"] for turn in turns) < -28
    assert 28 < max(turn["rotation_deg"] for turn in turns) <= 30
    scales = np.log([turn["scale"] for turn in turns])
    assert np.exp(scales.min()) == pytest.approx(0.5, rel=0.02) and np.exp(scales.max()) == pytest.approx(1.2, rel=0.02)
    assert np.median(scales) == pytest.approx(np.log(0.5 * 1.2) / 2, abs=0.06)
    assert 230 < sum(turn["flip"] for turn in turns) < 370
    assert min(np.bincount([one["provenance"]["parent"] for one in made])[1:]) > 150
    lefts = np.array([one["bbox"][0] / (SIZE[1] - one["bbox"][2]) for one in made])
    assert lefts.min() < 0.05 and lefts.max() > 0.95 and abs(lefts.mean() - 0.5) < 0.05
    unmoved = read(recombine_many(elements, 20, SIZE, 5, Turns(rotation=0.0, scale=(1.0, 1.0), flip=False)))
    assert all(one["area"] == elements[one["provenance"]["parent"] - 1].area for one in unmoved)


def test_what_would_not_fit_is_scaled_down_and_hairs_are_not_lost() -> None:
    bar, hair = np.zeros((100, 100), np.uint8), np.zeros((100, 100), np.uint8)
    bar[45:55, 2:98] = 1
    hair[50, 20:60] = 1
    made = read(recombine_many([element(bar, 1), element(hair, 2)], 120, (60, 100), 1, Turns(scale=(0.3, 1.0))))
    for one in made:
        mask = decode_rle(one["segmentation"])
        assert one["area"] == mask.sum() > 0
        if one["provenance"]["parent"] == 1:
            assert one["area"] == pytest.approx(960 * one["provenance"]["transforms"]["scale"] ** 2, rel=0.1)


@pytest.mark.parametrize(("side", "code"), [(0, "E7"), (80, "H9")])
def test_nothing_to_draw_from_or_no_room_is_an_error(side: int, code: str) -> None:
    with pytest.raises(InputError, match=f": {code}: "):
        recombine_many([element(np.ones((side, 9), np.uint8), 1)] if side else [], 3, (60, 60), 1)


def test_one_coco_file(elements: list[Element]) -> None:
    lines = recombine_many(elements, 5, SIZE, 5, category_id=3)
    content = json.loads(as_coco(lines, SIZE, "scrap", 3))
    assert content["annotations"] == read(lines) and content["categories"] == [{"id": 3, "name": "scrap"}]
    assert [image["id"] for image in content["images"]] == [one["image_id"] for one in content["annotations"]]
    assert (content["images"][4]["height"], content["images"][4]["width"]) == SIZE
