"""Masks of a category that keeps to one of two materials lie on that one."""

from __future__ import annotations

import numpy as np
import pytest

from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord
from anomaly_gan.core.files import sha256_bytes
from anomaly_gan.core.images import write_png
from mask_pool.build.config import PoolConfig
from mask_pool.build.items import open_builder
from mask_pool.elements.real import cut_prior
from mask_pool.placement.materials import MaterialHabit, bright_material
from mask_pool.placement.real_masks import Scenes

HEIGHT, WIDTH = 80, 100
DARK, BRIGHT, BOTH = (0.0,), (1.0,), (0.0, 1.0)


def board(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A photograph of a bright and a dark material beside each other, their slanted border where ``seed`` says, and
    where it is bright."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    bright = (columns > rng.integers(35, 65) + 0.2 * rows) == (seed % 2 == 0)
    return (rng.normal(70, 8, bright.shape) + 90 * bright).clip(0, 255).astype(np.uint8), bright


def boards(folder, sides: tuple[float, ...]) -> Dataset:
    """Twelve sound ones, and twelve with a dot on the materials named."""
    images, annotations = [], []
    for number in range(24):
        pixels, bright = board(number)
        name, rng = f"{number}.png", np.random.default_rng(number)
        if number >= 12:
            wanted = sides[number % len(sides)]
            while True:
                y, x = int(rng.integers(HEIGHT - 7)), int(rng.integers(WIDTH - 9))
                if bright[y : y + 7, x : x + 9].mean() == wanted:
                    break
            mask = np.zeros((HEIGHT, WIDTH), np.uint8)
            mask[y : y + 7, x : x + 9] = 1
            pixels = np.where(mask, 115, pixels).astype(np.uint8)
            annotations.append(Annotation.from_mask(len(annotations) + 1, number + 1, 1, mask))
        digest = sha256_bytes(write_png(folder / "images" / name, pixels))
        images.append(ImageRecord(number + 1, name, WIDTH, HEIGHT, name, "train", "real", digest))
    return Dataset(images, annotations, [Category(1, "dot")], {"mode": "L"}, folder)


def builder_of(data: Dataset, **place):
    config = PoolConfig.model_validate({"place": place})
    return open_builder("dot", config, 1, data, cut_prior(data)["dot"], [], scenes=Scenes(data))


def shares_on_bright(builder) -> np.ndarray:
    items = [builder.item(index) for index in range(16)]
    return np.array([board(int(item.normal.file_name[:-4]))[1][item.mask() != 0].mean() for item in items])


@pytest.mark.parametrize(("side", "bright"), [(DARK, False), (BRIGHT, True)])
def test_none_lies_on_the_other_material(side, bright, tmp_path) -> None:
    data = boards(tmp_path, side)
    builder = builder_of(data)
    material = builder.placer.material
    assert material is not None and material.bright is bright and material.objects == material.on_it == 12
    assert material.p == pytest.approx(0.5**12, rel=2) and "12 of 12 objects" in material.sentence()
    wrong, before = (abs(shares_on_bright(one) - bright) > 0.5 for one in (builder, builder_of(data, part="none")))
    assert wrong.sum() == 0 and before.sum() >= 3


def test_where_they_lie_on_both_or_there_is_one_material_nothing_is_learned(tmp_path) -> None:
    assert builder_of(boards(tmp_path, BOTH)).placer.material is None
    grain = np.random.default_rng(0).normal(120, 30, (HEIGHT, WIDTH)).clip(0, 255).astype(np.uint8)
    shade = np.tile(np.linspace(40, 220, WIDTH), (HEIGHT, 1)).astype(np.uint8)
    assert bright_material(grain) is None and bright_material(shade) is None
    assert bright_material(np.full((HEIGHT, WIDTH), 90, np.uint8)) is None


def test_a_photograph_is_looked_at_once_however_many_masks_it_has(tmp_path, monkeypatch) -> None:
    """Of a thousand polygons on two photographs of 12 megapixels each had its photograph painted out anew."""
    data, read, gray = boards(tmp_path, BRIGHT), [], Scenes.gray
    elements = cut_prior(data)["dot"]
    monkeypatch.setattr(Scenes, "gray", lambda scenes, file: read.append(file) or gray(scenes, file))
    habit = MaterialHabit.learn(Scenes(data), elements * 5)
    assert habit is not None and habit.bright and habit.objects == habit.on_it == 12
    assert sorted(read) == sorted(f"{number}.png" for number in range(12, 24))
