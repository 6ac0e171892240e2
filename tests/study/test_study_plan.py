"""What a study's YAML means: runs, their configurations, their order, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from anomaly_gan.core.config import build
from anomaly_gan.core.errors import ConfigError, InputError
from anomaly_gan.core.progress import in_words
from anomaly_gan.core.resources import PACKAGE
from anomaly_gan.study.clock import Clock
from anomaly_gan.study.config import StudyConfig, is_study, read_study
from anomaly_gan.study.plan import plan_study, planned_cells
from anomaly_gan.study.run import run_study

TILES = """
name: proof
base: embedded:magnetic_tile.yaml
folds: [0, 1]
set: {preset: smoke, compare: {arms: [none, copy_paste]}}
variants:
  leak: {data: {split: images}}
  half: {folds: [1], preset: hour, export: {per_real: 0.5}}
"""


def runs_of(text: str, tmp_path: Path, *settings: str, **more):
    (tmp_path / "study.yaml").write_text(text)
    return plan_study(*read_study(tmp_path / "study.yaml", list(settings), **more), tmp_path / "out")


def test_folds_and_variants_are_whole_runs_with_their_own_values(tmp_path):
    runs = {run.name: run for run in runs_of(TILES, tmp_path, seed=5)}
    assert list(runs) == ["main/fold0", "leak/fold0", "main/fold1", "leak/fold1", "half/fold1"]
    assert runs["leak/fold1"].folder == tmp_path / "out" / "leak" / "fold1"
    for name, run in runs.items():
        assert run.config.data.fold == run.config.compare.fold == int(name[-1]) and run.config.seed == 5
        assert run.config.data.split == ("images" if "leak" in name else "objects")
    assert runs["main/fold0"].config.pool.count == 24 and runs["half/fold1"].config.pool.count == 160
    assert runs["half/fold1"].config.export.per_real == 0.5 and runs["main/fold0"].config.export.per_real is None
    assert runs["half/fold1"].config.compare.arms == ("none", "copy_paste"), "set lies over the preset"


def test_the_command_line_lies_over_the_file(tmp_path):
    runs = runs_of(TILES, tmp_path, "folds=[3]", "preset=hour", "compare.seeds=2", "variants={}", device="cpu")
    assert [run.name for run in runs] == ["main/fold3"]
    assert runs[0].config.compare.seeds == 2 and runs[0].config.pool.count == 160 and runs[0].config.device == "cpu"


def test_without_folds_the_split_of_the_base_is_the_one_run(tmp_path):
    runs = runs_of("base: embedded:demo.yaml", tmp_path, "data.fold=2")
    assert [(run.name, run.config.compare.fold) for run in runs] == [("main/fold2", 2)]
    runs = runs_of("base: embedded:rsdds.yaml", tmp_path)
    assert [(run.name, run.config.data.fold) for run in runs] == [("main/fold0", None)]


def test_cells_come_seed_by_seed_and_in_a_seed_fold_by_fold(tmp_path):
    cells = planned_cells(runs_of(TILES, tmp_path, "compare.seeds=2", "first_seed=3", "variants={}"))
    assert [(item.cell.seed, item.run.fold, item.cell.arm) for item in cells] == [
        (seed, fold, arm) for seed in (3, 4) for fold in (0, 1) for arm in ("none", "copy_paste")
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"variants": {"main": {}}}, "'main' is the study without overrides"),
        ({"variants": {"a/b": {}}}, "cannot name a folder"),
        ({"variants": {"leak": {"dat": {}}}}, r"variants.leak: unknown key 'dat' \(did you mean"),
        ({"variants": {"leak": {"folds": 3}}}, "variants.leak.folds: must be a list of whole numbers"),
        ({"set": {"trian": {}}}, "set: unknown key 'trian'"),
        ({"folds": [0, 0]}, "folds: each once"),
        ({"fold": [0]}, r"unknown key \(did you mean 'folds'"),
        ({"name": "../up"}, "cannot name a folder"),
    ],
)
def test_a_study_that_cannot_be_is_refused_in_one_line(content, words):
    with pytest.raises(ConfigError, match=words) as caught:
        build(StudyConfig, {"base": "demo.yaml", **content}, "study.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["compare.arms=[none, copy_past]"], "variant main: .*did you mean 'copy_paste'"),
        (["variants={big: {pool: {counts: 3}}}"], "variant big: pool.counts: unknown key"),
        (["preset=smoek"], "no preset 'smoek'"),
        (["first_seed=2", "compare.seeds=[0, 1]"], "first_seed goes with a number"),
        (["base=nowhere.yaml"], "nowhere.yaml: no such configuration file"),
    ],
)
def test_a_run_that_cannot_be_names_its_variant(settings, words, tmp_path):
    with pytest.raises(ConfigError, match=words):
        runs_of(TILES, tmp_path, *settings)


def test_a_runs_file_is_refused_as_a_study_in_plain_words():
    with pytest.raises(ConfigError, match=r"demo\.yaml: describes a run, not a study"):
        read_study(PACKAGE / "configs" / "demo.yaml", [])


def test_photographs_that_are_not_there_end_the_study_at_once(tmp_path):
    study, base = read_study(PACKAGE / "configs" / "study_smoke.yaml", [f"data.root={tmp_path / 'nowhere'}"])
    with pytest.raises(InputError, match="nowhere: MISSING: no such folder"):
        run_study(study, base, tmp_path / "out", print)


def test_studies_and_runs_are_told_apart():
    assert is_study(PACKAGE / "configs" / "study_smoke.yaml") and not is_study(PACKAGE / "configs" / "demo.yaml")


def test_the_clock_speaks_of_what_it_has_timed_only():
    clock = Clock()
    assert clock.left(["train", "gate"]) == ""
    clock.took("train", 600)
    clock.took("train", 1200)
    assert clock.left(["train", "train", "gate"]) == ", about 30 min and 1 of unknown length"
    assert [in_words(40), in_words(600), in_words(11_100)] == ["40 s", "10 min", "3 h 05 min"]


def test_a_study_that_ends_before_the_comparison_trains_no_detector(tmp_path):
    study, base = read_study(PACKAGE / "configs" / "study_smoke.yaml", ["until=gate"])
    runs = plan_study(study, base, tmp_path)
    assert planned_cells(runs) == []
    assert runs[0].steps()[-1].name == "gate@copy_paste", "and nothing is exported"
