"""A study from end to end on photographs of 64 pixels: resumed, shared out, failing in part, and told in one table."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from anomaly_gan.cli import main as cli
from anomaly_gan.core.errors import CheckFailed, EnvironmentFailure, NumericalFailure
from anomaly_gan.core.files import write_bytes
from anomaly_gan.core.stage import run_lock
from anomaly_gan.engine import workers
from anomaly_gan.study import prepare
from anomaly_gan.study import run as study_run
from anomaly_gan.study.config import read_study
from anomaly_gan.study.run import run_study
from detection.comparison import cell as cells
from detection.comparison.stage import COLUMNS

STUDY = """
name: tiny
base: tiny.yaml
folds: [0]
set: {{preset: smoke, data: {{root: {root}, groups: {root}.csv}}}}
variants:
  few: {{export: {{per_real: 0.5}}}}
"""
BASE = """
name: tiny
data: {root: nowhere, format: mask-png}
pool: {count: 8}
generate: {count: 8, threads: 1}
gate: {min_n: 2, max_n: 8, repeats: 2, retries: 0}
compare:
  arms: [none, copy_paste]
  seeds: 2
  bootstrap: 10
  workers: 1
presets:
  smoke:
    compare:
      seeds: 1
      detect: {iterations: 2, warmup: 1, dense: {crop: 64, batch: 2, widths: [16, 16, 8, 8], looks: 0}}
"""


def write_source(folder: Path) -> None:
    """Ten objects with a bright spot or a scratch each, one normal photograph each; two folds."""
    rng, rows = np.random.default_rng(0), ["file,group,category,fold"]
    for number in range(12):
        for kind in ("normal", "spot" if number % 2 else "scratch"):
            pixels, mask = rng.normal(80, 6, (64, 64)).clip(0, 255).astype(np.uint8), np.zeros((64, 64), np.uint8)
            y, x = (int(value) for value in rng.integers(20, 40, 2))
            if kind != "normal":
                mask[y : y + (9 if kind == "spot" else 3), x : x + (9 if kind == "spot" else 20)] = 255
                pixels[mask > 0] = 220
                write(folder / kind / f"{number:02d}.png", mask)
            write(folder / kind / f"{number:02d}.jpg", pixels)
            rows.append(f"{number:02d}.jpg,object{number},{kind},{int(number // 2 % 3 > 1)}")
    Path(f"{folder}.csv").write_text("\n".join(rows) + "\n")


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels)


@pytest.fixture(scope="module", autouse=True)
def in_this_process():
    """Cells in the test's own process, on one thread as in a worker."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "run_in_processes", lambda jobs, count, sitting: workers.run_here(jobs))
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    write_source(folder / "photos")
    (folder / "tiny.yaml").write_text(BASE)
    (folder / "study.yaml").write_text(STUDY.format(root=folder / "photos"))
    return folder


def work(place: Path, out: Path, *settings: str, **options):
    lines: list[str] = []
    study, base = read_study(place / "study.yaml", list(settings), device="cpu")
    return run_study(study, base, out, lines.append, **options), lines


@pytest.fixture(scope="module")
def whole(place):
    """Cut off after the first cell, then finished: (folder, outcome, lines of both sittings)."""
    out, stop, run_cell = place / "whole", iter([False, True]), cells.run_cell

    def power_cut(*arguments: object) -> None:
        if next(stop):
            raise KeyboardInterrupt
        run_cell(*arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cells, "run_cell", power_cut)
        with pytest.raises(KeyboardInterrupt):
            work(place, out)
    first = {path: path.stat().st_mtime_ns for path in out.rglob("result.json")}
    assert len(first) == 1
    outcome, lines = work(place, out)
    assert all(path.stat().st_mtime_ns == changed for path, changed in first.items()), "finished cells are kept"
    return out, outcome, lines


@pytest.fixture
def prepared(whole, tmp_path, monkeypatch) -> Path:
    """A study whose stages are finished and whose cells are not; a cell takes its result from the finished study."""
    out, _, _ = whole
    for run in ("main/fold0", "few/fold0"):
        shutil.copytree(out / run, tmp_path / "study" / run, ignore=shutil.ignore_patterns("compare"))
    found = {json.loads(path.read_text())["key"]: path.parent for path in out.rglob("result.json")}

    def run_cell(job, *arguments) -> None:
        for path in sorted(found[job.key].iterdir()):
            write_bytes(job.folder / path.name, path.read_bytes())

    monkeypatch.setattr(cells, "run_cell", run_cell)
    return tmp_path / "study"


def tables(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.iterdir()) if path.is_file()}


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.open()))


