"""A time budget for a whole run: how it is divided, and that the same command goes on with the same shares."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anomaly_gan.core.durations import seconds_of
from anomaly_gan.pipeline.budget import Budget
from anomaly_gan.pipeline.config import RunConfig
from anomaly_gan.pipeline.costs import Work, compare_seconds
from anomaly_gan.pipeline.course import Course
from anomaly_gan.pipeline.pace import Pace
from anomaly_gan.pipeline.plan import Step, plan
from anomaly_gan.pipeline.sizes import Sizes

CONFIG = RunConfig(
    data={"root": "photos"},
    compare={"arms": ["none", "copy_paste", "anomaly_gan"], "seeds": 3, "detect": {"iterations": 100}},
)
SIZES = Sizes(100, 20, 2, 200, 200, defective=40)
ARMS = ("none", "copy_paste", "copy_paste@wide")
PACE = Pace(1.0, 2, {"anomaly_gan": 1.0}, {"dense": 1.0})
ESTIMATES = {"train@anomaly_gan": 1200.0, "gate@anomaly_gan": 100.0, "compare": 600.0, "report": 20.0}


def step_of(config: RunConfig, name: str) -> Step:
    return next(step for step in plan(config) if step.name == name)


def work_on(config: RunConfig, name: str, run: Path) -> Work:
    return Work(step_of(config, name), run, SIZES, PACE, 100, 3)


def begun(name: str) -> Course:
    course = Course(dict(ESTIMATES))
    course.begin(name)
    return course


def training_gets(total: str, run: Path, gone: float = 0.0) -> float | None:
    now = iter([0.0] + [gone] * 9)
    budget = Budget.open(run, total, lambda: next(now))
    config = budget.decide(CONFIG, work_on(CONFIG, "train@anomaly_gan", run), begun("train@anomaly_gan"))
    given = config.training("anomaly_gan").time_budget
    return None if given is None else seconds_of(given)


def test_where_all_fits_no_training_is_limited(tmp_path):
    assert training_gets("1h", tmp_path) is None


def test_what_the_fixed_stages_leave_is_shared_by_trainings_and_comparison(tmp_path):
    given = training_gets("20m", tmp_path)
    free = 1200 * 0.96 - 120
    assert given == pytest.approx(free * 1200 / 1800, abs=1)


def test_time_that_is_gone_makes_the_share_smaller_but_never_nothing(tmp_path):
    assert training_gets("20m", tmp_path / "a", gone=600) < training_gets("20m", tmp_path / "b")
    assert training_gets("2m", tmp_path / "c", gone=110) == 10


def test_stages_of_a_fixed_length_that_would_take_all_leave_half_to_what_can_do_with_less(tmp_path):
    course = begun("train@anomaly_gan")
    course.estimates["gate@anomaly_gan"] = 5000.0
    budget = Budget.open(tmp_path, "20m", lambda: 0.0)
    config = budget.decide(CONFIG, work_on(CONFIG, "train@anomaly_gan", tmp_path), course)
    given = seconds_of(config.training("anomaly_gan").time_budget)
    assert given == pytest.approx(1200 * 0.96 / 2 - 200, abs=1), "half, less one seed of the comparison"


def test_a_users_own_shorter_budget_for_the_training_stays(tmp_path):
    config = CONFIG.model_copy(update={"train": CONFIG.train.model_copy(update={"time_budget": "1m"})})
    budget = Budget.open(tmp_path, "20m", lambda: 0.0)
    given = budget.decide(config, work_on(config, "train@anomaly_gan", tmp_path), begun("train@anomaly_gan"))
    assert given.training("anomaly_gan").time_budget == "1m"


def compared(seconds: float, run: Path) -> RunConfig:
    """The comparison's share where this many seconds are left for it."""
    budget = Budget.open(run, f"{(seconds + 20) / 0.96:.0f}s", lambda: 0.0)
    return budget.decide(CONFIG, work_on(CONFIG, "compare", run), begun("compare"))


def test_the_comparison_gives_up_seeds_and_then_steps(tmp_path):
    seeds = [compare_seconds(work_on(CONFIG, "compare", tmp_path), list(range(n + 1))) for n in range(3)]
    whole = compared(seeds[2] + 5, tmp_path / "whole").compare
    assert whole.seeds == 3 and whole.detect.iterations == 100 and whole.time_budget is not None
    assert compared(seeds[1] + 5, tmp_path / "two").compare.seeds == 2
    short = compared(seeds[0] / 2, tmp_path / "short").compare
    assert short.seeds == 1 and 10 <= short.detect.iterations < 50


def test_where_one_seed_hardly_fits_each_training_of_a_detector_gets_a_clock(tmp_path):
    seeds = [compare_seconds(work_on(CONFIG, "compare", tmp_path), list(range(n + 1))) for n in range(2)]
    assert compared(seeds[1] + 5, tmp_path / "two").compare.detect.time_budget is None
    for name, seconds in (("one", seeds[0] + 5), ("none", seeds[0] / 2)):
        detect = compared(seconds, tmp_path / name).compare.detect
        rounds = 2  # three arms, two cores
        assert 0.4 * seconds / rounds < seconds_of(detect.time_budget) < seconds / rounds


