"""Tiles, kept proportions, a region, and a backbone from a file: what a plant changes without touching a method."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models import resnet18
from typer.testing import CliRunner

from anomaly_gan.cli.main import app
from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.images import write_png
from anomaly_gan.core.seeding import rng_for
from detection.one_class.api import load_one_class
from detection.one_class.inspection.evaluate import evaluate_folders
from detection.one_class.inspection.images import View
from detection.one_class.methods import backbones
from detection.one_class.registry import one_class


def numbered(height: int, width: int) -> np.ndarray:
    """Every pixel another value as far as uint8 goes."""
    return (np.arange(height)[:, None] * 7 + np.arange(width)[None]).astype(np.uint8)


def test_tiles_cover_every_pixel_at_its_own_scale_and_overlap() -> None:
    pixels, view = numbered(70, 100), View(32, "tiles")
    squares = view.squares(pixels)
    assert squares.shape == (3 * 4, 1, 32, 32)
    assert np.array_equal(squares[0, 0], pixels[:32, :32]) and np.array_equal(squares[-1, 0], pixels[-32:, -32:])
    assert np.array_equal(view.spread(squares[:, 0].astype(np.float32), (70, 100)), pixels), "put together again"
    assert View(32, "tiles").squares(numbered(20, 20)).shape == (1, 1, 32, 32)


def test_kept_proportions_fill_the_rest_with_a_mirror_image() -> None:
    pixels, view = numbered(16, 32), View(32, "kept")
    square = view.squares(pixels)[0, 0]
    assert np.array_equal(square[:16], pixels) and np.array_equal(square[16:], pixels[::-1])
    spread = view.spread(view.squares(numbered(32, 64))[:, 0].astype(np.float32), (32, 64))
    assert spread.shape == (32, 64)


def test_nothing_outside_the_region_is_looked_at_and_a_photograph_without_it_is_named() -> None:
    view, pixels = View(16, "square", (10, 4, 26, 20)), numbered(40, 40)
    changed = pixels.copy()
    changed[:4], changed[20:], changed[:, :10], changed[:, 26:] = 0, 0, 0, 0
    assert np.array_equal(view.squares(pixels), view.squares(changed))
    spread = view.spread(np.full((1, 16, 16), 3, np.float32), (40, 40))
    assert spread.shape == (40, 40)
    with pytest.raises(InputError, match=r"small\.png"):
        view.squares(numbered(12, 40), file="small.png")
    with pytest.raises(ConfigError, match="left, top, right, bottom"):
        one_class("padim").configure(changes={"region": (10, 4, 6, 20)})


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """torchvision's file of a ResNet-18, its tensors of chance."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(resnet18().state_dict(), path)
    return path


def brushed(number: int, spot: bool = False) -> np.ndarray:
    pixels = rng_for(0, "brushed", number).normal(120, 8, (96, 160)).clip(0, 255).astype(np.uint8)
    if spot:
        pixels[60:72, 120:132] = 0
    return pixels


def test_a_torchvision_file_and_tiles_from_the_command_line_to_a_model_that_needs_neither_file_nor_settings(
    weights: Path, tmp_path: Path
) -> None:
    for number in range(24):
        write_png(tmp_path / "learnt" / f"p{number}.png", brushed(number))
    for number in range(100, 106):
        write_png(tmp_path / "good" / f"p{number}.png", brushed(number))
        write_png(tmp_path / "defects" / f"p{number}.png", brushed(number + 100, spot=True))
    moved = tmp_path / "mine.pth"
    moved.write_bytes(weights.read_bytes())
    small = ["--set", "size=64", "--set", "at_least=64", "--set", "memory=60", "--set", "candidates=600"]
    asked = [str(tmp_path / "learnt"), "--out", str(tmp_path / "model"), "--false-alarm", "0.2", "--device", "cpu"]
    shown = ["--backbone", str(moved), "--frame", "tiles", "--region", "8,0,152,96"]
    done = CliRunner().invoke(app, ["one-class", "train", *asked, *shown, *small], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    moved.unlink()
    settings = json.loads((tmp_path / "model" / "model.json").read_text())["settings"]
    assert settings["backbone"] == "resnet18" and settings["layers"] == [3, 4] and settings["frame"] == "tiles"
    found = evaluate_folders(tmp_path / "model", tmp_path / "good", tmp_path / "defects", device="cpu")
    assert found.auroc == 1.0
    scores = load_one_class(tmp_path / "model", "cpu").score([brushed(7, spot=True)])
    assert scores.maps is not None and scores.maps[0].shape == (96, 160)
    down, across = np.unravel_index(int(scores.maps[0].argmax()), (96, 160))
    assert 44 < down < 88 and 104 < across < 148


def test_a_file_s_own_weights_are_what_the_detector_sees_with(weights: Path) -> None:
    from detection.one_class.training import ready_detector

    changes = {"backbone": str(weights), "size": 64, "at_least": 64}
    detector, settings = ready_detector("padim", 1, one_class("padim").configure(changes=changes), 0)
    assert settings.backbone == "resnet18"
    own = detector.nets["backbone"].state_dict()
    for key, value in torch.load(weights, weights_only=True).items():
        if key.startswith(("conv1", "layer1", "layer3")):
            assert torch.equal(own[f"trunk.net.{key}"], value), key


def test_what_is_no_backbone_is_refused_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbones, "KNOWN", ("resnet18",))
    torch.save({"state_dict": {"a": torch.zeros(2)}}, tmp_path / "other.pth")
    (tmp_path / "text.pth").write_text("no weights")
    for name, why in (("other.pth", "1 tensors of no network"), ("text.pth", "cannot be read as weights")):
        with pytest.raises(InputError, match=why):
            backbones.resolved(one_class("padim").configure(changes={"backbone": str(tmp_path / name)}))
    with pytest.raises(ConfigError, match="is no file"):
        backbones.resolved(one_class("padim").configure(changes={"backbone": "efficientnet_lite9"}))