def test_a_study_cut_off_between_cells_ends_in_one_table(whole):
    out, outcome, _ = whole
    assert (outcome.cells.finished, outcome.cells.expected, outcome.failures) == (4, 4, [])
    table = rows(out / "table.csv")
    assert tuple(table[0]) == COLUMNS
    assert [(row["arm"], row["fold"], row["seed"]) for row in table] == [("copy_paste", "0", "0"), ("none", "0", "0")]
    assert [(row["variant"], row["arm"]) for row in rows(out / "variants.csv")] == [
        ("main", "copy_paste"),
        ("main", "none"),
        ("few", "copy_paste"),
        ("few", "none"),
    ]
    assert {row["category"] for row in rows(out / "categories.csv")} == {"scratch", "spot"}
    assert rows(out / "comparisons.csv")[0]["against"] == "none"
    for name in ("main/fold0", "few/fold0"):
        assert (out / name / "compare" / "manifest.json").is_file(), "each run stands for itself"
    made = {row["variant"]: int(row["n_synthetic"]) for row in rows(out / "variants.csv") if row["arm"] != "none"}
    assert 0 < made["few"] < made["main"]
    page = (out / "report.html").read_text()
    assert "copy_paste" in page and "http" not in page.replace("http-equiv", "")
    assert not (out / "failures.jsonl").exists()


def test_what_two_runs_share_is_computed_once(whole):
    out, _, _ = whole
    for name in ("ingest", "pool", "generate@copy_paste", "gate@copy_paste", "compare/cells/none-dense-f0-s0"):
        for file in ("annotations.json", "result.json"):
            paths = [out / variant / "fold0" / name / file for variant in ("main", "few")]
            if paths[0].is_file():
                assert paths[0].samefile(paths[1])
                break
        else:
            pytest.fail(f"{name}: nothing there")
    exports = [(out / variant / "fold0" / "export@copy_paste" / "annotations.json") for variant in ("main", "few")]
    assert exports[0].read_bytes() != exports[1].read_bytes()


def test_tables_alone_give_the_same_bytes_and_train_nothing(whole, place, monkeypatch):
    out, _, _ = whole
    before = tables(out)
    monkeypatch.setattr(cells, "run_cell", lambda *arguments: pytest.fail("a cell was trained"))
    for path in out.iterdir():
        if path.is_file() and path.suffix in (".csv", ".png", ".html", ".json"):
            path.unlink()
    work(place, out, tables_only=True)
    assert tables(out) == before
    work(place, out)
    assert tables(out) == before


def test_a_study_describes_itself(whole):
    out, _, _ = whole
    study, base = read_study(out / "study.yaml", [])
    outcome = run_study(study, base, out, lambda line: None, tables_only=True)
    assert outcome.cells.finished == outcome.cells.expected == 4


def test_partial_studies_say_what_is_missing_and_stale_cells_do_not_count(whole, place):
    out, _, _ = whole
    outcome, _ = work(place, out, "compare.seeds=2", tables_only=True)
    assert (outcome.cells.finished, outcome.cells.expected) == (4, 8)
    assert "main/fold0/none-dense-f0-s1" in outcome.cells.missing
    assert "4 of 8 cells are there" in (out / "report.html").read_text()
    outcome, _ = work(place, out, "compare.detect.lr=0.1", tables_only=True)
    assert outcome.cells.finished == 0 and outcome.cells.made_under_other_settings == 4
    assert rows(out / "table.csv") == []
    outcome, _ = work(place, out, "compare.detect.real_tail=0.5", tables_only=True)
    assert {name.split("/")[-1].split("-")[0] for name in outcome.cells.missing} == {"copy_paste"}
    assert outcome.cells.finished == 2, "without generated photographs a tail changes nothing"
    work(place, out, tables_only=True)


def test_two_shards_make_the_whole(whole, place, prepared):
    first, _ = work(place, prepared, shard=(0, 2))
    assert 0 < first.cells.finished < first.cells.expected and first.cells.missing
    assert not (prepared / "main" / "fold0" / "compare" / "manifest.json").exists(), "its cells are not all there"
    second, _ = work(place, prepared, shard=(1, 2))
    assert second.cells.finished == second.cells.expected == 4
    assert tables(prepared) == tables(whole[0])


