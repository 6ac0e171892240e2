"""One-class detectors read photographs as ingest does, and learn from folders of good parts alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomaly_gan.core.errors import InputError
from anomaly_gan.ingestion.ledger import Ledger
from anomaly_gan.ingestion.reading import ReadingConfig
from detection.one_class.inspection.images import View
from detection.one_class.inspection.normals import Grouping, gather


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def deep(seed: int, top: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, top, (32, 40)).astype(np.uint16)


def gathered(root: Path, reading: ReadingConfig = ReadingConfig()):
    return gather(root, View(16), Grouping(), Ledger(), reading)


def test_the_depth_is_found_over_the_folder_and_kept_for_scoring(tmp_path: Path) -> None:
    save(tmp_path / "a/0.png", deep(0, 1024))
    save(tmp_path / "a/1.png", deep(1, 100))
    both = gathered(tmp_path / "a")
    assert both.reading.bits == 10 and both.squares_NCHW[1].max() < 40 < both.squares_NCHW[0].max()
    save(tmp_path / "b/1.png", deep(1, 100))
    alone = gathered(tmp_path / "b", both.reading)
    np.testing.assert_array_equal(alone.squares_NCHW[0], both.squares_NCHW[1])


@pytest.mark.parametrize("names", [("train/good/0", "test/crack/0", "ground_truth/crack/0_mask"), ("1", "1_GT")])
def test_defects_and_masks_are_not_learnt_as_good_parts(names: tuple[str, ...], tmp_path: Path) -> None:
    for at, name in enumerate(names):
        save(tmp_path / f"{name}.png", np.random.default_rng(at).integers(0, 255, (32, 40), dtype=np.uint8))
    with pytest.raises(InputError, match="B16"):
        gathered(tmp_path)
