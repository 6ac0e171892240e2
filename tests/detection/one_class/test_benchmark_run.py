"""The benchmark as a whole: its table, its page, and going on after a kill."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from anomaly_gan.core.errors import ConfigError, InputError
from detection.one_class.benchmark import cells
from detection.one_class.benchmark.config import BenchmarkConfig, benchmark_config
from detection.one_class.benchmark.report import read_scores, write_report
from detection.one_class.benchmark.result import Cell, CellFigures, CellResult
from detection.one_class.benchmark.run import plan, run_benchmark
from detection.one_class.benchmark.summary import MeanStd, summarise
from detection.one_class.benchmark.testing import BestEpoch, Examiner, as_squares
from detection.one_class.interface import Normals, Scores

LIMITS = [
    "data.train_limit=24",
    "data.test_limit=40",
    "data.transductive_limit=30",
    "workers=1",
    "settings.epochs=1",
    "settings.batch=8",
    "settings.precision=32-true",
    "settings.size=16",
]


@pytest.fixture(scope="module", autouse=True)
def one_torch_thread():
    """Small nets on several threads of a busy machine wait for each other most of the time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits that are bars: class k is a bar in row 2 k, with noise."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)

    def part(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = rng.integers(0, 60, (count, 28, 28), np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[2 * label : 2 * label + 4] += 150
        return images, labels

    (x_train, y_train), (x_test, y_test) = part(300), part(100)
    np.savez(folder / "mnist.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return folder


def config(
    root: Path,
    protocol: str = "honest",
    detector: str = "cae",
    normal: tuple[str, ...] = ("0", "1"),
    seeds: int = 1,
    *settings: str,
) -> BenchmarkConfig:
    return benchmark_config(
        detector, "mnist", protocol, "quick", list(normal), seeds, [f"data.root={root}", *LIMITS, *settings]
    )


def without_seconds(out: Path) -> list[list[str]]:
    return [row[:-1] for row in csv.reader((out / "table.csv").read_text().splitlines())]


@pytest.fixture(scope="module")
def finished(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("benchmark")
    run_benchmark(config(root, seeds=2), out)
    return out


def test_table_has_exactly_the_promised_columns_and_a_row_a_cell(finished: Path) -> None:
    header, *rows = csv.reader((finished / "table.csv").read_text().splitlines())
    assert ",".join(header) == "detector,dataset,protocol,normal,seed,auroc,aupr_in,aupr_out,f1,seconds"
    assert [row[:5] for row in rows] == [["cae", "mnist", "honest", normal, seed] for normal in "01" for seed in "01"]
    assert all(0 <= float(value) <= 1 for row in rows for value in row[5:9])
    assert all(float(row[9]) > 0 for row in rows)


def test_figures_can_be_had_again_from_what_is_kept(finished: Path) -> None:
    from sklearn.metrics import roc_auc_score

    for folder in (finished / "cells").iterdir():
        result, kept = json.loads((folder / "result.json").read_text()), read_scores(folder / "scores.npz")
        assert CellResult.from_json(result).to_json() == result
        assert roc_auc_score(kept["labels"], kept["scores"]) == pytest.approx(result["auroc"], abs=1e-9)
        assert np.quantile(kept["held_out"], 0.95, method="higher") == pytest.approx(result["threshold"], rel=1e-6)
        missed = kept["scores"][kept["missed"]]
        assert missed[0] == kept["scores"][kept["labels"] == 1].min() and list(missed) == sorted(missed)
        assert not (folder / "work").exists()
        last = list(csv.DictReader((folder / "curve.csv").open()))[-1]
        assert last["epoch"] == "1" and float(last["auroc"]) == pytest.approx(result["auroc"], abs=1e-6)
        assert (folder / "curve.png").read_bytes()[:4] == b"\x89PNG"


def test_summary_is_mean_and_deviation_over_seeds(finished: Path) -> None:
    rows = {row["normal"]: row for row in csv.DictReader((finished / "summary.csv").open())}
    table = list(csv.DictReader((finished / "table.csv").open()))
    values = {normal: [float(row["auroc"]) for row in table if row["normal"] == normal] for normal in "01"}
    assert float(rows["0"]["auroc_mean"]) == pytest.approx(np.mean(values["0"]), abs=1e-6)
    assert float(rows["0"]["auroc_std"]) == pytest.approx(np.std(values["0"], ddof=1), abs=1e-6)
    averages = np.mean([values["0"], values["1"]], axis=0)
    assert float(rows["average"]["auroc_std"]) == pytest.approx(np.std(averages, ddof=1), abs=1e-6)
    settings = json.loads((finished / "settings.json").read_text())
    assert settings["detector"]["epochs"] == 1 and settings["split"] == "one_vs_rest"
    assert "root" not in settings["benchmark"]["data"], "no path of this machine"


def test_page_stands_alone_and_shows_the_papers_figures(finished: Path) -> None:
    page = (finished / "report.html").read_text()
    assert "0.350" in page and "Cheng et al. 2021" in page, "the paper's CAE"
    assert "not\ncomparable" in page, "another split than the paper's"
    assert "<script" not in page and "http://" not in page and "https://" not in page
    assert page.count('src="data:image/png;base64,') == 1 + 2 * (8 + 4), "four normal ones in all"


def test_finished_cells_are_not_computed_again(root: Path, finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.read_bytes() for path in sorted(finished.rglob("*")) if path.is_file()}
    monkeypatch.setattr(cells, "run_cell", lambda job: pytest.fail(f"{job.cell.name} was computed again"))
    run_benchmark(config(root, seeds=2), finished)
    assert {path: path.read_bytes() for path in sorted(finished.rglob("*")) if path.is_file()} == before


def test_a_damaged_cell_is_redone_with_the_same_result(root: Path, tmp_path: Path) -> None:
    small = config(root, normal=("0",))
    run_benchmark(small, tmp_path)
    before = without_seconds(tmp_path)
    job = plan(small, tmp_path)[0]
    result, scores = job.folder / "result.json", job.folder / "scores.npz"
    whole, kept = result.read_bytes(), scores.read_bytes()
    assert job.result() is not None
    for content in (b"", b"[]", b"{}", whole.replace(job.key.encode(), b"other"), whole[: len(whole) // 2]):
        result.write_bytes(content)
        assert job.result() is None
    run_benchmark(small, tmp_path)
    assert without_seconds(tmp_path) == before and scores.read_bytes() == kept
    scores.unlink()
    assert job.result() is None


def test_another_setting_is_another_cell(root: Path, tmp_path: Path) -> None:
    first = {job.key for job in plan(config(root), tmp_path)}
    assert {job.key for job in plan(config(root), tmp_path / "elsewhere")} == first
    for change in (
        "settings.lr=0.02",
        "data.test_limit=30",
        "data.contamination=0.1",
        "first_seed=1",
        "data.split=leave_one_out",
    ):
        assert not first & {job.key for job in plan(config(root, "honest", "cae", ("0", "1"), 1, change), tmp_path)}


def test_cells_do_not_depend_on_their_order_or_company(root: Path, finished: Path, tmp_path: Path) -> None:
    jobs = plan(config(root, seeds=2), tmp_path)[1:3]
    for job in reversed(jobs):
        job.run()
    for job in jobs:
        ours, theirs = (
            json.loads((folder / job.cell.name / "result.json").read_text())
            for folder in (tmp_path / "cells", finished / "cells")
        )
        assert {**ours, "seconds": 0, "train_seconds": 0} == {**theirs, "seconds": 0, "train_seconds": 0}
        assert (job.folder / "scores.npz").read_bytes() == (
            finished / "cells" / job.cell.name / "scores.npz"
        ).read_bytes()


LONG = ("settings.epochs=110", "settings.warm_up=5", "settings.batch=4", "data.train_limit=8")
"""Long enough for a checkpoint, which comes every 200 steps."""
PROGRAM = """
import sys, pathlib, torch
torch.set_num_threads(1)
from detection.one_class.benchmark.config import benchmark_config
from detection.one_class.benchmark.run import run_benchmark
run_benchmark(benchmark_config("iaead", "mnist", "honest", "quick", ["0"], 1, sys.argv[2:]), pathlib.Path(sys.argv[1]))
"""


def test_killed_and_run_again_is_as_if_never_killed(root: Path, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    folder = cut / "cells" / "iaead-mnist-honest-c0-s0"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(cut), f"data.root={root}", *LIMITS, *LONG],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    deadline = time.monotonic() + 200
    while not list(folder.glob("work/*/checkpoints/*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / "result.json").exists() and (folder / "work").exists(), "killed in the midst of training"
    for out in (cut, whole):
        run_benchmark(config(root, "honest", "iaead", ("0",), 1, *LONG), out)
    assert json.loads((folder / "result.json").read_text())["resumed"]
    assert without_seconds(cut) == without_seconds(whole)
    for name in ("scores.npz", "curve.csv", "curve.png"):
        assert (folder / name).read_bytes() == (whole / folder.relative_to(cut) / name).read_bytes()
    rows = list(csv.DictReader((folder / "curve.csv").open()))
    looked = [int(row["epoch"]) for row in rows if row["auroc"]]
    assert looked == [*range(13, 105, 13), 105] and sum(bool(row["auto_encoder/reconstruction"]) for row in rows) >= 21


def test_worker_processes_give_the_same_table(root: Path, finished: Path, tmp_path: Path) -> None:
    run_benchmark(config(root, "honest", "cae", ("0", "1"), 1, "workers=2"), tmp_path)
    theirs = without_seconds(finished)
    mine = without_seconds(tmp_path)
    assert [row[:5] for row in mine] == [theirs[0][:5], *(row[:5] for row in theirs[1:] if row[4] == "0")]


def test_undefined_figures_are_empty_and_said(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    with np.load(root / "mnist.npz") as pack:
        arrays = {name: pack[name] for name in pack.files}
    ones = arrays["y_test"] == 1
    np.savez(folder / "mnist.npz", **{**arrays, "x_test": arrays["x_test"][ones], "y_test": arrays["y_test"][ones]})
    run_benchmark(config(folder, normal=("1",)), tmp_path / "out")
    row = next(csv.DictReader((tmp_path / "out" / "table.csv").open()))
    assert [row[name] for name in ("auroc", "aupr_in", "aupr_out", "f1")] == [""] * 4
    assert "undefined" in (tmp_path / "out" / "report.html").read_text()


def test_an_average_needs_every_class() -> None:
    cell, figures = Cell("cae", "mnist", "honest", 0, "a", 0), CellFigures(0.5, 0.5, 0.5, 0.5)
    known = CellResult(cell, figures, "", "one_vs_rest", {}, "", 1, 1, 1, 1, 0, 0, False, {})
    other = replace(known, cell=replace(cell, normal="b", number=1), figures=replace(figures, auroc=None))
    first, second, average = (row.metrics for row in summarise([known, other]))
    assert first["auroc"] == average["f1"] == MeanStd(0.5) and second["auroc"] == average["auroc"] == MeanStd()


def test_names_cannot_write_into_the_page(root: Path, finished: Path, tmp_path: Path) -> None:
    jobs = plan(config(root, seeds=2), finished)
    evil = "</td><img src=x onerror=alert(1)>"
    found = [result for job in jobs if (result := job.result())]
    results = [replace(result, cell=replace(result.cell, normal=evil)) for result in found]
    write_report(tmp_path / "report.html", config(root), results, [job.folder for job in jobs], summarise(results))
    assert "onerror=alert(1)>" not in (tmp_path / "report.html").read_text().replace("&gt;", "")


def test_as_published_is_transductive_and_says_its_leaks(root: Path, tmp_path: Path) -> None:
    run_benchmark(config(root, "as_published", "iaead", ("2",), 1, "settings.warm_up=1", "settings.epochs=2"), tmp_path)
    result = json.loads((tmp_path / "cells" / "iaead-mnist-as_published-c2-s0" / "result.json").read_text())
    assert result["n_train"] == result["n_test"] == 30 and result["n_abnormal"] == 3 and result["n_held_out"] == 0
    page = (tmp_path / "report.html").read_text()
    assert "The images tested are the images learned from" in page and "0.8327" in page


class Pretender:
    """A detector whose score is a number it holds, by the image's brightness."""

    def __init__(self) -> None:
        self.nets = {"net": torch.nn.BatchNorm1d(1)}
        self.sign = 1.0

    def finalize(self, normals: Normals) -> None:
        self.nets["net"].eval()

    def score(self, images_BCHW: torch.Tensor) -> Scores:
        return Scores(self.sign * images_BCHW.float().mean(dim=(1, 2, 3)))


def test_the_best_epoch_on_the_test_set_is_kept_and_survives_a_kill(root: Path, tmp_path: Path) -> None:
    job = plan(config(root, "as_published"), tmp_path)[0]
    trial = cells.trial_of(job.config, job.cell, 16)
    bright = np.zeros_like(trial.test_NCHW)
    bright[trial.labels == 1] = 200
    trial = cells.Trial(trial.train_NCHW, trial.held_out_NCHW, bright, trial.labels, trial.kinds, trial.names)
    detector = Pretender()
    normals = Normals(torch.from_numpy(trial.train_NCHW))

    def fresh() -> BestEpoch:
        return BestEpoch(detector, Examiner(trial, 16, torch.device("cpu"), True), normals, tmp_path / "best.npz")

    for epoch, sign in ((1, -1.0), (2, 1.0), (3, -1.0)):
        detector.sign = sign
        detector.nets["net"].train()
        best = fresh()  # as if killed after each epoch
        best.look(epoch)
        assert detector.nets["net"].training, "modes are as they were"
    assert best.history() == [(1, 0.0), (2, 1.0), (3, 0.0)] and best.picked() == 2
    assert best.scores()[trial.labels == 1].min() == 200


def test_images_are_brought_to_the_detectors_side() -> None:
    images = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 1, 4, 4)
    assert as_squares(images, 4).numpy() is not None and np.array_equal(as_squares(images, 4), images)
    assert as_squares(images, 2)[0, 0, 0, 0] == round((0 + 1 + 4 + 5) / 4)
    assert as_squares(images, 8).shape == (2, 1, 8, 8) and as_squares(images[:0], 8).shape == (0, 1, 8, 8)


def test_no_root_and_no_data(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.root"):
        run_benchmark(benchmark_config("cae", "mnist"), tmp_path)
    with pytest.raises(ConfigError, match=r"data\.root"):
        run_benchmark(benchmark_config("cae", "rsdds"), tmp_path)
    for dataset in ("mnist", "magnetic_tile", "rsdds"):
        with pytest.raises(InputError):
            run_benchmark(benchmark_config("cae", dataset, settings=[f"data.root={tmp_path}"]), tmp_path / "out")
    with pytest.raises(ConfigError, match=r"data\.folds"):
        run_benchmark(benchmark_config("cae", "magnetic_tile", settings=["data.folds=[4]"]), tmp_path)
    with pytest.raises(ConfigError, match="--normal"):
        run_benchmark(benchmark_config("cae", "magnetic_tile", normal=["0"]), tmp_path)


def test_configuration_needs_no_torch() -> None:
    program = (
        "import sys\nfrom detection.one_class.benchmark import config, published, run, summary, data, splits\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
