"""Repeats of a study counted as one sample: what is drawn anew in each must widen the interval."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from simulated_study import simulated_cell

from anomaly_gan.core.seeding import rng_for
from anomaly_gan.study.statistics import StudyCell, comparison_rows, summarise_study
from anomaly_gan.study.statistics.comparisons import by_arm, compare
from anomaly_gan.study.statistics.repeats import over_repeats
from anomaly_gan.study.statistics.resample import draw_cells
from anomaly_gan.study.statistics.summary import goal

STUDIES, REPEATS, SEEDS = 30, 4, 2
DRAW_SPREAD = 1.0
"""How far arms of equal skill are apart by the draw of the few objects they learned from."""


def repeated(study: int, skills: dict[str, float], spread: float = DRAW_SPREAD) -> dict[str, list[StudyCell]]:
    """Cells by variant: ``main`` and its repeats, each with luck of its own that all its seeds share."""
    result = {}
    for repeat in range(REPEATS):
        cells = []
        for arm, skill in skills.items():
            luck = rng_for(0, "draw", study, repeat, arm).normal(0, spread)
            cells += [
                replace(simulated_cell(arm, 0, 10 * repeat + seed, skill + luck, study), seed=seed)
                for seed in range(SEEDS)
            ]
        result["main" if not repeat else f"main.r{repeat}"] = cells
    return result


def drawn(cells: dict[str, list[StudyCell]], draws: int = 200):
    return {name: draw_cells(items, draws, seed=0) for name, items in cells.items()}


def test_a_repeat_is_the_mean_over_its_seeds():
    cells = repeated(0, {"none": 0.0, "anomaly_gan": 1.0})
    merged = over_repeats(drawn(cells))["main"]
    assert [(item.cell.arm, item.cell.seed) for item in merged] == [
        (arm, repeat) for repeat in range(REPEATS) for arm in ("anomaly_gan", "none")
    ]
    by_hand = [np.mean([cell.figure() for cell in items if cell.arm == "none"]) for items in cells.values()]
    assert [item.cell.figure() for item in merged if item.cell.arm == "none"] == pytest.approx(by_hand)
    for name in ("blowhole", "crack"):
        values = [cell.figure(name) for cell in cells["main"] if cell.arm == "none"]
        assert merged[1].cell.figure(name) == pytest.approx(np.mean(values))
    seeds = [item.overall for item in drawn(cells)["main"] if item.cell.arm == "none"]
    assert np.allclose(merged[1].overall, np.mean(seeds, axis=0), equal_nan=True)


def test_only_seeds_that_all_arms_have_count():
    cells = repeated(0, {"none": 0.0, "anomaly_gan": 1.0})
    gone = [cell for cell in cells["main.r1"] if (cell.arm, cell.seed) != ("anomaly_gan", 1)]
    merged = over_repeats(drawn(cells | {"main.r1": gone}))["main"]
    kept = next(cell for cell in cells["main.r1"] if (cell.arm, cell.seed) == ("none", 0))
    assert (
        next(item.cell.figure() for item in merged if item.cell.arm == "none" and item.cell.seed == 1) == kept.figure()
    )
    none_left = {"main": cells["main"], "main.r1": [cell for cell in cells["main.r1"] if cell.arm == "none"]}
    assert over_repeats(drawn(none_left)) == {}, "one whole repeat is no sample of repeats"


def test_intervals_over_repeats_know_of_the_draw_and_those_over_seeds_do_not():
    """Arms that differ by the luck of their draw alone: one draw finds differences, several hardly any."""
    one, several = 0, 0
    for study in range(STUDIES):
        sample = drawn(repeated(study, {"none": 0.0, "anomaly_gan": 0.0}))
        rows = [
            compare(by_arm(cells), "anomaly_gan", "none", "none", seed=0)
            for cells in (sample["main"], over_repeats(sample)["main"])
        ]
        one += rows[0].made.verdict != "no difference shown"
        several += rows[1].made.verdict != "no difference shown"
    assert several <= 0.1 * STUDIES < 0.2 * STUDIES <= one


def test_a_better_arm_is_called_better_over_repeats_in_summary_and_csv():
    summary = summarise_study(repeated(1, {"none": 0.0, "copy_paste": 0.0, "anomaly_gan": 3.0}, 0.2), seed=0)
    part = summary.detectors["mask_rcnn"]
    row = part.repeats["main"].over_none["anomaly_gan"]
    assert row.made.verdict == "better" and row.made.pairs == REPEATS
    assert f"{REPEATS} repeats (each the mean over its seeds)" in summary.sentences[1] == row.sentence()
    reached = goal(part.first)
    assert reached is not None and reached.reached
    assert {"main", "main.r1", "main, all repeats"} <= {item["variant"] for item in comparison_rows(summary)}
