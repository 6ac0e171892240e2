"""Turning, fitting and placing elements; finding anchors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from anomaly_gan.core.dataset import Dataset, ImageRecord, load_dataset
from anomaly_gan.core.images import read_pixels
from anomaly_gan.core.seeding import rng_for
from anomaly_gan.core.stage import Context
from mask_pool.build.config import PoolConfig
from mask_pool.build.items import open_finder
from mask_pool.build.stage import run
from mask_pool.elements.expert import gather_experts
from mask_pool.elements.real import Element, cut_prior, tight, without_fragments
from mask_pool.placement.config import PlaceConfig
from mask_pool.placement.correlation import Correlator, Outline, mean_of_best
from mask_pool.placement.locations import slide_to_border
from mask_pool.placement.placer import Placer
from mask_pool.recombination.recombine import Canvas, draw_turn, recombine, shrink_to, turn, unturned
from mask_pool.scoring.config import mean_of

Draw = Callable[..., None]


def element(mask_01: np.ndarray) -> Element:
    box, bitmap = tight(mask_01)
    return Element("prior", "scrap", 1, "p.png", "g", (mask_01.shape[0], mask_01.shape[1]), box, bitmap)


def test_quarter_turns_and_mirrors_are_exact(scene: SimpleNamespace) -> None:
    """Against numpy's own rot90 and fliplr, which share nothing with the warp."""
    bitmap = element(scene.shape("scrap", 60, 50)).bitmap
    cases = (
        (0, False, bitmap),
        (90, False, np.rot90(bitmap, -1)),
        (180, False, np.rot90(bitmap, 2)),
        (0, True, np.fliplr(bitmap)),
        (-90, True, np.rot90(np.fliplr(bitmap), 1)),
    )
    for degrees, flip, expected in cases:
        turned = turn(element(scene.shape("scrap", 60, 50)), degrees, 1.0, flip)
        assert turned is not None and np.array_equal(turned.bitmap, expected)


def test_a_turn_keeps_the_area_and_scale_changes_it_by_its_square() -> None:
    disc = np.zeros((200, 200), np.uint8)
    cv2.circle(disc, (90, 110), 40, 1, -1)
    for degrees, scale in ((37.0, 1.0), (120.0, 0.7), (-63.0, 1.4)):
        turned = turn(element(disc), degrees, scale, True)
        assert turned is not None and turned.area == pytest.approx(disc.sum() * scale**2, rel=0.02)


def test_thin_lines_are_never_lost() -> None:
    line = np.zeros((60, 60), np.uint8)
    line[30, 5:50] = 1
    for index in range(200):
        turned = draw_turn(element(line), rng_for(1, index), 180, (0.4, 1.4), 0.5, 4)
        assert turned.area >= max(4, 0.5 * turned.transforms["scale"] ** 2 * 45)


def near(positions: np.ndarray, jitter: float) -> Placer:
    return Placer(PlaceConfig(jitter=jitter), "scrap", Dataset([], [], []), positions)


def photograph(height: int, width: int) -> ImageRecord:
    return ImageRecord(1, "normal.png", width, height, "part", "train", "real", "")


def test_an_element_larger_than_the_photograph_is_scaled_down_not_clipped() -> None:
    big = np.zeros((300, 300), np.uint8)
    cv2.ellipse(big, (150, 150), (140, 30), 20, 0, 360, 1, -1)
    canvas = Canvas(64, 80, 1, 3, 0.2)
    fitted = shrink_to(unturned(element(big)), canvas, canvas.area_left)
    assert fitted is not None and canvas.room(fitted.bitmap) is not None and 0 < fitted.area <= 0.2 * 64 * 80
    height, width = fitted.bitmap.shape
    source_w, source_h = element(big).box[2:]
    assert width / height == pytest.approx(source_w / source_h, rel=0.1)


@pytest.mark.parametrize("size", [(40, 50), (96, 120), (9, 200)])
def test_elements_lie_inside_keep_their_distance_and_the_share(scene: SimpleNamespace, size: tuple[int, int]) -> None:
    elements = [element(scene.shape("scrap", 60, 50)), element(scene.shape("crack", 60, 50))]
    several = 0
    for index in range(150):
        rng = rng_for(2, index)
        canvas = Canvas(*size, margin_px=2, gap_px=3, max_area_share=0.3)
        placer, image = near(np.array([[0.02, 0.98], [0.5, 0.5]]), 0.05), photograph(*size)
        placed = recombine(
            elements,
            rng,
            canvas,
            3,
            lambda one: draw_turn(one, rng, 180, (0.7, 1.4), 0.5, 4),  # noqa: B023
            lambda one: placer.place(one, canvas, image, rng),  # noqa: B023
        )
        assert placed
        several += len(placed) > 1
        masks = [one.full_mask(*size) for one in placed]
        union = np.sum(masks, axis=0)
        assert union.max() == 1 and union.sum() <= 0.3 * size[0] * size[1]
        assert not union[:2].any() and not union[-2:].any() and not union[:, :2].any() and not union[:, -2:].any()
        assert [mask.sum() for mask in masks] == [one.turned.area for one in placed], "something was clipped"
        for number, mask in enumerate(masks):
            away = cv2.distanceTransform(1 - mask, cv2.DIST_C, 3)
            assert all(away[other > 0].min() > 3 for other in masks[number + 1 :])
    assert several > 20


