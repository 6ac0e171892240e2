"""`detect train` with a bank of painted crops: made beside the data set, and nothing of held-out objects in it."""

import json

import pytest
from small_run import build_run
from typer.testing import CliRunner

from anomaly_gan.cli.main import app
from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.pipeline import banks
from detection.commands import detect_train
from detection.data import CategoryMap
from detection.dense.bank import read_bank
from detection.detectors.config import DetectConfig

SETTINGS = ["detector=dense", "iterations=2", "dense.bank=exemplar", "dense.crop=32", "dense.batch=4"]
SETTINGS += ["dense.widths=[8,8,8,8]", "dense.looks=0", "dense.one_class_score=false", "dense.held_out=0.3"]


def test_a_bank_is_painted_beside_the_run_and_shown_in_every_batch(tmp_path, monkeypatch):
    monkeypatch.setattr(banks, "COUNT", 4)
    run = tmp_path / "run"
    build_run(run)
    asked = ["detect", "train", str(run), "--out", str(tmp_path / "model")]
    result = CliRunner().invoke(app, asked + [word for one in SETTINGS for word in ("--set", one)])
    assert result.exit_code == 0, result.output
    shown = json.loads((tmp_path / "model" / "metrics.json").read_text())["exposure"]
    assert shown["synthetic"]["shown"] == shown["sham"]["shown"] == 2 * 2, "half of the four crops a step are shams"
    place = run / banks.FOLDER
    learn, whole = load_dataset(place / "ingest"), load_dataset(run / "ingest").split("train")
    objects = {image.group_id for image in learn.images}
    assert 0 < len(objects) < len({image.group_id for image in whole.images}), "held-out objects are left out"
    lines = read_bank(place / "bank@exemplar", CategoryMap.of(learn.categories), objects).lines
    assert sum(not line.sham for line in lines) == 4 * len(learn.categories)
    assert {source for line in lines for source in line.sources} <= objects
    before = (place / "bank@exemplar" / "bank.jsonl").stat().st_mtime_ns
    again = CliRunner().invoke(app, asked + [word for one in SETTINGS for word in ("--set", one)])
    assert again.exit_code == 0 and (place / "bank@exemplar" / "bank.jsonl").stat().st_mtime_ns == before


def test_a_bank_needs_a_run_and_somebody_who_paints_it(tmp_path):
    config = DetectConfig.model_validate({"dense": {"bank": "exemplar"}})
    assert banks.bank_of(tmp_path, DetectConfig(), 0, "cpu") is None
    build_run(tmp_path / "run")
    (tmp_path / "run" / "ingest").rename(tmp_path / "run" / "other")
    with pytest.raises(InputError, match="no run and no ingest of one"):
        banks.bank_of(tmp_path / "run" / "other", config, 0, "cpu")
    with pytest.raises(ConfigError, match=r"dense\.bank: exemplar"):
        detect_train(tmp_path / "run" / "other", tmp_path / "model", config)
