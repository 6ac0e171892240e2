"""No labelled defect: the detector learns from defects drawn by rule, says so, and is used as any other."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from anomaly_gan.cli.main import app
from anomaly_gan.core.dataset import Category, Dataset
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.seeding import rng_for
from anomaly_gan.drawn_defects.drawings import KINDS
from detection.commands import detect_train
from detection.data import CategoryMap
from detection.dense.config import DenseConfig
from detection.dense.drawn import CROP, DrawnDefects, for_drawn, with_drawn_categories
from detection.dense.photographs import Photographs
from detection.dense.sampling import DRAWN_AS, CropSampler, Sources
from detection.detectors.config import DetectConfig
from detection.inspection import one_class_score
from detection.inspection.predict import predict_folder

from .conftest import finish, paint


def sound(folder: Path, categories: Sequence[Category] = ()) -> Dataset:
    images = [paint(folder, number, "train", "normal")[0] for number in range(1, 17)]
    data = Dataset(images, [], list(categories), {"mode": "L"}, folder)
    data.save(folder)
    finish(folder, "ingest")
    return data


@pytest.mark.parametrize("named", [False, True])
def test_sound_photographs_alone_give_a_detector_with_a_threshold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], named: bool
) -> None:
    sound(tmp_path / "run" / "ingest", [Category(4, "dent")] if named else [])
    monkeypatch.setattr(one_class_score, "SETTINGS", {"features": 20, "size": 96, "at_least": 96})
    monkeypatch.setattr(one_class_score, "FEWEST", 4)
    dense = DenseConfig(crop=64, batch=4, widths=(16, 16, 8, 8), held_out=0.4, fewest=3)
    config = DetectConfig(iterations=2, dense=dense)
    report = detect_train(tmp_path / "run", tmp_path / "model", config, device="cpu", false_alarm=0.4)
    assert "drawn by rule on the sound photographs" in capsys.readouterr().err
    assert report["exposure"]["drawn"]["shown"] == 2 * 2 and report["exposure"]["real_defect"]["shown"] == 0
    assert report["threshold"]["held_out"] == 6
    facts = json.loads((tmp_path / "model" / "model.json").read_text())
    names = [item["name"] for item in facts["categories"]]
    assert names == (["dent"] if named else list(KINDS))
    summary = json.loads((tmp_path / "model" / "one_class_score" / "one_class_score.json").read_text())
    assert summary["auroc"] is None and summary["own"] == one_class_score.OF_DRAWN
    predict_folder(tmp_path / "model", tmp_path / "run" / "ingest" / "images", tmp_path / "found", device="cpu")
    rows = list(csv.DictReader((tmp_path / "found" / "scores.csv").open()))
    assert len(rows) == 16 and all(0 < float(row["score"]) < 1 for row in rows)


def test_crops_are_larger_unless_a_side_was_asked_for() -> None:
    assert for_drawn(DenseConfig()).crop == CROP > DenseConfig().crop
    assert for_drawn(DenseConfig(crop=160)).crop == 160


def test_a_detector_that_cannot_draw_asks_for_labels(tmp_path: Path) -> None:
    sound(tmp_path / "run" / "ingest")
    asked = ["detect", "train", str(tmp_path / "run"), "--out", str(tmp_path / "model"), "--set", "detector=mask_rcnn"]
    result = CliRunner().invoke(app, asked)
    assert isinstance(result.exception, InputError) and "K4" in str(result.exception)


def test_what_is_drawn_is_new_each_time_on_every_kind_of_photograph_and_labelled(tmp_path: Path) -> None:
    data = with_drawn_categories(sound(tmp_path))
    categories, photographs = CategoryMap.of(data.categories), Photographs(data, CategoryMap.of(data.categories))
    drawn = DrawnDefects(photographs, photographs.sound(), categories, 32)
    items = drawn.items()
    assert len(items) == 16 * len(KINDS) and len({item.group for item in items}) == 16
    sampler = CropSampler(Sources([], [], drawn=items), DenseConfig(batch=5), 0)
    assert sampler.steps_for(10) == 10 * DRAWN_AS / 5, "as long as from so many photographs with a defect"
    assert {items[slot.place].category for slot in sampler.batch(0)} == set(range(1, 6)), "every kind in turn"
    for item in items[: len(KINDS)]:
        pixels, truth = drawn.load(item.place, rng_for(0, "a", item.place))
        again, _ = drawn.load(item.place, rng_for(0, "a", item.place))
        other, _ = drawn.load(item.place, rng_for(0, "b", item.place))
        assert pixels.shape == (48, 48) and (pixels == again).all(), "a piece of one and a half crops' side"
        assert not np.array_equal(pixels, other)
        assert [bool(layer.any()) for layer in truth] == [label == item.category for label in range(1, 7)]
