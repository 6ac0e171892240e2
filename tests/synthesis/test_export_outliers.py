"""``export.outliers: drop`` leaves out the one-class filter's outliers, counts them, and guesses nothing."""

from __future__ import annotations

import json

import pytest

from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.errors import InputError
from anomaly_gan.core.files import write_json, write_text
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.synthesis.export import stage as export
from anomaly_gan.synthesis.gate.config import ExportConfig
from anomaly_gan.synthesis.generate import stage as generate
from anomaly_gan.synthesis.generate.config import GenerateConfig


@pytest.fixture(scope="module")
def accepted(small_run):
    folder = small_run.folder / "gate-for-the-filter"
    run_stage(
        "generate",
        generate.run,
        GenerateConfig(method="copy_paste", count=3),
        Context(3, "cpu", small_run.inputs()),
        folder,
    )
    return folder


def export_with(small_run, accepted, folder, lines, outliers="drop"):
    write_text(folder / "one_class_filter" / "outliers.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    write_json(folder / "one_class_filter" / "manifest.json", {"key": "x", "files": []})
    inputs = {**small_run.inputs(), "gate@copy_paste": accepted}
    if outliers == "drop":
        inputs["one_class_filter@copy_paste"] = folder / "one_class_filter"
    run_stage(
        "export",
        export.run,
        ExportConfig(method="copy_paste", outliers=outliers),
        Context(3, "cpu", inputs),
        folder / "export",
    )
    return load_dataset(folder / "export"), json.loads((folder / "export" / "metrics.json").read_text())


def scores(accepted, outliers):
    names = sorted(image.file_name for image in load_dataset(accepted).images)
    return [{"file_name": name, "outlier": place in outliers} for place, name in enumerate(names)], names


def test_outliers_stay_out_and_are_counted(small_run, accepted, tmp_path):
    lines, names = scores(accepted, {1, 4})
    dataset, metrics = export_with(small_run, accepted, tmp_path, lines)
    there = {image.file_name.removeprefix("synthetic/") for image in dataset.images if image.source == "synthetic"}
    assert there == set(names) - {names[1], names[4]}
    assert metrics["dropped_as_outliers"] == 2 and metrics["synthetic"] == len(names) - 2
    assert [item.id for item in dataset.annotations] == list(range(1, len(dataset.annotations) + 1))


def test_kept_the_export_is_the_one_the_filter_has_not_seen(small_run, accepted, tmp_path):
    lines, names = scores(accepted, {0, 1, 2})
    dataset, metrics = export_with(small_run, accepted, tmp_path, lines, outliers="keep")
    assert sum(image.source == "synthetic" for image in dataset.images) == len(names)
    assert "dropped_as_outliers" not in metrics


def test_a_photograph_the_filter_has_not_seen_stops_the_export(small_run, accepted, tmp_path):
    lines, names = scores(accepted, set())
    with pytest.raises(InputError, match=f"nothing on {names[2]}"):
        export_with(small_run, accepted, tmp_path, lines[:2] + lines[3:])


@pytest.mark.parametrize("lines", [["text"], [{"file_name": "a"}], [[1]]])
def test_a_broken_file_is_named(small_run, accepted, tmp_path, lines):
    with pytest.raises(InputError, match="FORMAT: damaged"):
        export_with(small_run, accepted, tmp_path, lines)
