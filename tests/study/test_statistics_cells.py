"""Cells of a study as they are read from a run folder."""

import json
from pathlib import Path

import numpy as np
import pytest
from plain_ap import weighted_ap50

from anomaly_gan.core.dataset import Annotation, Category, Dataset, ImageRecord
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.files import write_json
from anomaly_gan.study.statistics import load_cells, read_result, study_cells
from detection.comparison.cell import held_out_hash
from detection.evaluation.evaluate import evaluate_detections, truth_rows


def write_run(folder: Path) -> Dataset:
    """Three test objects, two photographs of the first; category ``dent`` has no test defect."""
    groups = ("b", "a", "a", "c")
    images = [
        ImageRecord(number, f"{number}.png", 20, 20, group, "test", "real", str(number))
        for number, group in enumerate(groups, start=1)
    ]
    annotations = []
    for number, category in ((1, 1), (2, 1), (2, 3), (3, 3)):
        mask = np.zeros((20, 20), np.uint8)
        mask[2 + 5 * category // 3 : 8, 3:9] = 1
        annotations.append(Annotation.from_mask(len(annotations) + 1, number, category, mask))
    categories = [Category(1, "crack"), Category(2, "dent"), Category(3, "pit")]
    data = Dataset(images, annotations, categories, {"mode": "L"}, folder)
    data.save(folder / "ingest")
    return data


def write_cell(run: Path, data: Dataset, arm: str, rows: list[dict]) -> None:
    folder = run / "compare" / "cells" / f"{arm}-mask_rcnn-f0-s0"
    write_json(folder / "detections.json", rows)
    write_json(
        folder / "result.json",
        {
            "arm": arm,
            "detector": "mask_rcnn",
            "fold": 0,
            "seed": 0,
            "key": arm,
            "test_hash": held_out_hash(data),
            **evaluate_detections(data, rows, True, 0.5).to_json(),
        },
    )


def test_cells_are_read_with_their_matches(tmp_path: Path) -> None:
    data = write_run(tmp_path)
    rows = truth_rows(data)
    write_cell(tmp_path, data, "none", [])
    write_cell(tmp_path, data, "hybrid", [rows[0] | {"score": 0.5}, rows[2] | {"score": 0.9}, rows[3]])
    (tmp_path / "compare" / "cells" / "unfinished").mkdir()
    hybrid, none = load_cells(tmp_path)
    assert (hybrid.arm, none.arm, hybrid.objects) == ("hybrid", "none", ("a", "b", "c"))
    assert list(hybrid.matches) == ["crack", "pit"]
    assert hybrid.matches["crack"].positives.tolist() == [1, 1, 0]
    for cell in (hybrid, none):
        for name, matches in cell.matches.items():
            assert weighted_ap50(matches, np.ones(3)) == pytest.approx(cell.figure(name))
    assert hybrid.figure("dent") is None and hybrid.figure("pit") == pytest.approx(1)
    assert hybrid.figure(metric="map50_box") == pytest.approx((51 / 101 + 1) / 2)
    folder = tmp_path / "compare" / "cells" / "none-mask_rcnn-f0-s0"
    (only,) = study_cells(tmp_path, {folder: read_result(folder / "result.json")})
    assert only.arm == "none" and only.figures == none.figures


def test_no_cells_is_no_error(tmp_path: Path) -> None:
    assert load_cells(tmp_path) == []


def test_cells_of_another_test_split_and_damaged_ones_are_refused(tmp_path: Path) -> None:
    data = write_run(tmp_path)
    write_cell(tmp_path, data, "none", [])
    path = tmp_path / "compare" / "cells" / "none-mask_rcnn-f0-s0" / "result.json"
    whole = path.read_text()
    path.write_text(json.dumps(json.loads(whole) | {"test_hash": "other"}))
    with pytest.raises(InputError, match="K8: was evaluated on another test split"):
        load_cells(tmp_path)
    path.write_text(json.dumps({name: value for name, value in json.loads(whole).items() if name != "test_hash"}))
    with pytest.raises(InputError, match="FORMAT: damaged: test_hash is missing"):
        load_cells(tmp_path)
    path.write_text(whole[:20])
    with pytest.raises(InputError, match="FORMAT"):
        load_cells(tmp_path)
