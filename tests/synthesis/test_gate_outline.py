"""Outline, grain and rim: for each a picture that must fail and one that must pass; and what the artefact row says."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from small_run import HEIGHT, WIDTH, add_image

from anomaly_gan.core.dataset import Annotation, Category, Dataset
from anomaly_gan.synthesis.gate.category_metrics import CATEGORY_METRICS
from anomaly_gan.synthesis.gate.category_metrics.artefact import measure as artefact
from anomaly_gan.synthesis.gate.category_metrics.data import CategoryData
from anomaly_gan.synthesis.gate.config import GateConfig
from anomaly_gan.synthesis.gate.defects import RealDefects, defects_of
from anomaly_gan.synthesis.gate.results import Counts

ROWS = {row.name: row.function for row in CATEGORY_METRICS}
NAMES = ("outline", "grain", "rim")


def spots(folder, seed, fault=""):
    """Dark spots that fade to their labels' edges, grain going on through them, on a grainy surface."""
    rng, images, annotations = np.random.default_rng(seed), [], []
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    for index in range(10):
        radius = rng.uniform(8, 11)
        away = np.hypot(y - rng.uniform(26, HEIGHT - 26), x - rng.uniform(26, WIDTH - 26)) / radius
        mask = (away < 1).astype(np.uint8)
        depth = np.clip(1.2 - 1.2 * away, 0, 1)
        if fault == "outline":  # a flat ribbon cut out along the label
            depth = mask * 0.6
        noise = rng.normal(0, 6, mask.shape)
        if fault == "grain":  # smooth paint
            noise = np.where(mask > 0, cv2.GaussianBlur(noise, (0, 0), 2.5), noise)
        pixels = 120 - 50 * depth + noise
        if fault == "rim":  # a dark halo just outside
            pixels -= 25 * ((away >= 1) & (away < 1 + 4 / radius))
        pixels = pixels.clip(0, 255).astype(np.uint8)
        image = add_image(folder, images, f"{index}.png", pixels, f"g{seed}{index}", "train")
        annotations.append(Annotation.from_mask(index + 1, image.id, 1, mask))
    return Dataset(images, annotations, [Category(1, "spot")], {"mode": "L"}, folder)


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    return RealDefects(spots(tmp_path_factory.mktemp("real"), 0), 50, 0)


def found(real, made, name):
    rows = defects_of(made, "spot", 50, np.random.default_rng(0))
    counts = Counts(len(rows), len(rows), 0, len(rows), len(rows), 0, 0)
    return ROWS[name](CategoryData("spot", GateConfig(), counts, real, rows))


@pytest.mark.parametrize("name", NAMES)
def test_each_sees_its_own_fault(name, real, tmp_path):
    result = found(real, spots(tmp_path, 1, name), name)
    assert result.level == "warn" and result.value > 0.8 and "no real" in result.sentence


@pytest.mark.parametrize("name", NAMES)
def test_each_passes_what_is_like_the_real_ones_and_what_has_no_fault_of_its_own(name, real, tmp_path):
    assert found(real, spots(tmp_path / "alike", 2), name).level == "pass"
    other = {"outline": "", "grain": "rim", "rim": "grain"}[name]
    if name != "outline":  # a flat ribbon is one, and so is a dark rim
        assert found(real, spots(tmp_path / "other", 3, other), name).level == "pass"


@pytest.mark.parametrize(
    ("figures", "level"),
    [
        ({"auroc": 0.9, "pairs": 24}, "warn"),
        ({"auroc": 0.6, "pairs": 24}, "pass"),
        ({"auroc": 0.7, "pairs": 24}, "warn"),
        ({"auroc": 0.7, "pairs": 8}, "pass"),
        ({"auroc": 0.62, "pairs": 400}, "warn"),
    ],
)
def test_a_trace_counts_where_it_exceeds_what_so_few_pairs_give_by_chance(figures, level):
    data = CategoryData("spot", GateConfig(), Counts(1, 1, 0, 1, 1, 0, 0), None, figures={"artefact": figures})
    result = artefact(data)
    assert result.level == level and result.value == figures["auroc"] and bool(result.sentence) == (level == "warn")


@pytest.mark.parametrize("figures", [{}, {"artefact": {"auroc": None, "pairs": 24}}])
def test_where_nothing_was_measured_nothing_is_said(figures):
    data = CategoryData("spot", GateConfig(), Counts(1, 1, 0, 1, 1, 0, 0), None, figures=figures)
    assert artefact(data) is None
