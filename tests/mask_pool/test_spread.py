"""What real masks show of direction and size, and that a pool keeps to it unless told otherwise."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord
from anomaly_gan.core.files import sha256_bytes
from anomaly_gan.core.images import write_png
from anomaly_gan.core.masks import Axes
from mask_pool.build.config import PoolConfig
from mask_pool.build.items import open_builder
from mask_pool.elements.real import Element, cut_prior, tight
from mask_pool.recombination.shaping import Shaper
from mask_pool.recombination.spread import Spread, rayleigh

SIDE = 128


def line(degrees: float, group: int, length: float = 30.0, number: int = 0) -> Element:
    """A straight crack in this direction."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    away = np.array([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))]) * length
    first, last = (
        tuple(np.rint(np.array([SIDE / 2, SIDE / 2]) + sign * away).astype(int).tolist()) for sign in (-1, 1)
    )
    cv2.line(mask, first, last, 1, 4)
    box, bitmap = tight(mask)
    return Element("prior", "crack", number or group, f"{group}.png", str(group), (SIDE, SIDE), box, bitmap)


def spread_of(angles: list[float]) -> Spread:
    return Spread.of([line(angle, number + 1) for number, angle in enumerate(angles)])


def test_masks_keep_to_the_direction_of_the_real_ones() -> None:
    angles = np.random.default_rng(1).normal(4.0, 8.0, 24).tolist()
    elements = [line(angle, number + 1) for number, angle in enumerate(angles)]
    found = Spread.of(elements)
    assert found.kind == "preferred" and abs(found.axis_deg or 99) < 8 and found.rotation < 25
    rules, rng = PoolConfig().rules_of("crack", found), np.random.default_rng(2)
    shaper = Shaper.of(rules, elements)
    made = [shaper.shape(elements[index % 24], rng) for index in range(200)]
    turned = np.array([Axes.of(one.bitmap).degrees for one in made if one is not None])
    steepest = np.abs(angles).max()
    assert np.mean(np.abs(turned) > steepest + 10) < 0.02  # half of them without the spread
    assert np.std(turned) > np.std(angles)


@pytest.mark.parametrize(
    ("angles", "kind", "free"),
    [
        (list(range(-90, 90, 9)), "free", True),
        ([10, -80, 12, -79, 8, -82, 9, -81, 11, -78], "crossed", False),
        ([10, 14, 6, 8, 12, 11, 10, 9], "preferred", False),
        ([20], "few", False),
        ([20, 24], "few", False),
    ],
)
def test_turning_is_free_only_where_real_ones_show_no_direction(angles: list[float], kind: str, free: bool) -> None:
    found = spread_of(angles)
    assert found.kind == kind and (found.rotation == 180.0) == free
    assert found.sentence()


def test_few_objects_are_believed_less() -> None:
    one, three, many = (spread_of([10.0 + number % 3 for number in range(count)]) for count in (1, 3, 30))
    assert one.rotation > three.rotation > many.rotation > 0
    assert one.scale[1] > three.scale[1] > many.scale[1] > 1


def test_an_object_photographed_often_is_one_witness() -> None:
    same = [line(20.0, 1, number=number + 1) for number in range(12)]
    assert Spread.of(same).kind == "few" and Spread.of(same).objects == 1


def test_mirror_images_only_where_they_keep_the_direction() -> None:
    assert spread_of([0, 3, -3, 2, -2, 1, 0, 4]).flip
    assert not spread_of([40, 43, 37, 42, 38, 41, 40, 44]).flip


def test_what_the_configuration_says_goes_before_what_is_seen() -> None:
    found = spread_of([0, 3, -3, 2, -2, 1, 0, 4])
    rules = PoolConfig(rotation=90, scale=(0.5, 0.6), elements=(2, 2), flip=False).rules_of("crack", found)
    assert (rules.rotation, rules.scale, rules.elements, rules.flip) == ((-90, 90), (0.5, 0.6), (2, 2), False)


def test_rayleigh_is_right_on_uniform_directions() -> None:
    rng = np.random.default_rng(3)
    chances = [rayleigh(float(abs(np.exp(1j * rng.uniform(0, 2 * np.pi, 12)).mean())), 12) for _ in range(2000)]
    assert np.mean(np.array(chances) < 0.05) == pytest.approx(0.05, abs=0.015)


def brushed(folder, across: bool) -> Dataset:
    """Sound tiles, and ten with a label along the tile or across it, in the middle or upright at its side. The lines in
    the labels run along the tile, or as the labels do."""
    images, annotations, rng = [], [], np.random.default_rng(5)
    for number in range(12):
        pixels = np.repeat(rng.normal(120, 25, (1, 96)), 96, axis=0)
        mask = np.zeros((96, 96), np.uint8)
        lying = number % 2 == 0
        mask[(slice(40, 60), slice(20, 76)) if lying else (slice(20, 76), slice(40, 60))] = 1
        if lying and not across:
            pixels[mask > 0] = np.repeat(rng.normal(120, 25, (96, 1)), 96, axis=1)[mask > 0]
        name = f"{number}.png"
        digest = sha256_bytes(write_png(folder / "images" / name, pixels.clip(0, 255).astype(np.uint8)))
        images.append(ImageRecord(number + 1, name, 96, 96, name, "train", "real", digest))
        if number >= 2:
            annotations.append(Annotation.from_mask(number, number + 1, 1, mask))
    return Dataset(images, annotations, [Category(1, "uneven")], {"mode": "L"}, folder)


@pytest.mark.parametrize("across", [True, False])
def test_lines_in_the_masks_are_not_turned_across_the_surface_s(tmp_path, across: bool) -> None:
    """Masks lie along and across, and may be turned by quarters, but not where that turns brush lines across."""
    data = brushed(tmp_path, across)
    builder = open_builder("uneven", PoolConfig(), 1, data, cut_prior(data)["uneven"], [])
    assert builder.spread.kind == "crossed" and (builder.spread.content is not None) == across
    assert builder.quarters == ({0, 2} if across else {0, 1, 2, 3}) and builder.rules.rotation[1] < 30
    assert ("never across" in builder.spread.sentence()) == across
    if across:
        assert builder.spread.record()["content"]["axis_deg"] == pytest.approx(90, abs=3)
