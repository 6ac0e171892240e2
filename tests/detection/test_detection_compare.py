"""The comparison as a stage: same bytes every time, finished cells kept, no leak, nobody left behind."""

import csv
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from anomaly_gan.core.dataset import Dataset, load_dataset
from anomaly_gan.core.errors import AnomalyGanError, CheckFailed, ConfigError, EnvironmentFailure, InputError
from anomaly_gan.core.files import json_text
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.engine import workers
from detection.comparison import cell as cells
from detection.comparison import stage as compare
from detection.comparison.cell import training_data
from detection.comparison.result import CellResult
from detection.comparison.stage import COLUMNS
from detection.detectors.config import CompareConfig, DetectConfig

from .conftest import WriteDataset


@pytest.fixture
def config(tiny: DetectConfig) -> CompareConfig:
    return CompareConfig(arms=("none", "copy_paste"), seeds=2, workers=1, detect=tiny, bootstrap=20)


@pytest.fixture
def context(tmp_path: Path, write_dataset: WriteDataset, write_export: WriteDataset) -> Context:
    write_dataset(tmp_path / "ingest")
    write_export(tmp_path / "export@copy_paste")
    return Context(
        seed=0,
        device="cpu",
        inputs={"ingest": tmp_path / "ingest", "export@copy_paste": tmp_path / "export@copy_paste"},
    )


def products(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("started.json", "manifest.json") and "logs" not in path.parts
    }


