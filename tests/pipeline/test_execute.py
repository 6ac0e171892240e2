"""A run within its time, and a look into one that works, on the embedded sample set."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ticking import Ticking

from anomaly_gan.cli.options import work_stage
from anomaly_gan.core.manifest import read_manifest
from anomaly_gan.core.resources import PACKAGE
from anomaly_gan.core.time_budget import TimeBudget, TimeUp
from anomaly_gan.pipeline import execute as room
from anomaly_gan.pipeline.config import RunConfig, read_run_config
from anomaly_gan.pipeline.course import Course, write_progress
from anomaly_gan.pipeline.execute import Outcome, execute
from anomaly_gan.pipeline.foresight import foresee
from anomaly_gan.pipeline.pace import Pace
from anomaly_gan.pipeline.plan import plan, select
from anomaly_gan.pipeline.status import status_lines

SETTINGS = ["preset=smoke", "compare.arms=[none]", "pool.count=2"]


@pytest.fixture(scope="module")
def cut_short(tmp_path_factory) -> tuple[Path, RunConfig, Outcome, str]:
    """A run whose time is over as soon as its photographs are read."""
    run = tmp_path_factory.mktemp("budget") / "run"
    config = read_run_config(PACKAGE / "configs" / "demo.yaml", SETTINGS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "pace_of", lambda *_: Pace())  # torch is not what this is about
        patch.setattr(room.Budget, "left", lambda self: 0.0)  # on a quick machine a second is long
        said: list[str] = []
        patch.setattr(room, "say", said.append)
        outcome = execute(config, run, plan(config), "1s")
    return run, config, outcome, "\n".join(said)


def test_where_the_time_is_over_the_report_is_written_all_the_same(cut_short):
    run, _, outcome, said = cut_short
    assert outcome.not_reached == ("pool", "compare")
    verdict = json.loads((run / "verdict.json").read_text(encoding="utf-8"))
    assert verdict["paragraph"].endswith("and checked. Not reached within 1s: pool, compare.")
    assert [bool(read_manifest(run / name)) for name in ("ingest", "pool", "compare", "report")] == [1, 0, 0, 1]
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "Unfinished run." in page and "compare" in page
    assert "1s are over: pool is not begun, nor what comes after it, but for the report" in said
    work_stage(run, "report", "report", ["rows=3"], lenient=True)
    made_anew = json.loads((run / "report" / "verdict.json").read_text(encoding="utf-8"))
    assert made_anew == verdict, "a report made anew still says why"


def test_a_run_begins_with_its_plan_and_prints_what_ingest_found(cut_short):
    said = cut_short[3].splitlines()
    assert said[0].startswith("demo → ") and "within 1s" in said[0]
    assert said[1].startswith("plan: 4 stages; about ")
    assert any("200 photographs found, 200 accepted" in line for line in said)


def test_what_will_be_fresh_is_known_before_anything_starts(cut_short):
    run, config, _, _ = cut_short
    fresh = {name: item.fresh for name, item in foresee(config, run, plan(config)).items()}
    assert fresh["ingest"] and not fresh["pool"] and not fresh["compare"]
    other = config.model_copy(update={"seed": 1})
    assert not foresee(other, run, plan(other))["ingest"].fresh


def test_a_report_is_made_while_another_process_holds_the_run(cut_short):
    run, _config, _, _ = cut_short
    course = Course({"pool": 60.0})
    course.begin("pool")
    write_progress(run, course, room.Moment("pool", 12.0, (), 0.0))
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    with (run / ".lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        calls = [
            subprocess.run([sys.executable, "-m", "anomaly_gan", verb, str(run)], capture_output=True, text=True)
            for verb in ("status", "report")
        ]
    assert [done.returncode for done in calls] == [0, 0], calls
    assert "pool                     working: 0:12" in calls[0].stdout
    page = (run / "report_so_far.html").read_text(encoding="utf-8")
    assert "This run is still working" in page and "Not yet: pool, compare" in page
    assert all(path.stat().st_mtime_ns == time for path, time in before.items() if path.name != ".lock")
    assert not list(run.glob(".tmp-*"))
    write_progress(run, course, room.Moment("ingest", 12.0, (), 0.0))  # the last word of a stage that has finished
    assert not any("working" in line or "whole run" in line for line in status_lines(run))


def test_what_time_ended_goes_on_with_what_is_done_and_stays_fresh_under_the_same_budget(tmp_path, monkeypatch):
    """Of two categories' photographs some are made; the same command finds all fresh."""
    run, settings = tmp_path / "run", ["preset=smoke", "compare.arms=[none, copy_paste]", "pool.count=9"]
    config = read_run_config(PACKAGE / "configs" / "demo.yaml", [*settings, "generate.count=6"])
    steps = select(plan(config), None, "generate")
    monkeypatch.setattr(room, "pace_of", lambda *_: Pace())
    real = room.Budget.deadline

    def short(self, step, course):
        return TimeBudget(9.0, Ticking()) if step.stage.name == "generate" else real(self, step, course)

    monkeypatch.setattr(room.Budget, "deadline", short)
    said: list[str] = []
    monkeypatch.setattr(room, "say", said.append)
    outcome = execute(config, run, steps, "2h")
    made = json.loads((run / "generate@copy_paste" / "metrics.json").read_text())
    assert made["ended_by"] == "time" and made["count"] < made["planned"] == 24
    assert outcome.config.time_budgets == {"generate@copy_paste": "9s"} and outcome.not_reached == ()
    assert "generate@copy_paste: its 9s were over" in "\n".join(said)
    said.clear()
    execute(config, run, steps, "2h")
    assert "all fresh: nothing to do" in "\n".join(said)
    assert not foresee(config, run, steps)["generate@copy_paste"].fresh, "without a budget it is made whole"


