"""Masks, places and windows on large photographs take bounded memory: each in a process that may not have more."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

SPARE_MB = 400
"""Address space beyond what the imports take. A photograph of 12 megapixels is 12 MB, its mask as much; five hundred
masks at once would be 6 GB."""
BEGIN = f"""
import resource, sys
from pathlib import Path
import numpy as np
from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord
from anomaly_gan.core.images import write_png
from anomaly_gan.core.files import sha256_bytes
from anomaly_gan.synthesis.gate.defects import RealDefects
from anomaly_gan.synthesis.gate.poses import Pose
from anomaly_gan.synthesis.generate.stage import pool_items
from anomaly_gan.synthesis.interface import MethodInputs
from anomaly_gan.synthesis.registry import METHODS
from mask_pool.build.config import PoolConfig
from mask_pool.build import stage as pool_stage
from anomaly_gan.core.stage import Context

import cv2
cv2.setNumThreads(1)
cv2.inpaint(np.zeros((8, 8), np.uint8), np.eye(8, dtype=np.uint8), 3, cv2.INPAINT_TELEA)
now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + {SPARE_MB} * 2**20,) * 2)
folder = Path(sys.argv[1])


def photograph(height, width, seed):
    rows = 120 + 40 * np.sin(np.linspace(0, 40, height) + seed)
    return np.repeat(rows[:, None], width, axis=1).astype(np.uint8)
"""
POOL = """
height, width = int(sys.argv[2]), int(sys.argv[3])
images, annotations = [], []
for number in range(4):
    pixels, name = photograph(height, width, number), f"{number}.png"
    if number % 2:
        mask, rng = np.zeros((height, width), np.uint8), np.random.default_rng(number)
        y, x = int(rng.integers(10, height - 130)), int(rng.integers(10, width - 130))
        mask[y : y + 9, x : x + 120] = 1
        pixels[mask != 0] = 220
        annotations.append(Annotation.from_mask(len(annotations) + 1, number + 1, 1, mask))
    digest = sha256_bytes(write_png(folder / "ingest" / "images" / name, pixels))
    images.append(ImageRecord(number + 1, name, width, height, name, "train", "real", digest))
train = Dataset(images, annotations, [Category(1, "line")], {"mode": "L"}, folder / "ingest")
train.save(folder / "ingest")
pool_stage.run(PoolConfig(count=2), Context(1, "cpu", {"ingest": folder / "ingest"}), folder / "pool")
from anomaly_gan.core.dataset import load_dataset
pool, real_defects = load_dataset(folder / "pool"), RealDefects(train, 50, 0)
paint = METHODS["copy_paste"].open(MethodInputs(train, pool, 1, "cpu"))
for item in pool_items(pool)["line"]:
    sample = paint([item], 0)[0]
    assert sample.pixels.shape == (height, width)
    mask = sample.instances[0][1]
    assert mask.shape == (height, width) and 300 < mask.sum() < 5000  # at the photograph's own scale
    Pose.of(mask, real_defects.part_on(sample.pixels))
assert real_defects.of("line")[0].window.pixels.size < 200 * 200
"""
SPECKS = """
height, width = 3000, 4000
pixels = photograph(height, width, 0)
digest = sha256_bytes(write_png(folder / "images" / "a.png", pixels))
image = ImageRecord(1, "a.png", width, height, "a", "train", "real", digest)
bitmap = np.ones((12, 15), np.uint8)
rng = np.random.default_rng(0)
specks = [
    Annotation.from_box(n + 1, 1, 1, bitmap, int(rng.integers(width - 20)), int(rng.integers(height - 20)),
                        (height, width))
    for n in range(500)
]
train = Dataset([image], specks, [Category(1, "speck")], {"mode": "L"}, folder)
(defect,) = RealDefects(train, 50, 0).of("speck")
window = defect.window
assert window.pixels.shape == window.mask_01.shape and window.mask_01.sum() == 180 and len(defect.others) == 499
"""


def run(code: str, *arguments: object) -> None:
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(BEGIN + code), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=240,
        env={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"},
    )
    assert process.returncode == 0, process.stderr[-2000:]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="address space is bounded through /proc")
@pytest.mark.parametrize(("height", "width"), [(2000, 2000), (8000, 500)])
def test_masks_paint_and_windows_at_native_scale(height, width, tmp_path) -> None:
    run(POOL, tmp_path, height, width)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="address space is bounded through /proc")
def test_hundreds_of_specks_on_twelve_megapixels_are_drawn_in_their_own_box(tmp_path) -> None:
    run(SPECKS, tmp_path)
