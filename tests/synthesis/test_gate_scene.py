"""A method that may change every pixel must keep the photograph that it paints on."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from small_run import HEIGHT, WIDTH, add_image

from anomaly_gan.core.dataset import Annotation, Category, Dataset
from anomaly_gan.synthesis.gate.category_metrics import measure
from anomaly_gan.synthesis.gate.category_metrics.data import CategoryData
from anomaly_gan.synthesis.gate.category_metrics.scene import measure as scene
from anomaly_gan.synthesis.gate.config import GateConfig
from anomaly_gan.synthesis.gate.defects import RealDefects, defects_of
from anomaly_gan.synthesis.gate.results import Counts

OBJECTS = 12


def surface(number):
    """The smooth surface of one object, unlike that of any other."""
    rough = np.random.default_rng(number).normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32)
    smooth = cv2.GaussianBlur(rough, (0, 0), 6)
    return (110 + 200 * smooth).clip(0, 255)


MASK = np.zeros((HEIGHT, WIDTH), np.uint8)
MASK[30:42, 40:52] = 1


def photographs(folder, pixels_of, base, sound=False):
    """One labelled photograph of every object, and with ``sound`` one without a defect."""
    images, annotations = [], []

    def add(name, pixels, number):
        image = add_image(folder, images, name, pixels.clip(0, 255).astype(np.uint8), f"g{number}", "train")
        image.extra["provenance"] = {"base": base}
        return image

    for number in range(OBJECTS):
        pixels = pixels_of(number)
        image = add(f"{number}.png", np.where(MASK > 0, 250, pixels), number)
        annotations.append(Annotation.from_mask(number + 1, image.id, 1, MASK))
        if sound:
            add(f"sound_{number}.png", pixels, number)
    return Dataset(images, annotations, [Category(1, "spot")], {"mode": "L"}, folder)


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    return RealDefects(photographs(tmp_path_factory.mktemp("real"), surface, None, sound=True), 50, 0)


def found(real, made, **config):
    rows = defects_of(made, "spot", 50, np.random.default_rng(0))
    counts = Counts(len(rows), len(rows), 0, len(rows), len(rows), 0, 0)
    return CategoryData("spot", GateConfig(**config), counts, real, rows)


def repainted(number):
    """The same scene under another light, blurred, with another grain."""
    noise = np.random.default_rng(100 + number).normal(0, 8, (HEIGHT, WIDTH))
    return 0.7 * cv2.GaussianBlur(surface(number), (0, 0), 2) + 40 + noise


@pytest.mark.parametrize(
    ("pixels_of", "level", "value"),
    [
        (repainted, "pass", 0.0),
        (lambda number: repainted(0), "fail", 11 / 12),
        (lambda number: repainted(number + 1000), "fail", None),
        (lambda number: repainted(number if number % 4 else 0), "pass", 2 / 12),
        (lambda number: repainted(number if number % 3 else 0), "warn", 3 / 12),
    ],
    ids=["kept", "one picture for all", "foreign scenes", "two of twelve lost", "three of twelve lost"],
)
def test_the_scene_is_kept_or_it_is_said(pixels_of, level, value, real, tmp_path):
    result = scene(found(real, photographs(tmp_path, pixels_of, None)))
    assert result.level == level and (value is None or result.value == pytest.approx(value))
    assert ("another object" in result.sentence) == (level != "pass")


def test_it_is_not_asked_where_a_method_keeps_what_it_does_not_paint(real, tmp_path):
    assert scene(found(real, photographs(tmp_path, lambda number: repainted(0), "0.png"))) is None


def test_of_what_is_all_defect_nothing_is_said(real, tmp_path):
    made = photographs(tmp_path, lambda number: repainted(0), None)
    for item in made.annotations:
        item.segmentation.update(Annotation.from_mask(1, 1, 1, np.ones_like(MASK)).segmentation)
    assert scene(found(real, made)).value == 0.0


def test_it_is_not_asked_without_sound_photographs_of_other_objects(tmp_path):
    made = photographs(tmp_path, lambda number: repainted(0), None)
    assert scene(found(RealDefects(made, 50, 0), made)) is None, "all are labelled"


def test_a_lost_scene_fails_the_category(real, tmp_path):
    made = photographs(tmp_path, lambda number: repainted(0), None)
    assert measure(found(real, made, verdict_n=6))["scene"].level == "fail"
    assert measure(found(real, made, verdict_n=13))["scene"].level == "too_few"
