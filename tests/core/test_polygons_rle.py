"""Outlines and run-lengths drawn in Python: right pixels, and a typed refusal instead of a crash."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from anomaly_gan.core.masks import decode_union, encode_rle
from anomaly_gan.ingestion.polygons import ShapeFault, ellipse_ring, fill_line, fill_ring, read_points
from anomaly_gan.ingestion.rle import read_rle


def inside_by_crossings(points: list[tuple[float, float]], height: int, width: int) -> np.ndarray:
    """Even-odd membership of every pixel centre, one ray at a time."""
    mask = np.zeros((height, width), np.uint8)
    for row in range(height):
        for column in range(width):
            x, y, inside = column + 0.5, row + 0.5, False
            for (x1, y1), (x2, y2) in zip(points, points[1:] + points[:1], strict=True):
                if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
                    inside = not inside
            mask[row, column] = inside
    return mask


def test_a_rectangle_has_its_geometric_area() -> None:
    mask = fill_ring(np.array([[10, 20], [20, 20], [20, 25], [10, 25]], float), (40, 40))
    assert mask.sum() == 50 and mask[20:25, 10:20].all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(-8, 28), st.floats(-8, 28)), min_size=3, max_size=9))
def test_filling_agrees_with_ray_casting(points: list[tuple[float, float]]) -> None:
    try:
        mask = fill_ring(np.array(points), (20, 22))
    except ShapeFault as fault:
        assert fault.code in {"C6", "C7"}
        return
    expected = inside_by_crossings(points, 20, 22)
    if expected.any():
        np.testing.assert_array_equal(mask, expected)
    else:
        assert mask.sum() <= 1  # smaller than a pixel: the one under its centroid


def test_a_crossing_outline_follows_the_even_odd_rule() -> None:
    pentagram = [(10 + 9 * math.sin(4 * math.pi * k / 5), 10 - 9 * math.cos(4 * math.pi * k / 5)) for k in range(5)]
    mask = fill_ring(np.array(pentagram), (20, 20))
    assert mask[10, 10] == 0 and mask[3, 9] == 1


def test_a_shape_smaller_than_a_pixel_is_kept() -> None:
    assert np.argwhere(fill_ring(np.array([[4.6, 7.6], [4.9, 7.6], [4.9, 7.9]]), (20, 20))).tolist() == [[7, 4]]


def test_circles_and_lines_cover_what_they_should() -> None:
    assert abs(fill_ring(ellipse_ring((50, 50), np.eye(2) * 20), (100, 100)).sum() - math.pi * 400) < 12
    line = fill_line(np.array([[10.0, 50.0], [90.0, 50.0]]), 6, (100, 100))
    assert line[47:53, 10:90].all() and not line[:46].any() and not line[54:].any()


@pytest.mark.parametrize(
    "value",
    [
        [[float("nan"), 1], [2, 2], [3, 1]],
        [[float("inf"), 1], [2, 2], [3, 1]],
        [[1e12, 1], [2, 2], [3, 1]],
        [[True, 1], [2, 2], [3, 1]],
        [["12", 1], [2, 2], [3, 1]],
        [[None, 1], [2, 2], [3, 1]],
        [[1, 2, 3]],
        [1, 2, 3],
        "x",
        [[10**400, 1], [2, 2], [3, 1]],
    ],
)
def test_what_is_no_coordinate_is_refused(value: object) -> None:
    with pytest.raises(ShapeFault) as caught:
        read_points(value)
    assert caught.value.code == "C8"


@settings(max_examples=60, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.integers(0, 1)))
def test_every_form_of_rle_reads_back_as_the_mask(mask: np.ndarray) -> None:
    compressed = encode_rle(mask)
    flat = mask.flatten(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *edges, flat.size]).tolist()
    plain = {"size": list(mask.shape), "counts": ([0, *runs] if flat[0] else runs)}
    as_bytes = {**compressed, "counts": compressed["counts"].encode()}
    for form in (compressed, plain, as_bytes):
        np.testing.assert_array_equal(read_rle(form, mask.shape), mask)
    np.testing.assert_array_equal(read_rle(coco_mask.frPyObjects(plain, *mask.shape), mask.shape), mask)
    others = [compressed, encode_rle(mask[::-1]), encode_rle(mask * 0)]
    np.testing.assert_array_equal(decode_union(others, *mask.shape), mask | mask[::-1])
    assert not decode_union([], *mask.shape).any() and decode_union([], *mask.shape).shape == mask.shape


@pytest.mark.parametrize(
    ("rle", "code"),
    [
        ({"size": [4, 4], "counts": [3, 4]}, "D1"),
        ({"size": [4, 4], "counts": [3, 40]}, "D1"),
        ({"size": [4, 4], "counts": []}, "D1"),
        ({"size": [4, 4], "counts": ""}, "D1"),
        ({"size": [4, 4]}, "D1"),
        ({"size": [4, 4], "counts": [-4, 20]}, "D1"),
        ({"size": [4, 4], "counts": [True, 15]}, "D1"),
        ({"size": [4, 4], "counts": [1.5, 14.5]}, "D1"),
        ({"size": [4, 4], "counts": [1] * 20000}, "D1"),
        ({"size": [4, 4], "counts": "oooooooooooooooooooo"}, "D1"),
        ({"size": [4, 4], "counts": "é"}, "D1"),
        ({"size": [4, 5], "counts": [20]}, "D2"),
        ({"size": [0, 4], "counts": [0]}, "D3"),
        ({"size": [2**31, 2**31], "counts": [1]}, "D2"),
        ({"size": [4.5, 4], "counts": [16]}, "D3"),
        ({"size": ["4", 4], "counts": [16]}, "D3"),
        ({"size": [-4, 4], "counts": [16]}, "D3"),
        ({"size": 16}, "D3"),
        (None, "D5"),
    ],
)
def test_a_broken_rle_is_refused_before_native_code(rle: object, code: str) -> None:
    with pytest.raises(ShapeFault) as caught:
        read_rle(rle, (4, 4))
    assert caught.value.code == code
