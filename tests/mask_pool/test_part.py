"""The part: found where there is one, and masks that lie on it as the real ones do."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from drawn_bolts import SIDE, bolt, bolts_in

from anomaly_gan.core.dataset import Dataset
from anomaly_gan.core.masks import Axes
from anomaly_gan.part.foreground import Foreground, find_foreground
from anomaly_gan.part.frame import Frame
from anomaly_gan.part.model import PartModel
from mask_pool.build.config import PoolConfig
from mask_pool.build.items import open_builder
from mask_pool.elements.real import cut_prior
from mask_pool.placement.habits import share_on
from mask_pool.placement.on_part import open_part
from mask_pool.placement.real_masks import Scenes


def test_a_mask_that_leaves_the_end_of_a_tip_behind_cuts_a_crumb_off():
    """Over its end and across the middle of the part it does not; nor does what is left count if it is thin."""
    ground = np.zeros((200, 200), np.uint8)
    ground[80:120, 20:140] = 1
    ground[95:105, 140:160] = 1
    part, mask = Foreground(ground, 1.0), np.ones((60, 12), np.uint8)
    left = {x: part.leaves_a_crumb(mask, x, 70) for x in (90, 142, 147, 150, 170)}
    assert left == {90: False, 142: True, 147: False, 150: False, 170: False}
    assert Foreground(cv2.resize(ground, (100, 100), interpolation=cv2.INTER_NEAREST), 0.5).leaves_a_crumb(
        mask, 142, 70
    )


def texture(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.uniform(60, 190, (6, 6)).astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return (coarse + rng.normal(0, 8, coarse.shape)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("dark", [True, False])
def test_the_part_is_found_and_a_texture_is_none(dark: bool) -> None:
    pixels, mask = bolt(33, 1, dark)
    for picture in (pixels, np.repeat(pixels[:, :, None], 3, axis=2)):
        part = find_foreground(picture)
        assert part is not None
        assert (part.mask_01 & mask).sum() / (part.mask_01 | mask).sum() > 0.93
    assert find_foreground(texture(2)) is None
    assert find_foreground(np.full((SIDE, SIDE), 90, np.uint8)) is None


def test_a_shadow_beside_the_part_is_no_part_of_it() -> None:
    pixels, mask = bolt(0, 3)
    shadow = cv2.GaussianBlur(np.roll(mask, 16, axis=0).astype(np.float32), (0, 0), 9) * 75
    part = find_foreground((pixels - shadow * (mask == 0)).clip(0, 255).astype(np.uint8))
    assert part is not None and (part.mask_01 & mask).sum() / (part.mask_01 | mask).sum() > 0.9


def test_large_photographs_are_looked_at_in_bounded_memory() -> None:
    pixels, _ = bolt(20, 4)
    part = find_foreground(cv2.resize(pixels, (1600, 1600), interpolation=cv2.INTER_LINEAR))
    assert part is not None and part.mask_01.size <= 512 * 512
    assert (
        part.under(np.array([800]), np.array([800])).all() and not part.under(np.array([5, -3]), np.array([5, 2])).any()
    )


@pytest.mark.parametrize("kind", ["axis", "round", "fixed"])
def test_places_in_the_frame_and_back(kind: str) -> None:
    part = find_foreground(bolt(57, 5)[0])
    assert part is not None
    frame = Frame.of(part, kind)  # type: ignore[arg-type]
    for point in ([70.0, 75.0], [90.0, 100.0], [20.0, 30.0]):
        assert frame.point(frame.locate(np.array(point))) == pytest.approx(point, abs=1e-6)


def test_the_axis_runs_from_the_head_however_the_part_lies() -> None:
    photographs = {f"{degrees}.png": bolt(degrees, degrees)[0] for degrees in range(0, 360, 30)}
    model = PartModel.fit(list(photographs), lambda name, _: find_foreground(photographs[name]))
    assert isinstance(model, PartModel) and model.kind == "axis" and not model.symmetric
    turns = []
    for name in photographs:
        found = model.on(name)
        assert found is not None
        turns.append((math.degrees(found[1].turn) - float(name.removesuffix(".png"))) % 360)
    assert np.ptp((np.array(turns) - turns[0] + 180) % 360 - 180) < 4


@pytest.fixture(scope="module")
def bolts(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return bolts_in(tmp_path_factory.mktemp("bolts"))


def test_masks_lie_on_the_part_and_are_turned_with_it(bolts: Dataset) -> None:
    part = open_part(PoolConfig().place, bolts, Scenes(bolts))
    assert isinstance(part, PartModel) and part.found == part.looked_at == 8
    builder = open_builder("scratch", PoolConfig(), 1, bolts, cut_prior(bolts)["scratch"], [], part=part)
    assert builder.habits is not None
    shares, turned = [], []
    for index in range(30):
        item = builder.item(index)
        degrees = 47 * int(item.normal.file_name.removesuffix(".png")) % 360
        _, mask = bolt(degrees, 0)
        for one in item.placed:
            own = one.full_mask(SIDE, SIDE)
            shares.append(np.count_nonzero(own & mask) / np.count_nonzero(own))
            turned.append(abs((Axes.of(own).degrees - degrees) % 180 - 90))
            along = one.place["along"]
            assert one.place["place"] == "part" and 0.6 < along < 1.0  # near the end of the shank, never at the head
    assert min(shares) > 0.6 and np.median(turned) < 15


@pytest.mark.parametrize("settings", [{"part": "none"}, {"strategy": "random"}])
def test_no_part_where_none_is_wanted(bolts: Dataset, settings: dict[str, str]) -> None:
    config = PoolConfig.model_validate({"place": settings})
    assert open_part(config.place, bolts, Scenes(bolts)) == "no part is looked for"


def test_share_on_the_part_counts_what_is_beyond_the_photograph_as_off() -> None:
    part = find_foreground(bolt(0, 1)[0])
    assert part is not None
    assert share_on(part, np.ones((4, 4), np.uint8), 80, 78) == 1.0
    assert share_on(part, np.ones((4, 4), np.uint8), -2, 78) == 0.0
