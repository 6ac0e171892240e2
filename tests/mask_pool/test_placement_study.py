"""The placement study: it finds what was planted, finds nothing where nothing was, and its numbers are right."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.stats import energy_distance

from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.files import sha256_bytes
from anomaly_gan.core.images import write_png
from anomaly_gan.core.seeding import rng_for
from mask_pool.experiments.placement_study import Energy, study
from mask_pool.placement.config import PlaceConfig
from mask_pool.placement.regions import Region, Regions

HEIGHT, WIDTH, OBJECTS, NORMALS = 72, 96, 16, 10


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """``rim`` defects lie at the left border and nowhere else, ``free`` ones anywhere; one of each to an object."""
    folder = tmp_path_factory.mktemp("planted")
    images: list[ImageRecord] = []
    annotations: list[Annotation] = []
    for index in range(OBJECTS + NORMALS):
        rng = rng_for(9, index)
        # clouds: painting out a defect leaves them as they are, while it would wipe pixel noise away
        clouds = cv2.GaussianBlur(rng.normal(0, 1, (HEIGHT, WIDTH)), (0, 0), 5)
        pixels = np.clip(120 + 12 * clouds / clouds.std(), 0, 255).astype(np.uint8)
        name = f"{index:02d}.png"
        images.append(ImageRecord(index + 1, name, WIDTH, HEIGHT, f"o{index}", "train", "real", name))
        corners = [(1, int(rng.integers(HEIGHT - 6))), (int(rng.integers(WIDTH - 6)), int(rng.integers(HEIGHT - 6)))]
        for category, (x, y) in enumerate(corners if index < OBJECTS else [], start=1):
            mask_01 = np.zeros((HEIGHT, WIDTH), np.uint8)
            mask_01[y : y + 7, x : x + 7] = 1
            pixels[mask_01 > 0] = 20
            annotations.append(Annotation.from_mask(len(annotations) + 1, index + 1, category, mask_01))
        images[-1] = replace(images[-1], sha256=sha256_bytes(write_png(folder / "images" / name, pixels)))
    return Dataset(images, annotations, [Category(1, "rim"), Category(2, "free")], {"mode": "L"}, folder)


@pytest.fixture(scope="module")
def right_half() -> Regions:
    legal_01 = np.zeros((HEIGHT, WIDTH), np.uint8)
    legal_01[:, WIDTH // 2 :] = 1
    return Regions(shared=[Region(True, None, legal_01, "all.legal.png")])


@pytest.fixture(scope="module")
def result(planted: Dataset, right_half: Regions, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    out = tmp_path_factory.mktemp("study")
    return out, study(planted, out, regions=right_half, resamples=100, seed=3)


def of(rows: list[dict[str, Any]], category: str, arm: str, measure: str) -> dict[str, Any]:
    found = [row for row in rows if (row["category"], row["arm"], row["measure"]) == (category, arm, measure)]
    assert len(found) == 1
    return found[0]


def test_a_planted_place_is_found_on_unseen_objects_and_the_sham_finds_none(result: tuple[Path, Any]) -> None:
    rows = result[1]["rows"]
    planted = of(rows, "rim", "prior", "AUROC")
    assert planted["value"] > 0.85 and planted["low"] > 0.7 and planted["objects"] == OBJECTS
    for category in ("rim", "free"):
        assert 0.35 < of(rows, category, "sham", "AUROC")["value"] < 0.65
    # with 16 objects and nothing to learn chance alone moves it by 0.11 (standard deviation over 30 such data sets)
    assert of(rows, "free", "prior", "AUROC")["value"] < min(planted["low"], 0.85)


def test_the_prior_places_masks_where_the_real_ones_are(result: tuple[Path, Any]) -> None:
    rows = result[1]["rows"]
    for arm in ("prior", "position"):
        nearer = of(rows, "rim", arm, "position less random")
        assert nearer["value"] < 0 and nearer["high"] < 0
    assert of(rows, "rim", "random", "position")["low"] is None, "a distance has no interval of its own"


def test_regions_hold_and_their_fit_to_the_real_masks_is_told(result: tuple[Path, Any], planted: Dataset) -> None:
    rows = result[1]["rows"]
    for category in ("rim", "free"):
        for arm in ("random + regions", "prior + regions"):
            assert of(rows, category, arm, "inside")["value"] == 1.0
    assert of(rows, "rim", "real", "inside")["value"] == 0.0, "every real one lies in the left half"
    inside = [annotation.bbox[0] >= WIDTH // 2 for annotation in planted.annotations if annotation.category_id == 2]
    assert of(rows, "free", "real", "inside")["value"] == pytest.approx(np.mean(inside), abs=1e-4)
    assert 0 < of(rows, "rim", "random", "inside")["value"] < 1


def test_the_same_seed_writes_the_same_bytes(
    result: tuple[Path, Any], planted: Dataset, right_half: Regions, tmp_path: Path
) -> None:
    study(planted, tmp_path, regions=right_half, resamples=100, seed=3)
    names = sorted(path.name for path in result[0].iterdir())
    assert names == ["placement.png", "places_free.png", "places_rim.png", "summary.json", "table.csv"]
    for name in names:
        assert (tmp_path / name).read_bytes() == (result[0] / name).read_bytes()
    with (tmp_path / "table.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == len(result[1]["rows"])


def test_without_regions_there_are_no_arms_with_them(planted: Dataset, tmp_path: Path) -> None:
    found = study(planted, tmp_path, config=PlaceConfig(), categories=["free"], repeats=1, resamples=10, most=6)
    assert {row["arm"] for row in found["rows"]} == {"prior", "sham", "real", "random", "position"}
    assert {row["category"] for row in found["rows"]} == {"free"}


def test_one_object_is_too_few(planted: Dataset, tmp_path: Path) -> None:
    few = planted.select(lambda image: image.id in {1, OBJECTS + 1})
    with pytest.raises(InputError, match="E7"):
        study(few, tmp_path)
    assert not any(tmp_path.iterdir())


def test_energy_distance_is_scipys_and_nought_for_the_same() -> None:
    rng = np.random.default_rng(4)
    first, second = rng.normal(0, 1, (30, 1)), rng.normal(0.7, 1.5, (40, 1))
    names = [f"o{index % 10}" for index in range(40)]
    energy = Energy(first, names[:30], second, names)
    assert energy.value() == pytest.approx(energy_distance(first[:, 0], second[:, 0]) ** 2, rel=1e-6)
    same = Energy(first, names[:30], first, names[:30])
    assert same.value() == pytest.approx(0, abs=1e-12)
    low, high = same.interval(energy, 200, 1) or (0.0, 0.0)
    assert low < high < 0
    assert Energy(first[:2], ["a", "b"], first[:2], ["a", "b"]).interval(same, 10, 1) is None
