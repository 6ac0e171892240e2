"""The plausibility model: it learns places and shapes where there is something to learn, and nothing elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord
from anomaly_gan.core.files import sha256_bytes
from anomaly_gan.core.images import write_png
from anomaly_gan.statistics.ranks import auroc
from mask_pool.experiments.plausibility_study import study
from mask_pool.experiments.plausibility_trial import calibrated_unseen, cross_validate, evaluate_pairs, evaluate_rated
from mask_pool.placement.maps import paint_out
from mask_pool.placement.real_masks import Scenes, real_elements
from mask_pool.plausibility.calibration import Calibration
from mask_pool.plausibility.config import PlausibilityConfig
from mask_pool.plausibility.model import PlausibilityModel, choose, presort
from mask_pool.statistics.object_bootstrap import deal
from mask_pool.statistics.shape_statistics import NAMES, shape_statistics

SIDE = 72


def blob(x: int, y: int, size: int = 5) -> np.ndarray:
    mask_01 = np.zeros((SIDE, SIDE), np.uint8)
    cv2.ellipse(mask_01, (x, y), (size, size - 2), 20, 0, 360, 1, -1)
    return mask_01


def make(
    folder: Path, objects: int, left_only: bool, categories: tuple[str, ...] = ("scratch",), seed: int = 3
) -> Dataset:
    """One defect to the photograph: on the left, brushed half of the metal only, or anywhere, up to the border."""
    rng = np.random.default_rng(seed)
    images, annotations = [], []
    for index in range(objects):
        pixels = 120 + rng.normal(0, 3, (SIDE, SIDE))
        pixels[:, : SIDE // 2] += 14 * np.sin(np.arange(SIDE // 2) * 1.5) - 20
        size = 4 + index % 3
        x = int(rng.integers(size, SIDE // 2 - 8 if left_only else SIDE - size))
        mask_01 = blob(x, int(rng.integers(size, SIDE - size)), size)
        pixels[mask_01 != 0] = 15
        name = f"{index:03d}.png"
        digest = sha256_bytes(write_png(folder / "images" / name, np.clip(pixels, 0, 255).astype(np.uint8)))
        images.append(ImageRecord(index + 1, name, SIDE, SIDE, f"object_{index // 2}", "train", "real", digest))
        annotations.append(Annotation.from_mask(index + 1, index + 1, 1 + index % len(categories), mask_01))
    return Dataset(
        images, annotations, [Category(i, name) for i, name in enumerate(categories, 1)], {"mode": "L"}, folder
    )


@pytest.fixture(scope="module")
def sided(tmp_path_factory) -> Dataset:
    return make(tmp_path_factory.mktemp("sided"), 32, left_only=True)


@pytest.fixture(scope="module")
def model(sided) -> PlausibilityModel:
    return PlausibilityModel.fit(sided, PlausibilityConfig(), 0)


def test_shape_statistics_are_defined_for_one_pixel_and_do_not_depend_on_the_photographs_size():
    dot = np.zeros((40, 40), np.uint8)
    dot[7, 9] = 1
    assert np.isfinite(shape_statistics(dot)).all() and len(shape_statistics(dot)) == len(NAMES)
    shape = blob(30, 30, 12)
    twice = cv2.resize(shape, None, fx=4, fy=4, interpolation=cv2.INTER_NEAREST)
    assert np.abs(shape_statistics(shape) - shape_statistics(twice)).max() < 0.2


def test_shape_statistics_say_what_they_are_called():
    bar = np.zeros((100, 100), np.uint8)
    bar[50:54, 10:90] = 1
    ring = cv2.circle(np.zeros((100, 100), np.uint8), (50, 50), 20, 1, 3)
    two = np.zeros((100, 100), np.uint8)
    two[10:20, 10:20] = two[60:70, 60:70] = 1
    named = [dict(zip(NAMES, shape_statistics(mask), strict=True)) for mask in (bar, ring, two)]
    assert named[0]["area"] == pytest.approx(np.log(320 / 10000))
    assert named[0]["elongation"] == pytest.approx(np.log(20), abs=0.01) and named[0]["lie_across"] > 0.9
    assert named[0]["solidity"] == pytest.approx(1) and named[0]["width"] == pytest.approx(np.log(0.04), abs=0.3)
    assert named[1]["holes"] > 0.6 and named[0]["holes"] == 0
    assert named[2]["parts"] == pytest.approx(np.log(2))


def test_learns_the_half_on_which_defects_occur(sided):
    dataset = sided
    # moved masks may land on the right half or, legally, on the left one: only the former can be told
    verdicts = [
        one
        for one in cross_validate(dataset, PlausibilityConfig(), Scenes(dataset), 4, 3, 0)
        if one.pair.kind == "moved" and np.nonzero(one.pair.fake_01)[1].mean() > SIDE / 2
    ]
    real, fake = (np.array([getattr(one, side)["place"] for one in verdicts]) for side in ("real", "fake"))
    assert auroc(fake, real) > 0.9


def test_learns_nothing_from_places_at_random_though_every_defect_is_glaring(tmp_path):
    found = []
    for seed in range(3):
        dataset = make(tmp_path / str(seed), 24, left_only=False, seed=seed)
        verdicts = [
            one
            for one in cross_validate(dataset, PlausibilityConfig(), Scenes(dataset), 3, 1, 0)
            if one.pair.kind == "moved"
        ]
        found.append(
            [
                auroc(np.array([one.fake[view] for one in verdicts]), np.array([one.real[view] for one in verdicts]))
                for view in ("place", "painted", "peek")
            ]
        )
    place, painted, peek = np.mean(found, axis=0)
    assert 0.38 < place < 0.62 and 0.4 < painted < 0.6
    assert abs(peek - 0.5) > 0.3, "the defects do show where nothing is painted out"


def test_does_not_see_what_lies_under_the_mask(model, sided):
    gray = np.full((SIDE, SIDE), 120, np.uint8)
    mask_01 = blob(20, 30)
    marked = gray.copy()
    marked[mask_01 != 0] = 0
    assert np.array_equal(paint_out(gray, mask_01), paint_out(marked, mask_01))
    assert model.score(gray, mask_01, "scratch") == model.score(marked, mask_01, "scratch")


def test_a_wrong_size_scores_less_and_is_named(model, sided):
    gray = Scenes(sided).gray("000.png")
    usual, huge = (model.score(gray, blob(20, 36, size), "scratch") for size in (5, 19))
    assert usual.score > huge.score and usual.shape > huge.shape
    assert any(reason.startswith("larger than") for reason in huge.reasons)
    assert all(0 <= value <= 10 for one in (usual, huge) for value in (one.score, one.shape, one.place))


def test_the_same_model_again_and_from_its_state(model, sided):
    gray, mask_01 = Scenes(sided).gray("001.png"), blob(50, 20)
    again = PlausibilityModel.fit(sided, PlausibilityConfig(), 0)
    stored = PlausibilityModel.from_state(json.loads(json.dumps(model.state())))
    assert model.score(gray, mask_01, "scratch") == again.score(gray, mask_01, "scratch")
    assert model.score(gray, mask_01, "scratch") == stored.score(gray, mask_01, "scratch")


def test_one_pixel_one_real_mask_and_none(tmp_path):
    dataset = make(tmp_path, 1, left_only=True)
    dataset.categories.append(Category(2, "never seen"))
    model = PlausibilityModel.fit(dataset, PlausibilityConfig(), 0)
    dot = np.zeros((SIDE, SIDE), np.uint8)
    dot[3, 4] = 1
    gray = Scenes(dataset).gray("000.png")
    for category in ("scratch", "never seen"):
        assert 0 <= model.score(gray, dot, category).score <= 10
    with pytest.raises(ValueError, match="did you mean 'scratch'"):
        model.score(gray, dot, "scratches")
    with pytest.raises(ValueError, match="at least one real mask"):
        PlausibilityModel.fit(dataset.select(lambda image: False), PlausibilityConfig(), 0)


def test_never_looks_at_the_test_split(sided):
    images = [
        image if index < 20 else ImageRecord(**{**vars(image), "split": "test", "file_name": "missing.png"})
        for index, image in enumerate(sided.images)
    ]
    PlausibilityModel.fit(
        Dataset(images, sided.annotations, sided.categories, sided.info, sided.folder), PlausibilityConfig(), 0
    )


def test_chooses_and_presorts(model, sided):
    gray = Scenes(sided).gray("002.png")
    masks = [blob(55, 30, 19), blob(20, 30, 5), blob(60, 60, 2)]
    assert choose(model, [(gray, mask, "scratch") for mask in masks]) == 1
    order = presort(model, {name: (gray, mask, "scratch") for name, mask in zip("abc", masks, strict=True)})
    assert order["b"] == 0 and sorted(order.values()) == [0, 1, 2]
    with pytest.raises(ValueError, match="no candidates"):
        choose(model, [])


def test_calibration_is_monotone_and_stays_on_the_scale():
    rng = np.random.default_rng(0)
    parts = -rng.exponential(1, (60, 2))
    scores = np.clip(8 + 2 * parts[:, 0] - 0.5 * parts[:, 1] + rng.normal(0, 0.3, 60), 0, 10)
    fitted = Calibration.fit(parts, scores)
    assert fitted.weights[0] > 1 and fitted.weights[1] >= 0
    assert np.corrcoef(fitted.score(parts), scores)[0, 1] > 0.8
    assert Calibration.from_state(fitted.state()) == fitted
    assert fitted.score(np.array([[-99.0, -99.0]]))[0] == 0
    with pytest.raises(ValueError, match="rated masks are needed"):
        Calibration.fit(parts[:3], scores[:3])


def test_calibrated_scores_never_use_the_own_photograph(model, sided):
    drawings = [
        type(one)(**{**vars(one), "score": 3.0 + index % 5})
        for index, one in enumerate(real_elements(sided, "train", 0.0)["scratch"][:12])
    ]
    scenes = Scenes(sided)
    rated = evaluate_rated(model, drawings, scenes)
    before = calibrated_unseen(rated)
    changed = [*drawings[:-1], type(drawings[-1])(**{**vars(drawings[-1]), "score": 10.0})]
    after = calibrated_unseen(evaluate_rated(model, changed, scenes))
    assert before[-1] == after[-1] and not np.array_equal(before[:-1], after[:-1])


def test_a_donor_is_as_unseen_as_the_real_mask(tmp_path):
    dataset = make(tmp_path, 16, left_only=True, categories=("scratch", "dent"))
    elements = real_elements(dataset, "train", 0.0)
    groups = deal(elements, 0)
    assert sorted(groups) == sorted({image.group_id for image in dataset.images})
    held = {name: [one for one in own if one.parent_group in groups[:4]] for name, own in elements.items()}
    model = PlausibilityModel.fit(
        dataset.select(lambda image: image.group_id not in groups[:4]), PlausibilityConfig(), 0
    )
    verdicts = evaluate_pairs(model, held, held, Scenes(dataset), 1, 0)
    areas = {one.area for own in held.values() for one in own}
    assert {one.pair.kind for one in verdicts} == {"moved", "swapped", "foreign", "resized"}
    assert all(np.count_nonzero(one.pair.fake_01) in areas for one in verdicts if one.pair.kind != "resized")


def test_study_writes_the_same_bytes_again(tmp_path):
    dataset = make(tmp_path / "data", 8, left_only=True)
    rated = real_elements(dataset, "train", 0.0)["scratch"]
    rated = [type(one)(**{**vars(one), "score": 1.0 + index}) for index, one in enumerate(rated)]
    for out in ("a", "b"):
        summary = study(dataset, tmp_path / out, rated={"scratch": rated}, folds=2, draws=1, resamples=20, seed=1)
    names = ["roc.png", "scores.png", "sheet.png", "summary.json", "table.csv"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == names
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names)
    assert summary == json.loads((tmp_path / "a" / "summary.json").read_text())
    assert {row["question"] for row in summary["rows"]} == {"AUROC", "Spearman", "AUROC passable"}
