"""The nearest real defect in the report: it finds the one that was copied, as the copy check does."""

import numpy as np
import pytest

from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord, load_dataset
from anomaly_gan.core.files import sha256_bytes
from anomaly_gan.core.images import write_png
from anomaly_gan.report.nearest import NearestReal
from anomaly_gan.synthesis.label_check.copies import CopyBook
from anomaly_gan.synthesis.label_check.windows import real_defects

SIDE = 64


def defect(seed, category):
    """Pixels and mask of a textured bar (category 1) or block (2) that no other seed has."""
    rng = np.random.default_rng(seed)
    pixels, mask = rng.integers(100, 120, (SIDE, SIDE), dtype=np.uint8), np.zeros((SIDE, SIDE), np.uint8)
    height, width = (8, 36) if category == 1 else (22, 24)
    mask[20 : 20 + height, 14 : 14 + width] = 1
    coarse = np.kron(rng.integers(0, 255, (8, 12)), np.ones((4, 4)))[:height, :width]
    pixels[mask > 0] = coarse[:height, :width].astype(np.uint8).ravel()
    return pixels, mask


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train")
    images, annotations = [], []
    for number in range(1, 9):
        category = 1 + number % 2
        pixels, mask = defect(number, category)
        content = write_png(folder / "images" / f"{number}.png", pixels)
        images.append(
            ImageRecord(number, f"{number}.png", SIDE, SIDE, f"g{number}", "train", "real", sha256_bytes(content))
        )
        annotations.append(Annotation.from_mask(number, number, category, mask))
    Dataset(images, annotations, [Category(1, "bar"), Category(2, "block")], {"mode": "L"}).save(folder)
    return load_dataset(folder)


@pytest.mark.parametrize("number", [2, 5])
def test_a_turned_copy_leads_to_its_original(train, number):
    category = 1 + number % 2
    pixels, mask = defect(number, category)
    name = train.category_names()[category]
    found = NearestReal(train).find(np.rot90(pixels), np.rot90(mask), name)
    assert found.image.file_name == f"{number}.png" and found.correlation > 0.95


def test_it_is_the_copy_checks_own_choice(train):
    book = CopyBook.build(real_defects(train, True), ["bar", "block"])
    nearest_real = NearestReal(train)
    for seed in range(100, 106):
        category = 1 + seed % 2
        pixels, mask = defect(seed, category)
        name = train.category_names()[category]
        distance, file = book.nearest(pixels, mask, name)
        found = nearest_real.find(pixels, mask, name)
        assert (found.image.file_name, found.correlation) == (file, pytest.approx(1 - distance, abs=1e-6))


def test_only_readable_defects_of_the_category_count(train, tmp_path):
    pixels, mask = defect(2, 1)
    nearest_real = NearestReal(train)
    assert int(nearest_real.find(pixels, mask, "block").image.file_name[0]) % 2 == 1
    assert (
        nearest_real.find(pixels, mask, "dent") is None
        and nearest_real.find(pixels, np.zeros_like(mask), "bar") is None
    )
    gone = Dataset(train.images, train.annotations, train.categories, train.info, tmp_path)
    assert NearestReal(gone).find(pixels, mask, "bar") is None
