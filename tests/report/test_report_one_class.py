"""The one-class filter's section: there where a run has one, and no trace of it where it has none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.files import write_text
from anomaly_gan.report.config import ReportConfig
from anomaly_gan.report.stage import run

HOSTILE = "<script>alert(1)</script>"


def write_one_class(out: Path) -> dict[str, Any]:
    row = {"value": 1.25, "asked": 0.05, "expected": 0.048, "low": 0.012, "high": 0.1, "held_out": 30, "groups": 9}
    return {
        "detectors": ["iaead", "knn"],
        "thresholds": {"iaead": {"image": row, "map": row}, "knn": {"image": row, "map": None}},
        "learned_from": {"photographs": 90, "objects": 27},
        "held_out": {"photographs": 30, "objects": 9},
    }


def write_filter(out: Path, gate: Path) -> dict[str, Any]:
    names = sorted(image.file_name for image in load_dataset(gate).images)
    lines = [
        {
            "file_name": name,
            "category": HOSTILE,
            "outlier": place < 2,
            "base": None,
            "reasons": ["defect_not_unusual"] if place < 2 else [],
            "detectors": {"iaead": {"defect": 0.4, "defect_threshold": 1.2}},
        }
        for place, name in enumerate(names)
    ]
    lines.append({**lines[0], "file_name": "../../../etc/passwd"})
    write_text(out / "outliers.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    cells = {
        "photographs": len(names),
        "outlier": 2,
        "share": 0.3333,
        "defect_not_unusual": 0.3333,
        "background_unusual": None,
        "background_compared": 0,
    }
    return {
        "sentence": "a plain sentence",
        "all": cells,
        "categories": {"crack": cells},
        "references": {
            "real_defects": {"all": {**cells, "share": 0.125}},
            "held_out_normals": {"all": {**cells, "share": 0.97}},
        },
    }


@pytest.fixture(scope="module")
def page(build_run, tmp_path_factory):
    made = build_run()
    made.stage("one_class", write_one_class)
    made.stage("one_class_filter@copy_paste", lambda out: write_filter(out, made.folder / "gate@copy_paste"))
    out = tmp_path_factory.mktemp("out")
    run(ReportConfig(rows=2, cell_px=48), made.context(), out)
    return (out / "report.html").read_text(encoding="utf-8")


def test_thresholds_shares_references_and_reasons_are_shown(page):
    assert 'id="one-class"' in page and 'href="#one-class"' in page
    for words in (
        "[1.2 %,\u00a010.0 %]",
        "4.8 %",
        "greatest value of the map",
        "33.3 %",
        "reference: real defects",
        "12.5 %",
        "97.0 %",
        "a plain sentence",
        "defect not unusual (iaead 0.4 of 1.2)",
    ):
        assert words in page
    assert page.count('alt="outlier ') == 2
    assert HOSTILE not in page and "passwd" not in page


def test_without_a_filter_nothing_is_said_of_it(build_run, tmp_path):
    run(ReportConfig(rows=2, cell_px=48), build_run().context(), tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "one-class" not in text and "one-class filter" not in text


def test_empty_figures_do_not_stop_the_page(build_run, tmp_path):
    made = build_run()
    made.stage("one_class", lambda out: {"thresholds": {"iaead": None}, "learned_from": 3})
    made.stage("one_class_filter@copy_paste", lambda out: {"categories": [], "references": {"real_defects": 7}})
    run(ReportConfig(rows=2, cell_px=48), made.context(), tmp_path)
    assert 'id="one-class"' in (tmp_path / "report.html").read_text(encoding="utf-8")