def test_a_run_in_other_hands_is_left_alone(place, prepared, monkeypatch):
    """Alone that is an error; a shard turns to its cells, and comes back."""
    with run_lock(prepared / "few" / "fold0"):
        with pytest.raises(EnvironmentFailure, match="--shard"):
            work(place, prepared)
        assert not list((prepared / "few").rglob("result.json"))
    held = run_lock(prepared / "main" / "fold0")
    held.__enter__()
    done_meanwhile = []

    def give_back(seconds: float) -> None:
        done_meanwhile.extend((prepared / "few").rglob("result.json"))
        held.__exit__(None, None, None)

    monkeypatch.setattr(study_run, "time", SimpleNamespace(sleep=give_back))
    finished = work(place, prepared, shard=(0, 2))[0].cells.finished
    assert finished > len(done_meanwhile) > 0


def test_runs_are_finished_one_after_the_other(place, prepared, monkeypatch):
    """A study that is cut off has whole runs to show."""
    order: list[str] = []
    prepare, train = study_run.Workshop.prepare, study_run._Worker._train
    monkeypatch.setattr(
        study_run.Workshop, "prepare", lambda self, run: (order.append(f"prepare {run.name}"), prepare(self, run))
    )
    monkeypatch.setattr(
        study_run._Worker,
        "_train",
        lambda self, jobs: (
            order.extend(dict.fromkeys(f"cells {job.home.parent.name}/{job.home.name}" for job in jobs)),
            train(self, jobs),
        ),
    )
    work(place, prepared)
    assert order == ["prepare main/fold0", "cells main/fold0", "prepare few/fold0", "cells few/fold0"]


def test_a_failing_cell_is_written_down_and_the_others_go_on(place, prepared, monkeypatch):
    run_cell = cells.run_cell

    def diverge(job, *arguments) -> None:
        if job.cell.arm == "copy_paste" and job.home.parent.name == "few":
            raise NumericalFailure("step 1: the loss is NaN")
        run_cell(job, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(cells, "run_cell", diverge)
        outcome, _ = work(place, prepared)
    assert outcome.cells.finished == 3
    failed = {"run": "few/fold0", "what": "copy_paste-dense-f0-s0", "message": "step 1: the loss is NaN"}
    assert [json.loads(line) for line in (prepared / "failures.jsonl").read_text().splitlines()] == [failed]
    with pytest.raises(CheckFailed, match="few/fold0 copy_paste-dense-f0-s0") as caught:
        outcome.check(prepared)
    assert caught.value.exit_code == 1 and "the loss is NaN" in (prepared / "report.html").read_text()
    again, _ = work(place, prepared)
    assert again.cells.finished == 4 and not again.failures and not (prepared / "failures.jsonl").exists()


def test_a_failing_stage_takes_only_its_own_arm_with_it(place, prepared, monkeypatch):
    shutil.rmtree(prepared / "few" / "fold0" / "export@copy_paste")

    def fail(*arguments) -> bool:
        raise CheckFailed("export: E4: it stands in a group of the test split")

    with monkeypatch.context() as patch:
        patch.setattr(prepare, "run_step", fail)
        outcome, _ = work(place, prepared)
    assert outcome.cells.missing == ["few/fold0/copy_paste-dense-f0-s0"]
    assert [(row["run"], row["what"]) for row in outcome.failures] == [("few/fold0", "export@copy_paste")]
    assert (prepared / "few" / "fold0" / "compare" / "table.csv").is_file(), "the other arm is compared"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Missing argument 'RUN|STUDY.yaml'"),
        (["study.yaml", "x"], "unexpected extra argument(s) (x)"),
        (["nowhere"], "nowhere: neither the folder of a run nor the YAML of a study"),
        ([".", "--tables-only"], "go with a study's YAML"),
        (["study.yaml", "--shard", "2/2"], "--shard 2/2: must read"),
        (["study.yaml", "--set", "compare.seed=3"], "compare.seed: unknown key (did you mean 'seeds'?)"),
        (["study.yaml", "--set", "fold=[1]"], "set: unknown key 'fold'"),
        (["study.yaml", "--tables-only", "--out", "nowhere"], "no run of this study is here"),
    ],
)
def test_a_wrong_command_is_one_line(arguments, words, place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    monkeypatch.setattr(sys, "argv", ["anomaly-gan", "compare", *arguments])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    said = capsys.readouterr().err
    assert caught.value.code == 2 and words in said and len(said.strip().splitlines()) == 1


def test_the_command_says_what_it_wrote_where(whole, place, monkeypatch, capsys):
    out, _, _ = whole
    monkeypatch.setattr(
        sys, "argv", ["anomaly-gan", "compare", str(out / "study.yaml"), "--out", str(out), "--tables-only"]
    )
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert not caught.value.code
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("4 of 4 cells: table.csv, ") and last.endswith(f"report.html → {out}")
