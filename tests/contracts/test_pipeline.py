"""The run as a user has it: one command, every stage, skip what is fresh, survive kill -9, one-line errors."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pycocotools.coco import COCO

from anomaly_gan.core.errors import ConfigError
from anomaly_gan.core.resources import PACKAGE
from anomaly_gan.pipeline.config import RunConfig, read_run_config
from anomaly_gan.pipeline.plan import plan, select
from anomaly_gan.pipeline.stages import Stage

DEMO = PACKAGE / "configs" / "demo.yaml"
POOLS = PACKAGE / "configs" / "demo_pool_ablation.yaml"
SMOKE = ["preset=smoke", "compare.arms=[none, copy_paste, anomaly_gan, anomaly_gan@prior]"]
"""Every kind of arm: without photographs, of a method that learns nothing, of one that does, of a pool of its own."""
KILLS = int(os.environ.get("ANOMALY_GAN_KILLS", "1"))
"""How many times the run below is killed; ten for a release."""
PRODUCTS = ("ingest", "pool", "generate@", "gate@", "export@")


def call(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "anomaly_gan", *arguments],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        **options,
    )


def smoke(out: Path, *more: str) -> list[str]:
    return ["run", str(POOLS), "--out", str(out), *(word for setting in SMOKE for word in ("--set", setting)), *more]


def tree(run: Path) -> dict[str, str]:
    """SHA-256 of every product but logs and markers."""
    return {
        path.relative_to(run).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(run.rglob("*"))
        if path.is_file() and "logs" not in path.parts and path.name not in (".lock",)
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("whole") / "run"
    done = call(*smoke(run))
    # six steps of training may well fail the gate, which the run says at its end
    verdict = json.loads((run / "verdict.json").read_text())
    assert done.returncode == (0 if verdict["passed"] else 1), done.stderr
    assert f"done: {run / 'report.html'}" in done.stdout.splitlines() and verdict["paragraph"] in done.stdout
    return run


@pytest.mark.timeout(600)
def test_one_command_gives_every_promised_file(finished):
    for name in (
        "ingest",
        "pool",
        "train@anomaly_gan",
        "compare",
        "report",
        *(
            f"{stage}@{method}"
            for stage in ("generate", "gate", "export")
            for method in ("copy_paste", "anomaly_gan", "anomaly_gan@prior")
        ),
    ):
        for file in ("config.yaml", "metrics.json", "manifest.json"):
            assert (finished / name / file).is_file(), f"{name}/{file}"
    assert list((finished / "generate@anomaly_gan" / "images").rglob("*.png"))
    assert (finished / "report.html").stat().st_size > 20_000
    table = list(csv.DictReader((finished / "compare" / "table.csv").open()))
    assert ",".join(table[0]).startswith("arm,detector,seed,fold,map50,map,miou,n_real,n_synthetic,iterations")
    assert {row["arm"] for row in table} == {"none", "copy_paste", "anomaly_gan", "anomaly_gan@prior"}
    assert next(row for row in table if row["arm"] == "none")["n_synthetic"] == "0"
    assert COCO(str(finished / "export@anomaly_gan" / "annotations.json")).getAnnIds()


@pytest.mark.timeout(600)
def test_a_finished_run_is_left_alone_and_a_deleted_stage_comes_back_byte_for_byte(finished):
    before = tree(finished)
    for path in sorted((finished / "generate@copy_paste").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    done = call(*smoke(finished))
    assert done.returncode in (0, 1), done.stderr
    assert "generate@copy_paste: done" in done.stderr
    assert "train@anomaly_gan: fresh, skipped" in done.stderr
    assert tree(finished) == before


@pytest.mark.timeout(600)
def test_killed_at_random_moments_the_run_ends_with_the_same_bytes(finished, tmp_path):
    run, chance = tmp_path / "run", random.Random(os.environ.get("ANOMALY_GAN_KILL_SEED", "1"))
    killed = 0
    for _ in range(KILLS):
        process = subprocess.Popen(
            [sys.executable, "-m", "anomaly_gan", *smoke(run, "--to", "export")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(chance.uniform(2.0, 12.0))
        killed += process.poll() is None
        process.kill()
        process.wait()
    assert killed, "no kill met a running process: nothing was tested"
    done = call(*smoke(run, "--to", "export"))
    assert done.returncode in (0, 1), done.stderr
    whole, again = tree(finished), tree(run)
    shared = [name for name in whole if name.startswith(PRODUCTS)]
    assert shared and {name: again.get(name) for name in shared} == {name: whole[name] for name in shared}


def test_status_tells_what_is_fresh(finished):
    done = call("status", str(finished), "--deep")
    *lines, made = done.stdout.splitlines()
    assert done.returncode == 0 and made.startswith("made by anomaly-gan ") and "torch" in made
    assert {line.split()[1] for line in lines} == {"fresh"}
    assert len(lines) == len(plan(read_run_config(POOLS, SMOKE)))


def test_a_second_process_in_the_same_run_is_refused(finished):
    import fcntl

    with (finished / ".lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        refused = call(*smoke(finished))
    assert refused.returncode == 4
    assert refused.stderr.strip().endswith("another process is working in this run folder")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "nowhere.yaml"], 2, "nowhere.yaml: no such configuration file"),
        (["demo", "--set", "train.step=3"], 2, "train.step: unknown key (did you mean 'steps'?)"),
        (["demo", "--set", "preset=smoek"], 2, "preset: no preset 'smoek' (did you mean 'smoke'?)"),
        (
            ["demo", "--set", "compare.arms=[none,anomaly_gam]"],
            2,
            "no method 'anomaly_gam' (did you mean 'anomaly_gan'?)",
        ),
        (["run", str(DEMO), "--from", "gat"], 2, "no stage 'gat' (did you mean 'gate'?)"),
        (["run", str(DEMO), "--from", "gate", "--to", "pool"], 2, "--from gate comes after --to pool"),
        (["ingest", "nowhere", "--out", "x"], 2, "nowhere"),
        (["generate", "--run", "nowhere", "--method", "copy_paste"], 2, "nowhere"),
        (["status", "nowhere"], 2, "no run.yaml in this folder"),
        (["export", "--run", "x", "--format", "yolow"], 2, "yolo"),
        (["frobnicate"], 2, "No such command"),
    ],
)
def test_a_wrong_argument_is_one_line_and_exit_code_2(arguments, code, words, tmp_path):
    done = call(*arguments, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_plan_gives_each_method_its_own_folders_and_inputs():
    steps = {step.name: step for step in plan(read_run_config(POOLS, []))}
    assert list(steps["gate@copy_paste"].inputs) == ["ingest", "pool", "generate@copy_paste"]
    assert list(steps["gate@anomaly_gan"].inputs) == ["ingest", "pool", "train@anomaly_gan", "generate@anomaly_gan"]
    assert list(steps["compare"].inputs) == [
        "ingest",
        "export@geometric",
        "export@copy_paste",
        "export@anomaly_gan",
        "export@anomaly_gan@prior",
        "export@anomaly_gan@prior_expert",
    ]
    assert "train@copy_paste" not in steps


def test_the_demo_compares_three_arms_and_the_ablation_adds_pools_to_the_same_stages():
    demo, pools = (plan(read_run_config(path, [])) for path in (DEMO, POOLS))
    assert [step.name for step in demo if step.name.startswith("export")] == ["export@copy_paste", "export@anomaly_gan"]
    ablation = {step.name: step for step in pools}
    shared = [step for step in demo if step.name not in ("compare", "report")]
    assert all(ablation[step.name].config == step.config for step in shared)


def test_an_arm_may_have_a_pool_of_its_own_but_its_generator_is_the_shared_one():
    settings = [
        "pool_variants={bare: {expert_dir: null, expert_scores: null}}",
        "compare.arms=[none, anomaly_gan, anomaly_gan@bare]",
    ]
    steps = {step.name: step for step in plan(read_run_config(DEMO, settings))}
    assert [name for name in steps if name.startswith(("pool", "train", "generate"))] == [
        "pool",
        "pool@bare",
        "train@anomaly_gan",
        "generate@anomaly_gan",
        "generate@anomaly_gan@bare",
    ]
    assert steps["pool"].config.expert_dir is not None and steps["pool@bare"].config.expert_dir is None
    assert steps["train@anomaly_gan"].inputs == {"ingest": "ingest", "pool": "pool"}
    assert steps["gate@anomaly_gan"].inputs["pool"] == "pool"
    assert steps["gate@anomaly_gan@bare"].inputs == {
        "ingest": "ingest",
        "pool": "pool@bare",
        "train@anomaly_gan": "train@anomaly_gan",
        "generate@anomaly_gan": "generate@anomaly_gan@bare",
    }
    assert "export@anomaly_gan@bare" in steps["compare"].inputs


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["compare.arms=[none, anomaly_gan@bar]"], "no pool variant 'bar'"),
        (["pool_variants={'../up': {}}"], "cannot be part of a folder's name"),
        (
            ["pool_variants={bare: {expertdir: null}}", "compare.arms=[anomaly_gan@bare]"],
            "pool_variants.bare: expertdir",
        ),
    ],
)
def test_a_wrong_pool_variant_is_refused_by_name(settings, words):
    with pytest.raises(ConfigError, match=words):
        plan(read_run_config(DEMO, settings))


def test_from_and_to_take_stages_and_single_folders():
    steps = plan(read_run_config(DEMO, []))
    assert [step.name for step in select(steps, "gate@copy_paste", "gate@anomaly_gan")] == [
        "gate@copy_paste",
        "gate@anomaly_gan",
    ]
    with pytest.raises(ConfigError, match="no stage 'trane'"):
        select(steps, "trane", None)


def test_a_run_config_knows_its_stages():
    assert {stage.section for stage in plan_stages()} <= set(RunConfig.model_fields)


def plan_stages() -> list[Stage]:
    return [step.stage for step in plan(read_run_config(DEMO, []))]