def test_a_stage_of_no_use_by_halves_is_left_out_with_what_needs_it_and_the_run_ends_with_its_report(
    cut_short, tmp_path, monkeypatch
):
    run, config = tmp_path / "run", cut_short[1]
    shutil.copytree(cut_short[0], run)
    real = room.run_step

    def up(config, run, step, *others):
        if step.name in ("pool", "compare"):
            raise TimeUp
        return real(config, run, step, *others)

    monkeypatch.setattr(room, "run_step", up)
    monkeypatch.setattr(room, "pace_of", lambda *_: Pace())
    said: list[str] = []
    monkeypatch.setattr(room, "say", said.append)
    assert execute(config, run, plan(config), "2h").not_reached == ("pool", "compare")
    assert "2h are over: pool is not finished, nor what comes after it, but for the report" in said
    assert (run / "report.html").is_file()


def test_photographs_that_take_longer_than_the_whole_time_end_in_a_report_that_says_so(
    cut_short, tmp_path, monkeypatch
):
    run, config, lacked = tmp_path / "run", cut_short[1], "7 of 200 photographs were read in 9 s."
    real = room.run_step

    def up(config, run, step, *others):
        if step.name == "ingest":
            raise TimeUp(lacked)
        return real(config, run, step, *others)

    monkeypatch.setattr(room, "run_step", up)
    monkeypatch.setattr(room, "pace_of", lambda *_: Pace())
    said: list[str] = []
    monkeypatch.setattr(room, "say", said.append)
    assert execute(config, run, plan(config), "10s").not_reached == ("ingest", "pool", "compare")
    assert f"ingest: {lacked}" in said
    why = f"Not reached within 10s: ingest, pool, compare. {lacked}"
    verdict = json.loads((run / "verdict.json").read_text(encoding="utf-8"))
    assert verdict["paragraph"].endswith(why) and verdict["arms"] == []
    assert (run / "report.html").read_text(encoding="utf-8").count(why) == 2, "on top, and as the verdict"
