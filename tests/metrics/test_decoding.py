"""The same picture gives the same figures, however its file is written; both sides of a comparison hold as many."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from anomaly_gan.core.images import read_pixels, write_png
from anomaly_gan.metrics.features import Backbone, pooled_features
from anomaly_gan.metrics.frechet import frechet_distance
from anomaly_gan.synthesis.gate import distances
from anomaly_gan.synthesis.gate.config import GateConfig
from anomaly_gan.synthesis.gate.distances import View, figures


def network(images_BCHW):
    """Nine means a channel: other channels, sizes or levels are other numbers."""
    return torch.nn.functional.adaptive_avg_pool2d(images_BCHW, 3).flatten(1), []


TOY = Backbone("Toy", 24, network)


def pictures(colour: bool, count: int = 30) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    shape = (40, 56, 3) if colour else (40, 56)
    blurred = [cv2.GaussianBlur(rng.normal(0, 1, shape), (0, 0), 2) for _ in range(count)]
    return [(120 + 150 * one + 20 * at / count).clip(0, 255).astype(np.uint8) for at, one in enumerate(blurred)]


def features(folder) -> np.ndarray:
    return pooled_features((read_pixels(path, gray=False) for path in sorted(folder.iterdir())), TOY)


def saved(folder, images, suffix, change=lambda pixels: pixels, **options):
    folder.mkdir()
    for at, pixels in enumerate(images):
        Image.fromarray(change(pixels)).save(folder / f"{at:03d}{suffix}", **options)
    return features(folder)


@pytest.mark.parametrize("colour", [True, False], ids=["colour", "gray"])
def test_format_mode_and_order_of_channels_change_no_figure(tmp_path, colour):
    images = pictures(colour)
    for at, pixels in enumerate(images):
        write_png(tmp_path / "ours" / f"{at:03d}.png", pixels)
    ours = features(tmp_path / "ours")
    same = {
        "png": saved(tmp_path / "png", images, ".png"),
        "tight png": saved(tmp_path / "tight", images, ".png", compress_level=9),
        "bmp": saved(tmp_path / "bmp", images, ".bmp"),
        "tiff": saved(tmp_path / "tiff", images, ".tif", compression="tiff_lzw"),
        "webp": saved(tmp_path / "webp", images, ".webp", lossless=True, quality=0, method=0),
    }
    if not colour:
        same["gray tiled"] = saved(tmp_path / "tiled", images, ".png", lambda one: np.repeat(one[..., None], 3, 2))
    for name, found in same.items():
        assert abs(frechet_distance(ours, found)) <= 1e-6 and np.allclose(found, ours, atol=1e-3), name
    jpeg = saved(tmp_path / "jpeg", images, ".jpg", quality=87)
    assert frechet_distance(ours, jpeg) > 1e-6, "another format of lossy bytes is told, not taken for the same"
    if colour:
        assert (read_pixels(tmp_path / "png" / "000.png", gray=False) == images[0]).all(), "red, green, blue"
        swapped = saved(tmp_path / "bgr", images, ".png", lambda one: np.ascontiguousarray(one[..., ::-1]))
        assert frechet_distance(ours, swapped) > 1, "red is not blue"


def view(real: int, fake: int) -> View:
    rng = np.random.default_rng(1)
    rows = [rng.normal(size=(count, 6)) for count in (real, real, fake, fake)]
    return View(rows[0], rows[1], [f"g{at // 2}" for at in range(real)], rows[2], rows[3])


@pytest.mark.parametrize(("real", "fake"), [(40, 7), (40, 60), (14, 90)])
def test_both_sides_of_every_distance_and_of_its_reference_hold_as_many(monkeypatch, real, fake):
    seen: list[tuple[int, int]] = []

    def distance(one, other):
        seen.append((len(one), len(other)))
        return 1.0

    monkeypatch.setattr(distances, "kernel_distance", distance)
    monkeypatch.setattr(distances, "frechet_distance", distance)
    config = GateConfig(method="copy_paste", repeats=4)
    names = {"frechet": "FD", "kernel": "KID", "perceptual": "PD"}
    found = figures(view(real, fake), names, config, np.random.default_rng(2))
    assert seen[-2:] == [(real, fake)] * 2, "as papers report it, and deciding nothing"
    assert set(seen[:-2]) == {(found["n"], found["n"])} and len(seen) == 4 * config.repeats + 2
    assert found["n"] <= min(fake, real // 2)
