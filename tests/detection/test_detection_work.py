"""Cells spread over processes, shards and studies: each is trained once, and none that is finished is lost."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from anomaly_gan.core.dataset import load_dataset
from anomaly_gan.core.errors import ConfigError, EnvironmentFailure, InputError
from anomaly_gan.core.files import write_json, write_text
from anomaly_gan.core.locks import claimed
from anomaly_gan.core.stage import Context, run_stage
from anomaly_gan.engine import workers
from detection.comparison import cell as cells
from detection.comparison import plots as plot
from detection.comparison import stage as compare
from detection.comparison.cell import CellJob, held_out_hash
from detection.comparison.queue import Worked, work
from detection.comparison.result import write_result
from detection.comparison.stage import assemble, begin, plan, tidy
from detection.detectors.config import CompareConfig, DetectConfig
from detection.evaluation.evaluate import evaluate_detections, truth_rows

from .conftest import WriteDataset, finish


@pytest.fixture
def config(tiny: DetectConfig) -> CompareConfig:
    return CompareConfig(
        arms=("none", "copy_paste"), seeds=2, workers=1, detect=tiny, bootstrap=0, detectors=("mask_rcnn", "retinanet")
    )


@pytest.fixture
def context(tmp_path: Path, write_dataset: WriteDataset, write_export: WriteDataset) -> Context:
    write_dataset(tmp_path / "ingest")
    write_export(tmp_path / "export@copy_paste")
    return Context(seed=0, device="cpu", inputs={name: tmp_path / name for name in ("ingest", "export@copy_paste")})


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the cells that were trained; instead of a net, the truth is what is found."""
    names: list[str] = []

    def run_cell(job: CellJob, on_step, on_image) -> None:
        names.append(job.cell.name)
        cells._claim(job)
        for _ in range(job.steps):
            on_step()
        test = load_dataset(job.ingest).split(job.split_test)
        rows = [{**row, "score": 0.9 - 0.1 * job.cell.seed} for row in truth_rows(test)]
        write_json(job.folder / "detections.json", rows)
        write_json(
            job.folder / "result.json",
            {
                **vars(job.cell),
                "key": job.key,
                "iterations": 2,
                "n_real": 12,
                "n_synthetic": 0,
                "exposure": {},
                "test_hash": held_out_hash(test),
                **evaluate_detections(test, rows, job.cell.detector == "mask_rcnn", 0.5).to_json(),
            },
        )

    monkeypatch.setattr(cells, "run_cell", run_cell)
    monkeypatch.setattr(workers, "run_in_processes", lambda jobs, count, sitting: workers.run_here(jobs, sitting))
    return names


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing is slow, and one test looks at it."""
    for name in ("write_lift", "write_detections"):
        monkeypatch.setattr(plot, name, lambda path, *more: write_text(path, "a picture"))


def names(jobs: list[CellJob]) -> list[str]:
    return [job.cell.name for job in jobs]


def test_every_arm_meets_every_detector_in_one_table(
    config: CompareConfig, context: Context, trained: list[str], tmp_path: Path
) -> None:
    out, lines = tmp_path / "compare", []
    jobs = plan(config, context, out)
    assert len(jobs) == len(set(names(jobs))) == 8
    assert names(jobs)[:4] == [
        "none-mask_rcnn-f0-s0",
        "copy_paste-mask_rcnn-f0-s0",
        "none-retinanet-f0-s0",
        "copy_paste-retinanet-f0-s0",
    ]
    assert jobs[2].config.detector == "retinanet"
    assert names(work(jobs, 1, say=lines.append).trained) == trained == names(jobs)
    assert len(lines) == 8 and lines[-1] == "compare: 8/8 cells"
    metrics = assemble(config, context, out)
    summary = json.loads((out / "summary.json").read_text())
    assert summary["detector"] == "mask_rcnn" and set(summary["detectors"]) == {"mask_rcnn", "retinanet"}
    assert summary["detectors"]["retinanet"]["judged_on"] == "boxes"
    assert summary["detectors"]["retinanet"]["arms"]["none"]["image_recall_at_5"]["mean"] == 1.0
    assert set(metrics["detectors"]["retinanet"]) == {"none", "copy_paste"} and "missing" not in metrics
    assert {"detections.png", "detections@retinanet.png"} <= {path.name for path in out.iterdir()}
    table = (out / "table.csv").read_text().splitlines()[1:]
    assert {line.split(",")[1] for line in table} == {"mask_rcnn", "retinanet"} and len(table) == 8


def test_one_detector_named_or_implied_has_the_same_cells(config: CompareConfig, context: Context) -> None:
    implied = CompareConfig(**config.model_dump(exclude={"detectors"}))
    named = implied.model_copy(update={"detectors": ("mask_rcnn",)})
    out = Path("anywhere")
    assert [job.key for job in plan(implied, context, out)] == [job.key for job in plan(named, context, Path("else"))]
    assert CompareConfig(**named.model_dump(mode="json")) == named


def test_settings_of_one_detector_leave_the_other_alone(config: CompareConfig, context: Context) -> None:
    changed = CompareConfig(**config.model_dump() | {"detector_settings": {"retinanet": {"lr": 0.01}}})
    for before, after in zip(plan(config, context, Path()), plan(changed, context, Path()), strict=True):
        assert (before.key == after.key) is (before.cell.detector == "mask_rcnn")
        assert after.config.lr == (0.01 if after.cell.detector == "retinanet" else config.detect.lr)


def test_a_real_tail_gives_other_cells_to_arms_with_generated_photographs_alone(
    config: CompareConfig, context: Context
) -> None:
    tail = config.model_copy(update={"detect": config.detect.model_copy(update={"real_tail": 0.5})})
    for before, after in zip(plan(config, context, Path()), plan(tail, context, Path()), strict=True):
        assert (before.key == after.key) is (before.cell.arm == "none")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"detectors": ["mask_rcn"]}, "did you mean 'mask_rcnn'"),
        ({"detectors": ["mask_rcnn"] * 2}, "named once"),
        ({"detector_settings": {"retinanet": {}}}, "not compared"),
        (
            {"detectors": ["mask_rcnn"], "detector_settings": {"mask_rcnn": {"lr": -1}}},
            "detector_settings.mask_rcnn.lr",
        ),
    ],
)
def test_detectors_are_checked_at_once(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CompareConfig(**change)


@pytest.mark.usefixtures("no_pictures")
def test_shards_share_out_all_cells(
    config: CompareConfig, context: Context, trained: list[str], tmp_path: Path
) -> None:
    jobs = plan(config, context, tmp_path / "compare")
    first = work(jobs, 1, shard=(0, 2))
    half = assemble(config, context, tmp_path / "compare")
    assert half["cells"] == 4 and half["missing"] == names(jobs)[1::2]
    second = work(jobs, 1, shard=(1, 2))
    assert names(first.trained) == names(jobs)[::2] and names(second.trained) == names(jobs)[1::2]
    assert work(jobs, 1) == Worked([], [], [])
    assert len(trained) == len(set(trained)) == 8
    with pytest.raises(ConfigError, match="from 0/2 to 1/2"):
        work(jobs, 1, shard=(2, 2))


@pytest.mark.usefixtures("no_pictures")
def test_a_cell_in_another_hand_is_left_alone(
    config: CompareConfig, context: Context, trained: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "compare"
    jobs = plan(config, context, out)
    with pytest.raises(InputError, match="no cell"):
        assemble(config, context, out)
    with claimed(jobs[3].claim) as held:
        assert held
        assert names(work(jobs, 1).elsewhere) == [jobs[3].cell.name]
        with pytest.raises(EnvironmentFailure, match=jobs[3].cell.name):
            compare.run(config, context, out)
    assert jobs[3].cell.name not in trained
    assert compare.run(config, context, out)["cells"] == 8
    assert not list(out.rglob("*.claim"))


def test_equal_cells_are_trained_once(
    config: CompareConfig, context: Context, trained: list[str], tmp_path: Path
) -> None:
    """Two variants of a study share their cells; a later study takes them from the first."""
    main, variant = (plan(config, context, tmp_path / "study" / name / "fold0" / "compare") for name in ("main", "low"))
    worked = work([*main, *variant], 1)
    assert len(trained) == 8 and [job.folder for job in worked.reused] == [job.folder for job in variant]
    later = plan(config, context, tmp_path / "later" / "compare")
    assert names(work(later, 1, reuse_from=[tmp_path / "study"]).reused) == names(later)
    assert len(trained) == 8
    for one, other in zip(main, later, strict=True):
        for name in ("result.json", "detections.json"):
            assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes()


def test_a_cell_of_other_training_data_is_not_reused(
    config: CompareConfig, context: Context, trained: list[str], tmp_path: Path
) -> None:
    work(plan(config, context, tmp_path / "one" / "compare"), 1)
    finish(context.inputs["export@copy_paste"], "another export")
    worked = work(plan(config, context, tmp_path / "two" / "compare"), 1, reuse_from=[tmp_path / "one"])
    assert {job.cell.arm for job in worked.reused} == {"none"}
    assert {job.cell.arm for job in worked.trained} == {"copy_paste"}


@pytest.mark.usefixtures("no_pictures")
def test_finished_cells_outlive_a_change_of_the_plan(
    config: CompareConfig, context: Context, trained: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "compare"
    assert run_stage("compare", compare.run, config, context, out)
    fewer = config.model_copy(update={"arms": ("none",), "seeds": 1})
    assert run_stage("compare", compare.run, fewer, context, out)
    assert {path.name for path in (out / "cells").iterdir()} == {"none-mask_rcnn-f0-s0", "none-retinanet-f0-s0", "logs"}
    assert run_stage("compare", compare.run, config, context, out)
    assert len(trained) == 8, "arms and seeds that come back are found again"


@pytest.mark.usefixtures("no_pictures")
def test_processes_may_begin_the_same_comparison(
    config: CompareConfig, context: Context, trained: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "compare"
    assert begin(config, context, out)
    jobs = plan(config, context, out)
    work(jobs, 1, shard=(0, 2))
    assert begin(config, context, out), "it does not disturb what is under way"
    assert sum(job.finished() for job in jobs) == 4
    work(jobs, 1, shard=(1, 2))
    assert run_stage("compare", compare.run, config, context, out) and len(trained) == 8
    assert not begin(config, context, out)


def test_cells_of_an_older_version_get_their_missing_figures(
    config: CompareConfig, context: Context, trained: list[str], tmp_path: Path
) -> None:
    job = plan(config, context, tmp_path / "compare")[0]
    work([job], 1)
    result = job.result()
    write_result(job.folder, replace(result, figures=replace(result.figures, of_images=None)))
    work([job], 1)
    assert job.result() == result
    assert trained == [job.cell.name]


def test_tidying_spares_what_another_process_is_at(config: CompareConfig, context: Context, tmp_path: Path) -> None:
    jobs = plan(config, context, tmp_path / "compare")
    for job in jobs[:2]:
        write_json(job.folder / "started.json", {"key": job.key})
    with claimed(jobs[0].claim):
        tidy(jobs[0].folder.parent, jobs[2:])
    assert jobs[0].folder.exists() and not jobs[1].folder.exists()
