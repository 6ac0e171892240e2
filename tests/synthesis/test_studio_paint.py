"""Painting in the studio is what ``anomaly-gan paint`` does, at once; masks, ancestry and verdict can be seen."""

from __future__ import annotations

import base64
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from kills import in_memory, sweep
from starlette.testclient import TestClient
from studio_run import start_studio
from tablet import enter, needs_chromium, tablet

from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.files import write_json
from anomaly_gan.core.images import read_pixels
from anomaly_gan.studio.app import build_app
from anomaly_gan.studio.kept import Kept
from anomaly_gan.studio.painting import Canvas, PaintRequest
from anomaly_gan.synthesis.export.reviewed import aside_of
from anomaly_gan.synthesis.methods.painting.severity import Filled
from anomaly_gan.synthesis.paint.config import PaintConfig
from anomaly_gan.synthesis.paint.stage import Sources
from anomaly_gan.synthesis.paint.stage import paint as paint_verb
from mask_pool.rating.items import RatingItem
from mask_pool.rating.security import Policy
from mask_pool.rating.store import Store
from mask_pool.scoring.ratings import RatedMask

VERDICT = {
    "schema": 1,
    "passed": True,
    "paragraph": "Use the photographs of spot.",
    "arms": [
        {
            "arm": "anomaly_gan",
            "categories": [
                {"category": "spot", "call": "use", "why": "better", "difference": 0.05, "low": 0.01, "high": 0.09}
            ],
            "failed": [],
            "dropped": [],
            "nothing_passed": False,
            "advice": [{"rule": "r", "category": "spot", "cause": "c", "remedy": "r", "sentence": "Photograph more."}],
        }
    ],
}


@pytest.fixture(scope="module")
def run(small_run, trainings, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("studio") / "run"
    for name in ("ingest", "pool"):
        shutil.copytree(small_run.folder / name, folder / name)
    shutil.copytree(trainings("anomaly_gan"), folder / "train@anomaly_gan")
    write_json(folder / "report" / "verdict.json", VERDICT)
    return folder


@pytest.fixture(scope="module")
def client(run):
    store = Store(run / "review")
    app = build_app(run, store, Policy(None, "p" * 32, frozenset({"h:1"}), requests_per_second=1e6))
    client = TestClient(app, base_url="http://h:1", raise_server_exceptions=False)
    client.headers |= {"origin": "http://h:1", "x-page-token": client.get("/api/session").json()["page_token"]}
    entered = client.post("/api/enter", json={"name": "Ann", "secret": "a" * 22}).json()
    client.headers |= {"x-rater": str(entered["rater"]), "x-rater-secret": "a" * 22}
    yield client
    store.close()


def runs_of(mask_01: np.ndarray) -> list[int]:
    flat = np.concatenate([[0], mask_01.ravel(), [0]]).astype(int)
    edges = np.flatnonzero(np.diff(flat))
    return np.diff([0, *edges, mask_01.size]).tolist()


def wish(client, mask_01, **more):
    one = client.get("/api/painting").json()["photographs"][0]
    about = {"photograph": one["id"], "version": one["version"], "method": "anomaly_gan", "category": "spot"}
    return one, client.post("/api/painting", json={**about, "runs": runs_of(mask_01), **more})


@pytest.fixture(scope="module")
def mask_01():
    mask = np.zeros((72, 90), np.uint8)
    mask[20:30, 30:44] = mask[50:56, 60:66] = 1
    return mask


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"seed": 7}, {}),
        ({"seed": 7, "severity": 0.8}, {"severity": "0.8"}),
        ({"seed": 2, "light": -0.5}, {"light": "-0.5"}),
    ],
)
def test_it_is_what_the_verb_paints_and_only_the_window_is_sent(client, run, mask_01, tmp_path, asked, words):
    one, answer = wish(client, mask_01, **asked)
    assert answer.status_code == 200, answer.text
    cv2.imwrite(str(tmp_path / "mask.png"), mask_01 * 255)
    photograph = run / "ingest" / "images" / one["name"]
    sources = Sources(photograph, tmp_path / "mask.png", run / "train@anomaly_gan")
    made = paint_verb(sources, PaintConfig(category="spot", **words), asked["seed"], "cpu", tmp_path / "out")
    wanted = read_pixels(made.path_of(made.images[0]), gray=True)
    part = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_GRAYSCALE)
    left, top = int(answer.headers["x-left"]), int(answer.headers["x-top"])
    shown = read_pixels(photograph, gray=True).copy()
    shown[top : top + part.shape[0], left : left + part.shape[1]] = part
    assert np.array_equal(shown, wanted)
    if "light" not in asked:
        assert part.shape[0] <= 40 and part.shape[1] <= 40, "the window, not the photograph"
    assert len(answer.headers["x-shown"].split()) == 2, "a number for each part of the mask"


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"category": "unicorn"}, "category"),
        ({"method": "../pool"}, "method"),
        ({"runs": [6480, 0]}, "runs"),
        ({"runs": [0, 6480]}, "runs"),
        ({"runs": [10, 20]}, "runs"),
        ({"severity": 1.5}, "severity"),
        ({"seed": -1}, "seed"),
        ({"light": 9}, "light"),
    ],
)
def test_what_cannot_be_painted_is_named(client, mask_01, more, field):
    _, answer = wish(client, mask_01, **more)
    assert answer.status_code == 422 and answer.json()["fields"] == [field]


