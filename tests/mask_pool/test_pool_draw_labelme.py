"""Drawing in the real labelme, on a virtual screen: the same points and the same pixels, both ways."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import labelme_screen
import numpy as np
import pytest

from anomaly_gan.core.dataset import Category, Dataset, ImageRecord, load_dataset
from anomaly_gan.core.images import write_png
from anomaly_gan.ingestion.formats.labelme_files import label_content, mask_shape
from anomaly_gan.ingestion.polygons import fill_ring
from mask_pool.drawing.draw import draw, lay_out, open_ingest
from mask_pool.drawing.drawings import PhotographFinder, read_drawings
from mask_pool.drawing.label_files import prepare
from mask_pool.elements.expert import gather_experts
from mask_pool.scoring.config import mean_of

FIXTURE = Path(__file__).parents[1] / "support" / "labelme_6.3.1"


def shape(label: str, points: list[list[float]], kind: str = "polygon", **more: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": kind, "group_id": None, "flags": {}, **more}


def box(x: float, y: float, side: float) -> list[list[float]]:
    return [[x, y], [x + side, y], [x + side, y + side], [x, y + side]]


FRAME = (255, 0, 0)
SIDE = 200


@pytest.fixture
def framed(tmp_path: Path) -> Path:
    """An ingest of two photographs whose corners can be found on the screen."""
    folder, images = tmp_path / "ingest", []
    for number in range(2):
        pixels = np.full((SIDE, SIDE, 3), 120 + 40 * number, np.uint8)
        pixels[[0, -1]] = pixels[:, [0, -1]] = FRAME
        write_png(folder / "images" / "n" / f"{number}.png", pixels)
        images.append(ImageRecord(number + 1, f"n/{number}.png", SIDE, SIDE, str(number), "train", "real", str(number)))
    Dataset(images, [], [Category(1, "crack"), Category(2, "scrap")], {"mode": "RGB"}, folder).save(folder)
    return folder


@pytest.fixture(scope="module")
def screen(tmp_path_factory) -> Iterator[labelme_screen.Screen]:
    lacking = labelme_screen.missing()
    if lacking:
        pytest.skip(f"not installed here: {lacking}")
    with labelme_screen.virtual_screen(tmp_path_factory.mktemp("screen")) as screen:
        yield screen


class Session:
    """``work`` runs in the background with labelme open; the test has the mouse."""

    def __init__(self, screen: labelme_screen.Screen, work: Callable[[], Any]) -> None:
        self.screen, self.result = screen, None
        self._thread = threading.Thread(target=self._run, args=[work], daemon=True)
        self._thread.start()
        self.window = screen.await_window("Labelme - ")
        labelme_screen.until(self._is_still, "the photograph on the screen, at rest")
        rows, columns = np.nonzero(self._red())
        self.left, self.top = columns.min(), rows.min()
        self.scale = (columns.max() + 1 - self.left) / SIDE

    def _run(self, work: Callable[[], Any]) -> None:
        self.result = work()

    def _red(self) -> np.ndarray:
        return (self.screen.picture() == FRAME).all(axis=2)

    def _is_still(self) -> bool:
        """Whether the whole frame is shown, and in the same place a moment later (the window is laid out twice)."""
        before = self._red()
        time.sleep(0.3)
        lines = np.flatnonzero(before.sum(axis=1) > SIDE)
        return len(lines) > 1 and bool(np.ptp(lines) > SIDE) and bool((before == self._red()).all())

    def to_screen(self, x: float, y: float) -> tuple[float, float]:
        return self.left + x * self.scale, self.top + y * self.scale

    def outline(self, key: str, points: list[tuple[float, float]], label: str, description: str = "") -> None:
        """Draw with the mouse and name it in the dialog."""
        self.screen.tool("windowfocus", self.window)
        self.screen.keys(key)
        for point in points:
            self.screen.click(*self.to_screen(*point))
        dialog = self.screen.await_dialog()
        self.screen.tool("windowfocus", dialog)
        self.screen.tool("type", label)
        if description:
            self.screen.keys("Tab", "Tab", "Tab", "Tab", "Tab")
            self.screen.tool("type", description)
        self.screen.keys("Return")
        labelme_screen.until(lambda: "Labelme" not in self.screen.titles(), "the dialog to close")
        self.screen.tool("windowfocus", self.window)

    def close(self) -> Any:
        self.screen.keys("ctrl+q")
        self._thread.join(60)
        assert not self._thread.is_alive(), f"labelme did not close: {self.screen.titles()}"
        return self.result


@pytest.fixture
def home(screen: labelme_screen.Screen, tmp_path: Path, monkeypatch) -> Path:
    for name, value in labelme_screen.home_for_labelme(tmp_path / "home").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DISPLAY", screen.name)
    return tmp_path / "home"


@pytest.mark.timeout(200)
def test_what_is_drawn_in_the_real_labelme_has_the_same_pixels_here(
    screen, home: Path, framed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    corners, box_corners = [(30.0, 40.0), (110.0, 50.0), (90.0, 120.0), (50.0, 100.0)], [(120.0, 130.0), (170.0, 180.0)]
    session = Session(screen, lambda: draw(framed, out, count=2))
    session.outline("ctrl+n", [*corners, corners[0]], "crack")
    session.outline("ctrl+r", box_corners, "scrap")
    found = session.close()
    assert (found.drawings, found.faults, found.ended, found.files) == ({"crack": 1, "scrap": 1}, [], None, 1)
    content = json.loads((out / "n__0.json").read_text(encoding="utf-8"))
    assert content["imageData"] is None, "the .labelmerc of the home asks for it, and does not count"
    saved = [np.array(one["points"]) for one in content["shapes"]]
    assert np.abs(saved[0] - corners).max() <= 1, "the points lie where the mouse clicked"
    kept = gather_experts(out, None, open_ingest(framed), evaluate=mean_of(1.0)).kept
    polygon, rectangle = kept["crack"][0].full_mask(), kept["scrap"][0].full_mask()
    assert (polygon == fill_ring(saved[0], (SIDE, SIDE))).all()
    (left, top), (right, bottom) = saved[1].min(axis=0), saved[1].max(axis=0)
    assert np.abs(np.array([left, top, right, bottom]) - [120, 130, 170, 180]).max() <= 1
    assert (
        rectangle == fill_ring(np.array([[left, top], [right, top], [right, bottom], [left, bottom]]), (SIDE, SIDE))
    ).all()


@pytest.mark.timeout(200)
def test_files_written_here_open_in_the_real_labelme_and_survive_it(
    screen, home: Path, framed: Path, tmp_path: Path
) -> None:
    """Polygon, hole, and brush mask are shown without a complaint; saved again after an addition they are the same."""
    out, data = tmp_path / "out", load_dataset(framed)
    lay_out(data, data.images, ["crack", "scrap"], out)
    brush = np.zeros((SIDE, SIDE), np.uint8)
    brush[20:60, 30:80], brush[30:40, 40:50], brush[70:75, 30:35] = 1, 0, 1
    (tmp_path / "old").mkdir()
    whole = {"group_id": 7, "description": "", "mask": None}
    shapes = [
        mask_shape("scrap", brush, "by brush"),
        shape("crack", box(100, 100, 50), **whole),
        shape("crack", box(110, 110, 20), **whole),
    ]
    (tmp_path / "old" / "x.json").write_text(json.dumps(label_content("../n/0.png", (SIDE, SIDE), shapes)))
    assert prepare(out, tmp_path / "old", data) == 2
    image = data.images[0]
    before = {one.index: one.draw(replace(image, sha256="0")) for one in read_drawings(out)}
    written = (out / "n__0.json").read_bytes()
    session = Session(screen, lambda: draw(framed, out, count=2))
    assert len(screen.titles()) == 1, "no dialog complains"
    session.outline("ctrl+r", [(160.0, 20.0), (190.0, 40.0)], "scrap")
    found = session.close()
    assert found.drawings == {"crack": 1, "scrap": 2} and not found.faults
    assert (out / "n__0.json").read_bytes() != written
    after = {one.index: one.draw(image) for one in read_drawings(out)}
    assert [bool((after[index] == mask).all()) for index, mask in before.items()] == [True, True]


def test_a_file_of_the_real_labelme_is_read() -> None:
    """Drawn in labelme 6.3.1 with the mouse, kept so that machines without a screen test reading too."""
    found = read_drawings(FIXTURE)
    image = ImageRecord(1, "normal__019.jpg", 256, 256, "g", "train", "real", "")
    assert PhotographFinder(Dataset([image], [], [])).find(found[0].photograph) is image
    assert [(one.index, one.label, len(one.members)) for one in found] == [
        (0, "cloth_strips", 1),
        (1, "paper_scraps", 2),
        (3, "screws_A", 1),
        (4, "cloth_strips", 1),
    ]
    masks = [one.draw(image) for one in found]
    assert masks[1][175, 150] and not masks[1][178, 170], "the second shape of the group is a hole"
    assert abs(int(masks[2].sum()) - np.pi * 18.7075**2) < 8, "a circle by its centre and rim"
    length = np.hypot(27.21, 13.61) + np.hypot(34.01, 6.80)
    assert abs(int(masks[3].sum()) - 5 * length) < 30, "a line 5 wide, as its description says"