@pytest.mark.parametrize("corner", [(0, 40), (52, 0), (1, 86), (105, 0), (40, 40)])
def test_what_a_border_cut_off_stays_at_a_border(corner: tuple[int, int]) -> None:
    """An L of 10 x 15, set at borders and corners of 96 x 120; its cut edges must lie at the new border."""
    mask_01 = np.zeros((96, 120), np.uint8)
    x, y = corner
    mask_01[y : y + 10, x : x + 15] = 1
    mask_01[y : y + 5, x + 5 : x + 15] = 0
    one, canvas = element(mask_01), Canvas(70, 80, 2, 3, 0.5)
    assert len(one.cut_sides) == (corner in {(0, 40), (52, 0)}) + 2 * (corner in {(1, 86), (105, 0)})
    degrees = set()
    for index in range(40):
        turned = draw_turn(one, rng_for(4, index), 180, (0.7, 1.4), 0.5, 4, keep_at_border=True)
        degrees.add(turned.transforms["rotation_deg"])
        left, top = slide_to_border(canvas, turned, 30, 30)
        h, w = turned.bitmap.shape
        at = {(-1, 0): left == 0, (1, 0): left + w == 80, (0, -1): top == 0, (0, 1): top + h == 70}
        assert sorted(side for side, touches in at.items() if touches) == sorted(turned.cut_sides())
        assert len(turned.cut_sides()) == len(one.cut_sides)
    assert degrees == {-180.0, -90.0, 0.0, 90.0, 180.0} if one.cut_sides else len(degrees) == 40


def test_splinters_are_no_elements() -> None:
    sizes = (100, 1, 90, 2, 110)
    kept = without_fragments([element(np.ones((1, size), np.uint8)) for size in sizes], 0.03)
    assert [one.area for one in kept] == [100, 90, 110] and without_fragments([], 0.03) == []


def test_half_of_the_places_follow_the_real_positions() -> None:
    canvas, one = Canvas(100, 100, 0, 3, 1.0), unturned(element(np.ones((5, 5), np.uint8)))
    rng, placer = rng_for(3, "places"), near(np.array([[0.8, 0.2]]), 0.02)
    places = [placer.place(one, canvas, photograph(100, 100), rng) for _ in range(400)]
    real = np.array([(x + 2.5, y + 2.5) for x, y, how in places if how["place"] == "real"])
    free = np.array([(x + 2.5, y + 2.5) for x, y, how in places if how["place"] == "uniform"])
    assert 150 < len(real) < 250
    assert np.abs(real.mean(axis=0) - (80, 20)).max() < 0.5 and real.std(axis=0).max() < 2.6
    assert np.abs(free.mean(axis=0) - 50).max() < 6 and free.std(axis=0).min() > 24


def test_only_real_training_masks_are_cut(scene: SimpleNamespace, ingest: Path) -> None:
    source = load_dataset(ingest)
    cut = cut_prior(source)
    assert {name: [one.parent for one in found] for name, found in cut.items()} == {
        "crack": [1, 3],
        "scrap": [2, 5],
        "screw": [4, 6],
    }
    assert np.array_equal(cut["scrap"][0].full_mask(), scene.shape("scrap", 90, 60))


def screw_drawing(scene: SimpleNamespace, draw: Draw) -> None:
    x, y = scene.SEATS["normal_0"][0]
    draw("a.json", "normal_0.png", [("screw", scene.square(x - 8, y - 8, 17))])


def test_planted_anchors_are_found_and_no_others(
    scene: SimpleNamespace, ingest: Path, experts: Path, draw: Draw
) -> None:
    screw_drawing(scene, draw)
    source = load_dataset(ingest)
    reads: list[str] = []
    drawings = gather_experts(experts, None, source, evaluate=mean_of(0.1)).marks["screw"]
    finder = open_finder(PoolConfig(), source.split("train"), drawings)
    finder.read = lambda image: (reads.append(image.file_name), read_pixels(source.path_of(image), gray=True))[1]
    images = {image.file_name: image for image in source.images}
    for _ in range(2):
        for name in ("normal_0", "normal_1", "normal_2", "normal_3"):
            found = sorted((round(one.x), round(one.y)) for one in finder.anchors(images[f"{name}.png"]))
            expected = sorted(scene.SEATS.get(name, []))
            assert len(found) == len(expected)
            for a, b in zip(found, expected, strict=True):
                assert max(abs(a[0] - b[0]), abs(a[1] - b[1])) <= 1
    assert len(reads) == len(set(reads)) == 4, "a photograph was searched twice"