def test_what_is_kept_lies_in_the_run_once_and_names_its_painter(client, run, mask_01):
    _, shown = wish(client, mask_01, seed=7)
    one = client.get("/api/painting").json()["photographs"][0]
    about = {"photograph": one["id"], "version": one["version"], "method": "anomaly_gan", "category": "spot", "seed": 7}
    body = {**about, "runs": runs_of(mask_01)}
    names = [client.post("/api/painting/keep", json=body).json()["name"] for _ in range(2)]
    other = client.post("/api/painting/keep", json=body | {"seed": 8, "severity": 0.0}).json()["name"]
    assert client.post("/api/painting/keep", json=body, headers={"x-rater-secret": "z" * 22}).status_code == 403
    assert client.post("/api/painting/keep", json=body | {"version": "0" * 16}).status_code == 409
    kept = load_dataset(run / "painted")
    assert [image.file_name for image in kept.images] == [names[0], other] and names[0] == names[1] != other
    first, labels = kept.images[0], kept.by_image()
    pixels = read_pixels(kept.path_of(first), gray=True)
    part = cv2.imdecode(np.frombuffer(shown.content, np.uint8), cv2.IMREAD_GRAYSCALE)
    left, top = int(shown.headers["x-left"]), int(shown.headers["x-top"])
    assert np.array_equal(pixels[top : top + part.shape[0], left : left + part.shape[1]], part)
    assert first.extra["provenance"]["painted_by"] == "Ann" and first.extra["provenance"]["base"] == one["name"]
    assert kept.images[1].extra["provenance"]["asked"] == {"severity": 0.0}
    assert np.array_equal(sum(item.mask() for item in labels[first.id]), mask_01)
    assert {kept.category_names()[item.category_id] for item in labels[first.id]} == {"spot"}
    base = next(image for image in load_dataset(run / "ingest").images if image.file_name == one["name"])
    assert first.group_id == base.group_id and first.split == "train"
    aside = aside_of(replace(kept, folder=run / "gate@anomaly_gan"))
    assert [image.file_name for image in aside.images] == [f"painted/{name}" for name in (names[0], other)]
    assert aside_of(replace(kept, folder=run / "gate@other")).images == []
    half = run / "painted" / "images" / ".tmp-half.png"  # of a killed server
    half.write_bytes(b"")
    assert Kept(run).run == run and not half.exists() and kept.path_of(first).is_file()


def test_no_kill_loses_what_is_kept(run, mask_01):
    """Killed before any write of it, a painting that is sent again lies there once, beside those before it."""
    base = load_dataset(run / "ingest").split("train").normals()[0]
    item = RatingItem(RatedMask(f"sound/{base.file_name}", 0, "", base.sha256), run, base.sha256, True, {})
    asked = dict.fromkeys(("photograph", "version"), "0" * 32) | {"method": "anomaly_gan", "category": "spot"}

    def add(folder, level):
        painted = np.full(mask_01.shape, level, np.uint8)
        canvas = Canvas(item, painted, painted, [("spot", mask_01)], [Filled(painted, [0.1, 0.1], 0.1, 0.1, 1)], 3, "0")
        Kept(folder).add(
            canvas, PaintRequest.model_construct(**asked, runs=[1, 1], severity=None, light=0, seed=1), "Ann"
        )

    def work(folder):
        assert len(load_dataset(folder / "painted").images) > 0
        add(folder, 90)

    with in_memory() as shelf:
        shutil.copytree(run / "ingest", shelf / "run/ingest")
        add(shelf / "run", 80)
        folders = (shelf / f"run{number}" for number in range(1000))
        assert sweep(work, lambda: shutil.copytree(shelf / "run", next(folders)), lambda event, of: True) == []


def test_a_strangers_wish_is_refused(client, mask_01):
    assert wish(client, mask_01)[1].status_code == 200
    one = client.get("/api/painting").json()["photographs"][0]
    body = {"photograph": one["id"], "version": "0" * 16, "method": "anomaly_gan", "category": "spot", "runs": [1, 1]}
    assert client.post("/api/painting", json=body).status_code == 409
    assert client.post("/api/painting", json=body, headers={"x-rater-secret": "z" * 22}).status_code == 403


