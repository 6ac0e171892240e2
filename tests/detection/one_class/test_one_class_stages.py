"""The stages ``one_class`` and ``one_class_filter`` and the calibration study on a tiny run, twice: the same bytes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord, load_dataset
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.files import sha256_bytes
from anomaly_gan.core.images import write_png
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.statistics.ranks import auroc
from detection.evaluation.statistics import Interval
from detection.one_class.inspection.checkpoint import load_model
from detection.one_class.selection_study.result import WayResult
from detection.one_class.selection_study.study import (
    best_threshold,
    rates,
    resampled,
    study,
    synthetic_for,
)
from detection.one_class.synthetic_filter import filter_stage
from detection.one_class.synthetic_filter import train_stage as stage
from detection.one_class.synthetic_filter.config import OneClassFilterConfig, OneClassStageConfig
from detection.one_class.synthetic_filter.learn import part_normals

HEIGHT, WIDTH = 32, 40
SMALL = {
    "iaead": {"size": 16, "epochs": 2, "warm_up": 1, "batch": 8, "precision": "32-true"},
    "cae": {"size": 16, "epochs": 1, "batch": 8, "precision": "32-true"},
}
CONFIG = OneClassStageConfig(detectors=("iaead",), settings={"iaead": SMALL["iaead"]}, false_alarm=0.2)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


class Writer:
    def __init__(self, folder: Path, source: str) -> None:
        self.folder, self.source = folder, source
        self.rng = np.random.default_rng(5)
        self.images: list[ImageRecord] = []
        self.annotations: list[Annotation] = []

    def add(self, name: str, group: str, split: str, defect: bool, level: int = 250, **extra) -> None:
        pixels = self.rng.integers(90, 110, (HEIGHT, WIDTH), dtype=np.uint8)
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        mask[10:18, 12:22] = 1
        if defect:
            pixels[mask != 0] = level
        content = write_png(self.folder / "images" / name, pixels)
        self.images.append(
            ImageRecord(
                len(self.images) + 1, name, WIDTH, HEIGHT, group, split, self.source, sha256_bytes(content), extra
            )
        )
        if defect:
            self.annotations.append(Annotation.from_mask(len(self.annotations) + 1, len(self.images), 1, mask))

    def save(self) -> None:
        Dataset(self.images, self.annotations, [Category(1, "hole")], {"mode": "L"}).save(self.folder)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("tiny")
    real = Writer(run / "ingest", "real")
    for group in range(12):
        split = "test" if group >= 8 else "train"
        for shot in range(3):
            real.add(f"free/{group}_{shot}.png", f"g{group}", split, False)
        if group % 2:
            real.add(f"hole/{group}.png", f"g{group}", split, True)
    real.save()
    made = Writer(run / "gate@copy_paste", "synthetic")
    for number in range(8):
        made.add(
            f"hole/{number:06d}.png",
            f"g{number}",
            "train",
            True,
            250 if number else 100,
            category="hole",
            provenance={"method": "copy_paste", "base": f"free/{number}_0.png"},
        )
    made.save()
    for name in ("ingest", "gate@copy_paste"):
        (run / name / "manifest.json").write_text(json.dumps({"key": name, "files": []}))
    return run


def run_filter(tiny: Path, out: Path, config: OneClassStageConfig = CONFIG) -> Path:
    inputs = {name: tiny / name for name in ("ingest", "gate@copy_paste")}
    run_stage("one_class", stage.run, config, Context(3, "cpu", {"ingest": inputs["ingest"]}), out / "one_class")
    run_stage(
        "one_class_filter",
        filter_stage.run,
        OneClassFilterConfig(method="copy_paste", batch=3),
        Context(3, "cpu", {**inputs, "one_class": out / "one_class"}),
        out / "one_class_filter",
    )
    return out


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "logs" not in path.parts
    }


@pytest.fixture(scope="module")
def filtered(tiny, tmp_path_factory) -> Path:
    return run_filter(tiny, tmp_path_factory.mktemp("filtered"))


def test_every_accepted_photograph_is_filtered(filtered):
    lines = [json.loads(line) for line in (filtered / "one_class_filter" / "outliers.jsonl").read_text().splitlines()]
    metrics = json.loads((filtered / "one_class_filter" / "metrics.json").read_text())
    assert [line["file_name"] for line in lines] == [f"hole/{number:06d}.png" for number in range(8)]
    assert all(line["outlier"] == bool(line["reasons"]) and set(line["detectors"]) == {"iaead"} for line in lines)
    assert metrics["all"]["outlier"] == sum(line["outlier"] for line in lines)
    assert metrics["all"]["background_compared"] == 8
    assert metrics["references"]["real_defects"]["all"]["photographs"] == 4
    assert metrics["references"]["held_out_normals"]["all"]["photographs"] == 6


def test_a_bright_defect_is_found_and_an_invisible_one_is_an_outlier(filtered):
    lines = [json.loads(line) for line in (filtered / "one_class_filter" / "outliers.jsonl").read_text().splitlines()]
    assert lines[0]["reasons"] == ["defect_not_unusual"]
    assert not any("defect_not_unusual" in line["reasons"] for line in lines[1:])


def test_detectors_that_miss_real_defects_are_said_to():
    def shares(synthetic, real, normals):
        names = ("synthetic", "real_defects", "held_out_normals")
        return {
            name: {"all": {"defect_not_unusual": share}}
            for name, share in zip(names, (synthetic, real, normals), strict=True)
        }

    assert filter_stage.sentence(shares(0.1, 0.2, 0.95)).endswith(" places on normals with nothing painted.")
    assert "says little here" in filter_stage.sentence(shares(0.1, 0.51, 0.95))
    assert filter_stage.sentence(shares(0.1, None, 0.95)).startswith("Found unusual: 90% of the synthetic defects, 5%")
    assert "no synthetic" in filter_stage.sentence(shares(None, 0.2, None))


def test_the_saved_model_is_calibrated_on_objects_it_has_not_seen(tiny, filtered):
    model = load_model(filtered / "one_class" / "iaead")
    normal = part_normals(load_dataset(tiny / "ingest"), 0.25, 3)
    assert not {i.group_id for i in normal.learn} & set(normal.held_out_groups())
    assert {i.split for i in (*normal.learn, *normal.held_out)} == {"train"}
    assert model.held_out_groups == tuple(normal.held_out_groups()) and len(model.held_out) == 6
    assert model.threshold is not None and model.map_threshold is not None
    assert not list((filtered / "one_class").rglob("trained.safetensors"))


def test_the_same_bytes_again_also_when_cut_off_after_the_model(tiny, filtered, tmp_path):
    again = run_filter(tiny, tmp_path)
    assert files(again) == files(filtered)
    (again / "one_class" / "manifest.json").unlink()
    run_filter(tiny, again)
    assert files(again) == files(filtered)


def test_two_normals_groups_are_needed(tmp_path):
    made = Writer(tmp_path / "ingest", "real")
    made.add("free/a.png", "g", "train", False)
    made.save()
    with pytest.raises(InputError, match="K5"):
        part_normals(load_dataset(tmp_path / "ingest"), 0.25, 0)


def test_a_base_outside_the_training_split_is_refused(tiny):
    accepted, ingest = load_dataset(tiny / "gate@copy_paste"), load_dataset(tiny / "ingest")
    accepted.images[0].extra["provenance"]["base"] = "free/9_0.png"
    with pytest.raises(InputError, match="E4"):
        filter_stage.synthetic(accepted, ingest)


def test_thresholds_and_areas_are_those_counted_by_hand():
    normal, abnormal = np.array([1.0, 2.0, 3.0, 4.0]), np.array([3.5, 5.0, 6.0])
    assert auroc(normal, abnormal) == pytest.approx(11 / 12)
    assert auroc(normal, normal) == pytest.approx(0.5)
    # 3.25 finds all three at one false alarm in four (0.75); 4.5 finds two of three at none (0.667)
    assert best_threshold(normal, abnormal) == pytest.approx(3.25)
    called, truth = np.array([1.0, 0, 1, 1]), np.array([1, 1, 0, 0])
    assert rates(called, truth, np.ones(4)) == pytest.approx((0.25, 0.5, 1.0))
    assert rates(called, truth, np.array([3.0, 1, 0, 1]))[1] == pytest.approx(0.75)


def test_whole_objects_are_resampled():
    called, truth, objects = np.array([[1.0, 0, 0, 1]]), np.array([1, 0, 1, 0]), np.array([0, 0, 1, 1])
    values = resampled(called, truth, objects, np.array([[2, 0], [0, 2], [1, 1]]))
    assert values[:, 0].tolist() == [0.5, 1.0, 0.0, 0.5]


def test_synthetic_photographs_on_objects_learned_from_are_kept_out_where_there_are_enough(tiny):
    accepted = load_dataset(tiny / "gate@copy_paste")
    assert len(synthetic_for(accepted, {"g1", "g2"}, matched=True)) == 8  # too few: all
    many = Dataset(accepted.images * 12, [], accepted.categories)
    assert {image.group_id for image in synthetic_for(many, {"g1", "g2"}, matched=True)} == {"g1", "g2"}


def test_the_study_judges_every_choice_on_test_objects(tiny, tmp_path):
    made = [
        study(
            tiny,
            tmp_path / name,
            "copy_paste",
            ("iaead", "cae"),
            3,
            settings=SMALL,
            false_alarm=0.2,
            device="cpu",
            bootstrap=50,
        )
        for name in ("a", "b")
    ]
    assert files(tmp_path / "a") == files(tmp_path / "b") and made[0] == made[1]
    rows = list(csv.DictReader((tmp_path / "a" / "table.csv").open()))
    assert [row["choice"] for row in rows] == [
        "blind",
        "synthetic",
        "synthetic: detector only",
        "synthetic: threshold only",
        "real_training",
        "real_training: detector only",
        "real_training: threshold only",
        "oracle",
        "blind, cae",
    ]
    assert vars(made[0].test) == {"photographs": 14, "defects": 2, "objects": 4, "objects_with_defects": 2}
    assert json.loads((tmp_path / "a" / "summary.json").read_text()) == made[0].to_json()
    best = max(float(row["balanced_accuracy"]) for row in rows)
    assert made[0].choices["oracle"].figures["balanced_accuracy"].mean == pytest.approx(best)
    assert set(made[0].sentences) == {row["choice"] for row in rows} - {"blind"}


def test_the_sentences_are_plain():
    differences = {
        "blind": None,
        "synthetic: threshold only": Interval(0.083, -0.02, 0.2),
        "oracle": Interval(0.083, 0.01, 0.2),
        "blind, cae": Interval(-0.1, -0.2, -0.01),
    }
    said = [WayResult([], [], {}, of).sentence(way) for way, of in differences.items()]
    assert said == [
        None,
        "Threshold chosen on synthetic defects: no difference shown from the blind choice, balanced accuracy +0.083 "
        "[-0.020, +0.200].",
        "Detector and threshold chosen on the test defects themselves (no way to choose): better than the blind "
        "choice, balanced accuracy +0.083 [+0.010, +0.200].",
        "Another detector (cae) chosen blind: worse than the blind choice, balanced accuracy -0.100 [-0.200, -0.010].",
    ]
