"""Run-lengths from a box alone are those of the whole frame, byte for byte."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from anomaly_gan.core.dataset import Annotation
from anomaly_gan.core.masks import encode_rle, encode_rle_box


@st.composite
def boxes(draw: st.DrawFn) -> tuple[np.ndarray, int, int, tuple[int, int]]:
    """A bitmap (often with full columns) in a frame, often touching its borders."""
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    bitmap = draw(arrays.arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 1])))
    for column in draw(st.sets(st.integers(0, shape[1] - 1))):
        bitmap[:, column] = 1
    x, y, right, below = (draw(st.sampled_from([0, 0, 1, 7])) for _ in range(4))
    return bitmap, x, y, (y + shape[0] + below, x + shape[1] + right)


def framed(bitmap: np.ndarray, x: int, y: int, size: tuple[int, int]) -> np.ndarray:
    frame = np.zeros(size, np.uint8)
    frame[y : y + bitmap.shape[0], x : x + bitmap.shape[1]] = bitmap
    return frame


RING = np.pad(np.zeros((3, 4), np.uint8), 2, constant_values=1)


@settings(max_examples=600, deadline=None)
@given(boxes())
@example((np.ones((1, 1), np.uint8), 0, 0, (1, 1)))
@example((np.zeros((1, 1), np.uint8), 0, 0, (1, 1)))
@example((np.zeros((3, 4), np.uint8), 2, 5, (40, 30)))
@example((np.ones((5, 5), np.uint8), 0, 0, (5, 5)))
@example((np.ones((5, 2), np.uint8), 3, 0, (5, 5)))
@example((RING, 0, 0, RING.shape))
@example((RING, 900, 700, (3000, 4000)))
@example((np.eye(400, dtype=np.uint8), 1, 1, (512, 512)))
def test_the_bytes_are_those_of_the_whole_frame(case: tuple[np.ndarray, int, int, tuple[int, int]]) -> None:
    assert encode_rle_box(*case) == encode_rle(framed(*case))


@settings(max_examples=100, deadline=None)
@given(boxes().filter(lambda case: bool(case[0].any())))
def test_an_annotation_of_a_box_is_the_one_of_its_frame(case: tuple[np.ndarray, int, int, tuple[int, int]]) -> None:
    assert Annotation.from_box(1, 2, 3, *case, {"a": 1}) == Annotation.from_mask(1, 2, 3, framed(*case), {"a": 1})


@pytest.mark.parametrize(("x", "y"), [(-1, 0), (0, -1), (9, 0), (0, 9)])
def test_a_box_outside_its_frame_is_refused(x: int, y: int) -> None:
    with pytest.raises(ValueError, match="does not lie inside"):
        encode_rle_box(np.ones((2, 2), np.uint8), x, y, (10, 10))
