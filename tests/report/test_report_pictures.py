"""Photographs in the report are shown pixel for pixel: cut at native scale, enlarged by whole factors, never shrunk."""

import base64
import re

import cv2
import numpy as np
import pytest

from anomaly_gan.core.contact_sheet import magnify
from anomaly_gan.report.config import ReportConfig
from anomaly_gan.report.contact import CELL_PX, framed
from anomaly_gan.report.pictures import Album, cut, heat_map, native_window, outlined
from anomaly_gan.report.stage import run
from anomaly_gan.report.verdict.build import close_run

CELL = 192
IMAGE = re.compile(r'<img src="data:image/\w+;base64,([^"]+)" width="(\d+)" height="(\d+)"[^>]*?(class="(\w+)")?>')


def mask_of(height, width, box):
    mask = np.zeros((height, width), np.uint8)
    y, x, h, w = box
    mask[y : y + h, x : x + w] = 1
    return mask


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        ((400, 500), (100, 200, 6, 9)),
        ((400, 500), (0, 470, 60, 30)),
        ((400, 500), (200, 100, 120, 130)),
        ((400, 500), (30, 30, 12, 440)),
        ((40, 60), (5, 5, 10, 10)),
        ((1000, 160), (100, 70, 800, 4)),
    ],
)
def test_a_crop_holds_the_defect_and_its_pixels_as_they_are(shape, box):
    pixels = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    mask = mask_of(*shape, box)
    window = native_window(mask, CELL)
    x, y, width, height = window
    assert 0 <= x <= shape[1] - width and 0 <= y <= shape[0] - height
    assert max(width, height) <= 2 * CELL and cut(mask, window).any()
    if max(box[2:]) <= CELL:
        assert cut(mask, window).sum() == mask.sum(), "a defect that fits is shown whole"
    shown = magnify(cut(pixels, window), CELL)
    factor = shown.shape[0] // height
    assert factor >= 1 and shown.shape == (height * factor, width * factor)
    assert np.array_equal(shown[::factor, ::factor], pixels[y : y + height, x : x + width])
    if factor > 1:
        assert max(shown.shape) <= CELL


@pytest.mark.parametrize("gap", [150, 200, 300, 900])
def test_a_cell_of_the_sheet_shows_a_part_of_a_defect_in_two_far_places(gap):
    mask = mask_of(400, 1200, (10, 20, 30, 30)) | mask_of(400, 1200, (300, 20 + gap, 12, 12))
    shown = framed(magnify(cut(mask, native_window(mask, CELL_PX, cells=1)), CELL_PX))
    assert shown.any()


def test_a_small_defect_fills_its_cell_by_a_whole_factor():
    x, _, width, _ = native_window(mask_of(400, 500, (100, 200, 6, 9)), CELL)
    assert CELL % width == 0 and CELL // width == 4 and x < 200


def test_nothing_is_shrunk_whatever_the_cell():
    large = np.zeros((300, 500), np.uint8)
    assert magnify(large, 100).shape == (300, 500)
    assert outlined(large, mask_of(300, 500, (9, 9, 5, 5)), 100).shape == (300, 500, 3)
    assert framed(large).shape == (CELL_PX, CELL_PX)
    texture = np.arange(300 * 500).reshape(300, 500).astype(np.uint8)
    middle = texture[(300 - CELL_PX) // 2 :, (500 - CELL_PX) // 2 :][:CELL_PX, :CELL_PX]
    assert np.array_equal(framed(texture), middle)


def test_whole_photographs_have_a_budget_of_their_own():
    pixels = np.random.default_rng(0).integers(0, 255, (60, 60)).astype(np.uint8)
    album = Album(1, 92, whole_bytes=6000)
    shown = [album.whole(pixels, "a") for _ in range(9)]
    assert shown[0] is not None and shown[-1] is None and album.left_out == 0
    assert album.photo(pixels, "b") is None and album.left_out == 1


def test_a_map_without_a_mask_is_no_picture():
    assert heat_map([]) is None and heat_map([np.zeros((9, 9), np.uint8)]) is None


def test_no_photograph_of_the_page_is_smaller_than_its_pixels_and_each_sheet_opens_the_whole(build_run, tmp_path):
    made = build_run(methods=("anomaly_gan",))
    run(ReportConfig(rows=2, cell_px=96), made.context(), tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    found = IMAGE.findall(page)
    assert len(found) > 10
    for content, width, height, _, kind in found:
        pixels = cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_UNCHANGED)
        assert kind == "chart" or pixels.shape[:2] == (int(height), int(width))
    assert page.count('<details class="whole">') >= 3
    assert "the whole photograph, class-1/" in page and "http" not in page.split("</style>")[1]


def test_a_curve_of_one_point_is_no_chart(build_run, tmp_path):
    made = build_run(methods=("anomaly_gan",))
    (made.folder / "train@anomaly_gan" / "losses.csv").write_text("step,cycle\n1,0.5\n")
    run(ReportConfig(rows=1, cell_px=48), made.context(), tmp_path)
    assert "No loss curves" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_verdict_stands_first_and_beside_the_page(build_run, tmp_path):
    made = build_run()
    run(ReportConfig(rows=1, cell_px=48), made.context(), tmp_path)
    page, end = (tmp_path / "report.html").read_text(encoding="utf-8"), close_run(tmp_path)
    assert end is not None and page.index("<h1") < page.index("<h2") and page.count("<h1") == 1
    assert end.lines[0].split(":")[0] in page.split("</h1>")[0]