def test_stage_products_in_worker_processes_and_resumed_in_this_one(
    config: CompareConfig, context: Context, tmp_path: Path, one_thread: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert run_stage("compare", compare.run, config, context, whole)
    _check_products(whole)

    stop = iter([False, False, True])
    run_cell = cells.run_cell

    def power_cut(*arguments: object) -> None:
        if next(stop, False):
            raise KeyboardInterrupt
        run_cell(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(cells, "run_cell", power_cut)
    monkeypatch.setattr(workers, "run_in_processes", lambda jobs, count, sitting: workers.run_here(jobs, sitting))
    with pytest.raises(KeyboardInterrupt):
        run_stage("compare", compare.run, config, context, cut)
    finished = {path: path.stat().st_mtime_ns for path in cut.glob("cells/*/result.json")}
    assert len(finished) == 2
    assert run_stage("compare", compare.run, config, context, cut)
    assert all(path.stat().st_mtime_ns == changed for path, changed in finished.items()), "finished cells are skipped"
    assert products(cut) == products(whole)
    assert not run_stage("compare", compare.run, config, context, cut)


def _check_products(folder: Path) -> None:
    rows = list(csv.DictReader((folder / "table.csv").open()))
    assert tuple(rows[0]) == COLUMNS
    assert COLUMNS[:10] == (
        "arm",
        "detector",
        "seed",
        "fold",
        "map50",
        "map",
        "miou",
        "n_real",
        "n_synthetic",
        "iterations",
    ), "published tables have these columns in this order"
    assert [(row["shown_real"], row["shown_synthetic"]) for row in rows] == [("2", "2")] * 2 + [("4", "0")] * 2
    assert [(row["arm"], row["seed"]) for row in rows] == [
        ("copy_paste", "0"),
        ("copy_paste", "1"),
        ("none", "0"),
        ("none", "1"),
    ]
    assert [(row["n_real"], row["n_synthetic"]) for row in rows] == [("12", "4")] * 2 + [("12", "0")] * 2
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["test"]["defect_objects"] == 6
    assert summary["test"]["categories"]["bar"] == {"objects": 3, "images": 3, "instances": 3}
    assert summary["arms"]["copy_paste"]["exposure"]["synthetic"]["images"] == 4
    assert "none" in summary["arms"]["copy_paste"]["sentence"]
    assert summary["backbones"] == {"mask_rcnn": "efficientnet_lite0"}
    text = (folder / "cells" / "none-mask_rcnn-f0-s0" / "result.json").read_text()
    result = json.loads(text)
    assert json_text(CellResult.from_json(result).to_json()) == text
    assert set(result["categories"]) == {"square", "bar"}
    assert set(result["image_recall"]) == {"0.05", "0.1", "0.2"}
    assert (result["defective_images"], result["normal_images"]) == (6, 2)
    assert result["exposure"]["real_defect"]["categories"]["bar"]["images"] == 4
    assert summary["detectors"]["mask_rcnn"]["arms"] == summary["arms"] and "missing" not in summary
    for name in ("lift.png", "detections.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


def test_an_arm_without_export_is_named(config: CompareConfig, context: Context, tmp_path: Path) -> None:
    wanted = config.model_copy(update={"arms": ("none", "anomaly_gan")})
    with pytest.raises(ConfigError, match="anomaly_gan"):
        compare.run(wanted, context, tmp_path / "out")


def test_a_test_split_without_defects_is_refused(config: CompareConfig, context: Context, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'holdout' shows no defect"):
        compare.run(config.model_copy(update={"split_test": "holdout"}), context, tmp_path / "out")


@pytest.mark.parametrize("arms", [(), ("none", "none")])
def test_arms_must_be_named_once(arms: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="arms"):
        CompareConfig(arms=arms)


def leaky(export: Path, how: str, test: Dataset) -> None:
    """Write the export anew with one synthetic photograph that owes something to a test object."""
    data = load_dataset(export)
    image, annotation = data.images[-1], data.annotations[-1]
    victim = test.images[0]
    if how == "photograph":
        image = _with(image, sha256=victim.sha256)
    elif how == "object":
        image = _with(image, group_id=victim.group_id)
    elif how == "mask":
        annotation = _with(annotation, provenance={"pool_item": {"parent_group": victim.group_id}})
    elif how == "split":
        image = _with(image, split="test")
    Dataset([*data.images[:-1], image], [*data.annotations[:-1], annotation], data.categories, data.info).save(export)


def _with(record, **changes):
    from dataclasses import replace

    return replace(record, **changes)


@pytest.mark.parametrize("how", ["photograph", "object", "mask", "split"])
def test_anything_of_the_test_split_in_training_stops_the_run(how: str, context: Context) -> None:
    ingest, export = context.inputs["ingest"], context.inputs["export@copy_paste"]
    test = load_dataset(ingest).split("test")
    assert len(training_data("copy_paste", ingest, export, test).images) == 16
    leaky(export, how, test)
    with pytest.raises(InputError, match="E4"):
        training_data("copy_paste", ingest, export, test)


def test_an_export_of_other_photographs_is_refused(context: Context) -> None:
    ingest, export = context.inputs["ingest"], context.inputs["export@copy_paste"]
    data = load_dataset(export)
    Dataset(data.images[1:], data.annotations[1:], data.categories, data.info).save(export)
    with pytest.raises(InputError, match="K8"):
        training_data("copy_paste", ingest, export, load_dataset(ingest).split("test"))


def test_a_leak_is_found_before_any_training(
    config: CompareConfig, context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "run_in_processes", lambda jobs, count, sitting: pytest.fail("training began"))
    leaky(context.inputs["export@copy_paste"], "object", load_dataset(context.inputs["ingest"]).split("test"))
    with pytest.raises(InputError, match="E4"):
        compare.run(config, context, tmp_path / "out")


@pytest.mark.parametrize(
    ("failure", "error", "message", "exit_code"),
    [
        (workers.Failure("a.png: A12: does not decode", 2), AnomalyGanError, "A12", 2),
        (workers.Failure("Traceback: KeyError", None), RuntimeError, "KeyError", None),
        (None, EnvironmentFailure, "out of memory", 4),
    ],
)
def test_what_stops_a_worker_stops_its_parent(
    failure: workers.Failure | None, error: type[Exception], message: str, exit_code: int | None
) -> None:
    receiver, sender = multiprocessing.Pipe(duplex=False)
    if failure is not None:
        sender.send(failure)
    sender.close()
    with pytest.raises(error, match=message) as caught:
        workers._raise(receiver, 1)
    assert getattr(caught.value, "exit_code", None) == exit_code


ORPHANAGE = """
import multiprocessing, os, sys, threading, time
from anomaly_gan.engine.workers import _die_with_parent

def child(path):
    threading.Thread(target=_die_with_parent, daemon=True).start()
    open(path, "w").write(str(os.getpid()))
    time.sleep(60)

if __name__ == "__main__":
    multiprocessing.get_context("spawn").Process(target=child, args=(sys.argv[1],)).start()
    time.sleep(60)
"""


def test_workers_die_with_a_killed_parent(tmp_path: Path) -> None:
    script, note = tmp_path / "orphanage.py", tmp_path / "pid"
    script.write_text(ORPHANAGE)
    environment = {**os.environ, "PYTHONPATH": str(Path(compare.__file__).parent.parent)}
    parent = subprocess.Popen([sys.executable, str(script), str(note)], env=environment)
    try:
        child = int(_wait_for(lambda: note.is_file() and note.read_text()))
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    _wait_for(lambda: not _alive(child))


def _wait_for(condition):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_an_arm_of_which_nothing_passed_the_gate_is_said_and_not_trained(
    config: CompareConfig, context: Context, tmp_path: Path, one_thread: None
) -> None:
    (tmp_path / "export@copy_paste" / "metrics.json").write_text(json.dumps({"nothing_passed": True}))
    run_stage("compare", compare.run, config.model_copy(update={"seeds": 1}), context, tmp_path / "compare")
    metrics = json.loads((tmp_path / "compare" / "metrics.json").read_text())
    summary = json.loads((tmp_path / "compare" / "summary.json").read_text())
    assert metrics["nothing_passed"] == summary["nothing_passed"] == ["copy_paste"]
    assert set(summary["arms"]) == {"none"} and metrics["cells"] == 1
    assert any("copy_paste: nothing passed the gate" in line for line in metrics["sentences"])


def test_where_nothing_passed_for_any_arm_the_comparison_fails_in_one_line(
    config: CompareConfig, context: Context, tmp_path: Path
) -> None:
    (tmp_path / "export@copy_paste" / "metrics.json").write_text(json.dumps({"nothing_passed": True}))
    only = config.model_copy(update={"arms": ("copy_paste",)})
    with pytest.raises(CheckFailed, match="nothing passed the gate for copy_paste"):
        run_stage("compare", compare.run, only, context, tmp_path / "compare")