@pytest.mark.parametrize(
    ("total", "gone", "expected"),
    [("30m", 0, 1728 - 720), ("20m", 600, 100 + 0.3 * 432), ("20m", 1092, 30 * 100 / 120)],
)
def test_a_stage_may_take_what_those_after_it_will_not_need_or_else_its_part(total, gone, expected, tmp_path):
    now = iter([0.0] + [gone] * 9)
    budget = Budget.open(tmp_path, total, lambda: next(now))
    course = begun("gate@anomaly_gan")
    course.done["train@anomaly_gan"] = 1200.0
    course.estimates["compare"] = 700.0
    watch = budget.deadline(step_of(CONFIG, "gate@anomaly_gan"), course)
    assert watch is not None and watch.seconds == pytest.approx(expected, abs=1)


def test_what_cannot_end_early_or_has_its_own_time_has_no_deadline(tmp_path):
    budget = Budget.open(tmp_path, "20m", lambda: 0.0)
    own = CONFIG.model_copy(update={"time_budgets": {"gate@anomaly_gan": "1m"}})
    for config, name in ((CONFIG, "compare"), (CONFIG, "report"), (own, "gate@anomaly_gan")):
        assert budget.deadline(step_of(config, name), begun(name)) is None
    assert step_of(own, "gate@anomaly_gan").config.time_budget == "1m"
    assert step_of(own, "gate@copy_paste").config.time_budget is None


@pytest.mark.parametrize("name", ["ingest", "export@anomaly_gan"])
def test_what_is_of_no_use_by_halves_may_take_all_that_is_left(name, tmp_path):
    watch = Budget.open(tmp_path, "20m", lambda: 0.0).deadline(step_of(CONFIG, name), begun(name))
    assert watch is not None and watch.seconds == pytest.approx(1200 * 0.96 - 20, abs=1)


def test_a_pool_that_time_ended_is_a_smaller_one_and_no_more_is_asked_of_it_also_the_next_time(tmp_path):
    variants = {"pool_variants": {"wide": {"rotation": 10.0}}}
    config = CONFIG.model_copy(update={**variants, "compare": CONFIG.compare.model_copy(update={"arms": ARMS})})
    budget = Budget.open(tmp_path, "20m", lambda: 0.0)
    now = config
    for name, count in (("pool", 17), ("pool@wide", 9)):
        now = budget.note(now, step_of(now, name), {"count": count})
    assert (now.pool.count, now.variant("wide").count, now.generate.count) == (17, 9, 9)
    assert now.variant("wide").rotation == 10.0
    made = budget.note(now, step_of(now, "generate@copy_paste@wide"), {"time_budget": "20s"})
    budget.save(finished=True)
    assert Budget.open(tmp_path, "20m").applied(config, plan(config)) == made
    changed = config.model_copy(update={"pool": config.pool.model_copy(update={"count": 300})})
    assert Budget.open(tmp_path, "20m").applied(changed, plan(changed)).generate.count == config.generate.count


def test_a_training_that_begins_with_pseudo_defects_is_left_its_steps(tmp_path):
    config = CONFIG.model_copy(update={"train": CONFIG.train.model_copy(update={"pretrain_steps": 500})})
    budget = Budget.open(tmp_path, "5m", lambda: 0.0)
    work = work_on(config, "train@anomaly_gan", tmp_path)
    assert budget.decide(config, work, begun("train@anomaly_gan")) == config
    assert budget.deadline(work.step, begun("train@anomaly_gan")) is None


def test_the_same_command_goes_on_with_its_shares_and_the_seconds_that_are_gone(tmp_path):
    now = iter([0.0, 0.0, 0.0, 400.0, 400.0])
    budget = Budget.open(tmp_path, "20m", lambda: next(now))
    config = budget.decide(CONFIG, work_on(CONFIG, "train@anomaly_gan", tmp_path), begun("train@anomaly_gan"))
    budget.save()  # killed here
    again = Budget.open(tmp_path, "1200s", lambda: 50_000.0)
    assert again.spent() == pytest.approx(400, abs=1)
    assert again.applied(CONFIG, plan(CONFIG)) == config
    changed = CONFIG.model_copy(update={"train": CONFIG.train.model_copy(update={"steps": 77})})
    assert again.applied(changed, plan(changed)) == changed, "another training gets another share"
    assert Budget.open(tmp_path, "40m", lambda: 0.0).spent() == 0


def test_a_budget_that_was_used_to_its_end_begins_anew_with_what_it_decided(tmp_path):
    budget = Budget.open(tmp_path, "20m", lambda: 0.0)
    budget.decide(CONFIG, work_on(CONFIG, "compare", tmp_path), begun("compare"))
    budget.save(finished=True)
    content = json.loads(budget.path.read_text())
    budget.path.write_text(json.dumps(content | {"spent": 1100.0}))
    again = Budget.open(tmp_path, "20m", lambda: 0.0)
    assert again.spent() == 0 and again.decided == budget.decided