def test_masks_their_parents_and_the_verdict_are_there(client, run):
    items = client.get("/api/masks").json()["items"]
    pool = load_dataset(run / "pool")
    assert [item["name"] for item in items] == sorted(image.file_name for image in pool.images)
    cut = next(item for item in items if item["name"] == "spot/000001.png")
    drawn = next(item for item in items if item["name"] == "spot/000003.png")
    origin = client.get(f"/api/masks/{cut['id']}").json()
    assert origin["parents"] == [0] and "cut from real annotation" in "\n".join(origin["lines"])
    assert client.get(f"/api/masks/{drawn['id']}").json()["parents"] == []
    for path in (f"/thumb/{cut['id']}.png", f"/parent/{cut['id']}/0.png"):
        picture = cv2.imdecode(np.frombuffer(client.get(path).content, np.uint8), cv2.IMREAD_COLOR)
        assert max(picture.shape) == 144
        assert (picture == [96, 32, 255]).all(axis=2).any(), "the outline, in its colour (BGR)"
    assert client.get(f"/parent/{drawn['id']}/0.png").status_code == 404
    assert client.get(f"/api/masks/{'0' * 32}").status_code == 404
    verdict = client.get("/api/verdict").json()
    assert verdict["paragraph"] == VERDICT["paragraph"] and verdict["arms"][0]["advice"] == ["Photograph more."]


@needs_chromium
def test_in_a_browser_a_stroke_a_polygon_and_a_mask_of_the_pool_are_painted(run, tmp_path):
    server = start_studio(shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("review", "painted")))
    with tablet(1024, 768, 120_000) as (page, faults):
        enter(page, server.link)
        page.click("[data-tab=paint]")
        page.wait_for_function("() => document.querySelector('#picture').width === 90")
        box = page.locator("#drawn").bounding_box()
        assert (box["width"], box["height"]) == (90, 72), "a pixel is a pixel"
        before = picture(page)

        def painted(number: int) -> np.ndarray:
            page.wait_for_function(f"() => Number(document.querySelector('#picture').dataset.painted) >= {number}")
            return picture(page)

        page.mouse.move(box["x"] + 30, box["y"] + 30)
        page.mouse.down()
        page.mouse.move(box["x"] + 50, box["y"] + 34)
        page.mouse.up()
        stroke = painted(1)
        assert (stroke[24:42, 26:56] != before[24:42, 26:56]).any() and np.array_equal(stroke[:10], before[:10])
        page.keyboard.press("u")
        page.wait_for_function("() => document.querySelector('#shown').textContent === 'Draw a defect.'")
        assert np.array_equal(picture(page), before), "undone"
        page.keyboard.press("p")
        for x, y in ((20, 45), (40, 45), (30, 60)):
            page.mouse.click(box["x"] + x, box["y"] + y)
        page.keyboard.press("Enter")
        polygon = painted(3)
        assert (polygon[45:58, 20:40] != before[45:58, 20:40]).any() and np.array_equal(polygon[:30], before[:30])
        page.keyboard.press("m")
        page.wait_for_selector("#mask-choice button")
        page.locator("#mask-choice button").first.click()
        painted(4)
        page.mouse.click(box["x"] + 60, box["y"] + 36)
        placed = painted(5)
        assert (placed[:, 45:80] != before[:, 45:80]).any()
        page.keyboard.press("k")
        page.wait_for_function(
            "() => document.querySelector('#toast').textContent.includes('Kept in the run as painted/')"
        )
        of_ann = load_dataset(tmp_path / "run/painted")
        assert np.array_equal(read_pixels(of_ann.path_of(of_ann.images[0]), gray=True), placed)
        saved: dict[str, np.ndarray] = {}
        page.on("download", lambda file: saved.update({file.suggested_filename: cv2.imread(str(file.path()), 0)}))
        page.click("#paint-save")
        page.wait_for_timeout(1500)
        mask, kept = (next(saved[name] for name in saved if ("_mask" in name) is wanted) for wanted in (True, False))
        assert np.array_equal(kept, placed) and set(np.unique(mask)) == {0, 255}
        page.click("[data-tab=masks]")
        page.locator("#grid button").first.click()
        page.wait_for_function("() => document.querySelector('#ancestry').textContent.includes('parent')")
        page.click("[data-tab=verdict]")
        page.wait_for_function("() => document.querySelector('#arms').textContent.includes('+0.050 [+0.010, +0.090]')")
    server.process.terminate()
    server.process.communicate(timeout=20)
    assert not faults


def picture(page) -> np.ndarray:
    """The canvas as it stands, gray."""
    told = page.evaluate("() => document.querySelector('#picture').toDataURL('image/png').split(',')[1]")
    content = np.frombuffer(base64.b64decode(told), np.uint8)
    return cv2.imdecode(content, cv2.IMREAD_GRAYSCALE)