def test_a_screw_of_another_size_is_found(scene: SimpleNamespace, ingest: Path, experts: Path, draw: Draw) -> None:
    screw_drawing(scene, draw)
    source = load_dataset(ingest)
    marks = gather_experts(experts, None, source, evaluate=mean_of(0.1)).marks["screw"]
    finder = open_finder(PoolConfig(), source.split("train"), marks)
    image = next(image for image in source.images if image.file_name == "normal_2.png")
    larger = cv2.resize(read_pixels(source.path_of(image), gray=True), None, fx=1.2, fy=1.2)
    finder.read = lambda _: larger
    found = sorted((one.x, one.y) for one in finder.anchors(image))
    assert np.abs(np.array(found) - np.array(sorted(scene.SEATS["normal_2"])) * 1.2).max() < 2


def test_correlation_under_the_outline_is_pearsons(scene: SimpleNamespace) -> None:
    """Against numpy.corrcoef of the pixels under the ellipse, place by place; flat places count 0."""
    rng = np.random.default_rng(1)
    target = rng.uniform(0, 255, (30, 34)).astype(np.float32)
    target[:, 24:] = 90.0
    outline = Outline(9, 7)
    inside = outline.inside > 0
    assert 0.7 < inside.mean() < 0.85 and inside[4].all() and not inside[0, 0]
    patches = [rng.uniform(0, 255, (9, 7)).astype(np.float32) for _ in range(3)]
    score = Correlator(target, outline).best_of([outline.standardise(patch) for patch in patches])
    assert score.shape == (22, 28)
    for y, x in ((0, 0), (5, 11), (21, 15)):
        window = target[y : y + 9, x : x + 7][inside]
        assert score[y, x] == pytest.approx(max(np.corrcoef(window, one[inside])[0, 1] for one in patches), abs=1e-4)
    assert not score[:, 24:].any() and outline.standardise(np.full((9, 7), 50.0)) is None


def test_an_anchor_needs_templates_that_agree() -> None:
    assert np.allclose(mean_of_best([np.array([0.9, 0.2]), np.array([0.1, 0.8]), np.array([0.5, 0.6])], 2), [0.7, 0.7])
    assert np.allclose(mean_of_best([np.array([0.9, 0.2])], 3), [0.9, 0.2])


def test_poorly_rated_drawings_mark_no_anchor(scene: SimpleNamespace, ingest: Path, experts: Path, draw: Draw) -> None:
    draw("a.json", "normal_0.png", [("screw", scene.square(16, 22, 17)), ("screw", scene.square(50, 5, 17))])
    rows = ["file,shape,label,rater_01", "a.json,0,screw,5.0", "a.json,1,screw,4.9"]
    (experts / "scores.csv").write_text("\n".join(rows))
    found = gather_experts(experts, experts / "scores.csv", load_dataset(ingest), evaluate=mean_of(0.1))
    assert [mark.parent for mark in found.marks["screw"]] == ["a.json#0"]


def test_fixed_masks_go_onto_anchors(
    scene: SimpleNamespace, ingest: Path, experts: Path, draw: Draw, tmp_path: Path
) -> None:
    screw_drawing(scene, draw)
    config = PoolConfig(count=30, fixed_shape=("screw",), expert_dir=str(experts), elements=(1, 3))
    metrics = run(config, Context(5, inputs={"ingest": ingest}), tmp_path / "pool")
    assert set(metrics["categories"]["screw"]["elements_by_place"]) == {"seat", "expert_seat"}
    assert metrics["categories"]["screw"]["mean_elements"] > 1
    pool = load_dataset(tmp_path / "pool")
    normals = {image.id: image.extra["normal_file"].removesuffix(".png") for image in pool.images}
    kinds = set()
    for one in pool.annotations:
        if one.category_id == 3:
            x, y, w, h = one.bbox
            seats = scene.SEATS[normals[one.image_id]]
            off = [max(abs(x + (w - 1) / 2 - sx), abs(y + (h - 1) / 2 - sy)) for sx, sy in seats]
            assert min(off) <= 1.5
            found = one.provenance["transforms"]
            if found["place"] == "seat":
                assert 0.75 <= found["seat_score"] <= 1
            else:
                assert normals[one.image_id] == "normal_0" and min(off) <= 0.5, "the one that was marked"
            kinds.add(one.provenance["kind"])
    assert kinds == {"prior", "expert"}


def test_where_no_anchor_is_found_the_marked_one_is_used(
    scene: SimpleNamespace, ingest: Path, experts: Path, draw: Draw, tmp_path: Path
) -> None:
    screw_drawing(scene, draw)
    config = PoolConfig(count=10, fixed_shape=("screw",), expert_dir=str(experts), anchor_scales=(9.0,))
    metrics = run(config, Context(5, inputs={"ingest": ingest}), tmp_path / "pool")
    assert metrics["categories"]["screw"]["elements_by_place"] == {"expert_seat": 10}
    assert metrics["categories"]["screw"]["normals_used"] == 1
    assert metrics["categories"]["screw"]["repeated_items"] > 0, "one anchor cannot give ten different items"
