"""Masks of a category that keeps to the edge of its surface lie at that edge, on the sides that real ones face."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord
from anomaly_gan.core.files import sha256_bytes
from anomaly_gan.core.images import write_png
from anomaly_gan.part.surface import Surface
from mask_pool.build.config import PoolConfig
from mask_pool.build.items import open_builder
from mask_pool.elements.real import cut_prior
from mask_pool.placement.edges import NAMES, keeps_to_the_edge
from mask_pool.placement.real_masks import Scenes

HEIGHT, WIDTH, GAP = 90, 120, 7


def tile(seed: int, gap: int = 0) -> np.ndarray:
    """A bright grainy surface that fills the photograph, or ends at a slanted dark gap at the bottom."""
    rng = np.random.default_rng(seed)
    pixels = rng.normal(150, 10, (HEIGHT, WIDTH))
    for column in range(WIDTH if gap else 0):
        pixels[HEIGHT - gap - column // 60 :, column] = rng.normal(25, 4)
    return pixels.clip(0, 255).astype(np.uint8)


def chip(seed: int, at_edge: bool) -> np.ndarray:
    """A notch 3 px inside the bottom edge, wider than deep; or the same anywhere."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    x, y = int(rng.integers(5, WIDTH - 30)), HEIGHT - 3 - 8 if at_edge else int(rng.integers(3, HEIGHT - 14))
    mask[y : y + 8, x : x + int(rng.integers(12, 22))] = 1
    return mask


def tiles(folder, at_edge: bool, gap: int = 0) -> Dataset:
    images, annotations = [], []
    for number in range(20):
        name, sound = f"{number}.png", number % 2 == 0
        digest = sha256_bytes(write_png(folder / "images" / name, tile(number, gap if sound else 0)))
        images.append(ImageRecord(number + 1, name, WIDTH, HEIGHT, name, "train", "real", digest))
        if not sound:
            annotations.append(Annotation.from_mask(len(annotations) + 1, number + 1, 1, chip(number, at_edge)))
    return Dataset(images, annotations, [Category(1, "chip")], {"mode": "L"}, folder)


def builder_of(data: Dataset, **place):
    config = PoolConfig.model_validate({"place": place})
    return open_builder("chip", config, 1, data, cut_prior(data)["chip"], [], scenes=Scenes(data))


def bottoms(builder, number=30) -> list[int]:
    """Free pixels below each mask."""
    found = []
    for index in range(number):
        for one in builder.item(index).placed:
            rows = np.nonzero(one.full_mask(HEIGHT, WIDTH))[0]
            found.append(HEIGHT - 1 - int(rows.max()))
    return found


def test_where_real_ones_keep_to_an_edge_none_floats_in_the_middle(tmp_path) -> None:
    data = tiles(tmp_path, at_edge=True)
    builder = builder_of(data)
    assert builder.edges is not None and builder.edges.p < 0.001
    assert Counter(one.side for one in builder.edges.met.values()) == {NAMES.index("bottom"): 10}
    free = np.array(bottoms(builder))
    assert (free < 10).mean() >= 0.9  # a side where none was seen has a small chance: few objects prove nothing
    without = np.array(bottoms(builder_of(data, edge="none")))
    assert (without < 10).mean() < 0.8  # before: half of them lay anywhere


def test_the_dark_gap_beside_a_surface_is_its_edge(tmp_path) -> None:
    surface = Surface.of(tile(2, GAP))
    assert [surface.edge(side, 0.5) for side in (0, 1, 3)] == [0, 0, 0]
    assert surface.edge(2, 0.1) == pytest.approx(GAP, abs=1.5)
    assert surface.edge(2, 0.9) == pytest.approx(GAP + 1, abs=1.5)
    free = np.array(bottoms(builder_of(tiles(tmp_path, True, GAP))))
    at_bottom = free[free < 25]
    assert at_bottom.min() >= GAP - 1 and np.median(at_bottom) == pytest.approx(GAP + 3, abs=3)


def test_where_they_lie_anywhere_nothing_changes(tmp_path) -> None:
    data = tiles(tmp_path, at_edge=False)
    builder = builder_of(data)
    assert builder.edges is None
    same = builder_of(data, edge="none")
    for index in range(5):
        assert np.array_equal(builder.item(index).mask(), same.item(index).mask())


def test_masks_without_room_and_one_object_prove_nothing(tmp_path) -> None:
    elements = cut_prior(tiles(tmp_path, at_edge=True))["chip"]
    assert keeps_to_the_edge(elements[:1]) > 0.03 > 0.001 > keeps_to_the_edge(elements)
    assert keeps_to_the_edge([]) == 1.0


@pytest.mark.parametrize(
    ("settings", "quarters"), [({}, {0, 1, 2, 3}), ({"rotation": 15}, {0}), ({"rotation": 90}, {0, 1, 3})]
)
def test_what_the_user_says_of_turning_goes_before(settings, quarters, tmp_path) -> None:
    data = tiles(tmp_path, at_edge=True)
    config = PoolConfig.model_validate(settings)
    builder = open_builder("chip", config, 1, data, cut_prior(data)["chip"], [], scenes=Scenes(data))
    assert builder.quarters == quarters or (not settings and {0, 2} <= builder.quarters)
