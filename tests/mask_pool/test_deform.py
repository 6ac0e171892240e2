"""Elastic displacement, growth, thinning, gaps: what they promise about area, parts and holes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from mask_pool.recombination.deform import Deformed, apply, break_apart, elastic, grow

EIGHT = np.ones((3, 3))


def parts_and_holes(mask_01: np.ndarray) -> tuple[int, int]:
    """By scipy, which shares nothing with the code under test."""
    return ndimage.label(mask_01, EIGHT)[1], ndimage.label(1 - np.pad(mask_01, 1))[1] - 1


def drawn() -> dict[str, np.ndarray]:
    shapes = {name: np.zeros((60, 80), np.uint8) for name in ("ring_and_dot", "blob", "crack", "hair")}
    cv2.ellipse(shapes["ring_and_dot"], (40, 30), (30, 20), 20, 0, 360, 1, 6)
    cv2.circle(shapes["ring_and_dot"], (7, 52), 4, 1, -1)
    cv2.fillPoly(shapes["blob"], [np.array([[10, 10], [70, 5], [60, 50], [30, 35], [12, 55]])], 1)
    for name, width in (("crack", 4), ("hair", 1)):
        cv2.polylines(shapes[name], [np.array([[4, 4], [30, 30], [50, 20], [75, 55]])], False, 1, width)
    return {name: shape[np.ix_(shape.any(1), shape.any(0))] for name, shape in shapes.items()}


SHAPES = drawn()
random_masks = arrays.arrays(
    np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 1)
).filter(lambda mask: bool(mask.any()))


def in_frame(mask: np.ndarray, corner: tuple[int, int], pad: int = 40) -> np.ndarray:
    frame = np.zeros((160, 180), np.uint8)
    x, y = corner[0] + pad, corner[1] + pad
    frame[y : y + mask.shape[0], x : x + mask.shape[1]] = mask
    return frame


def is_tight(done: Deformed) -> bool:
    bitmap = done.bitmap
    return bool(
        bitmap.dtype == np.uint8
        and bitmap.max() == 1
        and bitmap[0].any()
        and bitmap[-1].any()
        and bitmap[:, 0].any()
        and bitmap[:, -1].any()
    )


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("share", [-0.8, -0.3, -0.05, 0.1, 0.5, 1.5])
def test_growth_and_thinning_meet_the_share_to_the_pixel(name: str, share: float) -> None:
    before = SHAPES[name]
    done = grow(before, share)
    assert is_tight(done) and int(done.bitmap.sum()) == round(before.sum() * (1 + share))
    assert parts_and_holes(done.bitmap) == parts_and_holes(before)
    assert done.record["measured"]["share"] == pytest.approx(share, abs=0.5 / before.sum() + 1e-6)
    old, new = in_frame(before, (0, 0)), in_frame(done.bitmap, done.corner)
    assert not (old & (1 - new) if share > 0 else new & (1 - old)).any(), "it grows around itself, and thins within"


def test_growth_goes_evenly_along_the_outline() -> None:
    disc = np.zeros((81, 81), np.uint8)
    cv2.circle(disc, (40, 40), 30, 1, -1)
    for share in (-0.5, 0.7):
        done = grow(disc[10:71, 10:71], share)
        rows, columns = np.nonzero(done.bitmap)
        centre = (done.bitmap.shape[0] - 1) / 2
        assert np.hypot(rows - centre, columns - centre).max() == pytest.approx(
            np.sqrt(done.bitmap.sum() / np.pi), abs=1.0
        )


@settings(max_examples=150, deadline=None)
@given(random_masks, st.floats(-0.95, 1.5), st.integers(0, 99))
def test_whatever_the_mask_parts_and_holes_survive(mask: np.ndarray, share: float, seed: int) -> None:
    before = parts_and_holes(mask)
    grown = grow(mask, share)
    assert parts_and_holes(grown.bitmap) == before
    assert abs(grown.record["measured"]["share"]) <= abs(share) + 0.5 / mask.sum() + 1e-6
    displaced = elastic(mask, 0.1, seed)
    assert is_tight(displaced) and parts_and_holes(displaced.bitmap) == before
    broken = break_apart(mask, 3, 2.0, seed)
    assert parts_and_holes(broken.bitmap)[0] == broken.record["measured"]["parts"] >= before[0]
    assert not (in_frame(broken.bitmap, broken.corner) & (1 - in_frame(mask, (0, 0)))).any()


def test_thinning_may_split_where_it_is_asked_to() -> None:
    dumbbell = np.zeros((11, 40), np.uint8)
    dumbbell[:, :12] = dumbbell[:, 28:] = 1
    dumbbell[5, 12:28] = 1
    assert parts_and_holes(grow(dumbbell, -0.4).bitmap)[0] == 1
    split = grow(dumbbell, -0.4, keep_topology=False)
    assert parts_and_holes(split.bitmap)[0] == 2 and split.bitmap.sum() == round(0.6 * dumbbell.sum())
    assert grow(np.ones((1, 1), np.uint8), -0.9, keep_topology=False).bitmap.sum() == 1


@pytest.mark.parametrize("name", SHAPES)
def test_elastic_is_relative_to_the_size_and_measured(name: str) -> None:
    before = SHAPES[name]
    overlaps = []
    for strength in (0.0, 0.02, 0.06, 0.15):
        runs = [elastic(before, strength, seed) for seed in range(12)]
        assert all(parts_and_holes(done.bitmap) == parts_and_holes(before) for done in runs)
        for done in runs:
            again, old = in_frame(done.bitmap, done.corner), in_frame(before, (0, 0))
            assert done.record["measured"]["iou"] == pytest.approx((again & old).sum() / (again | old).sum(), abs=1e-6)
            assert done.record["measured"]["moved_px"] <= strength * np.sqrt(before.sum()) + 1e-4
        overlaps.append(np.mean([done.record["measured"]["iou"] for done in runs]))
    assert overlaps[0] == 1.0 and max(overlaps[1:]) < 1 and overlaps[-1] < 0.97
    # a line of one pixel tears soon, and is then moved by half as much
    assert name == "hair" or overlaps == sorted(overlaps, reverse=True)
    other = np.kron(before, np.ones((3, 3), np.uint8))
    larger = np.mean([elastic(other, 0.06, seed).record["measured"]["iou"] for seed in range(12)])
    assert name == "hair" or larger == pytest.approx(overlaps[2], abs=0.08), "the same at three times the size"


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("parts", [2, 3, 5])
def test_gaps_give_the_parts_asked_for(name: str, parts: int) -> None:
    before = SHAPES[name]
    for seed in range(10):
        done = break_apart(before, parts, 2.5, seed)
        number = parts_and_holes(done.bitmap)[0]
        assert number == done.record["measured"]["parts"] == max(parts, parts_and_holes(before)[0])
        assert done.bitmap.sum() / before.sum() == pytest.approx(1 - done.record["measured"]["area_lost"], abs=1e-6)
        assert done.bitmap.sum() > 0.75 * before.sum()


def test_a_record_is_enough_to_do_it_again_and_seeds_differ() -> None:
    shape = SHAPES["ring_and_dot"]
    for done in (
        elastic(shape, 0.05, 7),
        grow(shape, -0.2),
        grow(shape, 0.3, keep_topology=False),
        break_apart(shape, 4, 2.0, 7),
    ):
        again = apply(shape, done.record)
        assert np.array_equal(again.bitmap, done.bitmap)
        assert (again.corner, again.record) == (done.corner, done.record)
    assert not np.array_equal(elastic(shape, 0.05, 7).bitmap, elastic(shape, 0.05, 8).bitmap)
    with pytest.raises(ValueError, match="unknown deformation"):
        apply(shape, {"kind": "melt"})
    with pytest.raises(ValueError, match="above -1"):
        grow(shape, -1.0)
