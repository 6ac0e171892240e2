"""A model against known defects: hits, false alarms and AUROC, by whole parts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from anomaly_gan.cli.main import app
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.images import write_png
from anomaly_gan.core.seeding import rng_for
from detection.one_class.inspection.evaluate import evaluate_folders
from detection.one_class.inspection.normals import Grouping
from detection.one_class.inspection.train import train_folder

PART = Grouping(regex=r"o(\d+)_")


def part(number: int, spot: int = 0) -> np.ndarray:
    rng = rng_for(0, "evaluated", number)
    pixels = 120 + rng.normal(0, 3, (32, 32))
    if spot:
        pixels[8 : 8 + spot, 8 : 8 + spot] = 0
    return pixels.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model on forty sound parts; new sound parts; large and tiny defects, two photographs a part."""
    folder = tmp_path_factory.mktemp("plant")
    for number in range(40):
        write_png(folder / "learnt" / f"o{number}_a.png", part(number))
    for number in range(100, 112):
        for turn in "ab":
            write_png(folder / "good" / f"o{number}_{turn}.png", part(10 * number + (turn == "b")))
            write_png(folder / "defects" / "hole" / f"o{number}_{turn}.png", part(7 * number + (turn == "b"), 16))
    for number in range(200, 204):
        write_png(folder / "defects" / "speck" / f"o{number}_a.png", part(number, 1))
    tiny = {"size": 16, "epochs": 8, "halve_every": 100, "batch": 20, "optimizer": "adam", "precision": "32-true"}
    train_folder(
        folder / "learnt",
        folder / "model",
        detector="cae",
        preset="quick",
        changes=tiny,
        false_alarm=0.1,
        group_regex=r"o(\d+)_",
        device="cpu",
    )
    return folder


def test_holes_are_found_and_counted_by_part(plant: Path) -> None:
    done = evaluate_folders(plant / "model", plant / "good", plant / "defects", PART, device="cpu")
    hole, speck = done.kinds["hole"], done.kinds["speck"]
    assert (hole.hits, hole.count, hole.parts) == (24, 24, 12)
    assert hole.low == pytest.approx(0.735, abs=0.01) and hole.high == 1.0, "twelve parts, not 24 photographs"
    assert speck.value < 1 and done.found.count == 28 and done.found.hits == hole.hits + speck.hits
    assert done.auroc > 0.85 and done.auroc_interval is not None
    assert done.auroc_interval[0] <= done.auroc <= done.auroc_interval[1]
    assert done.false_alarms.count == 24 and done.false_alarms.parts == 12


def test_the_verb_says_it_in_plain_words_and_writes_it(plant: Path, tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    asked = ["--model", str(plant / "model"), "--good", str(plant / "good"), "--defects", str(plant / "defects")]
    done = CliRunner().invoke(
        app, ["one-class", "evaluate", *asked, "--group-regex", r"o(\d+)_", "--out", str(out)], catch_exceptions=False
    )
    assert done.exit_code == 0
    assert "AUROC 0." in done.output and "hole: 24 of 24" in done.output and "asked 10.0%" in done.output
    assert json.loads(out.read_text())["kinds"]["hole"]["parts"] == 12


def test_sound_parts_unlike_those_learnt_from_are_said_to_need_a_new_threshold(plant: Path, tmp_path: Path) -> None:
    for number in range(12):
        write_png(tmp_path / f"o{number}_a.png", 255 - part(number))
    done = evaluate_folders(plant / "model", tmp_path, plant / "defects", PART, device="cpu")
    assert any("recalibrate" in line for line in done.lines())


def test_a_photograph_in_both_folders_is_named(plant: Path, tmp_path: Path) -> None:
    first = next((plant / "good").glob("*.png"))
    for index in range(2):
        write_png(tmp_path / f"o{index}_x.png", part(900 + index, 16))
    (tmp_path / "twin.png").write_bytes(first.read_bytes())
    with pytest.raises(InputError, match="is also among the sound ones"):
        evaluate_folders(plant / "model", plant / "good", tmp_path, device="cpu")


def test_an_empty_folder_and_a_model_that_is_none_are_refused(plant: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no photographs"):
        evaluate_folders(plant / "model", tmp_path / "empty", plant / "defects", device="cpu")
    with pytest.raises(InputError):
        evaluate_folders(tmp_path / "empty", plant / "good", plant / "defects", device="cpu")
