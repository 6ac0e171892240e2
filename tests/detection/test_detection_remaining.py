"""The time left, from measured cells."""

from pathlib import Path

import pytest

from anomaly_gan.core.progress import in_words
from anomaly_gan.engine.board import Board, Plan, seconds_left
from anomaly_gan.engine.jobs import Sitting
from anomaly_gan.engine.workers import run_here
from detection.comparison.clock import Allowance

KINDS, STEPS = ["a", "a", "b", "b"], [10, 10, 10, 10]


def test_finished_cells_of_a_kind_say_what_the_others_cost() -> None:
    plan = Plan(KINDS, STEPS, workers=1)
    assert seconds_left(plan, [10, 5, 10, 0], [100.0, -1, 300.0, -1], 400) == pytest.approx(50 + 300)
    assert seconds_left(plan, [10, 5, 0, 0], [100.0, -1, -1, -1], 150) == pytest.approx(50 + 100 + 100)


def test_one_cell_is_not_shared_between_workers() -> None:
    plan = Plan(KINDS, STEPS, workers=4, earlier_seconds={"a": 100.0, "b": 400.0})
    assert seconds_left(plan, [0, 0, 0, 0], [-1.0] * 4, 0) == pytest.approx(400)
    assert seconds_left(plan, [10, 10, 0, 0], [0.0, 0.0, -1, -1], 5) == pytest.approx(400)


def test_before_any_cell_is_finished_the_pace_counts() -> None:
    plan = Plan(KINDS, STEPS, workers=2)
    assert seconds_left(plan, [0] * 4, [-1.0] * 4, 3) is None
    assert seconds_left(plan, [4, 6, 0, 0], [-1.0] * 4, 20) == pytest.approx(30 * 4 / 2)
    assert seconds_left(plan, [10] * 4, [1.0] * 4, 20) == 0


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (89, "89 s"), (3599, "60 min"), (11100, "3 h 05 min"), (200_000, "2 d 7 h")]
)
def test_durations_are_plain(seconds: float, words: str) -> None:
    assert in_words(seconds).replace("1 h 00 min", "60 min") == words


def test_a_log_gets_a_line_per_finished_cell_and_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    lines: list[str] = []
    times = iter(range(0, 1000, 10))
    with Board("compare", Plan(KINDS, STEPS, 1, earlier_cells=2), lines.append, lambda: next(times)) as board:
        board.show([5, 0, 0, 0], [-1.0] * 4)
        board.show([10, 0, 0, 0], [60.0, -1, -1, -1])
        board.show([10, 10, 10, 10], [60.0] * 4)
    assert lines == ["compare: 3/6 cells, about 3 min left", "compare: 6/6 cells"]
    assert capsys.readouterr().err == ""


class Slow:
    """A cell of a hundred steps."""

    steps = 100

    def __init__(self) -> None:
        self.made = 0

    def run(self, on_step=lambda: None) -> None:
        for _ in range(self.steps):
            on_step()
            self.made += 1


def test_a_cell_stops_where_its_time_is_over_and_the_next_is_not_begun() -> None:
    first, second = Slow(), Slow()
    run_here([first, second], Sitting(over=lambda: first.made >= 3))
    assert (first.made, second.made) == (3, 0)


def test_the_time_of_a_comparison_counts_on_after_a_kill(tmp_path: Path) -> None:
    earlier = Allowance(60.0, tmp_path)
    earlier.began -= 45
    assert not earlier.over()  # and this is where it is killed
    later = Allowance(60.0, tmp_path)
    assert later.spent() == pytest.approx(45, abs=1) and not later.over()
    later.began -= 20
    assert later.over()
