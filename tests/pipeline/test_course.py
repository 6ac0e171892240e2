"""The plan of a run, and how it is corrected while the run goes on. Clocks are arguments."""

from __future__ import annotations

import json
import time

import pytest

from anomaly_gan.core.live import Bar, Live, Moment
from anomaly_gan.pipeline.course import FILE, Course, plan_lines, read_progress, shares, write_progress

STEPS = ["ingest", "train@a", "gate@a", "gate@b", "compare", "report"]
ESTIMATES = {"train@a": 600.0, "gate@a": 60.0, "gate@b": 60.0, "compare": 1200.0, "report": 10.0}


def moment(stage: str, seconds: float, *bars: Bar, now: float = 100.0) -> Moment:
    return Moment(stage, seconds, bars, now)


def counted(label: str, n: int, total: int, seconds: float, now: float = 100.0) -> Bar:
    bar = Bar(label, total, began=now - seconds)
    bar.n = n
    return bar


def test_the_plan_names_what_is_fresh_and_where_the_time_goes():
    lines = plan_lines(STEPS, ESTIMATES)
    assert lines[0] == "plan: 6 stages, 1 of them fresh; about 32 min: generator 10, detectors 20, others 2"
    assert lines[1].split() == ["ingest", "fresh"]
    assert lines[3].split() == ["gate", "about", "2", "min", "a,", "b"]
    assert plan_lines(STEPS, {}) == ["plan: 6 stages, all fresh: nothing to do"]
    assert shares({"train@a": 30.0}) == "about 30 s"
    half = plan_lines(STEPS, {"gate@b": 60.0})
    assert "(1 of 2 fresh)" in half[3] and half[3].endswith("b")


def test_time_left_of_counted_work_goes_no_further_than_its_end():
    bar = counted("train a", 10, 8000, 20.0)
    assert bar.seconds_left(100.0) == pytest.approx(2.0 * 7990)
    bar.ends_in = lambda: 45.0
    assert bar.seconds_left(100.0) == 45.0
    bar.ends_in = lambda: -3.0  # the last step is still on its way
    assert bar.seconds_left(100.0) == 0.0


def test_the_line_promises_no_more_than_the_budget_of_the_whole_run_holds():
    now, live = [100.0], Live()
    course = Course({"compare": 9000.0}, total="10m", clock=lambda: now[0])
    now[0] += 480.0
    live.at_most = course.at_most
    shown = live._text(moment("compare", 80.0, counted("compare", 10, 1000, 80.0)))
    assert "about 2 min left" in shown


@pytest.mark.parametrize("columns", [160, 118, 100, 80, 60])
def test_the_line_ends_with_the_time_left_of_the_whole_run_however_narrow_the_terminal(columns):
    live = Live()
    live.words = lambda moment: "whole run 7:02 of 28m, about 21 min left"
    bar = counted("train anomaly_gan", 81, 8000, 223.0, now=300.0)
    bar.note = "d1_abnormal 1.99 d1_normal 1.96 d2_abnormal 1.77"
    line = live._form(moment("train@anomaly_gan", 223.0, bar, now=300.0), columns)
    assert line.startswith("train@anomaly_gan") and line.endswith("21 min left")
    assert len(line.replace("{bar:12}", "#" * 12)) < columns


def test_a_stage_that_took_longer_makes_its_like_longer_and_no_other():
    course = Course(dict(ESTIMATES))
    course.begin("gate@a")
    course.end("gate@a", 180.0)
    assert course.refined("gate@b") == 180.0
    assert course.refined("compare") == 1200.0
    assert course.left() == 600 + 180 + 1200 + 10


@pytest.mark.parametrize(
    ("bars", "left"),
    [
        ((), 600 - 90),  # nothing counted: the estimate
        ((counted("decode", 1, 2, 10.0),), 600 - 90),  # reading photographs says nothing of the training
        ((counted("train a", 10, 100, 20.0),), 180),  # its own steps do
    ],
)
def test_the_steps_of_a_training_overrule_the_estimate(bars, left):
    course = Course({"train@a": 600.0})
    course.begin("train@a")
    assert course.left(moment("train@a", 90.0, *bars)) == pytest.approx(left)


def test_words_hold_the_time_so_far_with_earlier_sittings_and_the_budget():
    now = iter([0.0, 65.0, 65.0])
    course = Course({"report": 30.0}, total="45m", before=60.0, clock=lambda: next(now))
    course.begin("report")
    assert course.words(moment("report", 10.0)) == "whole run 2:05 of 45m, about 20 s left"


def test_another_process_reads_how_far_it_is_until_that_is_old(tmp_path):
    course = Course(dict(ESTIMATES))
    course.begin("train@a")
    write_progress(tmp_path, course, moment("train@a", 30.0, counted("train a", 3, 10, 30.0)))
    said = read_progress(tmp_path)
    assert said is not None and said.stage == "train@a" and said.count == "3 of 10"
    content = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps(content | {"at": time.time() - 60}))
    assert read_progress(tmp_path) is None
    assert read_progress(tmp_path / "nowhere") is None
